"""The palette on light and dark pages.

A figure is drawn in the light colors; on a page each color becomes a CSS variable. This file must
not know what is drawn.
"""

from __future__ import annotations

from typing import Any

from backproplab.palette import BLUE, FAINT, INK, PAPER, TRIALS, VERMILION

DARK = {PAPER: "#0d1117", INK: "#e6edf3", FAINT: "#9198a1", BLUE: "#56b4e9", VERMILION: "#ff9e4a"}
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "backproplab",  # the same figure has the same bytes
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}

# from the worst trial to the best: Brewer's YlGnBu, with growing contrast
SHADES = (
    ("#c7e9b4", "#3b4a85"),
    ("#7fcdbb", "#2c62b0"),
    ("#41b6c4", "#1d91c0"),
    ("#1d91c0", "#41b6c4"),
    ("#225ea8", "#7fcdbb"),
    ("#253494", "#c7e9b4"),
    ("#081d58", "#ffffd9"),
)
OTHER = ("#c3c9d0", "#3d444d")  # trials beyond the best
VARIABLES = {
    "paper": (PAPER, "#0d1117"),
    "ink": (INK, "#e6edf3"),
    "faint": (FAINT, "#9198a1"),
    "other": OTHER,
    **{f"trial-{at}": pair for at, pair in enumerate(TRIALS)},
    **{f"shade-{at}": pair for at, pair in enumerate(SHADES)},
}


def style_sheet() -> str:
    """The CSS variables for light, dark (on screens only); print is always light."""
    light, dark = ("".join(f"--{k}:{pair[at]};" for k, pair in VARIABLES.items()) for at in (0, 1))
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def themed(svg: str) -> str:
    """The SVG with its colors replaced by the page's CSS variables."""
    for name, (light, _) in VARIABLES.items():
        svg = svg.replace(f": {light}", f": var(--{name})")
    return svg
