"""What is in each column of a table, as one HTML file.

This file must not know how the table was read.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.markup import Markup, document, element, section
from backproplab.report.svg import svg
from backproplab.tables import Feature, Profile

WIDTH, HEIGHT, GAP = 132.0, 26.0, 1.0  # of a histogram, and between its bars
HEADS = ("column", "kind", "why", "distinct", "missing", "values", "rows by value", "tells")
NUMERIC = ("distinct", "missing", "tells")
CLASSES = 24  # shown
HOW = (
    "“tells” is how much of the target a column tells by itself: of classes the share of the "
    "errors that its values avoid, of numbers the share of the variance; 1 is all of it. The bars "
    "are rows: of numbers in intervals of equal width, of texts the most frequent ones."
)


def table_page(
    name: str,
    summary: str,
    warnings: Sequence[str],
    classes: Sequence[tuple[str, int]],
    found: Sequence[Profile],
) -> str:
    """The page. name: of the table. classes: each with its number of rows; none of a regression."""
    head = element(
        "header",
        element("p", "backproplab data", class_="kick"),
        element("h1", name),
        element("p", summary, class_="deck"),
        *(element("p", warning, class_="warning") for warning in warnings),
    )
    balance = [section("Classes", _classes(classes))] if classes else []
    columns = section(
        "Columns",
        element("p", HOW, class_="cap"),
        element("div", _columns(found), class_="wide land"),
    )
    return document(name, [head, *balance, columns])


def _classes(classes: Sequence[tuple[str, int]]) -> Markup:
    """Those with the most rows, with a bar each."""
    whole = sum(count for _, count in classes)
    shown = sorted(classes, key=lambda pair: -pair[1])[:CLASSES]
    rows = [
        element(
            "tr",
            element("th", label),
            element("td", f"{count:,}", class_="n"),
            element("td", f"{count / whole:.1%}", class_="n"),
            element("td", _bars([count / shown[0][1]], wide=True)),
        )
        for label, count in shown
    ]
    more = len(classes) - len(shown)
    rest = [element("p", f"and {more:,} more", class_="cap")] if more else []
    heads = _heads(("class", "rows", "share", ""), ("rows", "share"))
    return element("div", element("table", heads, element("tbody", *rows), class_="t2"), *rest)


def _columns(found: Sequence[Profile]) -> Markup:
    rows = [element("tr", *_cells(each)) for each in found]
    return element("table", _heads(HEADS, NUMERIC), element("tbody", *rows), class_="t2")


def _heads(names: Sequence[str], right: Sequence[str]) -> Markup:
    cells = [element("th", name, class_="n" if name in right else "") for name in names]
    return element("thead", element("tr", *cells))


def _cells(each: Profile) -> list[Markup]:
    role = each.role
    tells = "" if each.tells is None else f"{each.tells:.2f}"
    return [
        element("th", role.name),
        element("td", role.kind if isinstance(role, Feature) else "–"),
        element("td", role.why, class_="w"),
        element("td", f"{each.distinct:,}", class_="n"),
        element("td", f"{each.missing:,}" if each.missing else "", class_="n"),
        element("td", each.values, class_="w"),
        element("td", _bars([count / max(each.counts) for count in each.counts])),
        element("td", tells, class_="n chip" if each.is_leak else "n"),
    ]


def _bars(heights: Sequence[float], wide: bool = False) -> Markup:
    """Bars side by side, 1 for the highest; wide: one bar that lies on its side."""
    if wide:
        bars = [_bar(0, 4, WIDTH * heights[0], HEIGHT - 8)]
    else:
        width = WIDTH / max(len(heights), 6)
        bars = [
            _bar(i * width, HEIGHT * (1 - height), width - GAP, HEIGHT * height)
            for i, height in enumerate(heights)
        ]
    label = ", ".join(f"{height:.2f}" for height in heights)
    return svg(WIDTH, HEIGHT, f"rows: {label} of the most", bars, class_="strip")


def _bar(x: float, y: float, width: float, height: float) -> Markup:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}"}
    return element("rect", **place, width=f"{width:.1f}", height=f"{height:.1f}", class_="sd1")
