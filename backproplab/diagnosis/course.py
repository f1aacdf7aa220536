"""What the course of a run shows: guessing, divergence, unrest, speed, fit. Each gives the facts of
its rule if it holds, None if it does not; ``limits`` are the rule's thresholds, from the table."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from backproplab.diagnosis.case import Case, Facts, Unknown
from backproplab.loop.early_stopping import EXHAUSTED
from backproplab.status import Status

Limits = Mapping[str, float]
PLACE = re.compile(r"diverged (?P<where>.*?): (?P<what>.*?)(?: \(.*?\))? stopped being finite")


def standing(case: Case, least: int) -> None:
    """Raise Unknown unless the run has a loss and has ended by itself, after enough epochs."""
    if case.status is Status.DIVERGED:
        raise Unknown("the run has diverged")
    if case.status not in (Status.COMPLETED, Status.PRUNED):
        raise Unknown(f"the run is {case.status}: it has not ended by itself")
    if case.curves.epochs < least:
        raise Unknown(f"the run has {case.curves.epochs} epochs, fewer than {least}")
    if not len(case.curves.of("loss")):
        raise Unknown("the learner has no loss")


def validated(case: Case) -> None:
    if not len(case.curves.of("val_loss")):
        raise Unknown("there is no validation split")


def guessing(case: Case, limits: Limits) -> Facts | None:
    standing(case, 3)
    if _warming(case) >= 1:
        raise Unknown("the warm-up is not over")
    loss, b = case.curves.last("loss"), case.chance
    facts = {"epochs": case.curves.epochs, "loss": loss, "chance": b, "level": loss / b}
    return facts if loss >= limits["level"] * b else None


def guessing_classes(case: Case, limits: Limits) -> Facts | None:
    facts = guessing(case, limits)
    if not case.is_classified or facts is None:
        return None
    p, n = case.start["majority"], case.start["examples"]["train"]
    accuracy = case.curves.last("accuracy")
    most = p + 3 * (p * (1 - p) / n) ** 0.5 + 1 / n
    facts |= {"accuracy": accuracy, "majority": p, "most": most}
    return facts if accuracy <= most else None


def guessing_values(case: Case, limits: Limits) -> Facts | None:
    facts = guessing(case, limits)
    return None if case.is_classified else facts


def diverged(case: Case, limits: Limits) -> Facts | None:
    if case.status is not Status.DIVERGED:
        return None
    found = PLACE.search(str(case.record.get("message")))
    what = found["what"] if found else "the loss"
    return {"update": int(case.record.get("steps") or 0) + 1, "what": what}


def grown(case: Case, limits: Limits) -> Facts | None:
    standing(case, 3)
    loss, turns = case.curves.of("loss"), case.curves.turns
    lowest = min([float(loss.min()), case.start.get("loss") or np.inf])
    holds = loss[-1] > limits["times"] * lowest and loss[-1] > case.chance
    facts = {"lowest": lowest, "loss": float(loss[-1]), "turns": turns}
    return facts | {"level": loss[-1] / case.chance} if holds and turns < limits["turns"] else None


def unsteady(case: Case, limits: Limits) -> Facts | None:
    standing(case, 5)
    curves, b = case.curves, case.chance
    whole = case.experiment.batch_mode == "batch"
    climb, late = curves.climb / b, curves.late_climb / b
    try:
        step = case.step()
    except Unknown:
        step = 0.0
    least = limits["climb" if step < limits["step"] else "near"]
    holds = climb >= least and curves.turns >= limits["turns"]
    settled = case.level < 0.01 or (whole and late < least)
    facts = {"rises": curves.rises, "changes": curves.epochs - 1, "climb": climb, "step": step}
    return facts | {"turns": curves.turns} if holds and not settled else None


def still_falling(case: Case, limits: Limits) -> Facts | None:
    standing(case, 5)
    if case.record.get("stop_reason") == EXHAUSTED:
        raise Unknown("early stopping has ended the run")
    curves = case.curves
    loss = curves.of("loss")
    first = max(case.start.get("loss") or 0.0, float(loss[0]))  # the start is of 256 examples only
    if first <= loss.min():
        return None
    share = float((curves.before_fifth - loss[-1]) / (first - loss.min()))
    level = float(loss[-1]) / case.chance
    few = curves.rises < 0.2 * (curves.epochs - 1)
    facts = {"share": share, "level": level, "epochs": curves.epochs, "fifth": curves.fifth}
    return facts if share >= limits["share"] and level > limits["level"] and few else None


def too_slow(case: Case, limits: Limits) -> Facts | None:
    facts = still_falling(case, limits)
    step = case.step()
    return (
        facts | {"step": step, "inverse": 1 / max(step, 1e-12)}
        if (facts and step < limits["step"])
        else None
    )


def unfinished(case: Case, limits: Limits) -> Facts | None:
    return still_falling(case, limits) if case.step() >= limits["step"] else None


def overfitting(case: Case, limits: Limits) -> Facts | None:
    standing(case, 5)
    validated(case)
    if case.curves.restored:
        raise Unknown("the weights of the best epoch were put back")
    curves, b = case.curves, case.chance
    onset = int(np.argmin(curves.smooth))
    best, tail, loss = float(curves.smooth[onset]), curves.tail, curves.of("loss")
    worse = tail > limits["times"] * best and tail - best > limits["share"] * b
    falls = loss[-1] < 0.9 * loss[onset] and onset < 0.8 * curves.epochs
    facts = {"epoch": curves.numbers[onset], "best": best, "tail": tail}
    facts |= {"loss": float(loss[-1]), "level": best / b, "at": (onset + 1) / curves.epochs}
    return facts if worse and falls else None


def gap(case: Case, limits: Limits) -> Facts | None:
    standing(case, 1)
    validated(case)
    p, q = case.curves.last("accuracy"), case.curves.last("val_accuracy")
    if not np.isfinite(p + q):
        return None
    n, m = (case.start["examples"][split] for split in ("train", "validation"))
    pooled = (p * n + q * m) / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)) ** 0.5
    wide = p - q >= limits["gap"] and p - q > 3 * error
    return {"accuracy": p, "val_accuracy": q, "error": error} if wide else None


def underfitting(case: Case, limits: Limits) -> Facts | None:
    """A network with hidden layers that guesses has not been tried: something stops it.

    Judged only where the causes that exclude it can be, which need the layers at the start.
    """
    standing(case, 5)
    layers = case.start["layers"]
    level = float(case.curves.of("loss").min()) / case.chance
    if level <= limits["level"] or not case.curves.stands:
        return None
    at_chance = {"level": limits["chance"]}
    guesses = guessing_classes(case, at_chance) or guessing_values(case, at_chance)
    return None if guesses and layers else {"level": level}


def scheduled(case: Case, limits: Limits) -> Facts | None:
    """A plateau whose rate had died before the last fifth of the epochs began."""
    standing(case, 5)
    if not case.curves.stands or case.level <= limits["level"]:
        return None
    rates = np.array(case.rates)
    low = rates < limits["rate"] * rates.max()
    if not low[-1 - case.curves.fifth]:
        return None
    epoch = case.curves.numbers[int(np.argmax(low))]
    return {"epoch": epoch, "epochs": case.curves.epochs, "loss": case.curves.last("loss")}


def wrong_labels(case: Case, limits: Limits) -> Facts | None:
    facts = overfitting(case, {"times": 1.1, "share": 0.05})
    if not facts or facts["at"] >= limits["at"] or facts["level"] <= limits["level"]:
        return None
    return facts | _worst(case)


def _worst(case: Case) -> Facts:
    """The examples with the largest loss at the best epoch, where the data may be loaded."""
    try:
        return {"rows": case.at_best.worst}
    except Unknown:
        return {}


def random_labels(case: Case, limits: Limits) -> Facts | None:
    standing(case, 5)
    validated(case)
    if not case.is_classified:
        return None
    p, m = case.start["majority"], case.start["examples"]["validation"]
    best = float(case.curves.of("val_loss").min()) / case.chance
    low = float(case.curves.of("loss").min()) / case.chance
    accuracy = case.curves.last("val_accuracy")
    near = abs(accuracy - p) <= 3 * (p * (1 - p) / m) ** 0.5
    holds = best > limits["best"] and near and low < limits["low"]
    if not holds:
        return None
    return {"accuracy": accuracy, "majority": p, "level": low, "best": best} | _worst(case)


def few_examples(case: Case, limits: Limits) -> Facts | None:
    validated(case)
    accuracy, m = case.curves.last("val_accuracy"), case.start["examples"]["validation"]
    if not np.isfinite(accuracy):
        return None
    error = (accuracy * (1 - accuracy) / m) ** 0.5
    facts = {"accuracy": accuracy, "examples": m, "error": error}
    facts |= {"one": 1 / m, "least": wilson(m)}
    return facts if m < limits["examples"] or error > limits["error"] else None


def wilson(examples: int) -> float:
    """What m right of m examples say of many more, with 97.5 %: m / (m + 1.96²), Wilson's bound."""
    return examples / (examples + 3.84)


