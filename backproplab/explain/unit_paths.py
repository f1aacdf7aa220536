"""Every path of a small network from a weight to C, with the product along it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from backproplab.explain.lines import bracketed, line, short
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.trace import PATHS
from backproplab.explain.units import Moved, UnitLayer, UnitNet

Factor = tuple[str, float]
MULTIPLY = "multiply along a path, add over the paths"


def section(net: UnitNet) -> Section:
    """A row for each path, and a sum where several join; above ``PATHS`` their number."""
    if (count := number_of_paths(net)) > PATHS:
        return counted(count, "C")
    rows = [row for moved, layer in _weights(net) for row in _rows(net, layer, moved)]
    headers = ("weight", "path", "product", "in numbers", "dC/dw")
    ranks = (("in numbers", 2), ("path", 1))
    left, math = headers[:4], ("weight", "path", "product")
    return Section(
        "Paths", ReportTable(headers, rows, left, (("dC/dw", "gradient"),), ranks, math), MULTIPLY
    )


def counted(count: int, loss: str) -> Section:
    """The number of paths, where they are too many, or the network too wide, to list them."""
    listed = f"; at most {PATHS} are listed" if count > PATHS else ""
    text = f"{count:,} paths lead from the weights to {loss}{listed}"
    return Section("Paths", [line(text)], MULTIPLY)


def number_of_paths(net: UnitNet) -> int:
    """The weights of each layer, times the ways on from the unit that they enter."""
    counts = zip(net.layers, net.moved, strict=True)
    return sum(
        len(moved) * prod(later.z.size for later in net.layers[layer.number :])
        for layer, moved in counts
    )


def _weights(net: UnitNet) -> Iterator[tuple[Moved, UnitLayer]]:
    for layer, moved in zip(net.layers, net.moved, strict=True):
        yield from ((m, layer) for m in moved)


def _rows(net: UnitNet, layer: UnitLayer, moved: Moved) -> Iterator[tuple[str, ...]]:
    unit = int(moved.name.partition("_")[2][0]) - 1
    routes = list(product(*(range(later.z.size) for later in net.layers[layer.number :])))
    for n, route in enumerate(routes):
        factors = list(_factors(net, layer, moved, (unit, *route)))
        names = [
            later.name("z", j)
            for later, j in zip(net.layers[layer.number - 1 :], (unit, *route), strict=True)
        ]
        words = " * ".join(word for word, _ in factors)
        numbers = " * ".join(bracketed(f"{value:.4g}") for _, value in factors)
        total = short(prod(value for _, value in factors))
        yield "" if n else moved.name, " -> ".join([*names, "C"]), words, numbers, total
    if len(routes) > 1:
        yield "", "", "sum", "", short(moved.gradient)


def _factors(
    net: UnitNet, layer: UnitLayer, moved: Moved, route: tuple[int, ...]
) -> Iterator[Factor]:
    """Of a path: what the weight is multiplied by, slopes and weights on the way, the last δ."""
    if moved.name.startswith("w"):
        yield net.inputs(layer)[int(moved.name.partition("_")[2][1]) - 1]
    layers = net.layers[layer.number - 1 :]
    for before, after, j, i in zip(layers, layers[1:], route, route[1:], strict=False):
        if before.activation != "linear":
            yield f"{before.activation}'({before.name('z', j)})", float(before.slope[j])
        yield f"w{after.number}_{i + 1}{j + 1}", float(after.kernel[i, j])
    last = net.layers[-1]
    yield last.name("delta", route[-1]), float(last.delta[route[-1]])
