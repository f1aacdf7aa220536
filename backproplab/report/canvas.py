"""A figure as inline SVG: text stays text, colors are the theme's, the bytes are reproducible.

matplotlib is imported when a figure is drawn. This file must not know what is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from backproplab.report.theme import STYLE, themed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg(draw: Callable[[Figure], None], key: str, size: tuple[float, float], label: str) -> str:
    """The figure that ``draw`` fills, as an element of a page; its ids start with ``key``."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "font.size": 10, "axes.titlesize": 11}):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_visible(False)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        picture = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(picture, format="svg", metadata=nothing)
    text = picture.getvalue()
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{key}-", text[text.index("<svg") :])
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: _shortened(found[0]), text)
    return themed(text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1))


def _shortened(coordinates: str) -> str:
    """Cut to a hundredth of a point, invisible on a screen: saves a third of a large figure."""
    return re.sub(r"(\.\d\d)\d+", r"\1", coordinates)
