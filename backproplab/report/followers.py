"""Keys that follow another key: their effects cannot be separated.

This file must not know how it is shown.
"""

from __future__ import annotations

from backproplab.report.comparison import Comparison
from backproplab.report.numerals import listed

MOST = 6  # values of a key that a sentence can list


def followers(comparison: Comparison) -> dict[str, str]:
    """Key -> the key whose value decides it, in every trial. Of two that decide each other the
    later one follows."""
    found: dict[str, str] = {}
    for at, key in enumerate(comparison.keys):
        for place, other in enumerate(comparison.keys):
            both = len(_pairs(comparison, other, key))
            decides = both == len(comparison.labels[other]) < len(comparison.trials)
            mutual = both == len(comparison.labels[key])
            if other not in (key, *found) and decides and (place < at or not mutual):
                found.setdefault(key, other)
    return found


def sentences(comparison: Comparison) -> list[str]:
    """``initializer: glorot_uniform with sigmoid, he_normal with relu. …`` for each follower."""
    return [_said(comparison, key, other) for key, other in followers(comparison).items()]


def _pairs(comparison: Comparison, one: str, two: str) -> list[tuple[str, str]]:
    """The different pairs of values of two keys, as labels."""
    trials = comparison.trials
    pairs = [tuple(comparison.label(k, t.values[k]) for k in (one, two)) for t in trials]
    return list(dict.fromkeys((first, second) for first, second in pairs))


def _said(comparison: Comparison, key: str, other: str) -> str:
    short, leader = (path.rpartition(".")[2] for path in (key, other))
    pairs = _pairs(comparison, other, key)
    which = f"{short}: {listed([f'{two} with {one}' for one, two in pairs], MOST)}. "
    return f"{which}Its effect cannot be separated from that of {leader}."