def few_and_all_right(case: Case, limits: Limits) -> Facts | None:
    facts = few_examples(case, limits)
    return facts if facts and facts["accuracy"] == 1 else None


def few_and_some_wrong(case: Case, limits: Limits) -> Facts | None:
    facts = few_examples(case, limits)
    return facts if facts and facts["accuracy"] < 1 else None


def standing_still(case: Case, limits: Limits) -> Facts | None:
    """Validation stays within a hundredth of chance from an epoch of the first half to the end."""
    standing(case, 5)
    validated(case)
    loss = case.curves.smooth / case.chance
    near = np.abs(loss - loss[-1]) <= limits["near"]
    from_epoch = len(loss) - int(np.argmin(near[::-1])) if not near.all() else 0
    facts = {"epoch": case.curves.numbers[min(from_epoch, len(loss) - 1)]}
    return facts if from_epoch <= limits["at"] * len(loss) and case.level < 0.3 else None


def improving(case: Case, limits: Limits) -> Facts | None:
    """The last epoch was the best one, and far enough below those before it."""
    standing(case, 5)
    validated(case)
    if case.experiment.learner.timed or case.record.get("stop_reason") == EXHAUSTED:
        return None
    loss = case.curves.of("val_loss")
    fall = float(1 - loss[-1] / loss[-1 - case.curves.fifth])
    facts = {"epochs": case.curves.epochs, "fall": fall, "best": float(loss.min())}
    return facts if loss[-1] <= loss.min() and fall >= limits["fall"] else None


def _warming(case: Case) -> float:
    """The warm-up as a share of the planned updates; 0 without any."""
    if "schedule" not in case.experiment.learner.uses:
        return 0.0
    return case.experiment.schedule.warmup_steps / max(case.planned, 1)
