"""Findings beside the conclusion, each with the place of its evidence.

A finding is left out if there is nothing to say. Its numbers follow from results.csv. This file
must not know the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT
from backproplab.report.effects import Cost, Group, cost, groups, is_ratio
from backproplab.report.faults import Finding, endings, failures
from backproplab.report.naming import Layout, short_key
from backproplab.report.numerals import HARD, amount, listed, plain, ratio, signed, three
from backproplab.report.trials import RankedTrial

BEST = 5  # the best trials of a search, of which the ranges are given


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """The findings, those about keys first, each with what it rests on."""
    own = _of_search(comparison) if comparison.is_search else _of_grid(comparison)
    seeds = max(len(trial.counted) for trial in comparison.trials)
    means = f"means of {amount(seeds)} {comparison.repeats}"
    rests = means if seeds > 1 else "one seed each, may be chance"
    found = [finding for finding in (*own, endings(comparison)) if finding]
    supported = [replace(finding, evidence=f"{finding.evidence} · {rests}") for finding in found]
    failed = failures(comparison)
    return (*supported, failed) if failed else tuple(supported)


def _of_grid(comparison: Comparison) -> list[Finding | None]:
    if not comparison.is_told_by_keys:
        return []
    if len(comparison.keys) > 2:
        return [_each(comparison)]
    return [_decides(comparison), _turns(comparison), *_neighbors(comparison)]


def _each(comparison: Comparison) -> Finding | None:
    """What the worst value of each of several keys costs, with all other keys equal."""
    ratios, costs = is_ratio(comparison), []
    for key in comparison.keys:
        paid = [cost(group.worst, group.best, ratios) for group in groups(comparison, key)]
        if known := [found for found in paid if found]:
            most = max(known, key=lambda found: found.mean)
            costs.append(
                (most.mean, f"{write_cost(most, ratios)} for {short_key(comparison, key)}")
            )
    costliest = listed([text for _, text in sorted(costs, reverse=True)], 6)
    text = f"With all other keys equal, the worst value costs up to {costliest}."
    return Finding(text, "What each key does within the others") if costs else None


def write_cost(found: Cost, ratios: bool) -> str:
    return ratio(found.mean) if ratios else signed(found.mean)


def _decides(comparison: Comparison) -> Finding | None:
    """Which of two keys costs more: its worst value, with the other key at its best or equal."""
    first, second = Layout(comparison).keys
    rows = groups(comparison, second) if first and second else []  # one for each value of the first
    if len(rows) < 2:
        return None
    ratios, name = is_ratio(comparison), comparison.metric.name
    bests = sorted((row.best for row in rows), key=comparison.rank)
    across = cost(bests[-1], bests[0], ratios)
    paid = [found for row in rows if (found := cost(row.worst, row.best, ratios))]
    if across is None or not paid:
        return None
    within = max(paid, key=lambda found: found.mean)
    low, high = (three(trial.mean(name) or 0.0) for trial in (bests[0], bests[-1]))
    one, other = short_key(comparison, first), short_key(comparison, second)
    more, less = (other, one) if within.mean > across.mean else (one, other)
    text = (
        f"{more} decides more than {less}. Each at its own best {other}, the {amount(len(rows))} "
        f"values of {one} reach {low} to {high} ({write_cost(across, ratios)}); within one of "
        f"them, the worst {other} that did not diverge costs up to {write_cost(within, ratios)}."
    )
    return Finding(text, "Ranking · What each key does")


def _turns(comparison: Comparison) -> Finding | None:
    """Whether the best value of a key depends on the other one."""
    first, second = Layout(comparison).keys
    columns = groups(comparison, first) if first and second else []
    winners = {comparison.label(first, group.best.values[first]) for group in columns}
    if len(winners) < 2:
        return None
    orders = [
        " at ".join(comparison.label(key, group.best.values[key]) for key in (first, second))
        for group in columns
    ]
    one, other = short_key(comparison, first), short_key(comparison, second)
    text = f"Which {one} is best depends on {other}: {listed(orders, 6)}."
    return Finding(text, "What each key does · a single number of importance would hide this")


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
        sides.append(
            f"The best {word} is the last one tried for {listed(edges)}: better may lie beyond."
        )
    return (
        Finding(" ".join(sides), "What each key does, next smaller and larger") if sides else None
    )


def _side(
    comparison: Comparison, found: Sequence[Group], step: int, side: str, word: str, ratios: bool
) -> str:
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
    value = comparison.label(group.key, group.best.values[group.key])
    return f"{_who(comparison, group)} {value}".strip()


def _of_search(comparison: Comparison) -> list[Finding | None]:
    """Where the best trials of a search lie."""
    name = comparison.metric.name
    measured = [trial for trial in comparison.trials if trial.mean(name) is not None]
    if len(measured) < 2 * BEST:
        return []
    ranges = [_range(comparison, key, measured[:BEST]) for key in comparison.keys]
    where = "; ".join(filter(None, ranges))
    text = f"The best {amount(BEST)} of {len(comparison.trials)} lie at {where}."
    return [Finding(text, "By key · where the best lie close together, the key matters")]


def _range(comparison: Comparison, key: str, best: Sequence[RankedTrial]) -> str:
    axis, word = Axis.of(key, comparison.trials), short_key(comparison, key)
    values = [trial.values[key] for trial in best if trial.values[key] is not ABSENT]
    if not values:
        return ""
    if axis.is_number and all(isinstance(value, int | float) for value in values):
        tried = [tick for tick in axis.ticks if isinstance(tick, int | float)]
        ends, all_ends = (
            f"{plain(float(f'{min(v):.3g}'))} to {plain(float(f'{max(v):.3g}'))}"
            for v in (values, tried)
        )
        return f"{word} {ends} (tried: {all_ends})"
    labels = [comparison.label(key, value) for value in values]
    counts = [f"{label}{HARD}{labels.count(label)}×" for label in dict.fromkeys(labels)]
    return f"{word} {', '.join(counts)}"
