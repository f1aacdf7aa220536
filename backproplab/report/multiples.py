"""Which learning curves are drawn: a panel for each value of a key, a color for each of another.

Where trials do not differ by their keys, a panel for each measure. This file must not know how a
curve is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backproplab.measures import goal_of, label_of, named, parsed
from backproplab.report.comparison import Comparison
from backproplab.report.costs import EPOCH, Place, passes_differ, place, unit_of, units_of
from backproplab.report.naming import COLORS, PANELS, Layout, short_key, tags
from backproplab.report.numerals import both
from backproplab.report.outcomes import outcome, span
from backproplab.report.series import Band, bands
from backproplab.report.trials import RankedTrial
from backproplab.text import counted


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
    """title, aside: above it. notes: lines in its corner, of what has no curve. is_share: an
    accuracy or the like, never on a logarithmic scale. unit: of the axis. is_wide: whether the
    lines' lengths on that axis differ by orders."""

    title: str
    aside: str
    lines: Sequence[Line]
    notes: Sequence[str] = ()
    unit: str = EPOCH
    is_share: bool = False
    is_wide: bool = False


def panels_of(comparison: Comparison, warnings: list[str]) -> tuple[list[Panel], str]:
    """(the panels, what of the trials is not in them)."""
    maker = _Maker(comparison, warnings)
    return maker.by_key() if maker.layout.keys[0] else maker.by_measure()


def color_of(layout: Layout, value: object) -> str:
    """The class of a value of the colors' key: in order of ink for numbers, else by name."""
    key = layout.keys[1]
    values = layout.best_values(key, COLORS)
    at = list(map(repr, values)).index(repr(value))
    if not layout.axis(key).is_number:
        return f"o{at + 1}"
    return f"c{1 + round(at * (COLORS - 1) / max(len(values) - 1, 1))}"


class _Maker:
    """Makes panels; the curves of each trial are read once."""

    def __init__(self, comparison: Comparison, warnings: list[str]) -> None:
        self.comparison, self.name = comparison, comparison.metric.name
        self.layout = Layout(comparison)
        key = self.layout.keys[1]
        shown = self.layout.best_values(key, COLORS) if key else ()
        values = set(map(repr, shown))
        every = comparison.trials
        self.trials = (
            [t for t in every if repr(t.values[key]) in values] if key else chosen(comparison)
        )
        self.colors = {repr(value): color_of(self.layout, value) for value in shown}
        names = (
            [comparison.label(key, trial.values[key]) for trial in self.trials]
            if key
            else tags(comparison, self.trials)
        )
        self.names = dict(zip(map(id, self.trials), names, strict=True))
        self.unit = unit_of(self.trials)
        self.bands = {id(trial): bands(trial, warnings) for trial in self.trials}

    def by_key(self) -> tuple[list[Panel], str]:
        """A panel of the ranking metric for each value of the panels' key.

        Over passes where a step of one trial takes more of them than a step of another.
        """
        key, layout = self.layout.keys[0], self.layout
        values = layout.best_values(key, PANELS)
        panels = [self._of_value(key, value) for value in values]
        counts = {key: len(values), layout.keys[1]: len(self.colors)}
        left = {name: len(layout.axis(name).ticks) - count for name, count in counts.items()}
        left_out = [f"{counted(n, 'more value')} of {name}" for name, n in left.items() if n > 0]
        return [panel for panel in panels if panel.lines or panel.notes], ", ".join(left_out)

    def by_measure(self) -> tuple[list[Panel], str]:
        """A panel for each measure; that of the ranking metric over units of cost, too, if the
        trials' epochs differ in them."""
        names = dict.fromkeys([self.name])
        for name in self.comparison.names:
            split, measure = parsed(name)
            if split != "test" and measure != parsed(self.name)[1]:
                names[named("validation", measure)] = None
        titles = {name: parsed(name)[1].replace("_", " ") for name in names}
        panels = [
            Panel(
                titles[name], "", self._lines(self.trials, name, self.unit), unit=self.unit,
                is_share=goal_of(name) == "max",
            )
            for name in names
        ]  # fmt: skip
        first = replace(panels[0], notes=self._notes(self.trials))
        rest = [panel for panel in panels[1:] if panel.lines]
        left = len(self.comparison.trials) - len(self.trials)
        drawn = [first, *rest, *self._by_cost(first)]
        return drawn, counted(left, "more trial") if left > 0 else ""

    def _of_value(self, key: str, value: object) -> Panel:
        trials = [trial for trial in self.trials if repr(trial.values[key]) == repr(value)]
        best = trials[0] if trials else None
        mean = best.mean(self.name) if best else None
        aside = ""
        if best and mean is not None:
            aside = f"best {both(mean, best.std(self.name))} at {self.names[id(best)]}"
        title = self.comparison.label(key, value)
        share = self.comparison.metric.goal == "max"
        wide = passes_differ(self.trials)
        unit = "pass" if wide else self.unit
        lines, notes = self._lines(trials, self.name, unit), self._notes(trials)
        return Panel(title, aside, lines, notes, unit, share, wide)

    def _by_cost(self, panel: Panel) -> list[Panel]:
        """The panel over each unit of cost in which epochs differ, if it is known of all lines."""
        measured = [trial for trial in self.trials if trial.mean(self.name) is not None]
        found = [
            replace(
                panel, title=f"{panel.title} by {unit}", unit=unit, notes=(), is_wide=True,
                lines=self._lines(measured, self.name, unit),
            )
            for unit in units_of(measured)
        ]  # fmt: skip
        return [one for one in found if len(one.lines) == len(measured)]

    def _lines(self, trials: Sequence[RankedTrial], name: str, unit: str) -> list[Line]:
        """The curves of one metric; a trial without a number has none, nor one without the unit."""
        key, found = self.layout.keys[1], list[Line | None]()
        for at, trial in enumerate(trials, start=1):
            color = self.colors[repr(trial.values[key])] if key else f"o{at}"
            measure, curves = parsed(name)[1], self.bands[id(trial)]
            train, validation = curves.get(measure), curves.get(named("validation", measure))
            if trial.mean(self.name) is not None and (train or validation):
                line = Line(self.names[id(trial)], color, train, validation)
                line = _ringed(line, trial) if name == self.name else line
                found.append(_moved(line, place(trial, curves, unit)))
        return [line for line in found if line]

    def _notes(self, trials: Sequence[RankedTrial]) -> list[str]:
        """A note for each trial with diverged runs."""
        ends = [(self.names[id(trial)], outcome(trial)) for trial in trials]
        return [
            f"✗ {label} diverged{f' {len(e.lost)} of {e.runs}' if len(e.lost) < e.runs else ''}"
            f" in epoch {span(e.lost)}"
            for label, e in ends
            if e.lost
        ]


