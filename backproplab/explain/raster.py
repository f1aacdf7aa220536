"""SVG as PNG or PDF, by CairoSVG: the extra ``figures``. Only this file imports it.

Chosen by rendering the drawings: resvg draws them as well, but writes no PDF.
"""

from __future__ import annotations

from importlib.util import find_spec

from backproplab.errors import ConfigError

SCALE = 2.0  # pixels of a PNG for each of the SVG
INSTALL = "--png and --pdf need CairoSVG: pip install 'backproplab[figures]'"


def check() -> None:
    """Raise ConfigError if the extra is not installed."""
    if find_spec("cairosvg") is None:
        raise ConfigError(INSTALL)


def png(svg: str) -> bytes:
    """The drawing as PNG, twice as large as the SVG. Raises ConfigError without the extra."""
    check()
    import cairosvg

    return bytes(cairosvg.svg2png(bytestring=svg.encode(), scale=SCALE))


def pdf(svg: str) -> bytes:
    """The drawing as PDF, whose text stays text. Raises ConfigError without the extra."""
    check()
    import cairosvg

    return bytes(cairosvg.svg2pdf(bytestring=svg.encode()))
