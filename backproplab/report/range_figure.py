"""The figure of a learning-rate range test, as bytes: loss against rate.

An SVG follows the reader's light or dark theme, where its viewer supports that; other forms are
drawn on white.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backproplab.palette import BLUE, FAINT, INK, PAPER, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from backproplab.experiment.rates import FoundRates

# Okabe and Ito's colors, which color-blind readers can distinguish
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

FORMS = ("svg", "png", "pdf")
SIGNATURE = b"Drawn by backproplab"  # is in every figure, so that ours are recognized


def range_figure(found: FoundRates, title: str, form: str) -> bytes:
    """Loss against learning rate, with the rates that follow from it. form: one of FORMS."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 4.2), layout="constrained", facecolor=PAPER)
        axes = figure.subplots()
        axes.set_facecolor(PAPER)
        _draw_range(axes, found)
        axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
        picture = io.BytesIO()
        figure.savefig(picture, format=form, dpi=200, metadata=_metadata(form))
    data = picture.getvalue()
    return _themed(data) if form == "svg" else data


def _draw_range(axes: Axes, found: FoundRates) -> None:
    """The batches of the first seed, all seeds as a band, their median, and what follows."""
    test = found.test
    axes.plot(test.rates, test.losses[0], ".", color=FAINT, markersize=3, label="each batch")
    start = float(test.median[0])
    low, high = min(test.median.min(), test.losses[0].min()), max(start, test.losses[0][0])
    margin = 0.25 * (high - low) or 1.0
    top = high + margin  # the blow-up is cut off there
    if len(test.smoothed) > 1:
        least, most = test.smoothed.min(axis=0), test.smoothed.max(axis=0)
        label = f"{len(test.smoothed)} seeds"
        axes.fill_between(
            test.rates,
            least,
            most.clip(max=10 * top),
            color=BLUE,
            alpha=0.2,
            linewidth=0,
            label=label,
        )
    axes.plot(test.rates, test.median, color=BLUE, linewidth=2, label="smoothed")
    for name, rate, line in _marks(found):
        axes.axvline(
            rate, color=VERMILION, linewidth=1.5, linestyle=line, label=f"{name}: {rate:.2g}"
        )
    axes.set_ylim(low - margin / 2, top)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss of the batch")
    axes.legend(frameon=False, loc="lower left")


def _marks(found: FoundRates) -> Iterator[tuple[str, float, str]]:
    """(name, rate, style of its line) of each rate that is known."""
    test, limit = found.test, min(found.limits, default=None)
    marks = (
        (found.suggested, "suggested", "-"),
        (test.steepest, "steepest", ":"),
        (test.stable, "largest stable", "--"),
        (limit, "limit by the curvature", "-."),
    )
    return ((name, rate, line) for rate, name, line in marks if rate is not None)


def _metadata(form: str) -> dict[str, str | None]:
    signature = SIGNATURE.decode()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    key = "Software" if form == "png" else "Creator"
    return {key: signature, **dates[form]}


def _themed(svg: bytes) -> bytes:
    """The colors for a dark theme, as a style sheet that outweighs the light ones."""
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    sheet = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    head, defs, rest = svg.partition(b"<defs>")
    return head + sheet.encode() + b"\n " + defs + rest
