"""What the runs of a trial are diagnosed with, from their files alone: ``vanishing in 3 of 3``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backproplab.config import Experiment
from backproplab.diagnosis import Diagnosis, verdict
from backproplab.report.gathering import Record

if TYPE_CHECKING:
    from backproplab.report.comparison import Comparison, RankedTrial


def diagnosed(record: Record) -> Diagnosis | None:
    """None of a run whose files cannot be read."""
    try:
        experiment = Experiment.model_validate(record.config)
    except ValueError:
        return None
    return verdict(record.info.folder, record.details, experiment)


def words_of(records: Sequence[Record]) -> str:
    """The word of one run; of several how many have each, the most frequent first."""
    words = Counter(found.word if (found := diagnosed(r)) else "unknown" for r in records)
    if len(records) == 1:
        return next(iter(words))
    return ", ".join(f"{word} in {count} of {len(records)}" for word, count in words.most_common())


def why_first(comparison: Comparison) -> str:
    """Why the first trial won, as far as the diagnosis tells: what others have and it has not."""
    first, *others = comparison.trials
    own = _faults(first)
    lost = Counter(word for trial in others for word in _faults(trial) - own)
    if not others or not lost:
        return ""
    told = [f"{word} ({count} of {len(others)})" for word, count in lost.most_common(3)]
    return f"#1 has nothing of what others show: {', '.join(told)}."


def _faults(trial: RankedTrial) -> set[str]:
    """The words of causes and failures that most runs of the trial have."""
    found: Iterable[Diagnosis | None] = map(diagnosed, trial.records)
    words = Counter(x.word for x in found if x and (x.cause or x.alarms))
    return {word for word, count in words.items() if 2 * count > len(trial.records)}
