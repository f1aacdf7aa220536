"""The pictures of the rules: each rule's statistic in a faulty run and in a mended one.

    python -m benchmarks.diagnosis_pictures [RULE]...

Trains both runs of each rule, writes their numbers to backproplab/diagnosis/pictures.json, which
``diagnose --why`` draws, and from these numbers the figures of docs/diagnosis.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import backproplab as bpl
from backproplab.config import Experiment
from backproplab.diagnosis import Case
from backproplab.diagnosis.pictures import FILE
from backproplab.experiment import build
from backproplab.experiment.beginning import _repeat
from backproplab.telemetry import Beginning
from benchmarks.diagnosis_figures import draw

HOME = Path(__file__).parent.parent
CASES = {
    case["case"]: case["config"]
    for case in yaml.safe_load((HOME / "tests/diagnosis/cases.yaml").read_text())
}
FOLDER = Path(tempfile.mkdtemp())
POINTS = 60  # at most, of a curve
Config = dict[str, Any]
Values = Sequence[float]


def experiment(config: Config, *changes: str) -> Experiment:
    """The config with values as a command sets them."""
    file = FOLDER / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return bpl.load(file, *changes)


@cache
def _trained(text: str, changes: tuple[str, ...]) -> Case:
    folder = FOLDER / f"run{len(list(FOLDER.iterdir()))}"
    bpl.run(experiment(yaml.safe_load(text), "tensorboard=off", *changes), folder)
    return Case(folder)


def trained(config: Config, *changes: str) -> Case:
    return _trained(yaml.safe_dump(config), changes)


def curve(name: str) -> Callable[..., Values]:
    """A value of each epoch, a loss divided by that of guessing."""

    def of(config: Config, *changes: str) -> Values:
        case = trained(config, *changes)
        scale = case.chance if name.endswith("loss") else 1.0
        return [float(x) / scale for x in case.curves.of(name)]

    return of


def layers(name: str) -> Callable[..., Values]:
    """A fact of every hidden layer before training."""

    def of(config: Config, *changes: str) -> Values:
        return [layer[name] for layer in trained(config, *changes).start["layers"]]

    return of


def signals(config: Config, *changes: str) -> Values:
    """rms ∂L/∂z of each hidden layer, divided by that of the last."""
    found = layers("signal")(config, *changes)
    return [value / found[-1] for value in found]


def steps(config: Config, *changes: str) -> Values:
    """‖Δw‖ / ‖w‖ of the largest kernel in each of the first 20 updates."""
    parts = build(experiment(config, *changes))
    watcher = Beginning(parts.material)
    with np.errstate(all="ignore"):
        _repeat(parts, parts.descent(), watcher, {})
    return watcher.ratios[max(watcher.ratios, key=lambda name: watcher.kernels[name])]


def firing(config: Config, *changes: str) -> Values:
    """The share of the training examples for which each unit of the second layer is not 0."""
    layer = trained(config, *changes).end.hidden[1]
    return sorted(float(x) for x in (layer.outputs.value != 0).mean(axis=0))


def activations(config: Config, *changes: str) -> Values:
    """The share of the first layer's activations in each of 20 equal parts of -1 … 1."""
    from backproplab.telemetry.probe import forward

    parts = build(experiment(config, *changes))
    values = forward(parts.descent(), parts.splits.train.inputs)[1][0].outputs.value
    counts = np.histogram(values, 20, (-1, 1))[0]
    return [float(x) for x in counts / counts.sum()]


def spreads(config: Config, *changes: str) -> Values:
    """The standard deviation of each input feature."""
    inputs = build(experiment(config, *changes)).splits.train.inputs
    return [float(x) for x in np.std(inputs, axis=0, dtype=np.float64)]


def recalls(config: Config, *changes: str) -> Values:
    return [float(x) for x in trained(config, *changes).end.recalls]


def correlations(config: Config, *changes: str) -> Values:
    """The largest |correlation| of a feature with each class."""
    train = build(experiment(config, *changes)).splits.train
    x = train.inputs.reshape(len(train), -1).astype(np.float64)
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), np.inf)
    member = np.equal(train.targets[:, None], np.arange(10)).astype(np.float64)
    member = (member - member.mean(axis=0)) / member.std(axis=0)
    return [float(v) for v in np.abs(x.T @ member / len(x)).max(axis=0)]


def seeds(config: Config, *changes: str) -> Values:
    """The last validation accuracy with each of ten seeds."""
    runs = [trained(config | {"seed": seed}, *changes) for seed in range(10)]
    return [run.curves.last("val_accuracy") for run in runs]


