"""Explain the chain rule on the library's own graph: of an expression, or of a network's update.

    explanation = of_expression("(a + b) * (b + 1)", ["a=2", "b=1"])

``report`` holds the text in sections, ``drawing`` the graph. Each output format has its own file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import ConfigError
from backproplab.explain import dot, drawing, markdown, report, svg
from backproplab.explain.compare import compare
from backproplab.explain.drawing import Drawing
from backproplab.explain.parse import parse
from backproplab.explain.report import Report, ReportTable, Section
from backproplab.explain.trace import trace
from backproplab.explain.values import read_values

__all__ = ["Explanation", "Report", "ReportTable", "Section", "of_config", "of_expression"]


@dataclass(frozen=True)
class Explanation:
    """The text and the graph of an explanation."""

    report: Report
    drawing: Drawing

    def svg(self) -> str:
        return svg.render(self.drawing)

    def dot(self) -> str:
        return dot.render(self.drawing)

    def markdown(self) -> str:
        return markdown.render(self.report, self.drawing)


def of_expression(text: str, words: Sequence[str] = ()) -> Explanation:
    """The explanation of a formula at the point in ``words`` (NAME=VALUE). Raises ConfigError."""
    parsed = parse(text)
    if not parsed.variables:
        raise ConfigError("the expression has no variable to differentiate by: try x**2 x=3")
    values = read_values(parsed, words)
    seen = trace(parsed, values)
    return Explanation(report.of_trace(seen, compare(parsed, values, seen)), drawing.of_trace(seen))


def of_config(path: Path, overrides: Sequence[str] = ()) -> Explanation:
    """The explanation of a config's first update on one example.

    Raises ConfigError, DataError.
    """
    from backproplab.explain import network, update  # loads the training stack

    done = update.of_config(path, overrides)
    return Explanation(network.report_of(done), network.drawing_of(done))
