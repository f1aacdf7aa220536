"""A picture of a rule as SVG: the faulty run at the left, the mended one at the right, one scale.

It follows the reader's light or dark theme. Few values are bars, many a curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from typing import Any

WIDTH, TOP, BOTTOM, ROOM = 720, 46, 166, 270  # pixels; ROOM: of one run
LEFT = (66, 424)
BARS = 12  # values, up to which they are bars
STYLE = """<style>
 text { font: 13px system-ui, sans-serif; fill: #1f2328 } .s { fill: #57606a; font-size: 12px }
 .e { text-anchor: end } .m { text-anchor: middle } .p { fill: #fff } .g { stroke: #d0d7de }
 path { fill: none; stroke-width: 2 } .faulty { stroke: #d55e00 } .mended { stroke: #0072b2 }
 .bf { fill: #d55e00 } .bm { fill: #0072b2 } .tf { fill: #b94700 } .tm { fill: #0072b2 }
 @media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .s { fill: #9198a1 } .p { fill: #0d1117 } .g { stroke: #30363d }
  .faulty { stroke: #ff9e4a } .mended { stroke: #56b4e9 }
  .bf { fill: #ff9e4a } .bm { fill: #56b4e9 }
  .tf { fill: #ff9e4a } .tm { fill: #56b4e9 }
 }
</style>"""


def draw(rule: str, entry: dict[str, Any]) -> str:
    """The figure. entry: of pictures.json."""
    runs = [entry["faulty"], entry["mended"]]
    low, high = _limits([x for run in runs for x in run["values"] if x is not None], entry)
    scale = " (logarithmic scale)" if entry["logarithmic"] else ""
    label = f"{rule}: {entry['shows']}. {runs[0]['of']}; mended by {runs[1]['of']}."
    parts = [
        f'<rect class="p" width="{WIDTH}" height="200"/>',
        _text(8, 16, f"{entry['shows']}{scale}", "s"),
    ]
    for at, run in enumerate(runs):
        name = ("tf", "tm")[at]
        words = run["of"] if at == 0 else f"with {run['of']}"
        parts.append(_text(LEFT[at], 36, words, name))
        parts += _axes(LEFT[at], low, high, run["count"])
        heights = [_height(x, low, high, entry["logarithmic"]) for x in run["values"]]
        parts += (
            _bars(LEFT[at], heights, at) if len(heights) <= BARS else _curve(LEFT[at], heights, at)
        )
    box = f'viewBox="0 0 {WIDTH} 200" width="{WIDTH}" role="img" aria-label="{escape(label)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{STYLE}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _limits(known: list[float], entry: dict[str, Any]) -> tuple[float, float]:
    """Of the common scale: from 0 on, unless it is logarithmic."""
    if entry["logarithmic"]:
        return min(x for x in known if x > 0), max(known)
    return min(0.0, *known), max(known) or 1.0


def _height(value: float | None, low: float, high: float, logarithmic: bool) -> float | None:
    if value is None:
        return None
    if logarithmic:
        value, low, high = (log10(max(x, low)) for x in (value, low, high))
    share = (value - low) / (high - low) if high > low else 0.0
    return BOTTOM - (BOTTOM - TOP) * share


def _axes(left: float, low: float, high: float, count: int) -> Iterator[str]:
    for y, value in ((TOP, high), (BOTTOM, low)):
        yield f'<line class="g" x1="{left}" x2="{left + ROOM}" y1="{y}" y2="{y}"/>'
        yield _text(left - 6, y + 4, f"{value:.3g}", "s e")
    yield _text(left, BOTTOM + 18, "1", "s m")
    yield _text(left + ROOM, BOTTOM + 18, str(count), "s m")


def _bars(left: float, heights: Sequence[float | None], at: int) -> Iterator[str]:
    step = ROOM / len(heights)
    for number, y in enumerate(heights):
        if y is not None:
            x, name = left + number * step + step / 6, ("bf", "bm")[at]
            size = f'width="{step * 2 / 3:.1f}" height="{max(BOTTOM - y, 1.5):.1f}"'
            yield f'<rect class="{name}" x="{x:.1f}" y="{min(y, BOTTOM - 1.5):.1f}" {size}/>'


def _curve(left: float, heights: Sequence[float | None], at: int) -> Iterator[str]:
    step = ROOM / (len(heights) - 1)
    points = [f"{left + n * step:.1f} {y:.1f}" for n, y in enumerate(heights) if y is not None]
    yield f'<path class="{("faulty", "mended")[at]}" d="M{"L".join(points)}"/>'


def _text(x: float, y: float, words: str, name: str) -> str:
    return f'<text class="{name}" x="{x}" y="{y}">{escape(words)}</text>'
