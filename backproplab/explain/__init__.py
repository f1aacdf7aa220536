"""Explain the chain rule on the library's own graph: of an expression, or of a network's update.

    explanation = of_expression("(a + b) * (b + 1)", ["a=2", "b=1"])

``report`` holds the text in sections, ``drawing`` the graph. Each output format has its own file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from backproplab.errors import ConfigError, Problem
from backproplab.explain import (
    beyond,
    dot,
    drawing,
    markdown,
    nudge_figure,
    nudges,
    page,
    raster,
    report,
    second,
    svg,
)
from backproplab.explain.caption import Caption
from backproplab.explain.compare import compare
from backproplab.explain.drawing import Drawing
from backproplab.explain.lines import Line
from backproplab.explain.report import Report, ReportTable, Section
from backproplab.explain.trace import Trace, trace
from backproplab.explain.values import read_point, read_value
from backproplab.text import typed

__all__ = [
    "Asked", "Explanation", "Line", "Report", "ReportTable", "Section", "of_config",
    "of_expression",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is asked beyond the two passes.

    upstream: the gradient that arrives at the result, as text; None for ones. order: 2 for second
    derivatives. implicit: the variable that an equation defines. nudge: tables of quotients.
    types: in which every step is computed.
    """

    upstream: str | None = None
    order: int = 1
    implicit: str | None = None
    nudge: bool = False
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """The text and the graph of an explanation."""

    report: Report
    drawing: Drawing
    caption: Caption | None = None
    picture: Callable[[str], str] | None = None  # a drawing of its own, for a theme

    def svg(self, theme: str = "light") -> str:
        if self.picture:
            return self.picture(theme)
        return svg.render(self.drawing, self.caption, theme)

    def png(self, theme: str = "light") -> bytes:
        """Raises ConfigError if the extra ``figures`` is not installed, as ``pdf`` does."""
        return raster.png(self.svg(theme))

    def pdf(self, theme: str = "light") -> bytes:
        return raster.pdf(self.svg(theme))

    def dot(self, theme: str = "light") -> str:
        return dot.render(self.drawing, theme)

    def html(self, theme: str = "light") -> str:
        """The page with a slider."""
        return page.render(self.drawing, self.trace)

    @property
    def trace(self) -> Trace:
        """The passes of a formula. Raises ConfigError for a network, which has no steps."""
        if self.caption is None:
            raise ConfigError("--steps and --html walk through a formula, not through a config")
        return self.caption.trace

    def markdown(self, theme: str = "light") -> str:
        return markdown.render(self.report, self.drawing)


def of_expression(text: str, words: Sequence[str] = (), asked: Asked | None = None) -> Explanation:
    """The explanation of a formula at the point in ``words`` (NAME=VALUE). Raises ConfigError."""
    asked = asked or Asked()
    if asked.order not in (1, 2):
        raise ConfigError(f"--order {asked.order}: choose 1 or 2")
    if asked.implicit is not None:
        text = _difference(text)
    parsed, values = read_point(text, words)
    if not parsed.variables:
        raise ConfigError("the expression has no variable to differentiate by: try x**2 x=3")
    upstream = None if asked.upstream is None else read_value("upstream", asked.upstream)
    seen = trace(parsed, values, upstream)
    compared = compare(parsed, values, seen)
    shown = report.of_trace(seen, compared)
    if lost := beyond.section(seen, words):
        shown.sections.insert(1, lost)
    if asked.types:
        table = beyond.types_table(words, parsed, values, seen, asked.types)
        shown.sections.append(table)
    if asked.order == 2:
        shown.sections.append(second.section(seen))
    if asked.implicit is not None:
        shown.sections.append(second.implicit(parsed, values, asked.implicit))
    if asked.nudge and not np.ndim(seen.result.value):
        shown.sections.extend(nudges.sections(parsed, values, seen))
    picture = None
    if asked.nudge and nudge_figure.can_draw(seen):
        picture = partial(nudge_figure.render, parsed, values, seen)
    caption = Caption(seen, compared)
    return Explanation(shown, drawing.of_trace(seen, shown.aside), caption, picture)


def _difference(text: str) -> str:
    """``x**2 + y**2 - 1`` of the equation ``x**2 + y**2 = 1``."""
    left, equals, right = text.partition("=")
    if not equals or "=" in right:
        raise ConfigError("--implicit takes an equation, such as 'x**2 + y**2 = 1'")
    right = right.strip()
    return f"{left.strip()} - {right if right.isalnum() else f'({right})'}"


def of_config(
    path: Path, words: Sequence[str] = (), count: int = 0, nudge: bool = False
) -> Explanation:
    """The explanation of a config's first update on one example.

    words: of the command line, ``key=value``; with ``nudge`` one is ``dense_1/kernel[0,1]=0.001``.
    count: of further examples side by side, with their mean gradient. Raises ConfigError,
    DataError.
    """
    from backproplab.experiment.reading import parts_of  # loads the training stack
    from backproplab.explain import examples, network, unit_svg, units, update, weight_nudge

    nudges = [word for word in words if nudge and weight_nudge.is_nudge(word)]
    parts = parts_of(path, [word for word in words if word not in nudges])
    if objective := parts.experiment.objective:
        values = [f"{name}={value:g}" for name, value in objective.start.items()]
        command = typed("backproplab", "explain", objective.formula.text, *values)
        raise ConfigError(Problem(str(path), "an objective has no layers to explain", command))
    done = update.update(parts)
    net = units.unit_net(done)
    title = f"One update of a {done.network} network"
    picture = partial(unit_svg.render, net, title) if net else None
    shown = network.report_of(done)
    if nudge:
        asked = weight_nudge.read(nudges, done, net)
        shown.sections.extend(weight_nudge.sections(done, asked, net))
    if count:
        shown.sections.extend(examples.sections(examples.examples(parts, count)))
    return Explanation(shown, network.drawing_of(done), None, picture)
