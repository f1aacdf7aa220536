"""Paths of a graph in lines: the product along each, with symbols and numbers, and their sum."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from backproplab.explain.formula import shown
from backproplab.explain.lines import Line, bracketed, factor, rounded
from backproplab.explain.trace import PATHS, Edge, Trace, product

BESIDE = 62  # characters of paths that are written side by side


def paths(trace: Trace) -> Iterator[Line]:
    """Each variable's paths with their products and sum; only the sum above ``PATHS`` paths."""
    for i in trace.variables:
        node, count = trace.nodes[i], trace.path_counts[i]
        slope = f"d{trace.result.name}/d{node.name}"
        if count > PATHS:
            total = ("", ""), (shown(node.gradient), "gradient")
            yield (f"{slope} = ... over {count:,} paths = ", ""), *total[1:]
            continue
        found = [PathProduct(trace, i, path) for path in islice(trace.paths(i), PATHS)]
        if len(found) == 1:
            yield (" = ".join([slope, *found[0].forms]) + " = ", ""), (found[0].total, "gradient")
        elif sum(path.width + 3 for path in found) <= BESIDE:
            yield from _side_by_side(slope, found, shown(node.gradient))
        else:
            yield from _below_each_other(slope, found, shown(node.gradient))


class PathProduct:
    """A path's product: with symbols, with formulas, with numbers, and its value."""

    def __init__(self, trace: Trace, variable: int, path: tuple[Edge, ...]) -> None:
        f = trace.result.name
        ends = [*(edge.target for edge in path), variable]
        names = [trace.nodes[i].name for i in ends]
        self.route = " -> ".join(reversed(names))
        matrices = any(isinstance(e.local, np.ndarray) for e in path)
        slopes = [f"d{f}/d{f}"]
        slopes += [f"d{trace.nodes[e.target].name}/d{trace.nodes[e.source].name}" for e in path]
        formulas = ["1", *(_bracketed(e.formula) or factor(e.local) for e in path)]
        numbers = ["1", *(factor(e.local) for e in path)]
        products = [slopes] if matrices else [slopes, formulas, numbers]
        forms = [" * ".join(factors) for factors in products]
        self.total = rounded(product(path))
        self.forms = [form for n, form in enumerate(forms) if form not in forms[:n]]
        if self.forms[-1:] == [self.total]:
            self.forms.pop()
        self.width = max(map(len, [*self.forms, self.total]))


def _side_by_side(slope: str, found: list[PathProduct], total: str) -> Iterator[Line]:
    """A column for each path, aligned at the equals sign; its nodes at the end of the first
    lines."""
    height = max(len(path.forms) for path in found)
    routes = [path.route for path in found]
    for row in range(height + 1):
        pieces: list[tuple[str, str]] = []
        for n, path in enumerate(found):
            forms = path.forms + path.forms[-1:] * (height - len(path.forms))
            text = path.total if row == height else forms[row]
            pieces += [(" + " if n else "", ""), (text.center(path.width), role(n))]
        head = slope if row == 0 else " " * len(slope)
        end = [(f" = {total}", "gradient")] if row == height else []
        beside = [(f"   {routes[row]}", role(row))] if row < len(routes) and row < height else []
        yield (f"{head} = ", ""), *pieces, *end, *beside


def _below_each_other(slope: str, found: list[PathProduct], total: str) -> Iterator[Line]:
    """A line for each path, and their sum."""
    for n, path in enumerate(found):
        yield (f"{path.route}:  ", role(n)), (" = ".join([*path.forms, path.total]), "")
    if found[0].total[0] != "[":  # of matrices the sum is the Jacobian, shown below
        terms = " + ".join(bracketed(path.total) for path in found)
        yield (f"{slope} = {terms} = ", ""), (total, "gradient")


def role(path: int) -> str:
    return f"path{path % 4 + 1}"


def _bracketed(formula: str) -> str:
    """The formula as a factor: in brackets if it is more than a name or a call."""
    depth = 0
    for letter in formula:
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and letter in " -":
            return f"({formula})"
    return formula
