"""What came out, in sentences that a student could hand in, and how sure they are.

Every number of a sentence is in results.csv or follows from it. This file must not know the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backproplab.measures import label_of, parsed
from backproplab.report.baselines import against_baselines
from backproplab.report.comparison import Comparison
from backproplab.report.faults import Finding
from backproplab.report.findings import findings
from backproplab.report.naming import name_of, settings_of
from backproplab.report.numerals import HARD, amount, both, listed, signed, whole
from backproplab.report.outcomes import outcome
from backproplab.report.pairing import TIE, UNSURE, WORSE, Paired
from backproplab.report.tables import test_of_best
from backproplab.report.trials import RankedTrial
from backproplab.status import Status
from backproplab.text import counted

OPEN = "No single winner."
MOST_SEEDS = 30  # of a command that is worth typing
Against = list[tuple[RankedTrial, Paired]]


@dataclass(frozen=True)
class Conclusion:
    """head: a few words. text: the sentences after it. doubts: what limits them. command: the next
    one to type, or empty."""

    head: str
    text: str
    findings: tuple[Finding, ...] = ()
    doubts: tuple[str, ...] = ()
    command: str = ""


def conclude(comparison: Comparison) -> Conclusion:
    """The conclusion of a comparison, which may be that there is no winner."""
    best, trials = comparison.trials[0], comparison.trials
    name = comparison.metric.name
    if best.mean(name) is None:
        lost = sum(r.info.status is Status.DIVERGED for r in comparison.records)
        runs = counted(len(comparison.records), "run")
        text = f"No run has a finite {name}: {lost} of {runs} diverged."
        return Conclusion("Nothing to rank.", text)
    if len(trials) == 1:
        return _of_one(comparison)
    head, text = _winner(comparison)
    text = " ".join(filter(None, (text, against_baselines(comparison))))
    return Conclusion(head, text, findings(comparison), _doubts(comparison), _command(comparison))


def _of_one(comparison: Comparison) -> Conclusion:
    """One trial, of one or several runs."""
    trial = comparison.trials[0]
    end, seeds = outcome(trial), len(trial.numbers(trial.metric.name))
    text = f"It is the {label_of(trial.metric.name)}"
    text += f", mean ± standard deviation over {seeds} {comparison.repeats}" if seeds > 1 else ""
    if comparison.metric.at == "best" and end.best_epochs:
        text += f", at the best epoch, {whole(end.best_epochs)} of {whole(end.epochs)}"
    others = [f"{n} {_value(trial, n)}" for n in comparison.names if _is_other(comparison, n)]
    text += f"; {listed(others)} there." if others else "."
    doubt = (
        ""
        if seeds > 1
        else "One run: another seed, with another split and other first weights, may differ."
    )
    doubts = tuple(filter(None, (doubt, _tested(comparison))))
    head = f"{trial.metric.name} {_value(trial, trial.metric.name)}."
    return Conclusion(head, text, findings(comparison), doubts, _command(comparison))


def _is_other(comparison: Comparison, name: str) -> bool:
    return parsed(name)[0] != "test" and name != comparison.metric.name


def _value(trial: RankedTrial, name: str) -> str:
    mean = trial.mean(name)
    return "–" if mean is None else both(mean, trial.std(name))


def _winner(comparison: Comparison) -> tuple[str, str]:
    """(head, text) for several trials, of which the first has a number."""
    best = comparison.trials[0]
    extreme = "lowest" if comparison.metric.goal == "min" else "highest"
    who, value = _introduced(comparison, best), _value(best, comparison.metric.name)
    has = f"has the {extreme} {label_of(comparison.metric.name)}, {value}"
    against = _against(comparison)
    ties, unsure, worse = (_named(comparison, against, verdict) for verdict in (TIE, UNSURE, WORSE))
    seeds = max((len(pair.differences) for _, pair in against), default=0)
    repeats = f"{seeds} {comparison.repeats}"
    if ties:
        tied = f"{listed(ties)} cannot be distinguished from it: {_why(against, repeats)}"
        return OPEN, f"{who} {has}, but {tied}."
    if unsure:
        never = f"It is no worse than any other on all {repeats}"
        text = f"It {has}. {never}, but they do not bound by how much: {listed(unsure)}."
        return f"{who} leads, unproven.", text
    if worse:
        rest = f"each of the {counted(len(worse), 'other')}" if len(worse) > 1 else worse[0]
        text = f"It {has}. On the same {repeats} {rest} is worse by more than chance explains."
        return f"{who} wins.", text
    return _unpaired(comparison, who, has)


def _why(against: Against, repeats: str) -> str:
    """Why ties are ties."""
    ties = [pair for _, pair in against if pair.verdict == TIE]
    if not any(pair.wins for pair in ties):
        return "the differences are 0"
    some = f"on at least one of {repeats}"
    return f"each beats it {some}" if len(ties) > 1 else f"it is better {some}"


def _introduced(comparison: Comparison, trial: RankedTrial) -> str:
    """The name of a trial at the beginning of a sentence; with its settings, if it is a number."""
    name = name_of(comparison, trial)
    if not name.startswith("number "):
        return name
    return f"N{name[1:]} ({settings_of(comparison, trial)})"


def _unpaired(comparison: Comparison, who: str, has: str) -> tuple[str, str]:
    """Without seeds in common, nothing is known about chance."""
    name = comparison.metric.name
    second = next((t for t in comparison.trials[1:] if t.mean(name) is not None), None)
    if second is None:
        return (
            f"Only {who} ended with a number.",
            f"It {has}; all others diverged or were not measured.",
        )
    after = f"the next is {name_of(comparison, second)} with {_value(second, name)}"
    once = "Each setting was tried with one seed, so nothing is known about chance."
    several = "They share fewer than two seeds, so nothing is known about chance."
    return (
        f"{who} came first.",
        f"It {has}; {after}. {several if comparison.several_seeds else once}",
    )


def _against(comparison: Comparison) -> Against:
    """The others that are paired with the first on at least two seeds."""
    pairs = zip(comparison.trials, comparison.paired, strict=True)
    return [(trial, pair) for trial, pair in pairs if pair and pair.verdict]


def _named(comparison: Comparison, against: Against, verdict: str) -> list[str]:
    return [name_of(comparison, trial) for trial, pair in against if pair.verdict == verdict]


FUNCTIONS = ("objective.function", "descended different functions")


def _doubts(comparison: Comparison) -> tuple[str, ...]:
    """What limits the conclusion: other data, seeds, the picked winner, the test split."""
    return tuple(filter(None, (_apart(comparison), *_chance(comparison), _tested(comparison))))


def _apart(comparison: Comparison) -> str:
    """That trials on different data are no contest, or on different functions; empty if all have
    the same."""
    for key, what in (("data", "learned from different data"), FUNCTIONS):
        if key in comparison.keys:
            names = dict.fromkeys(str(trial.values.get(key)) for trial in comparison.trials)
            return f"They {what}, {listed(list(names))}: their numbers do not compare."
    return ""


def _chance(comparison: Comparison) -> tuple[str, ...]:
    """What is known about chance: seeds, the picked winner, several comparisons."""
    against = _against(comparison)
    picked = "Number 1 was picked by the same numbers that are shown, so it flatters itself."
    if not against:
        count = len(comparison.trials)
        return (f"It is the best of {count} by one number each. {picked}",)
    seeds = max(len(pair.differences) for _, pair in against)
    first = (
        f"{amount(seeds).capitalize()} {comparison.repeats}. ± is their spread; differences are "
        f"paired by {comparison.repeats.removesuffix('s')}."
    )
    if comparison.has_folds:
        first += " The training rows of folds overlap, so that intervals are too narrow."
    several = (
        f"Intervals are 95{HARD}% each, not corrected for {counted(len(against), 'comparison')}. "
        if len(against) > 1
        else f"Intervals are of 95{HARD}%. "
    )
    needed = "" if comparison.has_folds else _needed(comparison)
    return first, needed, several + picked


def _open(comparison: Comparison) -> list[tuple[int, RankedTrial, Paired]]:
    """(seeds that separate it from the first, trial, pair) of the ties, else of the unsure ones;
    fewest first."""
    against = _against(comparison)
    verdict = TIE if any(pair.verdict == TIE for _, pair in against) else UNSURE
    pairs = [(p.seeds_to_tell, t, p) for t, p in against if p.verdict == verdict]
    known = [(seeds, trial, pair) for seeds, trial, pair in pairs if seeds]
    return sorted(known, key=lambda entry: entry[0])


def _needed(comparison: Comparison) -> str:
    """How many seeds would decide what these do not."""
    found = _open(comparison)
    if not found:
        return ""
    ends = [found[(len(found) - 1) // 2], *found[-1:]] if len(found) > 1 else found
    texts = [f"{seeds:,} for {name_of(comparison, t)} ({signed(p.mean)})" for seeds, t, p in ends]
    return (
        "Seeds needed to separate it from the first, if mean and spread stay as they are: "
        f"about {', about '.join(texts)}."
    )


def _tested(comparison: Comparison) -> str:
    if found := test_of_best(comparison):
        return f"Test metrics of number 1 only, so that none is chosen by them: {found}."
    return "There is no test split: the number of the chosen one is too good."


def _command(comparison: Comparison) -> str:
    """The same with more seeds, if the runs were started by one command with one file."""
    if comparison.has_folds:
        return ""
    commands = {tuple(map(str, r.details.get("argv") or ())) for r in comparison.records}
    if len(commands) != 1 or any(
        r.info.status is not Status.COMPLETED for r in comparison.trials[0].records
    ):
        return ""
    words = list(commands.pop())
    found = _open(comparison)
    now = len(comparison.trials[0].records)
    seeds = found[(len(found) - 1) // 2][0] if found else 5 if now < 3 else 0
    if not now < seeds <= MOST_SEEDS or len(words) < 3 or words[1] not in ("sweep", "train"):
        return ""
    if not words[2].endswith((".yaml", ".yml")) or any(w.startswith("--seeds") for w in words):
        return ""
    if words[1] == "train" and (len(words) > 3 and not words[3].startswith("-")):
        return ""
    same = [words[2], *_kept(words[3:])]
    return shlex.join(["backproplab", "sweep", *same, "--seeds", str(seeds)])


def _kept(words: Sequence[str]) -> Iterator[str]:
    """Of the words after a file those that make it this sweep: keys, and files that it imports."""
    for before, word in pairwise(["", *words]):
        named = "--import" in (before, word) or word.startswith("--import=")
        is_key = "=" in word and not word.startswith("-")
        is_value = before.startswith("--") and "=" not in before  # of another option
        if named or (is_key and not is_value):
            yield word
