"""A trained network in one file, which needs NumPy alone.

    python FILE.py rows.csv              prints row,prediction
    python FILE.py rows.csv --proba      and p_<class> of each class
    import FILE; FILE.predict({"age": [31, ""], "city": ["Ulm", "Bonn"]})
    FILE.predict(array)                  of a network on arrays (n, …)

Columns are numbers or texts; None, NaN and an empty text are missing values. Numbers have a decimal
point; in a file with semicolons or tabs, a comma is one too.
Written by `backproplab export RUN --numpy FILE.py`.
"""

import base64
import csv
import json
import math
import sys
from datetime import datetime
from typing import Any

import numpy as np

MODEL: dict[str, Any] = json.loads("{}")
WEIGHTS = ""


def predict(data: Any) -> Any:
    """The class of each row, or the number in the units of the target."""
    y = outputs(data)
    classes = MODEL["classes"]
    if classes:
        return np.array(classes)[decide(y)]
    real = y.astype(np.float64) * np.array(MODEL["targets"]["scale"])
    real = real + np.array(MODEL["targets"]["shift"])
    return real[:, 0] if real.shape[1] == 1 else real


def probabilities(data: Any) -> Any:
    """How sure it is of each class, (n, classes)."""
    y = outputs(data)
    if MODEL["on_logits"] == "softmax":
        e = np.exp(y - y.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    p = sigmoid(y) if MODEL["on_logits"] == "sigmoid" else y
    return np.clip(np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p, 0, 1)


def decide(y: Any) -> Any:
    """The predicted classes, as numbers from 0."""
    if y.shape[1] > 1:
        return np.argmax(y, axis=1)
    return (y[:, 0] > (0 if MODEL["on_logits"] == "sigmoid" else 0.5)).astype(int)


def outputs(data: Any) -> Any:
    """The network's outputs (n, units)."""
    x = prepare(data).astype(MODEL["dtype"])
    weights = arrays()
    with np.errstate(all="ignore"):
        for layer in MODEL["layers"]:
            x = apply(layer, weights, x)
    return x


def arrays() -> dict[str, Any]:
    """The weights by name."""
    flat, start, found = np.frombuffer(base64.b64decode(WEIGHTS), MODEL["stored"]), 0, {}
    for name, shape in MODEL["shapes"].items():
        end = start + math.prod(shape)
        found[name] = flat[start:end].reshape(shape)
        start = end
    return found


def prepare(data: Any) -> Any:
    """What the network takes, as it was prepared in training."""
    if "columns" not in MODEL:
        x = np.asarray(data, np.float64).reshape(len(data), *MODEL["shape"])
        return (x - np.array(MODEL["inputs"]["shift"])) / np.array(MODEL["inputs"]["scale"])
    lacking = [each["name"] for each in MODEL["columns"] if each["name"] not in data]
    if lacking:
        raise ValueError(f"columns are missing: {', '.join(lacking)}")
    return np.concatenate([column(each, list(data[each["name"]])) for each in MODEL["columns"]], 1)


def column(each: dict[str, Any], cells: list[Any]) -> Any:
    """The inputs (n, width) that a column becomes."""
    blank = [x is None or x == "" or (isinstance(x, float) and math.isnan(x)) for x in cells]
    texts = ["" if gap else text(x) for x, gap in zip(cells, blank, strict=True)]
    if each["kind"] == "categorical":
        levels, none = each["levels"], len(each["levels"]) + each["missing"]
        places = {level: i for i, level in enumerate(levels)}
        rest = len(levels) if each["missing"] else none
        found = [rest if gap else places.get(x, none) for x, gap in zip(texts, blank, strict=True)]
        if each.get("units"):
            return (np.array(found)[:, None] + 1.0) % (none + 1)
        return np.equal(np.array(found)[:, None], np.arange(none)).astype(np.float64)
    width = len(each["fill"])
    parsed = [[math.nan] * width if not x else numbers(each, x) for x in texts]
    x = np.array(parsed, np.float64).reshape(len(cells), width)
    if "clip" in each:
        x = np.clip(x, *each["clip"])
    if each.get("log"):
        x = np.sign(x) * np.log1p(np.abs(x))
    x = np.where(np.isnan(x), np.array(each["fill"]), x)
    if "quantiles" in each:
        return ranks(x, np.array(each["quantiles"]))
    return (x - np.array(each["shift"])) / np.array(each["scale"])


def ranks(x: Any, quantiles: Any) -> Any:
    """The place of each number among the quantiles, 0 … 1."""
    places = np.linspace(0, 1, len(quantiles))
    up = np.interp(x, quantiles, places)
    found = (up - np.interp(-x, -quantiles[::-1], -places[::-1])) / 2
    found[x == quantiles[-1]] = 1
    found[x == quantiles[0]] = 0
    return found


def text(cell: Any) -> str:
    """A cell as text: 2 for 2.0, as a table has it."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def numbers(each: dict[str, Any], cell: str) -> list[float]:
    """The numbers that a cell is; a mark such as ? or NA is missing."""
    if each["kind"] == "boolean":
        words = [word.lower() for word in each["words"]]
        return [float(words.index(cell.lower())) if cell.lower() in words else math.nan]
    if cell in MODEL["marks"]:
        return [math.nan] * len(each["fill"])
    if each["kind"] == "numeric":
        return [float(cell)]
    day = datetime.strptime(cell, each["format"])
    return [float(x) for x in (day.year, day.month, day.day, day.weekday(), day.hour)][
        : len(each["fill"])
    ]


def apply(layer: dict[str, Any], weights: dict[str, Any], x: Any) -> Any:
    """One layer, as in evaluation."""
    kind, at = layer["kind"], layer["name"]
    own = {n[len(at) + 1 :]: w for n, w in weights.items() if n.startswith(f"{at}/")}
    if kind == "dense":
        x = x @ own["kernel"]
    elif kind in ("conv1d", "conv2d"):
        found = windows(x, layer["windows"], 0.0)
        rank = own["kernel"].ndim - 1
        x = np.tensordot(found, own["kernel"], (list(range(-rank, 0)), list(range(rank))))
    elif kind in ("max_pool", "avg_pool"):
        found = windows(x, layer["windows"], np.nan)
        axes = tuple(range(-1 - len(layer["windows"]["size"]), -1))
        x = (np.nanmax if kind == "max_pool" else np.nanmean)(found, axis=axes)
    elif kind in ("global_max_pool", "global_avg_pool"):
        x = (np.max if kind == "global_max_pool" else np.mean)(x, axis=tuple(range(1, x.ndim - 1)))
    elif kind == "batch_norm":
        x = (x - own["mean"]) / np.sqrt(own["variance"] + layer["epsilon"])
        x = x * own["scale"] + own["shift"]
    elif kind == "layer_norm":
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        x = (x - mean) / np.sqrt(variance + layer["epsilon"]) * own["scale"] + own["shift"]
    elif kind == "embedding":
        x = own["table"][x.astype(int)]
    elif kind == "embed_columns":
        vectors = [own[f"table_{place}"][x[:, place].astype(int)] for place in layer["places"]]
        x = np.concatenate([x[:, layer["others"]], *vectors], axis=1)
    elif kind in ("reshape", "flatten"):
        x = x.reshape(len(x), *layer["shape"])
    elif kind == "residual":
        y = x
        for inner in layer["layers"]:
            y = apply(inner, own, y)
        x = x + y
    if "bias" in own:
        x = x + own["bias"]
    return activate(layer["activation"], x)


def windows(x: Any, at: dict[str, Any], padding: float) -> Any:
    """The entries of each window, (n, *counts, *size, channels)."""
    x = np.pad(x, [(0, 0), *at["padding"], (0, 0)], constant_values=padding)
    reach = [(k - 1) * d + 1 for k, d in zip(at["size"], at["dilation"], strict=True)]
    axes = tuple(range(1, 1 + len(reach)))
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    steps = [slice(None), *(slice(None, None, s) for s in at["stride"]), slice(None)]
    seen = seen[(*steps, *(slice(None, None, d) for d in at["dilation"]))]
    return np.moveaxis(seen, 1 + len(reach), -1)


def sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


def activate(kind: dict[str, Any], x: Any) -> Any:
    """An activation, by its name and settings."""
    name, alpha = kind["name"], kind.get("alpha", 1.0)
    if name == "relu":
        return np.maximum(x, 0)
    if name == "leaky_relu":
        return np.where(x > 0, x, alpha * x)
    if name == "elu":
        return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    if name == "selu":
        below = 1.6732632423543772 * np.expm1(np.minimum(x, 0))
        return 1.0507009873554805 * np.where(x > 0, x, below)
    if name == "gelu":
        return 0.5 * x * (1 + np.vectorize(math.erf)(x * math.sqrt(0.5)))
    if name == "silu":
        return x * sigmoid(x)
    if name == "softplus":
        return np.logaddexp(x, 0)
    if name == "softsign":
        return x / (1 + np.abs(x))
    if name == "power":
        return x ** kind["exponent"]
    if name == "tanh":
        return np.tanh(x)
    return sigmoid(x) if name == "sigmoid" else x


def read(path: str) -> list[list[str]]:
    """The rows of a CSV file, which separates them by what is most frequent in its first line."""
    with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123
        lines = file.read().splitlines(keepends=True)
    mark = max(",;\t", key=lines[0].count) if lines else ","
    rows = [row for row in csv.reader(lines, delimiter=mark) if row]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} cells, the first {len(rows[0])}")
    return rows if mark == "," else [[point(cell) for cell in row] for row in rows]


def point(cell: str) -> str:
    """A number with a decimal point; any other text as it is."""
    whole, _, rest = cell.strip().partition(",")
    return f"{whole}.{rest}" if whole.lstrip("+-").isdigit() and rest.isdigit() else cell


def main() -> None:
    """Predict each row of a CSV file."""
    if len(sys.argv) < 2:
        sys.exit(f"python {sys.argv[0]} ROWS.csv [--proba]")
    proba = "--proba" in sys.argv[2:] and bool(MODEL["classes"])
    try:
        rows = read(sys.argv[1])
        if "columns" in MODEL:
            names = [name.strip() for name in rows[0]]
            columns = zip(*rows[1:], strict=True) if rows[1:] else [()] * len(names)
            data: Any = dict(zip(names, columns, strict=True))
        else:
            data = np.array([row[: math.prod(MODEL["shape"])] for row in rows], np.float64)
        found = predict(data)
        sure = probabilities(data) if proba else np.empty((len(found), 0))
    except (IndexError, OSError, ValueError) as error:
        sys.exit(f"{' '.join(sys.argv)}: {error}")
    several = found.shape[1] if found.ndim > 1 else 0
    own = [MODEL["id"]] if isinstance(data, dict) and MODEL["id"] in data else []
    heads = own + ([f"prediction_{i + 1}" for i in range(several)] or ["prediction"])
    heads += [f"p_{name}" for name in MODEL["classes"]] if proba else []
    ids: Any = zip(*[data[name] for name in own], strict=True) if own else [()] * len(found)
    made = found.reshape(len(found), max(several, 1)).tolist()
    cells = zip(ids, made, sure.tolist(), strict=True)
    written = csv.writer(sys.stdout, lineterminator="\n")
    try:
        written.writerow(["row", *heads])
        written.writerows([i, *name, *y, *p] for i, (name, y, p) in enumerate(cells, start=1))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough
        sys.stderr.close()


if __name__ == "__main__":
    main()
