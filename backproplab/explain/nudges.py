"""Difference quotients for smaller and smaller steps: truncation falls, then rounding grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.explain.compare import entries, relative_difference
from backproplab.explain.lines import Line
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.trace import Trace
from backproplab.explain.values import Value
from backproplab.formulas.expression import Expression

STEPS = [10.0**-n for n in range(16)]
TYPES = ("float32", "float64")


@dataclass(frozen=True)
class Nudged:
    """The quotients of one step h, by ``(type, scheme)``, and their relative errors."""

    h: float
    quotients: dict[tuple[str, str], float]
    errors: dict[tuple[str, str], float]


def nudged(
    expression: Expression,
    values: Mapping[str, Value],
    name: str,
    index: tuple[int, ...],
    exact: float,
) -> list[Nudged]:
    """(f(x + h) - f(x)) / h and (f(x + h) - f(x - h)) / 2h for h = 1 … 1e-15, in two types."""
    rows = []
    for h in STEPS:
        found: dict[tuple[str, str], float] = {}
        for dtype in TYPES:
            here, up, down = (_value(expression, values, name, index, t, dtype) for t in (0, h, -h))
            with np.errstate(all="ignore"):
                step = np.dtype(dtype).type(h)
                found[dtype, "forward"] = float((up - here) / step)
                found[dtype, "central"] = float((up - down) / (step + step))
        errors = {key: relative_difference(value, exact) for key, value in found.items()}
        rows.append(Nudged(h, found, errors))
    return rows


def _value(
    expression: Expression, values: Mapping[str, Value], name: str, index: tuple[int, ...],
    step: float, dtype: str,
) -> Any:  # fmt: skip
    """f with one entry moved by ``step``, all computed in ``dtype``."""
    moved = np.array(values[name], dtype)
    moved[index] += np.dtype(dtype).type(step)
    return expression.evaluate({**values, name: moved}, dtype)[-1].value[()]


def sections(expression: Expression, values: Mapping[str, Value], seen: Trace) -> Iterator[Section]:
    """A table for each variable, and which step was best."""
    if np.ndim(seen.result.value):
        return
    for i in seen.variables:
        node = seen.nodes[i]
        for name, index, gradient in entries(node.name, node.gradient):
            rows = nudged(expression, values, node.name, index, gradient)
            title = f"Nudge {name}"
            aside = f"df/d{name} by quotients: their relative error to backprop's {gradient:.10g}"
            yield Section(title, _table(rows), aside)
            yield Section("", list(_best(rows)))


def _table(rows: list[Nudged]) -> ReportTable:
    keys = [(dtype, scheme) for dtype in TYPES for scheme in ("forward", "central")]
    headers = ("h", "(f(x + h) - f(x)) / h", *(f"{scheme} {dtype}" for dtype, scheme in keys))
    body: list[tuple[str, ...]] = [
        (f"{row.h:.0e}", f"{row.quotients['float64', 'forward']:.10g}",
         *(f"{row.errors[key]:.1e}" for key in keys))
        for row in rows
    ]  # fmt: skip
    ranks = ((headers[1], 3), (headers[3], 2), (headers[2], 1))
    return ReportTable(headers, body, (), (), ranks)


def _best(rows: list[Nudged]) -> Iterator[Line]:
    for dtype in TYPES:
        parts = []
        for scheme in ("forward", "central"):
            best = min(rows, key=lambda row: row.errors[dtype, scheme])
            parts.append(f"{scheme} best at h = {best.h:.0e} ({best.errors[dtype, scheme]:.0e})")
        yield ((f"{dtype}: {', '.join(parts)}", "aside"),)
    words = "larger h leaves out curvature, smaller h loses digits in f(x + h) - f(x)"
    yield ((words, "aside"),)