def rates(config: Config, *changes: str) -> Values:
    return trained(config, *changes).rates


def differences(config: Config, *changes: str) -> Values:
    """|difference of the validation losses| of the run and of one with one thread, by epoch."""
    runs = (trained(config, *changes), trained(config, "threads=1"))
    one, two = (run.curves.of("val_loss") for run in runs)
    return [float(x) for x in np.abs(one - two)]


def images(kind: str) -> Config:
    """The digits as IDX files, with few of all classes but 0, or with the label in a pixel."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    found, labels = digits.images.astype(np.uint8) * 15, digits.target.astype(np.uint8)
    rank = np.array([(labels[:at] == label).sum() for at, label in enumerate(labels)])
    if kind == "unbalanced":
        kept = (labels == 0) | (rank < 4)
        found, labels = found[kept], labels[kept]
    if kind == "painted":
        found[np.arange(len(labels)), 0, :] = 0
        found[np.arange(len(labels)), labels // 8, labels % 8] = 255
    folder = FOLDER / kind
    if not folder.exists():
        _write(folder, found, labels)
    return {
        "data": {"name": "fashion_mnist", "path": str(folder), "validation_split": 0.4},
        "model": {"hidden": [32]}, "optimizer": "adam", "learning_rate": 0.005, "epochs": 15,
    }  # fmt: skip


def _write(folder: Path, found: Any, labels: Any) -> None:
    folder.mkdir()
    for part, rows in (("train", slice(20, None)), ("t10k", slice(20))):
        for name, array in (("images-idx3", found[rows]), ("labels-idx1", labels[rows])):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())


NORMED = {
    "data": "iris", "optimizer": "sgd", "learning_rate": 0.05, "epochs": 40, "batch_size": 119,
    "model": {"layers": [{"dense": 16}, "batch_norm", "relu", {"dense": 3}]},
}  # fmt: skip
SURE = CASES["H1"] | {"model": {"layers": [{"dense": 64}, "relu", {"dense": 10}, "sigmoid"]}}
LARGE = {
    "data": "digits", "model": {"hidden": [784, 512, 512]}, "optimizer": "adam",
    "batch_size": 256, "epochs": 12,
}  # fmt: skip
EXP1 = yaml.safe_load((HOME / "configs" / "exp1.yaml").read_text())
NAMES = {  # of what mends it, where the changes are long
    "C2": "both rates 0.2", "C3": "the sigmoid left out", "D17": "a warm-up of 60 updates",
    "D12": "all digits as they are", "D13": "all digits as they are",
}  # fmt: skip
LOSS, HELD = (
    "training loss / loss of guessing, by epoch",
    "validation loss / loss of guessing, by epoch",
)
# rule: (what is shown, logarithmic?, measured by, faulty config, what it is, changes that mend it)
RULES: dict[str, tuple[str, bool, Callable[..., Values], Config, str, list[str]]] = {
    "D1": (LOSS, False, curve("loss"), CASES["1"], "digits, first weights 0",
           ["model.initializer=he_normal"]),
    "D2": (LOSS, True, curve("loss"), CASES["6"], "diabetes, linear, rate 0.27",
           ["learning_rate=0.2"]),
    "D3": (LOSS, True, curve("loss"), CASES["8"], "digits, adam, rate 0.3",
           ["learning_rate=0.003"]),
    "D4": (LOSS, False, curve("loss"), CASES["9"], "digits, sgd, rate 0.0003",
           ["learning_rate=0.1"]),
    "D4b": ("‖Δw‖ / ‖w‖, by update", True, steps, CASES["10"], "digits, sgd, rate 2",
            ["learning_rate=0.1"]),
    "D5": ("rms ∂L/∂z of each hidden layer / that of the last, before training", True, signals,
           CASES["2"], "digits, five sigmoid layers",
           ["model.activation=relu", "model.initializer=he_normal"]),
    "D6": ("rms ∂L/∂z of each hidden layer / that of the last, before training", True, signals,
           CASES["4"], "digits, five relu layers, first weights N(0, 0.5²)",
           ["model.initializer=he_normal"]),
    "D7": ("share of the examples for which a unit is not 0, unit by unit", False, firing,
           CASES["10"], "digits, sgd, rate 2", ["learning_rate=0.1"]),
    "D8": ("share of the activations in each part of -1 to 1, before training", False, activations,
           CASES["11"], "digits, tanh, first weights N(0, 2²)",
           ["model.initializer=glorot_uniform"]),
    "D9": (HELD, True, curve("val_loss"), CASES["14"], "moons, 100 examples, 128-128 units",
           ["model.hidden=[4]"]),
    "D10": (LOSS, False, curve("loss"), CASES["15"], "spiral, no hidden layer",
            ["model.hidden=[16,16]", "model.activation=tanh"]),
    "D11": ("standard deviation of each input", True, spreads, CASES["12"], "wine as it is",
            ["data.standardize=true"]),
    "D12": ("recall of each class on validation", False, recalls, images("unbalanced"),
            "digits, of all classes but 0 four examples", ["ALL"]),
    "D13": ("largest |correlation| of an input with each class", False, correlations,
            images("painted"), "digits, the label in a pixel", ["ALL"]),
    "D14": ("validation accuracy, by seed", False, seeds, CASES["20"], "iris, 8 flowers held out",
            ["data.validation_split=0.3"]),
    "D15": (LOSS, True, curve("loss"), NORMED, "iris, batch norm, batches of 119 and 1",
            ["batch_size=118"]),
    "D16": ("std of each hidden layer's outputs, before training", True, layers("spread"),
            CASES["3"], "digits, five tanh layers, first weights N(0, 0.01²)",
            ["model.initializer=glorot_uniform"]),
    "D17": ("learning rate, by epoch", False, rates, CASES["16"], "a warm-up of 20,000 updates",
            ["schedule.cosine.warmup_steps=60"]),
    "D18": (LOSS, True, curve("loss"), CASES["17"], "digits, the rate halves every 20 updates",
            ["schedule=cosine"]),
    "D19": (HELD, True, curve("val_loss"), CASES["19"], "XOR, noise 0.5: wrong labels at the edges",
            ["data.noise=0"]),
    "D20": ("|difference of the validation loss to the same run with one thread|, by epoch", False,
            differences, LARGE, "digits, 784-512-512 units, threads 2", ["threads=1"]),
    "C1": (LOSS, False, curve("loss"), CASES["21"], "digits, l2 1", ["optimizer.l2=0.0001"]),
    "C2": (LOSS, False, curve("loss"), CASES["22"], "digits, dropout 0.9 twice",
           ["model.layers.2.dropout=0.2", "model.layers.5.dropout=0.2"]),
    "C3": (LOSS, True, curve("loss"), SURE, "digits, a sigmoid before the loss",
           ["model.layers=[{dense: 64}, relu, {dense: 10}]"]),
    "N1": (HELD, True, curve("val_loss"), CASES["H1"], "digits, 60 epochs", ["epochs=15"]),
    "N2": (HELD, True, curve("val_loss"), EXP1, "configs/exp1.yaml", ["epochs=600"]),
}  # fmt: skip


def picture(rule: str) -> dict[str, Any]:
    """The entry of pictures.json: what is shown, and the values of both runs."""
    shows, logarithmic, measure, config, what, changes = RULES[rule]
    first = ["epochs=60"] if rule == "N1" else ["threads=2"] if rule == "D20" else []
    whole = changes == ["ALL"]  # not a key mends it, but other data
    mended = measure(images("all")) if whole else measure(config, *changes)
    name = NAMES.get(rule) or " ".join(change.rpartition("model.")[2] for change in changes)
    faulty = measure(config, *first)
    return {
        "shows": shows,
        "logarithmic": logarithmic,
        "faulty": {"of": what, "count": len(faulty), "values": _rounded(faulty)},
        "mended": {"of": name, "count": len(mended), "values": _rounded(mended)},
    }


def _rounded(values: Values) -> list[float | None]:
    """At most POINTS of them, with four digits; None for what is not finite."""
    chosen = [values[at] for at in np.unique(np.linspace(0, len(values) - 1, POINTS).astype(int))]
    return [float(f"{x:.4g}") if np.isfinite(x) else None for x in chosen]


def main(wanted: Sequence[str]) -> None:
    found = json.loads(FILE.read_text()) if wanted and FILE.exists() else {}
    for rule in wanted or RULES:
        found[rule] = picture(rule)
    lines = [f'"{rule}": {json.dumps(found[rule], ensure_ascii=False)}' for rule in RULES]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for rule, entry in found.items():
        (HOME / "docs" / "diagnosis" / f"{rule}.svg").write_text(draw(rule, entry))


if __name__ == "__main__":
    main(sys.argv[1:])
