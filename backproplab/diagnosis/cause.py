"""What the config, the start and the end of a run show: its causes. As in ``course.py``, each gives
the facts of its rule if it holds, None if it does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.diagnosis.case import Case, Facts, Unknown
from backproplab.diagnosis.course import Limits, _warming, standing
from backproplab.diagnosis.fixes import _each
from backproplab.nn.activations import Activation
from backproplab.nn.layers import Dropout, Embedding
from backproplab.nn.normalization import BatchNorm

BY_CURVATURE = {"lbfgs": "L-BFGS", "newton": "Newton's method"}


def vanishing(case: Case, limits: Limits) -> Facts | None:
    first, last, ratio = _signal(case)
    facts = {"first": first, "last": last, "ratio": ratio, "times": 1 / max(ratio, 1e-300)}
    return facts if ratio < limits["ratio"] else None


def exploding(case: Case, limits: Limits) -> Facts | None:
    first, last, ratio = _signal(case)
    facts = {"first": first, "last": last, "times": ratio, "spread": _spread(case)}
    return facts if ratio > limits["ratio"] else None


def first_loss(case: Case, limits: Limits) -> Facts | None:
    if not case.is_classified:
        return None
    _unnormalized(case)
    loss = case.start["loss"]
    if loss is None:
        raise Unknown("the first loss is not finite")
    facts = {"loss": loss, "chance": case.chance, "times": loss / case.chance}
    recovered = case.level <= limits["level"]
    return facts if facts["times"] > limits["times"] and not recovered else None


def _signal(case: Case) -> tuple[str, str, float]:
    """The first and the last hidden layer, and r, the ratio of their rms ∂L/∂z."""
    _unnormalized(case)
    layers = case.start["layers"]
    if len(layers) < 2:
        raise Unknown("the signal's ratio needs two hidden layers")
    first, last = layers[0], layers[-1]
    if not (last["signal"] and first["signal"] is not None):
        raise Unknown("no signal reaches the last hidden layer")
    return first["name"], last["name"], first["signal"] / last["signal"]


def _unnormalized(case: Case) -> None:
    """Raise Unknown for a network whose signal a batch norm scales, but not before training: what
    it knows then is not of these data."""
    if _has_batch_norm(case):
        raise Unknown("before training a batch norm does not yet know the data")


def _has_batch_norm(case: Case) -> bool:
    layers = case.experiment.model.layers or ()
    return any(isinstance(layer, BatchNorm) for _, layer in _each(layers))


def _spread(case: Case) -> float:
    """The standard deviation of the last hidden layer's outputs, over that of the first's."""
    _unnormalized(case)
    layers = case.start["layers"]
    if len(layers) < 2:
        raise Unknown("the spread over layers needs two hidden layers")
    first, last = layers[0]["spread"], layers[-1]["spread"]
    if not first or last is None:
        raise Unknown("the first hidden layer gives one value only, or none that is finite")
    return float(last / first)


def spread(case: Case, limits: Limits) -> Facts | None:
    found = _spread(case)
    inside = limits["least"] <= found <= limits["most"]
    layers = case.start["layers"]
    facts = {"ratio": found, "first": layers[0]["name"], "last": layers[-1]["name"]}
    return None if inside else facts


def equal_units(case: Case, limits: Limits) -> Facts | None:
    for layer in _hidden(case):
        if layer["units"] > 1 and layer["distinct"] <= limits["share"] * layer["units"]:
            return {"units": layer["units"], "layer": layer["name"], "distinct": layer["distinct"]}
    return None


def flat_start(case: Case, limits: Limits) -> Facts | None:
    layers = [layer for layer in _hidden(case) if layer["slope"] is not None]
    if not layers:
        return None
    _unnormalized(case)
    worst = min(layers, key=lambda layer: layer["slope"])
    facts = {k: worst[k] for k in ("activation", "slope")} | {"layer": worst["name"]}
    return facts if worst["slope"] < limits["slope"] else None


def _hidden(case: Case) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = case.start["layers"]
    if not layers:
        raise Unknown("the network has no hidden layer")
    return layers


def big_step(case: Case, limits: Limits) -> Facts | None:
    if name := BY_CURVATURE.get(case.experiment.optimizer.name):
        raise Unknown(f"{name} chooses its steps by the curvature")
    step = case.step(int(limits["entries"]))
    facts = {"step": step, "updates": case.start["updates"]}
    return facts if step > limits["step"] else None


def dead(case: Case, limits: Limits) -> Facts | None:
    """The layer with the largest share of dead units."""
    standing(case, 1)
    if not case.end.hidden:
        raise Unknown("the network has no hidden layer")
    worst = max(case.end.hidden, key=lambda layer: layer.dead / layer.units)
    facts = {"dead": worst.dead, "units": worst.units, "layer": worst.name}
    share = worst.dead / worst.units
    facts |= {"share": share, "level": case.level}
    return facts if share >= limits["share"] and case.level > limits["level"] else None


def stuck(case: Case, limits: Limits) -> Facts | None:
    """The layer with the largest share of units that stand at a limit of their activation."""
    standing(case, 1)
    layers = [layer for layer in case.end.hidden if layer.units >= limits["units"]]
    if not layers:
        return None
    worst = max(layers, key=lambda layer: layer.stuck / layer.units)
    facts = {"stuck": worst.stuck, "units": worst.units, "layer": worst.name}
    facts |= {"activation": worst.activation.name, "level": case.level}
    holds = worst.stuck / worst.units >= limits["share"] and case.level > limits["level"]
    return facts if holds else None


def single_example(case: Case, limits: Limits) -> Facts | None:
    """A batch of one before a batch norm, which ``build`` refuses unless it is the last one."""
    e = case.experiment
    if e.batch_mode != "minibatch" or not _has_batch_norm(case):
        return None
    n, size = case.start["examples"]["train"], (e.batch_size or 1) * e.accumulate
    return {"examples": n, "size": size} if n % size == 1 else None


def endless_warmup(case: Case, limits: Limits) -> Facts | None:
    share = _warming(case)
    facts = {"warmup": case.warmup, "planned": case.planned, "share": share}
    return facts if share >= limits["share"] else None


def large_inputs(case: Case, limits: Limits) -> Facts | None:
    if isinstance((case.experiment.model.layers or (None,))[0], Embedding):
        raise Unknown("an embedding takes whole numbers of any size")
    size = case.start["inputs"]
    facts = {"size": size}
    if case.deep and size > limits["rms"]:
        facts |= dict(zip(("least", "most"), case.data.spreads, strict=True))
    return facts if size > limits["rms"] else None


def large_targets(case: Case, limits: Limits) -> Facts | None:
    size = case.start["targets"]
    return {"size": size} if size > limits["rms"] else None


def strong_l2(case: Case, limits: Limits) -> Facts | None:
    if "optimizer" not in case.experiment.learner.uses:
        return None
    l2 = case.experiment.optimizer.l2
    return {"l2": l2} if l2 > limits["l2"] else None


def strong_dropout(case: Case, limits: Limits) -> Facts | None:
    layers = case.experiment.model.layers or ()
    rate = max((x.rate for x in layers if isinstance(x, Dropout)), default=0.0)
    return {"rate": rate} if rate > limits["rate"] else None


def bent_outputs(case: Case, limits: Limits) -> Facts | None:
    """An activation at the network's end, below a loss that has its own."""
    layers = case.experiment.model.layers or ()
    if not layers or not (case.is_classified and case.experiment.loss.on_logits):
        return None
    own = getattr(layers[-1], "activation", layers[-1])
    bent = isinstance(own, Activation) and own.name != "linear"
    return {"activation": own.name} if bent else None


