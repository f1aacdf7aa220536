"""The parts of the page with figures over epochs and over keys, each with its caption.

This file must not know how a figure is drawn, or its position on the page.
"""

from __future__ import annotations

from backproplab.report import curves, multiples
from backproplab.report.comparison import Comparison
from backproplab.report.heat import heat_map
from backproplab.report.landscape import lines_figure
from backproplab.report.legends import curves_bar
from backproplab.report.markup import Markup, element, section
from backproplab.report.naming import Layout, short_key
from backproplab.report.outcomes import outcome
from backproplab.report.slices import slices

FEWEST = 6  # trials that the metric is drawn against keys of
MOST_KEYS = 6  # keys that the metric of a search is drawn against


def curves_section(comparison: Comparison, warnings: list[str]) -> list[Markup]:
    """Learning curves; nothing if no run was measured."""
    panels, left = multiples.panels_of(comparison, warnings)
    if not any(panel.lines for panel in panels):
        return []
    layout = Layout(comparison)
    own_axes = not layout.keys[0]
    drawn = curves.draw(panels, own_axes)
    pictures = element("div", *drawn, class_="panels")
    bar = curves_bar(comparison, layout, any('class="lin"' in picture for picture in drawn))
    caption = element("figcaption", multiples.caption(comparison, left))
    return [section("Learning curves", element("figure", *bar, pictures, caption, class_="wide"))]


def keys_section(comparison: Comparison) -> list[Markup]:
    """The metric by the keys of a grid, or of a search; nothing for few trials."""
    layout = Layout(comparison)
    if not layout.keys[1]:
        return _of_search(comparison)
    made = [_lines(layout), _map(layout)]
    figures = [figure for figure in made if figure]
    title = " and ".join(short_key(comparison, key) for key in layout.keys if key)
    return [section(f"By {title}", element("div", *figures, class_="wide two"))] if figures else []


def _of_search(comparison: Comparison) -> list[Markup]:
    keys, left = comparison.keys[:MOST_KEYS], comparison.keys[MOST_KEYS:]
    if not keys or len(comparison.trials) < FEWEST:
        return []
    text = "A point is a trial; the best five are blue, with their rank."
    text += _hatched(comparison) + (f" Not drawn: {', '.join(left)}." if left else "")
    pictures = element("div", *slices(comparison, keys), class_="panels")
    return [section("By key", _figure(pictures, text, "wide"))]


def _lines(layout: Layout) -> Markup | None:
    lines, comparison = lines_figure(layout), layout.comparison
    if not lines:
        return None
    bars = "; bar: least to most of the seeds" if comparison.several_seeds else ""
    key = short_key(comparison, layout.keys[1])
    text = f"{comparison.metric.name} against {key}. Mark: mean{bars}.{_hatched(comparison)}"
    return _figure(lines, text)


def _map(layout: Layout) -> Markup | None:
    heat, name = heat_map(layout), layout.comparison.metric.name
    text = (
        f"Mean {name} by both keys, the fainter the better. Hatched: diverged, or blew up. Dashed: "
        "not tried. The word says what came after the best epoch: level, or more than 10 % worse; "
        "still falling or rising if the last epoch was the best one on every seed."
    )
    return _figure(heat, text) if heat else None


def _hatched(comparison: Comparison) -> str:
    lost = any(outcome(trial).lost for trial in comparison.trials)
    return " Hatched: diverged, no number to draw." if lost else ""


def _figure(picture: Markup, text: str, class_: str = "") -> Markup:
    return element("figure", picture, element("figcaption", text), class_=class_)
