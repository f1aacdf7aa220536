"""SVG as PNG or PDF, by CairoSVG: the extra ``figures``. Only this file imports it.

Chosen by rendering the drawings: resvg draws them as well, but writes no PDF.
"""

from __future__ import annotations

from typing import Any

from backproplab.errors import ConfigError

SCALE = 2.0  # pixels of a PNG for each of the SVG
NEEDS = "PNG, PDF and GIF need CairoSVG"


def check() -> Any:
    """CairoSVG. Raises ConfigError if the extra, or the system's Cairo, is not installed."""
    try:
        import cairosvg
    except ImportError:
        raise ConfigError(f"{NEEDS}: pip install 'backproplab[figures]'") from None
    except OSError:
        raise ConfigError(f"{NEEDS}, which needs the system's Cairo: libcairo2") from None
    return cairosvg


def png(svg: str, scale: float = SCALE) -> bytes:
    """The drawing as PNG, ``scale`` times as large as the SVG. Raises ConfigError without the
    extra."""
    return bytes(check().svg2png(bytestring=svg.encode(), scale=scale))


def pdf(svg: str) -> bytes:
    """The drawing as PDF, whose text stays text. Raises ConfigError without the extra."""
    return bytes(check().svg2pdf(bytestring=svg.encode()))
