"""The loss around the best run as pictures of the page: random directions, its path, another run.

They need the runs' data and weights, and some time; so they are drawn where they are asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from backproplab.errors import BackpropLabError
from backproplab.landscape import Trained, View, trained, view
from backproplab.report.comparison import Comparison
from backproplab.report.gathering import Record
from backproplab.report.markup import Markup, element, section

POINTS, REACH = 25, 1.0  # as of the command
SAID = ("line", "path", "plane", "curvature")  # of a view's sentences
DARK = "screen and (prefers-color-scheme: dark)"


def surroundings_section(comparison: Comparison, warnings: list[str]) -> list[Markup]:
    """The landscape of the best run; what cannot be drawn is added to the warnings."""
    best = comparison.trials[0].best_record
    try:
        found = trained(best.info.folder)
        figures = [_figure(each) for each in _views(found, best, comparison)]
    except BackpropLabError as error:
        warnings.append(f"no loss landscape: {error}")
        return []
    around, *others = figures
    beside = [element("div", *others, class_="wide two")] if others else []
    wide = element("div", around, class_="wide")
    return [section("Loss landscape of the best run", wide, *beside)]


def _views(run: Trained, best: Record, comparison: Comparison) -> Iterator[View]:
    """Around it; its path, if it kept one; the line to the next run with weights of its shapes."""
    yield view(run, None, False, POINTS, REACH)
    if run.parts.experiment.trajectory:
        yield view(run, None, True, POINTS, REACH)
    if other := _other(run, best, comparison):
        yield view(run, other, False, POINTS, REACH)


def _other(run: Trained, best: Record, comparison: Comparison) -> Trained | None:
    """The best run of the next trial that has the same network, or one of another seed."""
    first, *rest = comparison.trials
    for record in (*(trial.best_record for trial in rest), *first.counted):
        if record is best or not record.info.status.counts:
            continue
        try:
            found = trained(record.info.folder)
        except BackpropLabError:
            continue
        if found.parameters.shapes == run.parameters.shapes:
            return found
    return None


def _figure(shown: View) -> Markup:
    """The picture in the reader's theme, and what it says."""
    said = dict(shown.sentences())
    text = " ".join(f"{label.capitalize()}: {said[label]}." for label in SAID if label in said)
    dark, light = (_address(shown.figure(theme)) for theme in ("dark", "light"))
    name = escape(shown.run.name)
    picture = Markup(
        f'<picture class="land"><source media="{DARK}" srcset="{dark}">'
        f'<img src="{light}" alt="loss landscape of {name}"></picture>'
    )
    return element("figure", picture, element("figcaption", text))


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
