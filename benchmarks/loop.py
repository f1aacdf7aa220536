"""One training step, ours against a hand-written NumPy step, in alternating rounds, one thread.

    make bench

The hand-written step has no graph, no names and no layers: it is what NumPy can do at best
without preallocated buffers. Both see the same data and first weights, and must reach the same
loss.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab.learners import Backprop
from backproplab.nn import Model
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim.rules import Adam, Sgd

ROUNDS = 7
# name: inputs, hidden, batch, optimizer, learning rate, steps a round
WORK = {
    "A  784-128-10, minibatch 32, adam": (784, 128, 32, Adam(), 1e-3, 200),
    "B  64-32-10, stochastic, sgd": (64, 32, 1, Sgd(), 1e-2, 400),
    "C  784-1024-10, minibatch 128, sgd": (784, 1024, 128, Sgd(), 1e-2, 20),
}
Step = Callable[[np.ndarray, np.ndarray, int], float]


def ours(inputs: int, hidden: int, optimizer: Adam | Sgd, lr: float) -> Step:
    """The step of `backproplab train`."""
    network = Model(hidden=(hidden,)).network((inputs,), 10)
    parameters = network.parameters(np.float32)
    network.initialize(parameters, np.random.default_rng(0))
    learner = Backprop(network, SoftmaxCrossEntropy(), parameters, np.random.default_rng(0))
    slots = {name: parameters.twin().flat for name in optimizer.slots}

    def step(x: np.ndarray, y: np.ndarray, t: int) -> float:
        loss = learner(x, y)
        optimizer.step(parameters.flat, learner.gradient.flat, lr, t, slots)
        return float(loss)

    return step


def by_hand(inputs: int, hidden: int, optimizer: Adam | Sgd, lr: float) -> Step:
    """The same step, written out."""
    network = Model(hidden=(hidden,)).network((inputs,), 10)
    parameters = network.parameters(np.float32)
    network.initialize(parameters, np.random.default_rng(0))
    w1, b1, w2, b2 = parameters.views.values()
    gradient = parameters.twin()
    g1, h1, g2, h2 = gradient.views.values()
    slots = {name: parameters.twin().flat for name in optimizer.slots}

    def step(x: np.ndarray, y: np.ndarray, t: int) -> float:
        n = len(x)
        a = np.maximum(x @ w1 + b1, 0)
        z = a @ w2 + b2
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean()
        p[np.arange(n), y] -= 1
        p /= n
        np.matmul(a.T, p, out=g2)
        h2[...] = p.sum(axis=0)
        delta = (p @ w2.T) * (a > 0)
        np.matmul(x.T, delta, out=g1)
        h1[...] = delta.sum(axis=0)
        optimizer.step(parameters.flat, gradient.flat, lr, t, slots)
        return float(loss)

    return step


def main() -> None:
    rng = np.random.default_rng(0)
    sys.stdout.write(f"{'':38}{'ours µs':>10}{'by hand µs':>12}{'by hand / ours':>16}\n")
    for name, (inputs, hidden, batch, optimizer, lr, steps) in WORK.items():
        x = rng.standard_normal((batch, inputs)).astype(np.float32)
        y = rng.integers(0, 10, batch)
        sides = [make(inputs, hidden, optimizer, lr) for make in (ours, by_hand)]
        times: list[list[float]] = [[], []]
        losses = [0.0, 0.0]
        for round_ in range(ROUNDS + 1):  # the first one warms up
            for side, step in enumerate(sides):
                start = time.perf_counter()
                for t in range(1, steps + 1):
                    losses[side] = step(x, y, round_ * steps + t)
                times[side].append((time.perf_counter() - start) / steps * 1e6)
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2, atol=1e-5)
        mine, hand = (statistics.median(side[1:]) for side in times)
        sys.stdout.write(f"{name:38}{mine:10.0f}{hand:12.0f}{hand / mine:16.2f}\n")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
