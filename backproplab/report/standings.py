"""The ranking as a table of the page: sortable, a card for each row on a phone.

Diverged trials are hatched rows without a rank or a number. This file must not know other parts of
the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from backproplab.layout import middle
from backproplab.measures import listed, parsed
from backproplab.report.comparison import Comparison
from backproplab.report.differences import shown
from backproplab.report.markup import Markup, element
from backproplab.report.naming import described, short_key
from backproplab.report.numerals import both, signed, spread
from backproplab.report.outcomes import outcome, span
from backproplab.report.pairing import BEST, SIGNS, TIE, UNSURE
from backproplab.report.scales import Scale
from backproplab.report.seedwise import link
from backproplab.report.svg import circle, path, svg, text
from backproplab.report.trials import RankedTrial
from backproplab.status import Status

ROWS = 60  # most rows
KEYS = 4  # most columns of keys; of more, the run's name stands for them
LETTERS = 26  # of a key's value
STRIP = 112.0  # pixels of the strip
KINDS = {BEST: "best", TIE: "tie", UNSURE: "open"}


def standings(comparison: Comparison, test: bool, beside: Path | None) -> Markup:
    """The table of the best ROWS trials.

    test: with the test metrics of every trial. beside: the page's folder, for links to runs.
    """
    table = _Table(comparison, test, beside)
    body = [table.row(trial) for trial in comparison.trials[:ROWS]]
    head = element("thead", element("tr", *table.heads()))
    return element("table", head, element("tbody", *body), class_="t1", id="ranking")


class _Table:
    """The columns, decided once for all rows."""

    def __init__(self, comparison: Comparison, test: bool, beside: Path | None) -> None:
        self.comparison = comparison
        self.name, self.beside = comparison.metric.name, beside
        few = 0 < len(comparison.keys) <= KEYS
        self.keys = comparison.keys if few else ()
        self.has_runs = not (comparison.is_told_by_keys and few and comparison.sweep)
        self.several = comparison.several_seeds
        self.paired = comparison.is_paired
        self.judged = self.paired or any(t.status != Status.COMPLETED for t in comparison.trials)
        names = [
            n for n in listed(comparison.names) if parsed(n)[0] == "validation" and n != self.name
        ]
        self.others = names[:1] + [n for n in comparison.names if test and parsed(n)[0] == "test"]
        numbers = [v for t in comparison.trials[:ROWS] for v in t.numbers(self.name)]
        self.scale = Scale.of_metric(numbers, comparison.metric.sign) if numbers else Scale(0, 1)

    def heads(self) -> list[Markup]:
        def head(words: str, class_: str) -> Markup:
            return element("th", words, class_=class_, scope="col")

        found = [head("#", "n rk"), element("th", "trial", class_="nm")]
        found += [
            head(short_key(self.comparison, key), f"op{self._right(key)}") for key in self.keys
        ]
        found += [head("run", "ru")] if self.has_runs else []
        found.append(head(self.name, "mv"))
        found += (
            [head("± std", "sd"), element("th", self._axis(), class_="st")] if self.several else []
        )
        found += [head("Δ to #1, 95 %", "n dl"), head("beats #1", "n bt")] if self.paired else []
        found += [head("verdict" if self.paired else "status", "vd")] if self.judged else []
        found += [head(name, "n ac") for name in self.others]
        return [*found, head("best epoch", "n ep")]

    def row(self, trial: RankedTrial) -> Markup:
        comparison, rank = self.comparison, self.comparison.rank(trial)
        mean = trial.mean(self.name)
        cells = [
            element(
                "td", "–" if mean is None else str(rank), class_="n rk", **{"data-v": str(rank)}
            ),
            element("td", described(comparison, trial), class_="nm"),
            *[self._key(trial, key) for key in self.keys],
        ]
        if self.has_runs:
            run = shown(trial.best_record.info.name)
            cells.append(element("td", middle(run, LETTERS), class_="ru", title=run))
        if mean is None:
            return element("tr", *cells, self._gone(trial), class_="dvr")
        cells += self._numbers(trial, mean)
        for name in self.others:
            other = trial.mean(name)
            shown_one = "–" if other is None else both(other, trial.std(name))
            cells.append(_cell(shown_one, "n ac", other))
        epochs = outcome(trial).best_epochs or [r.info.epochs for r in trial.counted]
        epoch_link = link(trial.best_record, span(epochs), None if self.several else self.beside)
        cells.append(_cell("", "n ep", max(epochs), epoch_link))
        return element("tr", *cells, class_="top" if rank == 1 else "")

    def _numbers(self, trial: RankedTrial, mean: float) -> list[Markup]:
        number, std = spread(mean, trial.std(self.name))
        cells = [_cell(number, "mv", mean)]
        if self.several:
            cells.append(_cell(std, "sd", trial.std(self.name)))
            cells.append(element("td", self._strip(trial.numbers(self.name), mean), class_="st"))
        pair = self.comparison.pairs[id(trial)]
        if self.paired:
            inside = (
                [
                    element(
                        "span",
                        f"[{signed(pair.interval[0])}, {signed(pair.interval[1])}]",
                        class_="ci",
                    )
                ]
                if pair and pair.interval
                else []
            )
            difference = f"{signed(pair.mean)} " if pair else ""
            cells.append(_cell(difference, "n dl", pair.mean if pair else 0.0, *inside))
            wins = f"{pair.wins} of {len(pair.differences)}" if pair else ""
            cells.append(_cell(wins, "n bt", pair.wins if pair else -1))
        return [*cells, *([self._verdict(trial)] if self.judged else [])]

    def _verdict(self, trial: RankedTrial) -> Markup:
        if trial.status != Status.COMPLETED:
            lost = Status.DIVERGED in trial.status
            return element("td", f"{'✗ ' if lost else ''}{trial.status}", class_="vd chip")
        if not self.paired:
            return element("td", trial.status, class_="vd")
        pair = self.comparison.pairs[id(trial)]
        word = BEST if trial is self.comparison.trials[0] else pair.verdict if pair else ""
        sign = SIGNS.get(word, " ").strip() if word != BEST else ""
        return element(
            "td", f"{sign} {word.rstrip('?')}".strip(), class_=f"vd {KINDS.get(word, 'behind')}"
        )

    def _key(self, trial: RankedTrial, key: str) -> Markup:
        label = middle(self.comparison.label(key, trial.values[key]), LETTERS)
        value = trial.values[key]
        is_number = type(value) in (int, float)
        return _cell(label, f"op{self._right(key)}", value if is_number else None)

    def _right(self, key: str) -> str:
        values = [trial.values[key] for trial in self.comparison.trials]
        return " n" if any(type(value) in (int, float) for value in values) else ""

    def _gone(self, trial: RankedTrial) -> Markup:
        """One hatched cell in place of all numbers."""
        end = outcome(trial)
        span_of = 3 + 2 * self.several + 2 * self.paired + len(self.others)
        if end.lost:
            over = f" on {len(end.lost)} of {end.runs} seeds" if end.runs > 1 else ""
            parts = [
                element("b", "✗ diverged", class_="chip"),
                f"{over}, in epoch {span(end.lost)}",
            ]
        else:
            parts = [element("b", trial.status, class_="chip")]
        return element("td", *parts, class_="dvt", colspan=str(span_of))

    def _axis(self) -> Markup:
        marks = [text(STRIP * at, 10, label, "m") for at, label in self.scale.ticks()]
        few = marks[:: max(1, len(marks) // 3)]
        return Markup(svg(STRIP, 12, "", few, "strip") + element("span", "seeds", class_="vh"))

    def _strip(self, numbers: Sequence[float], mean: float) -> Markup:
        """A dot for each seed, a bar for the mean, a dotted line for the best trial's mean."""
        best = self.comparison.trials[0].mean(self.name)
        places = [STRIP * min(max(self.scale.fraction(v), 0), 1) for v in numbers]
        middle_one = STRIP * min(max(self.scale.fraction(mean), 0), 1)
        zero = STRIP * min(max(self.scale.fraction(best or 0.0), 0), 1)
        marks = [path([(0, 9), (STRIP, 9)], "ax"), path([(zero, 0), (zero, 18)], "z")]
        marks.append(path([(min(places), 9), (max(places), 9)], "rg"))
        dots = [circle(x, 9, 2.3, "sd1") for x in places]
        mean_bar = path([(middle_one, 3), (middle_one, 15)], "mn")
        return svg(
            STRIP, 18, f"{len(numbers)} seeds", list(chain(marks, dots, [mean_bar])), "strip"
        )


def _cell(words: str, class_: str, value: float | None = None, *inside: Markup) -> Markup:
    """A cell; value: what it is sorted by."""
    given = {} if value is None else {"data-v": repr(float(value))}
    return element("td", words, *inside, class_=class_, **given)
