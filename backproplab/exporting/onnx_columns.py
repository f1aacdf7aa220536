"""Preparation as a part of an ONNX graph: from columns, or an array, to what the network takes.

It computes in float64 and casts once, as training does: in float32 a column of large numbers would
lose the digits that matter. A missing number is NaN, a missing text is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import RunError
from backproplab.exporting.onnx_graph import Graph

MONTHS = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4]  # Sakamoto's offsets of weekdays
SOME_DAY = {"%Y": "2000", "%m": "01", "%d": "01", "%H": "00", "%M": "00", "%S": "00"}
TOKEN = re.compile(r"%[YmdHMS]")


def array(graph: Graph, record: Mapping[str, Any], x: str) -> str:
    """The scaled entries of an array, float32."""
    return graph.cast(_scaled(graph, record["inputs"], x), "FLOAT")


def columns(graph: Graph, described: Sequence[Mapping[str, Any]]) -> str:
    """The inputs (n, width), float32, of columns that are inputs of the graph by their names."""
    return graph.add("Concat", *(_column(graph, each) for each in described), axis=1)


def _column(graph: Graph, each: Mapping[str, Any]) -> str:
    if each["kind"] == "categorical":
        return _one_hot(graph, each)
    made = {"numeric": _number, "boolean": _truth, "date": _date}[each["kind"]]
    x, missing = made(graph, each)
    zero = graph.constant([0.0], np.float64)  # of a missing one, which is replaced afterwards
    shaped = _shaped(graph, each, graph.add("Where", missing, zero, x))
    filled = graph.add("Where", missing, graph.constant(each["fill"], np.float64), shaped)
    if "quantiles" in each:
        return graph.cast(_ranked(graph, np.array(each["quantiles"]), filled), "FLOAT")
    return graph.cast(_scaled(graph, each, filled), "FLOAT")


def _shaped(graph: Graph, each: Mapping[str, Any], x: str) -> str:
    """Clipped, and sign(x) ln(1 + |x|)."""
    if "clip" in each:
        low, high = (graph.constant(end, np.float64) for end in each["clip"])
        x = graph.add("Clip", x, low, high)
    if each.get("log"):
        more = graph.add("Add", graph.add("Abs", x), graph.constant(1.0, np.float64))
        x = graph.add("Mul", graph.add("Sign", x), graph.add("Log", more))
    return x


def _ranked(graph: Graph, quantiles: Array, x: str) -> str:
    """As ``tables.ranks``: between two knots a line, at a knot the mean of its places."""
    knots, first, counts = np.unique(quantiles, return_index=True, return_counts=True)
    places = np.linspace(0, 1, len(quantiles))
    left, right = places[first], places[first + counts - 1]
    at = (left + right) / 2
    at[-1], at[0] = 1, 0

    def number(values: Any, kind: Any = np.float64) -> str:
        return graph.constant(values, kind)

    reached = graph.cast(graph.add("GreaterOrEqual", x, number(knots)), "INT64")
    count = graph.add("ReduceSum", reached, number([1], np.int64), keepdims=1)
    far = 1 + np.abs(knots).max()  # before the first knot all places are 0, after the last 1
    edges = np.concatenate([[knots[0] - far], knots, [knots[-1] + far]])
    low, high = (graph.add("Gather", number(e), count) for e in (edges[:-1], edges[1:]))
    start = graph.add("Gather", number([0, *right]), count)
    end = graph.add("Gather", number([*left, 1]), count)
    share = graph.add("Div", graph.add("Sub", x, low), graph.add("Sub", high, low))
    between = graph.add("Add", start, graph.add("Mul", share, graph.add("Sub", end, start)))
    last = graph.add("Max", graph.add("Sub", count, number([1], np.int64)), number([0], np.int64))
    is_knot = graph.add("Equal", x, graph.add("Gather", number(knots), last))
    return graph.add("Where", is_knot, graph.add("Gather", number(at), last), between)


def _scaled(graph: Graph, record: Mapping[str, Any], x: str) -> str:
    shifted = graph.add("Sub", x, graph.constant(record["shift"], np.float64))
    return graph.add("Div", shifted, graph.constant(record["scale"], np.float64))


def _one_hot(graph: Graph, each: Mapping[str, Any]) -> str:
    """Zeros for an unseen text: its code is the depth, since OneHot counts -1 from the end.

    Of an embedded category the row of its vector, 0 for an unseen text."""
    levels = list(each["levels"])
    depth = len(levels) + bool(each["missing"])
    codes = {level: number for number, level in enumerate(levels)}
    codes |= {"": len(levels)} if each["missing"] else {}
    if each.get("units"):
        rows = {level: number + 1 for level, number in codes.items()}
        return graph.cast(graph.code(each["name"], rows, 0), "FLOAT")
    code = graph.code(each["name"], codes, depth)
    zero_one = graph.constant([0, 1], np.float32)
    found = graph.add("OneHot", code, graph.constant(depth, np.int64), zero_one, axis=-1)
    return graph.add("Flatten", found, axis=1)


def _number(graph: Graph, each: Mapping[str, Any]) -> tuple[str, str]:
    return each["name"], graph.add("IsNaN", each["name"])


def _truth(graph: Graph, each: Mapping[str, Any]) -> tuple[str, str]:
    """The words in the usual spellings; any other text is missing."""
    forms = (str.lower, str.upper, str.title)
    codes = {form(word): n for n, word in enumerate(each["words"]) for form in forms}
    code = graph.code(each["name"], codes, 2)
    missing = graph.cast(graph.code(each["name"], dict.fromkeys(codes, 0), 1), "BOOL")
    return graph.cast(code, "DOUBLE"), missing


def _date(graph: Graph, each: Mapping[str, Any]) -> tuple[str, str]:
    """Year, month, day, weekday from Monday and, if the format has hours, the hour."""
    form, name = each["format"], each["name"]
    missing = graph.cast(graph.code(name, {"": 1}, 0), "BOOL")
    day = TOKEN.sub(lambda token: SOME_DAY[token[0]], form)
    known = graph.add("Where", missing, graph.constant([[day]], object), name)
    found = {token: graph.cast(text, "INT64") for token, text in _pieces(graph, name, form, known)}
    parts = [found["%Y"], found["%m"], found["%d"], _weekday(graph, found)]
    parts += [found["%H"]] if "%H" in found else []
    whole = graph.add("Concat", *parts, axis=1)
    return graph.cast(whole, "DOUBLE"), missing


def _pieces(graph: Graph, name: str, form: str, text: str) -> list[tuple[str, str]]:
    """(token, its text) of a date. Raises RunError for a format that cannot be split."""
    if TOKEN.fullmatch(form):
        return [(form, text)]
    marks = [mark for mark in TOKEN.split(form) if mark]
    # the mark between date and time stands once, and apart from it the others are equal
    outer = next((mark for mark in marks if marks.count(mark) == 1), marks[0] if marks else "")
    parts = form.split(outer) if outer else []
    if not outer or "" in parts or "%" in outer:
        raise RunError(f"the column {name}, a date of the format {form}, has no export to ONNX")
    split = graph.add("StringSplit", text, results=2, delimiter=outer)
    found = []
    for number, part in enumerate(parts):
        piece = graph.add("Gather", split, graph.constant([number], np.int64), axis=-1)
        found += _pieces(graph, name, part, graph.add("Flatten", piece, axis=1))
    return found


def _weekday(graph: Graph, found: Mapping[str, str]) -> str:
    """Sakamoto 1993: (y + y/4 - y/100 + y/400 + offset of the month + d) mod 7, Sunday is 0."""

    def number(value: Any) -> str:
        return graph.constant(value, np.int64)

    month = found["%m"]
    early = graph.cast(graph.add("Less", month, number(3)), "INT64")
    year = graph.add("Sub", found["%Y"], early)
    offset = graph.add("Gather", number(MONTHS), graph.add("Sub", month, number(1)))
    total = graph.add("Add", graph.add("Add", year, offset), found["%d"])
    for divisor, op in ((4, "Add"), (100, "Sub"), (400, "Add")):
        total = graph.add(op, total, graph.add("Div", year, number(divisor)))
    return graph.add("Mod", graph.add("Add", total, number(6)), number(7))
