"""What trials and keys are called in sentences and pictures, and how pictures are laid out.

This file must not know how trials are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backproplab.layout import middle
from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT, shown
from backproplab.report.numerals import HARD, plain
from backproplab.report.trials import RankedTrial

LABELED = 3  # most keys in a label
LETTERS, SHORT = 28, 16  # of a value in it, of a label in a figure
MOST = 17  # values of a key make no grid
PANELS, COLORS = 6, 6  # most panels of a figure, and lines in a panel


def short_key(comparison: Comparison, key: str) -> str:
    """``activation`` for ``model.activation``, unless another key has the same end."""
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in comparison.keys) == 1
    return last if alone and not last.isdigit() else key


def name_of(comparison: Comparison, trial: RankedTrial) -> str:
    """``rmsprop 0.01``, ``learning_rate 0.1``; a run's own name if no sweep made it; where more
    keys differ ``number 3``, its rank."""
    present = [key for key in comparison.keys if trial.values[key] is not ABSENT]
    if not present or all(record.trial is None for record in comparison.records):
        return shown(trial.best_record.info.name)
    if len(comparison.keys) > LABELED or not comparison.is_told_by_keys:
        return f"number {comparison.rank(trial)}"
    return phrase(comparison, trial, present)


def tags(comparison: Comparison, trials: Sequence[RankedTrial]) -> list[str]:
    """The names of trials for a figure; if one of them is long, the ranks instead: ``#3``."""
    names = [name_of(comparison, trial) for trial in trials]
    if max(map(len, names), default=0) <= SHORT:
        return names
    return [f"#{comparison.rank(trial)}" for trial in trials]


def settings_of(comparison: Comparison, trial: RankedTrial) -> str:
    """All keys that differ with their values; numbers with three digits."""

    def one(key: str) -> str:
        value = trial.values[key]
        exact = comparison.label(key, value)
        return plain(float(f"{value:.3g}")) if type(value) is float else middle(exact, LETTERS)

    present = [key for key in comparison.keys if trial.values[key] is not ABSENT]
    return ", ".join(f"{short_key(comparison, key)} {one(key)}" for key in present)


def described(comparison: Comparison, trial: RankedTrial) -> str:
    """The name of a trial; its settings where the name is only a number."""
    name = name_of(comparison, trial)
    return settings_of(comparison, trial) if name.startswith("number ") else name


def phrase(comparison: Comparison, trial: RankedTrial, keys: Sequence[str]) -> str:
    """The values of some keys; of one word and one number without the keys' names."""
    texts = [middle(comparison.label(key, trial.values[key]), LETTERS) for key in keys]
    texts = [text.replace(", ", f",{HARD}") for text in texts]  # a list stays in one line
    words = [isinstance(trial.values[key], str) for key in keys]
    if words.count(True) == 1 and len(keys) == 2 and not _has_lists(comparison, keys):
        return f"{texts[words.index(True)]}{HARD}{texts[words.index(False)]}"
    named = zip(keys, texts, words, strict=True)
    return f"{HARD}· ".join(
        text if word and len(keys) > 1 else f"{short_key(comparison, key)}{HARD}{text}"
        for key, text, word in named
    )


def _has_lists(comparison: Comparison, keys: Sequence[str]) -> bool:
    """Whether a value of these keys is neither a word nor a number."""
    values = [trial.values[key] for trial in comparison.trials for key in keys]
    return not all(isinstance(value, str | int | float) for value in values)


@dataclass(frozen=True)
class Layout:
    """Which key makes panels and which colors: of one key it is the colors', of two keys the one of
    numbers. Both are empty for other keys, and if no two trials share a value of either key."""

    comparison: Comparison

    @cached_property
    def keys(self) -> tuple[str, str]:
        """(the panels' key, the colors' key)."""
        keys = self.comparison.keys
        axes = [self.axis(key) for key in keys]
        if not self.comparison.is_told_by_keys or len(keys) > 2:
            return "", ""
        if len(keys) == 1:
            return "", keys[0]
        if self.comparison.is_search:
            return "", ""
        if max(len(axis.ticks) for axis in axes) >= min(len(self.comparison.trials), MOST):
            return "", ""
        rank = [(a.is_number, a.key.endswith("learning_rate"), len(a.ticks)) for a in axes]
        return (keys[0], keys[1]) if rank[1] >= rank[0] else (keys[1], keys[0])

    def axis(self, key: str) -> Axis:
        return Axis.of(key, self.comparison.trials)

    def best_values(self, key: str, most: int) -> list[Any]:
        """The values of a key: numbers in their order, words by the best trial that has them; if
        they are more than ``most``, the best ones."""
        found: dict[str, Any] = {}
        for trial in self.comparison.trials:
            found.setdefault(repr(trial.values[key]), trial.values[key])
        kept = list(found)[:most]
        if not self.axis(key).is_number:
            return list(found.values())[:most]
        return [tick for tick in self.axis(key).ticks if repr(tick) in kept]

    def trials(self, key: str, value: Any) -> list[RankedTrial]:
        """The trials with this value, best first."""
        return [t for t in self.comparison.trials if repr(t.values[key]) == repr(value)]
