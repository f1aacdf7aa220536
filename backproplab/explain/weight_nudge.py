"""One weight of a network moved by Δw: the change of every unit that it reaches, up to C.

Beside each change stands its first order, the derivative times Δw; both are computed in float64.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, jvp
from backproplab.errors import ConfigError, Problem, did_you_mean
from backproplab.explain.compare import relative_difference
from backproplab.explain.examples import index_of
from backproplab.explain.lines import Line, bracketed, rounded, short
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.units import UnitNet, dense_places
from backproplab.explain.update import Update, example_of, forward
from backproplab.nn.layers import Dense

WORD = re.compile(r"(?P<name>[^\[\]=]*/[^\[\]=]*)\[(?P<index>[^\]]*)\]=(?P<step>.*)")
UNIT = re.compile(r"(?P<unit>[wb]\d+_\d+)=(?P<step>.*)")
EXAMPLE = "dense_1/kernel[0,1]=0.001"
MOST = 60  # units in a row each; of a wider layer its norm


@dataclass(frozen=True)
class Nudge:
    """An entry of a weight, and by how much it is moved."""

    name: str
    index: tuple[int, ...]
    step: float


@dataclass(frozen=True)
class Change:
    """A unit, or the norm of a layer, before and after; slope: ∂/∂w times Δw."""

    name: str
    before: float
    after: float
    change: float
    slope: float


def is_nudge(word: str) -> bool:
    return bool(WORD.fullmatch(word) or UNIT.fullmatch(word))


def read(words: Sequence[str], update: Update, net: UnitNet | None) -> Nudge:
    """The nudge that a word asks for: ``dense_1/kernel[0,1]=0.001``, or ``w1_21=0.001``.

    Raises ConfigError for a weight that there is not, or a step that is no number.
    """
    if len(words) != 1:
        what = f"of a config it takes one weight and its change, got {len(words)}"
        raise ConfigError(Problem("--nudge", what, f"write --nudge {EXAMPLE}"))
    (word,) = words
    if found := UNIT.fullmatch(word):
        name, index = _of_unit(found["unit"], word, update, net)
    else:
        found = WORD.fullmatch(word)
        assert found
        name, index = found["name"], _index(found["index"], word)
    known = update.parameters
    if name not in known:
        hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
        raise ConfigError(Problem(f"--nudge {word[:60]}", "the network has no such weight", hint))
    shape = known[name].old.shape
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        last = ",".join(str(n - 1) for n in shape)
        hint = f"from [{','.join('0' * len(shape))}] to [{last}]"
        raise ConfigError(Problem(f"--nudge {word[:60]}", f"{name} has shape {shape}", hint))
    return Nudge(name, index, _step(found["step"], word))


def _of_unit(
    unit: str, word: str, update: Update, net: UnitNet | None
) -> tuple[str, tuple[int, ...]]:
    names = [m.name for moved in net.moved for m in moved] if net else []
    if unit not in names:
        hint = f"one of {', '.join(names)}" if names else f"write for example {EXAMPLE}"
        raise ConfigError(Problem(f"--nudge {word[:60]}", "the network has no such weight", hint))
    layer = dense_places(update)[int(unit[1 : unit.index("_")]) - 1]
    return f"{layer.name}/{'bias' if unit[0] == 'b' else 'kernel'}", index_of(unit)


def _index(text: str, word: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        hint = f"whole numbers, as in {EXAMPLE}"
        raise ConfigError(Problem(f"--nudge {word[:60]}", "cannot read the index", hint)) from None


def _step(text: str, word: str) -> float:
    try:
        step = float(text)
    except ValueError:
        step = np.nan
    if not np.isfinite(step) or not step:
        raise ConfigError(Problem(f"--nudge {word[:60]}", "the change must be a number, not 0"))
    return step


def changes(update: Update, nudge: Nudge) -> tuple[list[Change], Change]:
    """Every unit that changes, in the order of the forward pass; and C."""
    descent = update.parts.descent()
    example = example_of(update.parts, update.number)
    weights = {n: x.astype(np.float64) for n, x in descent.parameters.views.items()}

    def values(weights: Mapping[str, Tensor]) -> list[Tensor]:
        of = descent.loss, update.steps, weights, example, update.parts.experiment.seed
        made, loss = forward(*of)
        return [*made[1:], loss]

    along = {name: np.zeros_like(x) for name, x in weights.items()}
    along[nudge.name][nudge.index] = nudge.step
    before, slopes = jvp(values, [weights], [along])
    after = values({name: Tensor(x + along[name]) for name, x in weights.items()})
    rows = zip(_names(update), before, after, slopes, strict=True)
    *inner, last = [_changes(name, *(_entries(x) for x in each)) for name, *each in rows]
    return [change for found in inner for change in found], last[0]


def _entries(x: Tensor) -> Array:
    return np.asarray(x.value, np.float64).ravel()


def _names(update: Update) -> Iterator[str]:
    """The stem of each step's units: ``z1`` and ``a1`` of dense layers, else its name; then C."""
    number = 0
    after_dense = False
    for place in update.steps:
        dense = isinstance(place.layer, Dense)
        number += dense
        yield f"z{number}_" if dense else f"a{number}_" if after_dense else f"{place.name} "
        after_dense = dense
    yield "C"


