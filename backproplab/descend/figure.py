"""Descents as SVG: the path that the table lists."""

from __future__ import annotations

from backproplab.descend import Shown
from backproplab.descend.curve import Curve
from backproplab.descend.picture import Picture
from backproplab.descend.plane import Plane
from backproplab.descend.rates import Rates
from backproplab.palette import THEMES, Theme


def render(shown: Shown, theme: str = "light") -> str:
    """The SVG text."""
    return picture(shown, THEMES[theme]).draw()


def picture(shown: Shown, theme: Theme, moving: bool = False) -> Picture:
    """Contours in two variables; in one a curve, or a panel for each rate."""
    if len(shown.objective.names) == 2:
        return Plane(shown, theme, moving)
    same = len({run.setting.start for run in shown.runs}) == 1
    kind = Rates if same and len(shown.runs) > 1 else Curve
    return kind(shown, theme, moving)