def unbalanced(case: Case, limits: Limits) -> Facts | None:
    if not case.is_classified:
        return None
    counts = case.data.counts
    shares = counts[counts > 0] / counts.sum()
    even = float(np.exp(-np.sum(shares * np.log(shares)))) / len(counts)
    ratio = float(counts.max() / max(counts.min(), 1))
    facts = {"most": int(counts.max()), "least": int(counts.min()), "even": even, "ratio": ratio}
    return facts if ratio > limits["ratio"] or even < limits["even"] else None


def unfound(case: Case, limits: Limits) -> Facts | None:
    facts = unbalanced(case, limits)
    if facts is None or "validation" not in case.parts.material.splits:
        return None
    worst = int(np.nanargmin(case.end.recalls))
    recall = float(case.end.recalls[worst])
    facts |= {"class": worst, "recall": recall, "majority": case.start["majority"]}
    facts["accuracy"] = case.curves.last("val_accuracy")
    return facts if recall < limits["recall"] else None


def twins(case: Case, limits: Limits) -> Facts | None:
    for split, count in case.data.twins.items():
        share = count / case.start["examples"][split]
        if count >= limits["count"] and share >= limits["share"]:
            return {"split": split, "count": count, "share": share}
    return None


def leakage(case: Case, limits: Limits) -> Facts | None:
    if not case.is_classified:
        return None
    found = case.data.correlation
    return {"correlation": found} if found >= limits["correlation"] else None


def other_test(case: Case, limits: Limits) -> Facts | None:
    p, q = case.curves.last("val_accuracy"), case.curves.last("test_accuracy")
    if not np.isfinite(p + q):
        return None
    m, t = (case.start["examples"][split] for split in ("validation", "test"))
    pooled = (p * m + q * t) / (m + t)
    error = (pooled * (1 - pooled) * (1 / m + 1 / t)) ** 0.5
    apart = abs(p - q) > limits["errors"] * error and abs(p - q) > limits["gap"]
    return {"validation": p, "test": q, "error": error} if apart else None
