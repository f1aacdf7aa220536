"""Cautions: what can be trained, but not as its config suggests. They are shown before training.

A length that the run never reaches, a metric without a value, a class without examples, weights
that cannot learn. This file must not know who shows them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproplab.data import Examples
from backproplab.errors import Problem
from backproplab.experiment.limits import pass_length, undefined_measures
from backproplab.experiment.parts import Parts
from backproplab.measures import SPLITS, parsed
from backproplab.spec import Lasts, Spec
from backproplab.text import counted

NAMED = 3  # classes that a caution names
SAMPLED = 64  # updates at which the learning rate is looked at


def cautions(parts: Parts) -> list[Problem]:
    """Each starts with the dotted key that it concerns, for ``config.located``."""
    return [
        *_lengths(parts),
        *_unread(parts),
        *_rates(parts),
        *_blocked(parts),
        *_equal_units(parts),
        *_undefined(parts),
        *_classes(parts),
    ]


def _lengths(parts: Parts) -> Iterator[Problem]:
    """Lengths that are not reached within the run."""
    e = parts.experiment
    has = {"steps": parts.updates, "epochs": -(-parts.updates // parts.updates_per_epoch)}
    if e.learner.batches:
        has["batches"] = -(-len(parts.splits.train) // pass_length(e, len(parts.splits.train)))
    units = {"steps": e.learner.unit, "epochs": "epoch", "batches": "batch"}
    for path, value, lasts in lengths(e):
        if path.split(".")[0] in e.unused_keys or lasts.unit not in has:
            continue
        before = _before(parts, path)
        most = has[lasts.unit] - before
        if most <= 0 or value + lasts.more <= most or (path.endswith("histograms") and value < 2):
            continue
        left = f" after the first {before:,}" if before else ""
        whole = "an epoch" if lasts.unit == "batches" else "the run"
        unit = units[lasts.unit]
        reach = f"{whole} has {counted(most, unit)}{left}"
        yield Problem("", f"{path}: {counted(value, unit)}, {reach}: {lasts.lost}")


def lengths(spec: Spec, at: str = "") -> Iterator[tuple[str, int, Lasts]]:
    """Every length in a spec and the specs in it: its dotted path, its value, what it needs."""
    for name, field in type(spec).model_fields.items():
        value, path = getattr(spec, name), f"{at}{name}"
        if isinstance(value, Spec):
            yield from lengths(value, f"{path}.")
        for mark in field.metadata:
            if isinstance(mark, Lasts):
                items = enumerate(value) if isinstance(value, tuple) else [("", value)]
                found = ((f"{path}.{i}".rstrip("."), item) for i, item in items)
                yield from ((at, item, mark) for at, item in found if isinstance(item, int))


def _before(parts: Parts, path: str) -> int:
    """Updates or epochs in which the length does not count yet."""
    e = parts.experiment
    if path == "early_stopping.patience" and e.early_stopping:
        return e.early_stopping.start_from_epoch
    after_warmup = path.startswith("schedule.") and not path.endswith("warmup_steps")
    in_epochs = path.endswith(("patience", "cooldown"))
    return e.schedule.warmup_steps if after_warmup and not in_epochs else 0


def _unread(parts: Parts) -> Iterator[Problem]:
    """A batch size in a mode that does not read it."""
    e = parts.experiment
    if e.learner.batches and e.batch_size is not None and e.batch_mode != "minibatch":
        yield Problem("", f"batch_size: not used, batch_mode is {e.batch_mode}")


def _rates(parts: Parts) -> Iterator[Problem]:
    """A schedule that never changes the rate, or leaves it at 0."""
    e = parts.experiment
    if "schedule" not in e.learner.uses or e.learning_rate is None:
        return
    rate, last = e.schedule.begin(e.learning_rate, parts.updates), parts.updates - 1
    steps = {0, *range(0, last, max(last // SAMPLED, 1)), e.schedule.warmup_steps, last}
    used = {rate(step) for step in steps if step <= last}
    if used == {0.0}:
        yield Problem("", "schedule: the learning rate is 0 in every update")
    elif rate.moves and not rate.state and len(used) == 1 and last and not _is_reported(parts):
        rest = f"stays at {used.pop():g} in all {parts.updates:,} updates"
        yield Problem("", f"schedule: {e.schedule.name}: the learning rate {rest}")


def _is_reported(parts: Parts) -> bool:
    return any(problem.what.startswith("schedule.") for problem in _lengths(parts))


def _blocked(parts: Parts) -> Iterator[Problem]:
    """A short last batch from which nothing is learned; ``build`` refuses a full one."""
    rows, network = len(parts.splits.train), parts.network
    if network is None or not parts.experiment.learner.batches:
        return
    short = rows % pass_length(parts.experiment, rows)
    for why in network.blocked(short).values() if short else ():
        what = f"batch_size: the last batch of each epoch has {counted(short, 'example')}: {why}"
        yield Problem("", what, "choose a size that leaves more")


def _equal_units(parts: Parts) -> Iterator[Problem]:
    """Hidden weights that start equal: the units of such a layer stay equal."""
    if parts.network is None or not parts.experiment.learner.batches:
        return
    kernels = [(n, w) for n, w in parts.network.weights.items() if w.trainable and len(w.shape) > 1]
    for name, weight in kernels[:-1]:
        drawn = weight.initializer or parts.network.initializer
        if drawn.equal and weight.shape[-1] > 1:
            what = f"model: {name} starts with {drawn.name}: its units are equal and stay equal"
            yield Problem("", what, "choose another initializer")


def _undefined(parts: Parts) -> Iterator[Problem]:
    """Metrics that have no value on a split."""
    for name, why in undefined_measures(parts.metrics, parts.splits).items():
        split, _ = parsed(name)
        key = _key_of(split, parts)
        yield Problem("", f"{key}: {name} is undefined: {why} in the {_word(split)} split")


def _classes(parts: Parts) -> Iterator[Problem]:
    """Classes without an example in a split."""
    task = parts.splits.task
    for split in SPLITS if task.kind == "classification" else ():
        examples: Examples | None = getattr(parts.splits, split)
        if not examples:
            continue
        counts = np.bincount(examples.targets, minlength=task.outputs)[: task.outputs]
        absent = [task.labels[i] if task.labels else str(i) for i in np.flatnonzero(counts == 0)]
        if absent:
            more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
            names = f"{'class' if len(absent) == 1 else 'classes'} {', '.join(absent[:NAMED])}"
            of = f"the {_word(split)} split ({counted(len(examples), 'example')})"
            yield Problem("", f"{_key_of(split, parts)}: {of} has none of {names}{more}")


def _key_of(split: str, parts: Parts) -> str:
    """The key that decides how large a split is."""
    key = f"{split}_split"
    return f"data.{key}" if getattr(parts.experiment.data, key, 0) else "data"


def _word(split: str) -> str:
    return "training" if split == "train" else split