def _changes(stem: str, before: Array, after: Array, slope: Array) -> list[Change]:
    """A row for each entry that changes; one of norms for a wide layer."""
    if stem == "C":
        return [Change(stem, *(float(x[0]) for x in (before, after, after - before, slope)))]
    if before.size > MOST:
        norms = (float(np.linalg.norm(x)) for x in (before, after, after - before, slope))
        return [Change(f"norm of {stem.rstrip('_ ')}", *norms)]
    moved = np.flatnonzero((after != before) | (slope != 0))
    columns = before, after, after - before, slope
    return [Change(f"{stem}{n + 1}", *(float(x[n]) for x in columns)) for n in moved]


def sections(update: Update, nudge: Nudge, net: UnitNet | None) -> list[Section]:
    """The table of changes, and ΔC beside ∂C/∂w Δw and δ Δz."""
    units, cost = changes(update, nudge)
    rows: list[tuple[str, ...]] = [
        (c.name, short(c.before), short(c.after), f"{c.change:+.6g}", f"{c.slope:+.6g}")
        for c in [*units, cost]
    ]
    headers = ("value", "before", "after", "change", "derivative * dw")
    roles = (("change", "value"), ("derivative * dw", "gradient"))
    name = f"{nudge.name}[{','.join(map(str, nudge.index))}]"
    return [
        Section(
            "Nudge",
            ReportTable(headers, rows, ("value",), roles, (("before", 1),), ("value",)),
            f"{name} moves by dw = {nudge.step:g}",
        ),
        Section("", list(_beside(update, nudge, units, cost, net))),
    ]


def _beside(
    update: Update, nudge: Nudge, units: Sequence[Change], cost: Change, net: UnitNet | None
) -> Iterator[Line]:
    gradient = float(update.parameters[nudge.name].gradient[nudge.index])
    product = gradient * nudge.step
    yield ("change of C = ", ""), (rounded(cost.change), "value")
    factors = f"{bracketed(short(gradient))} * {bracketed(short(nudge.step))}"
    yield (f"dC/dw * dw = {factors} = ", ""), (rounded(product), "gradient")
    if net and units:
        first = units[0]
        delta = _delta(net, first.name)
        factors = f"{bracketed(short(delta))} * {bracketed(short(first.change))}"
        text = f"delta{first.name[1:]} * (change of {first.name}) = {factors} = "
        yield (text, ""), (rounded(delta * first.change), "gradient")
    share = relative_difference(cost.change, product)
    yield ((f"they differ by {share:.2g} of it: C is curved, and dw is not infinitely small", ""),)


def _delta(net: UnitNet, name: str) -> float:
    """δ of the unit ``z1_2``."""
    layer, unit = name[1:].split("_")
    return float(net.layers[int(layer) - 1].delta[int(unit) - 1])
