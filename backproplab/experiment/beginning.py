"""The beginning of a run once more: its first updates repeated, if it did not keep them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab.experiment.parts import Parts
from backproplab.learners import Descent, Json, NoBrake, Span, fingerprint
from backproplab.measures import Row
from backproplab.telemetry import Beginning


def beginning(parts: Parts, init: str, rows: Mapping[int, Row]) -> Json:
    """The entry ``start`` of the run's record, computed again.

    init: the hash of the run's first weights.  rows: its values by epoch, for a schedule that
    follows them. Raises ValueError if this program draws other first weights.
    """
    descent = parts.descent()
    if fingerprint(descent.weights) != init:
        raise ValueError("its first weights cannot be drawn again: version or data differ")
    watcher = Beginning(parts.material)
    with threadpool_limits(parts.threads), np.errstate(all="ignore"):
        _repeat(parts, descent, watcher, rows)
    start: Json = watcher.recorded()["start"]
    return start


def _repeat(parts: Parts, descent: Descent, watcher: Beginning, rows: Mapping[int, Row]) -> None:
    order, step = parts.order(), 0
    assert order is not None
    watcher.begin(descent)
    while not watcher.ended(step) and step < parts.updates:
        span = Span(step, 1, order.upcoming(1), order.length, order.mode == "batch")
        if not descent.advance(span, {}, NoBrake()).done:
            return
        order.done(1)
        step += 1
        if watcher.first.next(step - 1) == step:
            watcher.see(descent, step)
        if step % parts.updates_per_epoch == 0:
            descent.evaluated(rows.get(step // parts.updates_per_epoch, {}))
