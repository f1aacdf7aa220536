"""The metric over two keys as a table: in each cell a shade, a number and a word.

A diverged trial has a hatched cell. This file must not know the page around the table.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.comparison import Comparison
from backproplab.report.markup import Markup, element
from backproplab.report.naming import Layout, short_key
from backproplab.report.numerals import three
from backproplab.report.outcomes import outcome
from backproplab.report.scales import Scale
from backproplab.report.trials import RankedTrial

STEPS = 7  # shades of the map
COLUMNS, ROWS = 8, 12  # most of them
FALLEN = {"still improving": ("still falling", "still rising"), "worsens": ("rises", "falls")}


def heat_map(layout: Layout) -> Markup | None:
    """A table of two keys: the metric and a word in each cell; None unless the keys make a grid."""
    by_panel, by_color = layout.keys
    if not by_panel:
        return None
    columns, rows = layout.best_values(by_color, COLUMNS), layout.best_values(by_panel, ROWS)
    comparison = layout.comparison
    cells = {(repr(t.values[by_panel]), repr(t.values[by_color])): t for t in comparison.trials}
    edges = shade_edges(comparison)
    head = [element("th", comparison.label(by_color, value), scope="col") for value in columns]
    body = []
    for value in rows:
        found = [cells.get((repr(value), repr(column))) for column in columns]
        name = element("th", comparison.label(by_panel, value), scope="row")
        body.append(element("tr", name, *[_cell(trial, edges) for trial in found]))
    across = element("th", short_key(comparison, by_color), class_="hk", colspan=str(len(columns)))
    heads = element(
        "thead", element("tr", element("th"), across), element("tr", element("th"), *head)
    )
    table = element("table", heads, element("tbody", *body), class_="heat")
    return Markup(table + _shades(edges, comparison.metric.sign))


def shade_edges(comparison: Comparison) -> list[float]:
    """STEPS - 1 ascending edges between shades: in equal ratios from the best value to the worst
    one that is not far out; in equal differences of a metric that is not always above 0."""
    means = [mean for t in comparison.trials if (mean := t.mean(t.metric.name)) is not None]
    scale = Scale.of_metric(means, comparison.metric.sign) if means else Scale(0, 1)
    low, high = scale.low, scale.high
    if low > 0:
        return [low * (high / low) ** (at / STEPS) for at in range(1, STEPS)]
    return [low + (high - low) * at / STEPS for at in range(1, STEPS)]


def shade(value: float, edges: Sequence[float], sign: int) -> int:
    """1 for the best shade to STEPS for the worst."""
    above = sum(value > edge for edge in edges)
    return 1 + (above if sign > 0 else STEPS - 1 - above)


def word_of(trial: RankedTrial) -> str:
    """What became of the metric, in a word that fits its direction."""
    word = outcome(trial).word
    return FALLEN[word][trial.metric.sign < 0] if word in FALLEN else word


def _cell(trial: RankedTrial | None, edges: Sequence[float]) -> Markup:
    if trial is None:
        return element("td", element("span", "not tried", class_="vh"), class_="nt")
    mean, end = trial.mean(trial.metric.name), outcome(trial)
    if mean is None:
        mark = f"✗ {len(end.lost)}/{end.runs}" if end.lost else "–"
        return element(
            "td",
            element("b", mark),
            element("i", "diverged" if end.lost else trial.status),
            class_="dv",
        )
    level = shade(mean, edges, trial.metric.sign)
    gone = " bl" if end.word == "blew up" else ""
    word = f"✗ {len(end.lost)}/{end.runs}" if end.lost else word_of(trial)
    return element("td", element("b", three(mean)), element("i", word), class_=f"h{level}{gone}")


def _shades(edges: Sequence[float], sign: int) -> Markup:
    """The scale below the map: a shade from each edge to the next."""
    texts = [f"< {three(edges[0])}", *map(three, edges)]
    levels = range(1, STEPS + 1)[:: 1 if sign > 0 else -1]
    shades = [
        element("span", label, style=f"border-color:var(--h{level})")
        for level, label in zip(levels, texts, strict=True)
    ]
    return element("div", *shades, class_="scale", **{"aria-hidden": "true"})
