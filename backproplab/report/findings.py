"""Findings beside the conclusion, each with the place of its evidence.

A finding is left out if there is nothing to say. Its numbers follow from results.csv. This file
must not know the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from backproplab.measures import label_of
from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.differences import ABSENT
from backproplab.report.effects import Cost, Group, cost, groups, is_ratio
from backproplab.report.naming import Layout, name_of, short_key
from backproplab.report.numerals import HARD, amount, listed, plain, ratio, signed, three, whole
from backproplab.report.outcomes import guess, outcome

MANY = 20  # trials, of which counts are told instead of names
BEST = 5  # the best trials of a search, of which the ranges are told


@dataclass(frozen=True)
class Finding:
    """text: one to three sentences. evidence: where on the page it can be seen, and how sure it is."""

    text: str
    evidence: str


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """The findings of several trials."""
    own = _of_search(comparison) if _is_search(comparison) else _of_grid(comparison)
    return tuple(filter(None, (*own, _failures(comparison), _endings(comparison))))


def run_findings(comparison: Comparison) -> tuple[Finding, ...]:
    """The findings of a single trial."""
    return tuple(filter(None, (_failures(comparison), _endings(comparison))))


def _is_search(comparison: Comparison) -> bool:
    return len(comparison.keys) > 0 and not any(groups(comparison, key) for key in comparison.keys)


def _of_grid(comparison: Comparison) -> list[Finding | None]:
    if not comparison.is_told_by_keys or len(comparison.keys) > 3:
        return []
    return [_decides(comparison), _turns(comparison), *_neighbors(comparison)]


def write_cost(found: Cost, ratios: bool) -> str:
    return ratio(found.mean) if ratios else signed(found.mean)


def _decides(comparison: Comparison) -> Finding | None:
    """Which of two keys costs more: its worst value, with the other key at its best and equal."""
    first, second = Layout(comparison).keys
    ratios = is_ratio(comparison)
    if not (first and second):
        return None
    rows = groups(comparison, second)  # one for each value of the first key
    if len(rows) < 2:
        return None
    bests = sorted((row.best for row in rows), key=lambda t: comparison.trials.index(t))
    name = comparison.metric.name
    across = cost(bests[-1], bests[0], ratios)
    within = max(
        (found for row in rows if (found := cost(row.worst, row.best, ratios))),
        key=lambda found: found.mean,
    )
    means = [three(mean) for t in (bests[0], bests[-1]) if (mean := t.mean(name)) is not None]
    one, other = short_key(comparison, first), short_key(comparison, second)
    if across is None:
        return None
    head = f"{other} decides more than {one}." if within.mean > across.mean else f"{one} decides more than {other}."
    text = (
        f"{head} Each at its own best {other}, the {amount(len(rows))} values of {one} reach "
        f"{means[0]} to {means[1]} ({write_cost(across, ratios)}); within one of them, the worst "
        f"{other} that did not diverge costs up to {write_cost(within, ratios)}."
    )
    return Finding(text, "Ranking · What each key does")


def _turns(comparison: Comparison) -> Finding | None:
    """Whether the best value of a key depends on the other one."""
    first, second = Layout(comparison).keys
    columns = groups(comparison, first) if first and second else []
    winners = {comparison.label(first, group.best.values[first]) for group in columns}
    if len(winners) < 2:
        return None
    told = [
        f"{comparison.label(first, g.best.values[first])} at {comparison.label(second, g.best.values[second])}"
        for g in columns
    ]
    one, other = short_key(comparison, first), short_key(comparison, second)
    text = f"Which {one} is best depends on {other}: {listed(told, 6)}."
    return Finding(text, f"What each key does · a single number of importance would hide this")


def _neighbors(comparison: Comparison) -> list[Finding | None]:
    """What one step away from the best value of a numeric key costs, and whether it is the last."""
    return [
        _steps(comparison, key)
        for key in comparison.keys
        if Axis.of(key, comparison.trials).is_number
    ]


def _steps(comparison: Comparison, key: str) -> Finding | None:
    found, ratios = groups(comparison, key), is_ratio(comparison)
    if not found or len(found) > 6:
        return None
    word = short_key(comparison, key)
    sides = [
        text for step, side in ((-1, "smaller"), (1, "larger"))
        if (text := _side(comparison, found, step, side, word, ratios))
    ]  # fmt: skip
    edges = [edge for group in found if (edge := _edge(comparison, group))]
    if edges:
        sides.append(f"The best {word} tried is at the end of its range for {listed(edges)}: a better one may lie beyond.")
    return Finding(" ".join(sides), "What each key does, next smaller and larger") if sides else None


def _side(comparison: Comparison, found: Sequence[Group], step: int, side: str, word: str, ratios: bool) -> str:
    costs = []
    for group in found:
        near = group.beside(step)
        paid = near and cost(near, group.best, ratios)
        if near and paid:
            costs.append(f"{_who(comparison, group)} {write_cost(paid, ratios)}".strip())
    return f"The next {side} {word} than the best one costs {listed(costs, 6)}." if costs else ""


def _who(comparison: Comparison, group: Group) -> str:
    others = [key for key in comparison.keys if key != group.key]
    return " ".join(comparison.label(key, group.best.values[key]) for key in others)


def _edge(comparison: Comparison, group: Group) -> str:
    if len(group.trials) < 3 or (group.beside(-1) and group.beside(1)):
        return ""
    return f"{_who(comparison, group)} {comparison.label(group.key, group.best.values[group.key])}".strip()


def _of_search(comparison: Comparison) -> list[Finding | None]:
    """Where the best trials of a search lie."""
    name = comparison.metric.name
    measured = [trial for trial in comparison.trials if trial.mean(name) is not None]
    if len(measured) < 2 * BEST:
        return []
    told = [_range(comparison, key, measured[:BEST]) for key in comparison.keys]
    text = f"The best {amount(BEST)} of {len(comparison.trials)} lie at {'; '.join(filter(None, told))}."
    return [Finding(text, "By key · where the best lie close together, the key matters")]


def _range(comparison: Comparison, key: str, best: Sequence[RankedTrial]) -> str:
    axis, word = Axis.of(key, comparison.trials), short_key(comparison, key)
    values = [trial.values[key] for trial in best if trial.values[key] is not ABSENT]
    if not values:
        return ""
    if axis.is_number and all(isinstance(value, int | float) for value in values):
        tried = [tick for tick in axis.ticks if isinstance(tick, int | float)]
        ends, all_ends = (f"{plain(float(f'{min(v):.3g}'))} to {plain(float(f'{max(v):.3g}'))}" for v in (values, tried))
        return f"{word} {ends} (tried: {all_ends})"
    labels = [comparison.label(key, value) for value in values]
    counts = [f"{label} {labels.count(label)}×" for label in dict.fromkeys(labels)]
    return f"{word} {', '.join(counts)}"


def _failures(comparison: Comparison) -> Finding | None:
    """Diverged and blown-up trials, and those that end above the loss of a guess."""
    name, parts = label_of(comparison.metric.name), []
    ends = [(name_of(comparison, trial), outcome(trial)) for trial in comparison.trials]
    if whole_lost := [who for who, end in ends if len(end.lost) == end.runs]:
        parts.append(f"Diverged{' on every seed' if comparison.several_seeds else ''}: {listed(whole_lost)}.")
    if some := [f"{who} ({len(end.lost)} of {end.runs})" for who, end in ends if 0 < len(end.lost) < end.runs]:
        parts.append(f"Diverged on some seeds: {listed(some)}.")
    blown = [(who, end.last) for who, end in ends if end.word == "blew up" and end.last is not None]
    for who, last in blown[:2]:
        size = plain(float(f"{last:.2g}")) if isfinite(last) else "infinity"
        parts.append(f"{who} counts as completed, but its {name} ended at {size}.")
    if chance := guess(comparison):
        above = [w for w, end in ends if end.last is not None and end.word != "blew up" and end.last > chance[0]]
        if above:
            parts.append(f"Above the loss of guessing at the end, {chance[1]} = {chance[0]:.3f}: {listed(above)}.")
    return Finding(" ".join(parts), "Ranking, hatched rows · Learning curves") if parts else None


def _endings(comparison: Comparison) -> Finding | None:
    """What got worse after its best epoch, and what was still getting better."""
    if len(comparison.trials) > MANY:
        return _counts(comparison)
    ends = [(name_of(comparison, trial), outcome(trial)) for trial in comparison.trials]
    name, parts = label_of(comparison.metric.name), []
    seeds = " on every seed" if comparison.several_seeds else ""
    worse = [(who, end) for who, end in ends if end.word == "worsens"]
    told = [
        f"{who} (best after {whole(end.best_epochs)} of {whole(end.epochs)} epochs, "
        f"{100 * ((end.growth or 1) - 1):.0f}{HARD}% higher at the end)"
        for who, end in worse
    ]
    if told:
        parts.append(f"The {name} rises again after its best: {listed(told, 3)}.")
    if still := [who for who, end in ends if end.word == "still improving"]:
        parts.append(f"Still improving in the last epoch{seeds}: {listed(still)}; more epochs would help.")
    return Finding(" ".join(parts), "Learning curves, rings") if parts else None


def _counts(comparison: Comparison) -> Finding | None:
    """The same in numbers of trials."""
    words = [outcome(trial).word for trial in comparison.trials]
    name = label_of(comparison.metric.name)
    told = [("still improving", "still improved in the last epoch")]
    told.append(("worsens", f"ended with a {name} more than 10{HARD}% above their best"))
    parts = [f"{words.count(w)} of {len(words)} trials {text}." for w, text in told if w in words]
    return Finding(" ".join(parts), "Learning curves, rings") if parts else None
