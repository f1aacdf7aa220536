"""Several examples of a small network: each one's δ and gradient, their mean, and the update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import ConfigError, Problem
from backproplab.experiment import Parts
from backproplab.explain.lines import Line, short
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.units import UnitNet, unit_net
from backproplab.explain.update import Parameter, batch_step, update

MOST = 8  # examples that are shown


@dataclass(frozen=True)
class Examples:
    """The network on each example alone, and the step of all of them together."""

    nets: Sequence[UnitNet]
    together: dict[str, Parameter]
    dense: Sequence[str]

    def rows(self) -> Iterator[tuple[str, list[float], float, float, float]]:
        """(weight, gradient of each example, their mean, old, new) of every scalar weight."""
        for layer, name in enumerate(self.dense):
            columns = [net.moved[layer] for net in self.nets]
            for entries in zip(*columns, strict=True):
                p = self.together[f"{name}/{'bias' if entries[0].name[0] == 'b' else 'kernel'}"]
                index = index_of(entries[0].name)
                mean, old, new = (float(a[index]) for a in (p.gradient, p.old, p.new))
                yield entries[0].name, [m.gradient for m in entries], mean, old, new


def index_of(name: str) -> tuple[int, ...]:
    """Where a scalar weight stands in its array: ``w1_12`` is row 1, column 0 of the kernel."""
    units = name.partition("_")[2]
    if name.startswith("b"):
        return (int(units) - 1,)
    return int(units[1]) - 1, int(units[0]) - 1


def examples(parts: Parts, count: int) -> Examples:
    """Raises ConfigError for a network that is not shown by units, or too many examples."""
    most = min(MOST, len(parts.splits.train.inputs))
    if not 1 <= count <= most:
        raise ConfigError(Problem(f"--examples {count}", f"choose 1 to {most}"))
    updates = [update(parts, n) for n in range(count)]
    nets = [net for done in updates if (net := unit_net(done))]
    if len(nets) < count:
        what = "shows networks of dense layers with at most three units each"
        raise ConfigError(Problem("--examples", what, "try model.hidden=[2]"))
    dense = [place.name for place in updates[0].steps if updates[0].own(place)]
    return Examples(nets, batch_step(parts, count), dense)


def sections(shown: Examples) -> list[Section]:
    """The examples with their δ, then every weight with each gradient, the mean and the step."""
    mean = f"of each example; their mean, 1/{len(shown.nets)} of the sum"
    return [
        Section("Examples", _deltas(shown), "each one alone: its loss, and its error of each unit"),
        Section("Gradients", _gradients(shown), mean),
        Section("", [_sum(shown)], "", True),
    ]  # fmt: skip


def _deltas(shown: Examples) -> ReportTable:
    layers = shown.nets[0].layers
    names = [layer.name("delta", j) for layer in layers for j in range(layer.z.size)]
    rows: list[tuple[str, ...]] = []
    for n, net in enumerate(shown.nets, start=1):
        deltas = [short(float(d)) for layer in net.layers for d in layer.delta]
        rows.append((str(n), _vector(net.x), _vector(net.y), short(net.loss), *deltas))
    headers = ("example", "x", "y", "C", *names)
    colors = tuple((name, "gradient") for name in names)
    return ReportTable(headers, rows, ("x", "y"), colors, (("x", 2), ("y", 1)))


def _vector(array: Array) -> str:
    return f"({', '.join(f'{float(v):.3g}' for v in np.ravel(array))})"


def _gradients(shown: Examples) -> ReportTable:
    numbers = [f"dC{n}" for n in range(1, len(shown.nets) + 1)]
    rows: list[tuple[str, ...]] = [
        (name, *(f"{x:.3g}" for x in (*each, mean)), f"{new - old:+.3g}", f"{new:.4g}")
        for name, each, mean, old, new in shown.rows()
    ]
    headers = ("weight", *numbers, "mean", "step", "after")
    last_first = tuple((head, rank) for rank, head in enumerate((*numbers[1:], "after"), start=1))
    colors = (("mean", "gradient"),)
    return ReportTable(headers, rows, ("weight",), colors, last_first, ("weight",))


def _sum(shown: Examples) -> Line:
    count = len(shown.nets)
    name, each, mean, _, _ = next(shown.rows())
    terms = " + ".join(f"({short(g)})" if g < 0 else short(g) for g in each)
    return (f"dC/d{name} = ({terms}) / {count} = ", ""), (short(mean), "gradient")
