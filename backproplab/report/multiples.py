"""Which learning curves are drawn: a panel for each value of one key, a color for each of the other.

Where keys cannot tell the trials apart, a panel for each measure. This file must not know how a
curve is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backproplab.measures import label_of, named, parsed
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.naming import COLORS, PANELS, Layout, name_of, short_key
from backproplab.report.numerals import both
from backproplab.report.outcomes import outcome, span
from backproplab.report.series import Band, bands, pace


@dataclass(frozen=True)
class Line:
    """A trial in a panel. color: a class of the style sheet. train, validation: None if not
    measured. best: the ringed place across, or None."""

    label: str
    color: str
    train: Band | None
    validation: Band | None
    best: float | None = None

    @property
    def main(self) -> Band:
        band = self.validation or self.train
        assert band is not None
        return band


@dataclass(frozen=True)
class Panel:
    """title, aside: above it. notes: lines in its corner, of what has no curve."""

    title: str
    aside: str
    lines: Sequence[Line]
    notes: Sequence[str] = ()
    unit: str = "epoch"


def panels_of(comparison: Comparison, warnings: list[str]) -> tuple[list[Panel], str]:
    """(the panels, what of the trials is not in them)."""
    layout = Layout(comparison)
    by_panel, by_color = layout.keys
    if not by_panel:
        return _of_measures(comparison, layout, warnings)
    values, colors = layout.best_values(by_panel, PANELS), layout.best_values(by_color, COLORS)
    shown = set(map(repr, colors))
    found = []
    for value in values:
        trials = [t for t in layout.trials(by_panel, value) if repr(t.values[by_color]) in shown]
        found.append(_by_color(comparison, layout, trials, comparison.label(by_panel, value), warnings))
    left = [
        f"{count} more values of {key}"
        for key, count in (
            (by_panel, len(layout.axis(by_panel).ticks) - len(values)),
            (by_color, len(layout.axis(by_color).ticks) - len(colors)),
        )
        if count > 0
    ]
    return [panel for panel in found if panel.lines or panel.notes], ", ".join(left)


def color_of(layout: Layout, value: object) -> str:
    """The class of a value of the colors' key: in order of ink for numbers, else by name."""
    key = layout.keys[1]
    values = layout.best_values(key, COLORS)
    at = list(map(repr, values)).index(repr(value))
    if not layout.axis(key).is_number:
        return f"o{at + 1}"
    return f"c{1 + round(at * (COLORS - 1) / max(len(values) - 1, 1))}"


def _by_color(
    comparison: Comparison, layout: Layout, trials: Sequence[RankedTrial], title: str, warnings: list[str]
) -> Panel:
    key, name = layout.keys[1], comparison.metric.name
    pairs = [(t, comparison.label(key, t.values[key])) for t in trials]
    lines = [
        line
        for trial, label in pairs
        if trial.mean(name) is not None
        and (line := _line(trial, name, label, color_of(layout, trial.values[key]), warnings))
    ]
    best = trials[0]
    mean = best.mean(name)
    aside = "" if mean is None else f"best {both(mean, best.std(name))} at {pairs[0][1]}"
    return Panel(title, aside, lines, [note for t, label in pairs if (note := _note(t, label))])


def _note(trial: RankedTrial, label: str) -> str:
    end = outcome(trial)
    if not end.lost:
        return ""
    some = f" {len(end.lost)} of {end.runs}" if len(end.lost) < end.runs else ""
    return f"✗ {label} diverged{some} in epoch {span(end.lost)}"


def _line(
    trial: RankedTrial, name: str, label: str, color: str, warnings: list[str]
) -> Line | None:
    split, measure = parsed(name)
    found = bands(trial, warnings)
    train = found.get(measure)
    main = found.get(name if split == "validation" else named("validation", measure))
    if not (train or main):
        return None
    line = Line(label, color, train, main)
    own = line.main
    at = np.argmin(own.mean) if trial.metric.sign > 0 else np.argmax(own.mean)
    return replace(line, best=float(own.at[at])) if name == trial.metric.name else line


def _of_measures(
    comparison: Comparison, layout: Layout, warnings: list[str]
) -> tuple[list[Panel], str]:
    """A panel for each measure, of the best trials; and by updates, if epochs differ in them."""
    key = layout.keys[1]
    values = set(map(repr, layout.best_values(key, COLORS))) if key else set()
    trials = [t for t in comparison.trials if repr(t.values[key]) in values] if key else comparison.trials[:COLORS]
    measure = parsed(comparison.metric.name)[1]
    others = dict.fromkeys(parsed(n)[1] for n in comparison.names if parsed(n)[0] != "test")
    names = [comparison.metric.name, *(named("validation", other) for other in others if other != measure)]
    found = []
    for name in names:
        lines = []
        for at, trial in enumerate(trials):
            color = color_of(layout, trial.values[key]) if key else f"o{at + 1}"
            label = comparison.label(key, trial.values[key]) if key else name_of(comparison, trial)
            if trial.mean(comparison.metric.name) is not None and (line := _line(trial, name, label, color, warnings)):
                lines.append(line)
        notes = [_note(t, comparison.label(key, t.values[key]) if key else name_of(comparison, t)) for t in trials]
        if lines or name == names[0]:
            title = parsed(name)[1].replace("_", " ")
            found.append(Panel(title, "", lines, list(filter(None, notes)) if name == names[0] else ()))
    left = len(comparison.trials) - len(trials)
    return [*found, *_by_update(found, trials)], f"{left} more trials" if left > 0 else ""


def _by_update(panels: Sequence[Panel], trials: Sequence[RankedTrial]) -> list[Panel]:
    """The first panel over updates and over seconds, if the trials' epochs differ in updates."""
    measured = [t for t in trials if t.mean(t.metric.name) is not None]
    paces = [(pace(trial, "steps"), pace(trial, "seconds")) for trial in measured]
    if not panels or len(panels[0].lines) != len(measured) or len({round(steps) for steps, _ in paces}) < 2:
        return []
    return [
        replace(
            panels[0], title=f"{panels[0].title} by {unit}", unit=unit, notes=(),
            lines=[_paced(line, pair[at]) for line, pair in zip(panels[0].lines, paces, strict=True)],
        )
        for at, unit in enumerate(["update", "second"])
        if all(pair[at] > 0 for pair in paces)
    ]  # fmt: skip


def _paced(line: Line, each: float) -> Line:
    train, validation = (band and band.by(each) for band in (line.train, line.validation))
    return replace(line, train=train, validation=validation, best=line.best and line.best * each)


def caption(comparison: Comparison, left: str) -> str:
    """What is drawn, and what is not."""
    word = "lowest" if comparison.metric.goal == "min" else "highest"
    seeds = "; means over seeds" if comparison.several_seeds else ""
    text = (
        f"Measured after each epoch on the whole split{seeds}. A ring is the epoch with the {word} "
        f"{label_of(comparison.metric.name)}. Curves that leave the picture are cut at its edge (▲ ▼)."
    )
    return text + (f" Not drawn: {left}." if left else "")


def legend_key(layout: Layout) -> tuple[str, list[tuple[str, str]]]:
    """(the colors' key, (color, label) of each of its values); empty if lines have their names."""
    key = layout.keys[1]
    if not key:
        return "", []
    values = layout.best_values(key, COLORS)
    comparison = layout.comparison
    return short_key(comparison, key), [(color_of(layout, v), comparison.label(key, v)) for v in values]
