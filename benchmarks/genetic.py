"""A generation of the genetic algorithm: ours, by hand, one copy at a time, by PyTorch.

    python -m benchmarks.genetic ROW ROUNDS PEER...     prints JSON; `timed` runs it

All sides have float32, one thread, the same first population, and the operators of `genetic`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.rounds import alternate, child
from benchmarks.workloads import Array, Side

POPULATION, PARENTS, SIGMA = 50, 10, np.float32(0.1)
TOLERANCE = 1e-4  # relative, of the losses of the first generation
Losses = Callable[[Array], Array]  # (P, n) -> (P,)


class Row(NamedTuple):
    """A network inputs-hidden-outputs with tanh; softmax cross-entropy, or mse of one output."""

    title: str
    inputs: int
    hidden: int
    outputs: int
    examples: int
    steps: int


ROWS = {
    "genetic-wide": Row("50 members of 1-333-1, 32 examples", 1, 333, 1, 32, 40),
    "genetic": Row("50 members of 64-32-10, 1 000 examples", 64, 32, 10, 1000, 5),
    "genetic-small": Row("50 members of 4-8-3, 120 examples", 4, 8, 3, 120, 200),
}


def examples(row: Row) -> tuple[Array, Array]:
    """Inputs, and labels or targets (n, 1); noise, as nobody learns here."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((row.examples, row.inputs), np.float32)
    if row.outputs == 1:
        return x, np.sin(x)
    return x, generator.integers(0, row.outputs, row.examples)


def shapes(row: Row) -> list[tuple[int, ...]]:
    """Kernel and bias of both layers, in the order of a weight vector."""
    return [(row.inputs, row.hidden), (row.hidden,), (row.hidden, row.outputs), (row.outputs,)]


def ours(row: Row, engine: str = "auto") -> Any:
    """Our learning at its beginning."""
    from backproplab.learners import Genetic, Material, Split
    from backproplab.nn import Model
    from backproplab.nn.losses import MeanSquaredError, SoftmaxCrossEntropy
    from backproplab.task import Task

    x, y = examples(row)
    model = Model(hidden=(row.hidden,), activation="tanh")
    regression = row.outputs == 1
    material = Material(
        task=Task("regression" if regression else "classification", row.outputs),
        splits={"train": Split(x, y, y)},
        network=model.network((row.inputs,), row.outputs),
        loss=MeanSquaredError() if regression else SoftmaxCrossEntropy(),
        metrics=(),
        keys={},
        seed=0,
        dtype=np.dtype(np.float32),
        steps=1,
        engine=engine,
    )
    settings = Genetic(population=POPULATION, parents=PARENTS, elites=1, sigma=float(SIGMA))
    return settings.begin(material)


def prepare(row: Row) -> Side:
    from backproplab.learners import NoBrake, Span

    learning, done = ours(row), 0

    def step(k: int) -> None:
        nonlocal done
        done += learning.advance(Span(done, k), {}, NoBrake()).done

    return Side(step, lambda: [-learning.fitness])


def one_at_a_time(row: Row) -> Side:
    """Our eager engine, a forward pass for each member."""
    from backproplab.autograd import Tensor

    learning = ours(row, "eager")
    network, loss, train = learning.network, learning.material.loss, learning.material.train

    def losses(members: Array) -> Array:
        found = np.empty(len(members))
        for number, member in enumerate(members):
            learning.parameters.flat[...] = member
            outputs = network(learning.parameters.tensors(), Tensor(train.inputs))
            found[number] = np.mean(loss(outputs, Tensor(train.encoded)).value, dtype=np.float64)
        return found

    return evolving(row, losses)


def hand(row: Row) -> Side:
    """All members stacked, in arrays allocated beforehand."""
    x, y = examples(row)
    hidden = np.empty((POPULATION, row.examples, row.hidden), np.float32)
    outputs = np.empty((POPULATION, row.examples, row.outputs), np.float32)
    column = np.empty((POPULATION, row.examples, 1), np.float32)
    rows = np.arange(row.examples)

    def losses(members: Array) -> Array:
        ends = np.cumsum([np.prod(shape) for shape in shapes(row)])[:-1]
        k1, b1, k2, b2 = np.split(members, ends, axis=1)
        np.matmul(x, k1.reshape(-1, row.inputs, row.hidden), out=hidden)
        np.add(hidden, b1[:, None], out=hidden)
        np.tanh(hidden, out=hidden)
        np.matmul(hidden, k2.reshape(-1, row.hidden, row.outputs), out=outputs)
        np.add(outputs, b2[:, None], out=outputs)
        if row.outputs == 1:
            np.subtract(outputs, y, out=outputs)
            np.square(outputs, out=outputs)
            return np.mean(outputs[..., 0], axis=1, dtype=np.float64)
        np.maximum.reduce(outputs, axis=2, keepdims=True, out=column)
        np.subtract(outputs, column, out=outputs)
        right = outputs[:, rows, y]
        np.exp(outputs, out=outputs)
        sums = np.log(np.add.reduce(outputs, axis=2))
        return np.mean(sums - right, axis=1, dtype=np.float64)

    return evolving(row, losses)


def evolving(row: Row, losses: Losses) -> Side:
    """The genetic algorithm around a function of losses, in NumPy."""
    learning = ours(row)
    members, chance, found = learning.members, learning.chance, np.empty(0)

    def step(k: int) -> None:
        nonlocal members, found
        for _ in range(k):
            if len(found):
                children = chance.standard_normal((POPULATION - 1, members.shape[1]), np.float32)
                children *= SIGMA
                children += members[chance.integers(PARENTS, size=POPULATION - 1)]
                members = np.concatenate([members[:1], children])
            found = losses(members)
            order = np.argsort(found, kind="stable")
            members, found = members[order], found[order]

    return Side(step, lambda: [found])


def timed(name: str, rounds: int, peers: list[str]) -> dict[str, Any]:
    """``{"seconds": {side: [a generation's time in each round]}, "losses": {side: …}}``."""
    peers = [peer for peer in peers if peer == "torch"]
    answer = child(["benchmarks.genetic", name, str(rounds), *peers], threads=1)
    return json.loads(answer.splitlines()[-1])


def main(name: str, rounds: str, *peers: str) -> None:
    row = ROWS[name]
    sides = {"ours": prepare(row), "hand": hand(row), "one at a time": one_at_a_time(row)}
    if "torch" in peers:
        from benchmarks.genetic_torch import baddbmm

        sides["torch"] = baddbmm(row, ours(row).members)
    losses = {}
    for side, made in sides.items():
        made.step(1)
        losses[side] = float(np.mean(made.weights()[0]))
        off = abs(losses[side] / losses["ours"] - 1)
        assert off < TOLERANCE, f"{name}: {side} has other losses: {losses}"
    seconds = alternate(sides, row.steps, int(rounds))
    sys.stdout.write(json.dumps({"seconds": seconds, "losses": losses}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
