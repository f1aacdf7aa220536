"""A numeric gradient: ours, a stacked NumPy loop by hand, our eager path one copy at a time.

    python -m benchmarks.numeric ROUNDS     prints JSON; `timed` runs it

The network is the slide's, 1-333-1 tanh with 1000 weights, on 32 examples, in float64: 2000 losses.
The hand-written loop has the same copies and chunks, and its own way of computing a loss.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.rounds import alternate, child
from benchmarks.workloads import Array, Side

ROWS = {"numeric": "numeric gradient, 1-333-1, 32 examples"}
HIDDEN, EXAMPLES = 333, 32
COPIES = 8  # of the hand-written loop: the fastest of 4, 8, 12 and 16
SIZES = HIDDEN, HIDDEN, HIDDEN, 1  # of the weights, in the order of the vector
H = 1e-5
TOLERANCE = 1e-7  # absolute, of the derivatives


def examples() -> tuple[Array, Array]:
    x = np.random.default_rng(1).uniform(-3, 3, (EXAMPLES, 1))
    return x, np.sin(x)


def ours() -> tuple[Callable[[], Array], Callable[[], Array]]:
    """(our source, our eager path on one copy after the other), each giving the gradient."""
    from backproplab.autograd import Tensor, ops
    from backproplab.learners.numeric import NumericSource
    from backproplab.nn import Model
    from backproplab.nn.losses import MeanSquaredError

    network = Model(hidden=(HIDDEN,), activation="tanh").network((1,), 1)
    parameters, generator, loss = (
        network.parameters(np.float64),
        np.random.default_rng(0),
        MeanSquaredError(),
    )
    network.initialize(parameters, generator)
    source = NumericSource("central", H, network, loss, parameters, generator)
    x, t = examples()

    def stacked() -> Array:
        source(x, t)
        return source.gradient.flat.copy()

    def mean_loss() -> float:
        return float(ops.mean(loss(network(parameters.tensors(), Tensor(x)), Tensor(t))).value)

    def one_by_one() -> Array:
        theta, found = parameters.trainable, np.empty(len(parameters))
        for i in range(len(parameters)):
            kept = theta[i]
            theta[i] = kept + H
            high = mean_loss()
            theta[i] = kept - H
            found[i] = (high - mean_loss()) / (2 * H)
            theta[i] = kept
        return found

    stacked.theta = parameters.trainable  # type: ignore[attr-defined]
    return stacked, one_by_one


def by_hand(theta: Array, copies: int) -> Callable[[], Array]:
    """The stacked loop of one who knows the network: no array is allocated in it."""
    (x, t), n = examples(), len(theta)
    flat = np.tile(theta, (copies, 1))
    bounds = np.cumsum((0, *SIZES))
    w1, b1, w2, b2 = (flat[:, a:b] for a, b in pairwise(bounds))
    z, y = np.empty((copies, EXAMPLES, HIDDEN)), np.empty((copies, EXAMPLES, 1))
    losses = np.empty(copies)

    def evaluate() -> None:
        np.multiply(x, w1[:, None, :], out=z)
        np.add(z, b1[:, None, :], out=z)
        np.tanh(z, out=z)
        np.matmul(z, w2[:, :, None], out=y)
        np.add(y, b2[:, :, None], out=y)
        np.subtract(y, t, out=y)
        np.multiply(y, y, out=y)
        np.add.reduce(y[:, :, 0], axis=1, out=losses)

    def gradient() -> Array:
        found = np.empty(n)
        for start in range(0, n, copies):
            part = slice(start, min(start + copies, n))
            diagonal = np.einsum("kk->k", flat[: part.stop - start, part])
            diagonal[...] = theta[part] + H
            evaluate()
            found[part] = losses[: len(diagonal)]
            diagonal[...] = theta[part] - H
            evaluate()
            found[part] -= losses[: len(diagonal)]
            diagonal[...] = theta[part]
        return found / (2 * H * EXAMPLES)

    return gradient


def sides() -> dict[str, Callable[[], Array]]:
    """By name; all have been found to give the same gradient."""
    stacked, one_by_one = ours()
    theta = stacked.theta.copy()  # type: ignore[attr-defined]
    found = {"ours": stacked, "hand": by_hand(theta, COPIES), "one at a time": one_by_one}
    expected = stacked()
    for name, side in found.items():
        assert np.abs(side() - expected).max() < TOLERANCE, name
    return found


def repeated(side: Callable[[], Array], steps: int) -> None:
    for _ in range(steps):
        side()


def timed(rounds: int) -> dict[str, Any]:
    """``{"seconds": {side: [a gradient's time in each round]}, "losses": {}}``, on one core."""
    answer = child(["benchmarks.numeric", str(rounds)], threads=1)
    return {"seconds": json.loads(answer.splitlines()[-1]), "losses": {}}


def main(rounds: str) -> None:
    prepared = {n: Side(partial(repeated, one), list) for n, one in sides().items()}
    sys.stdout.write(json.dumps(alternate(prepared, 1, int(rounds))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