def chosen(comparison: Comparison) -> list[RankedTrial]:
    """As many trials as there are colors: of each way of finding weights the best, then by rank."""
    ways = [key for key in comparison.keys if key.partition(".")[0] == "learner"]
    best: dict[str, RankedTrial] = {}
    for trial in comparison.trials:
        best.setdefault(repr([trial.values[key] for key in ways]), trial)
    first = list(dict.fromkeys(map(id, [*best.values(), *comparison.trials])))[:COLORS]
    return [trial for trial in comparison.trials if id(trial) in first]


def _ringed(line: Line, trial: RankedTrial) -> Line:
    """The line with its best epoch."""
    own = line.main
    at = np.argmin(own.mean) if trial.metric.sign > 0 else np.argmax(own.mean)
    return replace(line, best=float(own.at[at]))


def _moved(line: Line, place: Place | None) -> Line | None:
    """The line over another unit; None if the trial's epochs have no place there."""
    if place is None:
        return None
    train, validation = (b and replace(b, at=place(b.at)) for b in (line.train, line.validation))
    best = None if line.best is None else float(place(line.best))
    return replace(line, train=train, validation=validation, best=best)


def caption(comparison: Comparison, left: str) -> str:
    """What is drawn, and what is not."""
    word = "lowest" if comparison.metric.goal == "min" else "highest"
    seeds = "; means over seeds" if comparison.several_seeds else ""
    text = (
        f"Measured after each epoch on the whole split{seeds}. A ring is the epoch with the {word} "
        f"{label_of(comparison.metric.name)}. What leaves the picture is cut at its edge (▲ ▼)."
    )
    return text + (f" Not drawn: {left}." if left else "")


def legend_key(layout: Layout) -> tuple[str, list[tuple[str, str]]]:
    """(the colors' key, (color, label) of each of its values); empty if lines have their names."""
    key = layout.keys[1]
    if not key:
        return "", []
    values = layout.best_values(key, COLORS)
    comparison = layout.comparison
    return short_key(comparison, key), [
        (color_of(layout, v), comparison.label(key, v)) for v in values
    ]
