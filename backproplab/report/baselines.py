"""The best network against the baselines of its comparison, in a sentence.

This file must not know how it is shown.
"""

from __future__ import annotations

from typing import Any

from backproplab.report.comparison import Comparison
from backproplab.report.naming import described
from backproplab.report.numerals import both, listed, signed
from backproplab.report.pairing import Paired, paired
from backproplab.report.trials import RankedTrial

WORDS = {1: "beats", 0: "cannot be distinguished from", -1: "is beaten by"}


def against_baselines(comparison: Comparison) -> str:
    """``The best network, relu 0.97 ± 0.01, beats majority …; is beaten by random_forest …``.

    Beaten means that the 95 % interval of the mean difference, over the seeds and folds that both
    have, does not include 0. Of a sweep over data the baselines are those on the network's data.
    Empty without a baseline or a network that has a value.
    """
    name = comparison.metric.name
    valued = [trial for trial in comparison.trials if trial.mean(name) is not None]
    best = next((trial for trial in valued if not trial.is_baseline), None)
    found: dict[int, list[str]] = {side: [] for side in WORDS}
    baselines = [trial for trial in comparison.trials if trial.is_baseline]
    alike = [trial for trial in baselines if best and _data(trial) == _data(best)]
    for trial in alike or baselines:
        pair = paired(trial, best) if best else None
        if pair and pair.interval:
            found[_side(pair)].append(_told(comparison, trial, pair))
    said = [f"{WORDS[side]} {listed(texts)}" for side, texts in found.items() if texts]
    if not said or best is None:
        return ""
    return f"The best network, {described(comparison, best)} with {_value(best)}, {listed(said)}."


def _data(trial: RankedTrial) -> dict[str, Any]:
    """What a trial learns from, in every fold."""
    data = trial.records[0].config.get("data")
    return {k: v for k, v in data.items() if k != "fold"} if isinstance(data, dict) else {}


def _side(pair: Paired) -> int:
    """1 if the baseline is worse, -1 if it is better, 0 if chance explains the difference."""
    low, high = pair.interval or (0.0, 0.0)
    if low <= 0 <= high:
        return 0
    return 1 if pair.sign * pair.mean > 0 else -1


def _told(comparison: Comparison, trial: RankedTrial, pair: Paired) -> str:
    learner = comparison.label("learner", trial.values["learner"])
    return f"{learner} ({_value(trial)}, Δ {signed(pair.mean)})"


def _value(trial: RankedTrial) -> str:
    name = trial.metric.name
    mean = trial.mean(name)
    return "–" if mean is None else both(mean, trial.std(name))
