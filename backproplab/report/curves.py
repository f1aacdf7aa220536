"""Learning curves as pictures: training and validation in one axis, the best epoch ringed.

A long curve is drawn through the extremes of its sections, which look the same on a screen. This
file must not know which curves there are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backproplab.arrays import Array
from backproplab.report.markup import Markup, element
from backproplab.report.multiples import Line, Panel
from backproplab.report.numerals import plain, three
from backproplab.report.scales import Scale
from backproplab.report.series import Band
from backproplab.report.svg import Frame, Point, apart, circle, labels_beside, path, svg, text

WIDTH, HEIGHT = 480, 290
LEFT, TOP, BOTTOM = 50.0, 26.0, 250.0
MARGIN = 70  # least pixels beside the frame, for the axis' name
HALF = 4  # pixels of half a digit
POINTS = 120  # most points of a curve
TOLD = 60  # most epochs under the pointer


def draw(panels: Sequence[Panel], several: bool) -> list[Markup]:
    """The panels as pictures; those of one measure and unit have the same axes. several: whether
    the axes differ, since each panel has its own measure or unit."""
    names = [line.label for panel in panels for line in panel.lines]
    right = WIDTH - max(labels_beside(names)[1], MARGIN)
    scales = [_scales([panel] if several else panels) for panel in panels]
    return [_draw(panel, right, *own) for panel, own in zip(panels, scales, strict=True)]


def _scales(panels: Sequence[Panel]) -> tuple[Scale, Scale, Scale | None]:
    """(across, up, up on a linear scale if the other one is logarithmic)."""
    lines = [line for panel in panels for line in panel.lines]
    if not lines:
        return Scale(0, 1), Scale(0, 1), None
    every = [band for line in lines for band in (line.train, line.validation) if band]
    values = np.concatenate([band.mean for band in every])
    share = panels[0].is_share
    up = Scale(float(values.min()), float(values.max())) if share else Scale.of(values)
    ends = np.concatenate([band.at for band in every])
    across = Scale(float(ends.min()), float(ends.max()), panels[0].is_wide)
    main = np.concatenate([line.main.mean for line in lines])
    linear = Scale(0.0, float(min(main.max(), 3 * np.median(main)))) if up.is_log else None
    return across, up.wider(0.03), linear


def _draw(panel: Panel, right: float, across: Scale, up: Scale, linear: Scale | None) -> Markup:
    frame = Frame(LEFT, right, TOP, BOTTOM, across, up)
    parts = [text(44, 16, panel.title, "pt"), text(right, 16, panel.aside, "e ps")]
    parts.append(_layer(panel, frame, "log"))
    if linear:
        parts.append(_layer(panel, replace(frame, up=linear), "lin"))
    ticks = across.ticks() if panel.is_wide else _epochs(across)
    parts += frame.columns(ticks)
    last = max((len(label) for place, label in ticks if place > 0.97), default=0)
    parts.append(text(right + 8 + HALF * last, BOTTOM + 18, panel.unit))  # clear of the last number
    notes = [*panel.notes, *_left(panel, up)]
    parts += [text(right - 4, TOP + 14 + 16 * at, note, "e gone") for at, note in enumerate(notes)]
    parts.append(element("path", class_="cross", d=f"M0 {TOP:g}V{BOTTOM:g}"))
    side = {
        "x": f"{LEFT:g}",
        "y": f"{TOP:g}",
        "width": f"{right - LEFT:g}",
        "height": f"{BOTTOM - TOP:g}",
    }
    parts.append(element("rect", class_="hit", **side))
    label = f"{panel.title}: training and validation by {panel.unit}"
    return svg(WIDTH, HEIGHT, label, parts, "panel", series=_told(panel, frame))


def _layer(panel: Panel, frame: Frame, class_: str) -> Markup:
    """The curves and their labels by one vertical scale."""
    inside = [mark for line in reversed(panel.lines) for mark in _marks(line, frame)]
    staying = [line for line in panel.lines if not _is_off(line, frame.up)]
    ends = [frame.y(float(line.main.mean[-1])) for line in staying]
    names, _ = labels_beside([line.label for line in staying])
    places = apart(ends, 15, TOP + 4, BOTTOM - 2)
    labels = [
        text(frame.right + 10, place + 4, name, f"lb {line.color}")
        for line, name, place in zip(staying, names, places, strict=True)
    ]
    clipped = element("g", *inside, **{"clip-path": "url(#area)"})
    rings = [ring for line in reversed(panel.lines) for ring in _rings(line, frame)]
    return element("g", *frame.rows(), clipped, *rings, *labels, class_=class_)


def _is_off(line: Line, up: Scale) -> bool:
    """Whether the line ends outside of the picture."""
    return not 0 <= up.fraction(float(line.main.mean[-1])) <= 1


def _left(panel: Panel, up: Scale) -> list[str]:
    """A note for each line that has no label, since it ends outside of the picture."""
    gone = [line for line in panel.lines if _is_off(line, up)]
    return [
        f"{line.label} left the picture, ended at {three(float(line.main.mean[-1]))}"
        for line in gone
    ]


def _marks(line: Line, frame: Frame) -> list[Markup]:
    marks = []
    for band in filter(None, (line.train, line.validation)):
        if band is line.main and (band.high > band.low).any():
            marks.append(path(_area(band, frame), f"bd {line.color}", closed=True))
        kept, kind = extremes(band.mean, POINTS), "va" if band is line.main else "tr"
        marks.append(path(frame.points(band.at[kept], band.mean[kept]), f"{kind} {line.color}"))
    return marks


def _area(band: Band, frame: Frame) -> list[Point]:
    kept = np.union1d(extremes(band.low, POINTS), extremes(band.high, POINTS))
    there = frame.points(band.at[kept], band.high[kept])
    return there + frame.points(band.at[kept], band.low[kept])[::-1]


def _rings(line: Line, frame: Frame) -> list[Markup]:
    """The best epoch, and a triangle where a curve leaves the picture."""
    marks = []
    for band in filter(None, (line.train, line.validation)):
        places = np.array([frame.up.fraction(float(v)) for v in band.mean])
        for off, sign, y in ((places > 1, "▲", TOP + 9.0), (places < 0, "▼", BOTTOM - 1.0)):
            starts = np.flatnonzero(off & ~np.r_[False, off[:-1]])[:1]
            marks += [
                text(frame.x(float(band.at[at])), y, sign, f"m cut {line.color}") for at in starts
            ]
    if line.best is not None:
        own = line.main
        value = float(own.mean[np.argmin(np.abs(own.at - line.best))])
        if 0 <= frame.up.fraction(value) <= 1:
            marks.append(circle(frame.x(line.best), frame.y(value), 4.2, f"be {line.color}"))
    return marks


def _epochs(across: Scale) -> list[tuple[float, str]]:
    """The first epoch, and round ones."""
    ticks = [tick for tick in across.ticks() if "." not in tick[1] and tick[0] > 0.08]
    return [(across.fraction(across.low), plain(across.low)), *ticks]


def _told(panel: Panel, frame: Frame) -> str:
    """What the pointer shows: places across, and the values of each line there, as JSON."""
    lines = [line for line in panel.lines if len(line.main.at)]
    if not lines:
        return ""
    longest = max((line.main for line in lines), key=lambda band: len(band.at))
    at = longest.at[:: -(-len(longest.at) // TOLD)]
    rows = []
    for line in lines:
        values = [_at(band, at) if band else [] for band in (line.validation, line.train)]
        rows.append([line.label, line.color, *values])
    places = [round(frame.x(float(x)), 1) for x in at]
    epochs = [plain(float(f"{x:.3g}")) for x in at]
    return json.dumps(
        {"unit": panel.unit, "at": epochs, "x": places, "rows": rows}, ensure_ascii=False
    )


def _at(band: Band, at: Array) -> list[float | None]:
    known = dict(zip(band.at.tolist(), band.mean.tolist(), strict=True))
    return [None if (value := known.get(x)) is None else float(f"{value:.3g}") for x in at.tolist()]


def extremes(curve: Array, points: int) -> Array:
    """Indexes of the first and last value and the extremes of each section: (<= points,)."""
    places = np.arange(len(curve))
    if len(curve) <= points:
        return places
    stretches = np.array_split(places, points // 2 - 1)
    found = [at[pick(curve[at])] for at in stretches for pick in (np.argmin, np.argmax)]
    return np.unique([0, *found, len(curve) - 1])
