"""JAX in its strongest form: every trial a member of ``vmap``, every step in ``lax.scan``.

One compiled call does the whole sweep, with the members spread over a device per core. Measured,
it is faster with first weights and orders drawn by NumPy (random numbers of JAX take half of the
compilation), and with a short last batch filled up by examples that do not count (a second step
takes a fifth of it). Besides training it computes train and validation loss and accuracy each
epoch, and keeps weights and curves in memory; no logs, no files of a run.

Each sweep is compiled: another network, or another number of trials or examples, would be.
"""

from __future__ import annotations

import math
import os
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trials import (
    BATCH,
    CLASSES,
    EPOCHS,
    EPSILON,
    HIDDEN,
    RATES,
    SEEDS,
    Array,
    Data,
    Score,
    read,
    save,
    script,
)

TRIALS = list(product(RATES, SEEDS))
DEVICES = math.gcd(len(os.sched_getaffinity(0)), len(TRIALS))
FLAGS = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"{FLAGS} --xla_force_host_platform_device_count={DEVICES}"

import jax  # noqa: E402  # it reads the flags
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

tree_map = jax.tree_util.tree_map


def sweep(source: Path, out: Path) -> None:
    jax.clear_caches()
    data = read(source)
    drawn = {seed: (first_weights(seed), orders(seed, len(data[seed].x))) for seed in SEEDS}
    members = [(np.float32(rate), *drawn[seed], data[seed]) for rate, seed in TRIALS]
    shared = tree_map(lambda *own: np.stack(own).reshape(DEVICES, -1, *np.shape(own[0])), *members)
    _, (_, validation) = tree_map(np.asarray, jax.pmap(jax.vmap(train))(*shared))
    losses, accuracies = (x.reshape(-1, EPOCHS)[:, -1].tolist() for x in validation)
    found = zip(TRIALS, losses, accuracies, strict=True)
    save([Score(*trial, loss, accuracy) for trial, loss, accuracy in found], out)


def first_weights(seed: int) -> list[tuple[Array, Array]]:
    """(kernel, bias) of each layer."""
    random = np.random.default_rng(seed)
    layers = []
    for inputs, units in pairwise((2, *HIDDEN, CLASSES)):
        most = math.sqrt(6 / (inputs + units))
        kernel = random.uniform(-most, most, (inputs, units)).astype(np.float32)
        layers.append((kernel, np.zeros(units, np.float32)))
    return layers


def orders(seed: int, examples: int) -> Array:
    """The rows of each batch, (epochs, batches, BATCH); -1 for one that does not count."""
    random = np.random.default_rng((seed, 1))
    drawn = np.stack([random.permutation(examples) for _ in range(EPOCHS)]).astype(np.int32)
    filled = np.pad(drawn, ((0, 0), (0, -examples % BATCH)), constant_values=-1)
    return filled.reshape(EPOCHS, -1, BATCH)


def train(rate: Any, weights: Any, order: Any, data: Data) -> Any:
    """Of one member the weights, and by epoch the loss and accuracy of both splits."""

    def loss(weights: Any, rows: Any) -> Any:
        counts = (rows >= 0).astype(jnp.float32)
        rows = jnp.maximum(rows, 0)
        losses, _ = cross_entropy(weights, data.x[rows], data.y[rows])
        return jnp.sum(counts * losses) / jnp.sum(counts)

    def step(state: Any, rows: Any) -> Any:
        return adam(rate, state, jax.grad(loss)(state[0], rows)), None

    def epoch(state: Any, batches: Any) -> Any:
        state, _ = lax.scan(step, state, batches)
        weights = state[0]
        own = measure(weights, data.x, data.y)
        return state, (own, measure(weights, data.val_x, data.val_y))

    zeros = tree_map(jnp.zeros_like, weights)
    state, curves = lax.scan(epoch, (weights, zeros, zeros, jnp.float32(0)), order)
    return state[0], curves


def cross_entropy(weights: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The losses (n,), and the logits."""
    for kernel, bias in weights[:-1]:
        x = jnp.tanh(x @ kernel + bias)
    kernel, bias = weights[-1]
    logits = x @ kernel + bias
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
    return -chosen[:, 0], logits


def measure(weights: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Loss and accuracy."""
    losses, logits = cross_entropy(weights, x, y)
    return jnp.mean(losses), jnp.mean(jnp.argmax(logits, 1) == y)


def adam(rate: Any, state: Any, gradient: Any) -> Any:
    weights, mean, square, t = state
    t = t + 1
    mean = tree_map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
    square = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradient)
    corrected = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    moved = lambda w, m, v: w - corrected * m / (jnp.sqrt(v) + EPSILON)
    return tree_map(moved, weights, mean, square), mean, square, t


if __name__ == "__main__":
    script(sweep)
