"""What went wrong beside the ranking: divergence, losses above a guess, losses that rise again.

Numbers follow from results.csv. This file must not know the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from backproplab.measures import label_of
from backproplab.report.comparison import Comparison
from backproplab.report.naming import name_of
from backproplab.report.numerals import HARD, listed, plain, whole
from backproplab.report.outcomes import Outcome, guess, outcome

Ends = Sequence[tuple[str, Outcome]]
MANY = 20  # trials, of which counts are given instead of names


@dataclass(frozen=True)
class Finding:
    """text: one to three sentences. evidence: where on the page it can be seen."""

    text: str
    evidence: str


def failures(comparison: Comparison) -> Finding | None:
    """Diverged and blown-up trials, and those that end above the loss of a guess."""
    ends = [(name_of(comparison, trial), outcome(trial)) for trial in comparison.trials]
    parts = [*_diverged(comparison, ends), *_blown(comparison, ends), *_above(comparison, ends)]
    return Finding(" ".join(parts), "Ranking, hatched rows · Learning curves") if parts else None


def _diverged(comparison: Comparison, ends: Ends) -> Iterator[str]:
    if lost := [who for who, end in ends if len(end.lost) == end.runs]:
        where = " on every seed" if comparison.several_seeds else ""
        yield f"Diverged{where}: {listed(lost)}."
    some = [(who, end) for who, end in ends if 0 < len(end.lost) < end.runs]
    if failed := [f"{who} ({len(end.lost)} of {end.runs})" for who, end in some]:
        yield f"Diverged on some seeds: {listed(failed)}."


def _blown(comparison: Comparison, ends: Ends) -> Iterator[str]:
    """At most two of the trials that completed far above their best loss."""
    blown = [(who, end.last) for who, end in ends if end.word == "blew up"]
    for who, last in blown[:2]:
        size = "infinity" if last is None or not isfinite(last) else plain(float(f"{last:.2g}"))
        name = label_of(comparison.metric.name)
        yield f"{who} counts as completed, but its {name} ended at {size}."


def _above(comparison: Comparison, ends: Ends) -> Iterator[str]:
    chance = guess(comparison)
    if chance is None:
        return
    known = [(who, end.last) for who, end in ends if end.word != "blew up"]
    if above := [who for who, last in known if last is not None and last > chance[0]]:
        limit = f"{chance[1]} = {chance[0]:.3f}"
        yield f"Above the loss of guessing at the end, {limit}: {listed(above)}."


def endings(comparison: Comparison) -> Finding | None:
    """What got worse after its best epoch, and what was still getting better."""
    if len(comparison.trials) > MANY:
        return _counts(comparison)
    ends = [(name_of(comparison, trial), outcome(trial)) for trial in comparison.trials]
    name, parts = label_of(comparison.metric.name), []
    seeds = " on every seed" if comparison.several_seeds else ""
    worse = [(who, end) for who, end in ends if end.word == "worsens"]
    rising = [
        f"{who} (best after {whole(end.best_epochs)} of {whole(end.epochs)} epochs, "
        f"{100 * ((end.growth or 1) - 1):.0f}{HARD}% higher at the end)"
        for who, end in worse
    ]
    if rising:
        parts.append(f"The {name} rises again after its best: {listed(rising, 3)}.")
    if still := [who for who, end in ends if end.word == "still improving"]:
        parts.append(
            f"Still improving in the last epoch{seeds}: {listed(still)}; more epochs would help."
        )
    return Finding(" ".join(parts), "Learning curves, rings") if parts else None


def _counts(comparison: Comparison) -> Finding | None:
    """The same in numbers of trials."""
    words = [outcome(trial).word for trial in comparison.trials]
    name = label_of(comparison.metric.name)
    texts = [("still improving", "still improved in the last epoch")]
    texts.append(("worsens", f"ended with a {name} more than 10{HARD}% above their best"))
    parts = [f"{words.count(w)} of {len(words)} trials {text}." for w, text in texts if w in words]
    return Finding(" ".join(parts), "Learning curves, rings") if parts else None
