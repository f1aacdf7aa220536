"""The same steps written in NumPy by hand: no graph, no names, all arrays allocated beforehand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice
from math import sqrt

import numpy as np
from numpy import add, divide, multiply, subtract

from benchmarks.hand_passes import convolutional, dense
from benchmarks.workloads import Array, Side, Workload, examples, first_weights, minibatches

BLOCK = 16_384  # weights updated at a time, so that they and their slots stay in the cache
Update = Callable[[], None]


def prepare(work: Workload) -> Side:
    x, y = examples(work.inputs)
    weights = first_weights(work)
    theta = np.concatenate([w.ravel() for w in weights])
    gradient = np.zeros_like(theta)
    shapes = [w.shape for w in weights]
    views, gradients = _views(theta, shapes), _views(gradient, shapes)
    passes = convolutional if work.filters else dense
    differentiate = passes(work.batch, views, gradients)
    update = UPDATES[work.optimizer](theta, gradient, work.rate)
    batches = minibatches(work)

    def step(k: int) -> None:
        for rows in islice(batches, k):
            differentiate(x[rows], y[rows])
            update()

    return Side(step, lambda: views)


def _views(flat: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    parts = np.split(flat, ends[:-1])  # views
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _blocks(*vectors: Array) -> list[tuple[Array, ...]]:
    """The vectors split into aligned blocks, each followed by scratch space of its length."""
    size = len(vectors[0])
    work = np.empty(min(BLOCK, size), np.float32)
    starts = range(0, size, BLOCK)
    parts = [[v[start : start + BLOCK] for v in vectors] for start in starts]
    return [(*part, work[: len(part[0])]) for part in parts]


def _sgd(theta: Array, gradient: Array, rate: float) -> Update:
    blocks = _blocks(theta, gradient)

    def update() -> None:
        for p, g, a in blocks:
            multiply(g, rate, out=a)
            subtract(p, a, out=p)

    return update


def _momentum(theta: Array, gradient: Array, rate: float) -> Update:
    blocks = _blocks(theta, gradient, np.zeros_like(theta))

    def update() -> None:
        for p, g, v, a in blocks:
            multiply(v, 0.9, out=v)
            add(v, g, out=v)
            multiply(v, rate, out=a)
            subtract(p, a, out=p)

    return update


def _adam(theta: Array, gradient: Array, rate: float) -> Update:
    blocks = _blocks(theta, gradient, np.zeros_like(theta), np.zeros_like(theta))
    updates = count(1)

    def update() -> None:
        t = next(updates)
        corrected = rate * sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for p, g, m, v, a in blocks:
            multiply(m, 0.9, out=m)
            multiply(g, 0.1, out=a)
            add(m, a, out=m)
            multiply(v, 0.999, out=v)
            multiply(g, g, out=a)
            multiply(a, 0.001, out=a)
            add(v, a, out=v)
            np.sqrt(v, out=a)
            add(a, 1e-7, out=a)
            divide(m, a, out=a)
            multiply(a, corrected, out=a)
            subtract(p, a, out=p)

    return update


UPDATES = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}
