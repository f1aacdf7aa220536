"""What the runs of a trial are diagnosed with, from their files alone: ``vanishing in 3 of 3``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backproplab.config import Role, keys
from backproplab.diagnosis import Case, Diagnosis, diagnose
from backproplab.errors import BackpropLabError
from backproplab.layout import WIDE, middle
from backproplab.report.gathering import Record
from backproplab.report.naming import name_of
from backproplab.report.numerals import listed
from backproplab.report.outcomes import outcome
from backproplab.text import typed

HASHES = {"data": "data", "init": "first weights", "batch_order": "batches", "weights": "result"}
NO_NUMBER = keys(Role.NO_NUMBER)
MOST, NAMED = 3, 3  # troubles, and names of the trials that have one
STILL = "still improving"
CLOSER = 24  # runs that are looked at with their data and weights

if TYPE_CHECKING:
    from backproplab.report.comparison import Comparison
    from backproplab.report.trials import RankedTrial


def words_of(records: Sequence[Record]) -> str:
    """The word of one run; of several ``dead in 2, learned in 1 of 3``, the most frequent first."""
    words = Counter(r.diagnosis.word if r.diagnosis else "unknown" for r in records)
    if len(records) == 1:
        return next(iter(words))
    counts = ", ".join(f"{word} in {count}" for word, count in words.most_common())
    return f"{counts} of {len(records)}"


def listed_findings(found: Diagnosis) -> list[tuple[str, str]]:
    """(``why``, its sentence with the rule) for each finding, and what to try next."""
    rows = [("so", found.outcome)]
    rows += [("why", found.cause)] if found.cause else []
    rows += [(str(remark.level), remark) for remark in found.remarks]
    said = [(name, f"{x.sentence} ({x.rule})" if x.rule else x.sentence) for name, x in rows]
    folder = str(found.run)
    tried = found.command.replace(str(found.run.absolute()), folder)
    return [*said, *([("try", tried)] if tried else [])]


def why_first(comparison: Comparison, named: bool = True) -> str:
    """Why the first trial won, as far as the diagnosis shows: what others have and it does not.

    named: with the names of few trials, else with their numbers.
    """
    first, *others = comparison.trials
    own = _troubles(first)
    lost = Counter(word for trial in others for word in _troubles(trial) - own)
    if not others or not lost:
        return ""
    words = [f"{word} ({_who(comparison, word, named)})" for word, _ in lost.most_common(MOST)]
    return f"Others have what #1 has not: {', '.join(words)}."


def _who(comparison: Comparison, word: str, named: bool) -> str:
    """The names of the trials that have this trouble, or how many of the others, if many."""
    others = comparison.trials[1:]
    having = [trial for trial in others if word in _troubles(trial)]
    named = named and comparison.is_told_by_keys and not comparison.is_search
    if len(having) > NAMED or not named:
        return f"{len(having)} of {len(others)}"
    return listed([name_of(comparison, trial) for trial in having])


def closer(records: Sequence[Record]) -> list[Record]:
    """The records; those in trouble diagnosed with their data and weights, as far as ``CLOSER``
    reaches: the first trial of each kind of trouble, then the second ones, …"""
    nth: dict[tuple[str, object], int] = {}
    counts: Counter[str] = Counter()
    ill = []
    for record in records:
        found = record.diagnosis
        if found and (found.cause or found.alarms):
            kind = found.word, record.trial or record.info.folder
            if kind not in nth:
                nth[kind] = counts[found.word]
                counts[found.word] += 1
            ill.append((nth[kind], record))
    chosen = [record for _, record in sorted(ill, key=lambda entry: entry[0])[:CLOSER]]
    looked = {record.info.folder: _closely(record) for record in chosen}
    return [replace(record, closely=looked.get(record.info.folder)) for record in records]


def _closely(record: Record) -> Diagnosis | None:
    try:
        return diagnose(Case(record.info.folder, record=record.details))
    except BackpropLabError:  # what its files show stands
        return None


def unrepeated(records: Sequence[Record]) -> list[tuple[str, str]]:
    """D20: (a sentence, what to try) of each run that repeats an earlier one with another result.

    The same run: config and seed equal, whatever the name, the threads and keys without numbers.
    """
    first: dict[str, Record] = {}
    found = []
    for record in records:
        same = {k: x for k, x in record.config.items() if k not in (*NO_NUMBER, "threads")}
        other = first.setdefault(repr(same), record)
        part = next((k for k in HASHES if record.hashes.get(k) != other.hashes.get(k)), "")
        if same and part and _has_ended(record) and _has_ended(other):
            found.append(_differs(other, record, part))
    return found


def _has_ended(record: Record) -> bool:
    return record.info.status.is_final


def _differs(one: Record, two: Record, part: str) -> tuple[str, str]:
    """Which of the hashes differs first, and the first thing that may be why."""
    same = ", ".join(f"same {HASHES[k]}" for k in list(HASHES)[: list(HASHES).index(part)])
    names = [middle(record.info.name, WIDE) for record in (two, one)]
    head = f"{names[0]} repeats {names[1]}: {same or 'same config'}, other {HASHES[part]}"
    threads = [record.config.get("threads") for record in (one, two)]
    known = [record.details.get("numerics") for record in (one, two)]
    if threads[0] != threads[1]:
        command = typed("backproplab", "train", two.info.folder / "config.yaml", "threads=1")
        return f"{head}: threads was {threads[0]} and {threads[1]}.", command
    reason = (
        " another machine, BLAS or version." if known[0] != known[1] else " nothing known differs."
    )
    return f"{head}:{reason}", ""


def _troubles(trial: RankedTrial) -> set[str]:
    """Its faults, and whether it was still improving in the last epoch: its number is no end."""
    return _faults(trial) | ({STILL} if outcome(trial).word == STILL else set())


def _faults(trial: RankedTrial) -> set[str]:
    """The words of causes and failures that most runs of the trial have."""
    found = [record.diagnosis for record in trial.records]
    words = Counter(x.word for x in found if x and (x.cause or x.alarms))
    return {word for word, count in words.items() if 2 * count > len(trial.records)}
