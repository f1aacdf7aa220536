"""JAX: one jitted call per step, and whole rounds in lax.scan, its fastest form.

Data and weights stay on the JAX device; each step's weights are donated to the next step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.workloads import Side, Workload, examples, first_weights, minibatches

jax.config.update("jax_cpu_enable_async_dispatch", False)  # twice as fast on one core
tree_map = jax.tree_util.tree_map


def prepare(work: Workload) -> Side:
    """A Side with one call per step."""
    train = _train(work)
    jitted = jax.jit(train, donate_argnums=0)
    x, y = map(jnp.asarray, examples(work.inputs))
    state = _first_state(work)
    batches = minibatches(work)

    def step(k: int) -> None:
        nonlocal state
        for rows in islice(batches, k):
            state = jitted(state, x, y, np.int32(rows.start))
        jax.block_until_ready(state)

    return Side(step, lambda: [np.asarray(weight) for weight in state[0]])


def prepare_scan(work: Workload) -> Side:
    """A Side with one call per round."""
    train = _train(work)

    @partial(jax.jit, donate_argnums=0)
    def scan(state: Any, x: Any, y: Any, starts: Any) -> Any:
        return lax.scan(lambda s, start: (train(s, x, y, start), None), state, starts)[0]

    x, y = map(jnp.asarray, examples(work.inputs))
    state = _first_state(work)
    batches = minibatches(work)

    def step(k: int) -> None:
        nonlocal state
        starts = np.fromiter((rows.start for rows in islice(batches, k)), np.int32, k)
        state = jax.block_until_ready(scan(state, x, y, starts))

    return Side(step, lambda: [np.asarray(weight) for weight in state[0]])


def _first_state(work: Workload) -> Any:
    """(weights, optimizer slots, number of updates)."""
    weights = [jnp.asarray(w) for w in first_weights(work)]
    slots = {"sgd": 0, "momentum": 1, "adam": 2}[work.optimizer]
    return weights, [tree_map(jnp.zeros_like, weights) for _ in range(slots)], jnp.float32(0)


def _train(work: Workload) -> Callable[..., Any]:
    update = UPDATES[work.optimizer]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(_forward(work, weights, x)), y[:, None], 1)
        return -jnp.mean(chosen)

    def train(state: Any, x: Any, y: Any, start: Any) -> Any:
        weights, slots, t = state
        rows = partial(lax.dynamic_slice_in_dim, start_index=start, slice_size=work.batch)
        gradient = jax.grad(loss)(weights, rows(x), rows(y))
        return *update(weights, gradient, slots, t + 1, work.rate), t + 1

    return train


def _forward(work: Workload, weights: Any, x: Any) -> Any:
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    if work.filters:
        x = x.reshape(-1, 28, 28, 1)
        for kernel, bias in pairs[: len(work.filters)]:
            x = _convolution_pool_relu(x, kernel, bias)
        x = x.reshape(len(x), -1)
    for kernel, bias in pairs[len(work.filters) : -1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = pairs[-1]
    return x @ kernel + bias


def _convolution_pool_relu(x: Any, kernel: Any, bias: Any) -> Any:
    x = lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    window = (1, 2, 2, 1)
    return jax.nn.relu(lax.reduce_window(x + bias, -jnp.inf, lax.max, window, window, "VALID"))


def _sgd(weights: Any, gradient: Any, slots: Any, t: Any, rate: float) -> Any:
    return tree_map(lambda w, g: w - rate * g, weights, gradient), slots


def _momentum(weights: Any, gradient: Any, slots: Any, t: Any, rate: float) -> Any:
    velocity = tree_map(lambda v, g: 0.9 * v + g, slots[0], gradient)
    return tree_map(lambda w, v: w - rate * v, weights, velocity), [velocity]


def _adam(weights: Any, gradient: Any, slots: Any, t: Any, rate: float) -> Any:
    mean = tree_map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], gradient)
    square = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], gradient)
    corrected = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    moved = lambda w, m, v: w - corrected * m / (jnp.sqrt(v) + 1e-7)
    return tree_map(moved, weights, mean, square), [mean, square]


UPDATES = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}
SIDES = {"jax": prepare, "jax.scan": prepare_scan}
