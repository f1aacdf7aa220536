"""Descents as SVG: the path that the table lists."""

from __future__ import annotations

from backproplab.descend import Shown
from backproplab.descend.curve import Curve
from backproplab.descend.plane import Plane
from backproplab.descend.rates import Rates
from backproplab.palette import THEMES


def render(shown: Shown, theme: str = "light") -> str:
    """The SVG text: contours in two variables; in one a curve, or a panel for each rate."""
    colors = THEMES[theme]
    if len(shown.objective.names) == 2:
        return Plane(shown, colors).plane()
    same = len({run.setting.start for run in shown.runs}) == 1
    if same and len(shown.runs) > 1:
        return Rates(shown, colors).rates()
    return Curve(shown, colors).curve()
