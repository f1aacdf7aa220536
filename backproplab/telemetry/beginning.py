"""Beginning: what can be measured only at the start of a run, kept for its diagnosis.

Before the first update, on up to 256 training examples in evaluation mode: the loss, and of each
hidden layer the rms of ∂L/∂z, the spread of its outputs, its slope, its distinct columns. From the
first updates: how far each moved each kernel, ‖Δw‖ / ‖w‖.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from statistics import median
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops
from backproplab.learners import Arrays, Descent, Glimpse, Inside, Json, Learning, Material
from backproplab.loop import EPOCH, Callback, Lane
from backproplab.nn import Weighted
from backproplab.nn.embed_columns import EmbedColumns
from backproplab.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy

ROWS = 4096  # of which the size of inputs and targets is taken
UPDATES = 20  # that are watched


@dataclass(frozen=True)
class First:
    """Each of ``UPDATES`` updates, and the step before them; after a warm-up, if they fit."""

    after: int

    def next(self, step: int) -> float:
        following = max(step + 1, self.after)
        return following if following <= self.after + UPDATES else math.inf


class Beginning(Callback):
    """Measures the start of a run; writes nothing but its part of run.json, ``start``.

    whole: with what it takes a pass and the first updates to know, not of the data alone.
    """

    def __init__(self, material: Material, whole: bool = True) -> None:
        self.whole = whole
        warmup = material.keys["schedule"].warmup_steps
        self.material = material
        self.first = First(warmup if warmup + UPDATES <= material.steps else 0)
        self.when = self.first if whole else EPOCH
        self.facts: Json = {}
        self.ratios: dict[str, list[float]] = {}
        self._before: Array | None = None  # the weights before the next watched update

    def start(self, lane: Lane) -> None:
        if not self.facts:  # else it continues
            self.begin(lane.learning)

    def look(self, lane: Lane) -> None:
        self.see(lane.learning, lane.progress.step)

    def begin(self, learning: Learning) -> None:
        """No step has been done."""
        if isinstance(learning, Descent):
            self.facts = _of_data(learning.material)
            if self.whole:
                self.facts |= learning.inspect(of_network) or {}
                self._keep(learning, 0)

    def see(self, learning: Learning, step: int) -> None:
        """A watched step has been done."""
        if isinstance(learning, Descent) and self.whole:
            if self._before is not None:
                self._compare(learning, learning.parameters.trainable)
            self._keep(learning, step)

    def _keep(self, learning: Descent, step: int) -> None:
        """The weights, if the next update is one that is watched."""
        watched = self.first.after <= step < self.first.after + UPDATES
        self._before = learning.parameters.trainable.copy() if watched else None

    def _compare(self, learning: Descent, now: Array) -> None:
        assert self._before is not None
        starts, names = self._layout
        moved = np.add.reduceat(np.square(now - self._before, dtype=np.float64), starts)
        sizes = np.add.reduceat(np.square(self._before, dtype=np.float64), starts)
        ratios = np.sqrt(np.divide(moved, sizes, out=np.zeros_like(moved), where=sizes > 0))
        for name, ratio in zip(names, ratios.tolist(), strict=True):
            if name in self.kernels and math.isfinite(ratio):
                self.ratios.setdefault(name, []).append(ratio)

    @cached_property
    def kernels(self) -> dict[str, int]:
        """The entries of each weight that multiplies inputs, by name."""
        assert self.material.network is not None
        weights = self.material.network.weights.items()
        return {n: prod(w.shape) for n, w in weights if w.trainable and len(w.shape) > 1}

    @cached_property
    def _layout(self) -> tuple[list[int], list[str]]:
        """Where each trainable weight begins in the vector, and its name."""
        assert self.material.network is not None
        sizes = {n: prod(w.shape) for n, w in self.material.network.weights.items() if w.trainable}
        return [0, *accumulate(sizes.values())][:-1], list(sizes)

    def ended(self, step: int) -> bool:
        """Whether no later step is looked at."""
        return step >= self.first.after + UPDATES

    def recorded(self) -> Json:
        if not self.whole or not self.facts:
            return {"start": self.facts} if self.facts else {}
        steps = [
            {"kernel": name, "size": self.kernels[name], "ratio": number(median(found))}
            for name, found in self.ratios.items()
        ]
        count = max(map(len, self.ratios.values()), default=0)
        return {"start": self.facts | {"steps": steps, "updates": count, "after": self.first.after}}

    def state(self) -> tuple[Arrays, Json]:
        before = {} if self._before is None else {"before": self._before}
        return before, {"facts": self.facts, "ratios": self.ratios}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.facts, self.ratios = state["facts"], state["ratios"]
        self._before = arrays.get("before")


def number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None


def _of_data(material: Material) -> Json:
    train, (b, majority) = material.train, chance(material)
    targets = rms(train.targets[:ROWS]) if material.task.kind == "regression" else 0.0
    return {
        "chance": number(b),
        "majority": majority,
        "examples": {name: len(split) for name, split in material.splits.items()},
        "inputs": number(rms(_numbers(material))),
        "targets": number(targets),
    }


def _numbers(material: Material) -> Array:
    """The inputs of the first examples that are numbers, and no codes of embedded categories."""
    inputs = material.train.inputs[:ROWS]
    first = material.network.places[0] if material.network else None
    if not first or not isinstance(first.layer, EmbedColumns):
        return inputs
    others = [inputs[:, start:end] for start, end in first.layer.runs(first.input_shape)]
    return np.concatenate(others, axis=1) if others else np.ones(1)


def of_network(inside: Inside) -> list[Json]:
    """The mean loss of the first examples and what each hidden layer shows, for each member."""
    layers = [_of_layer(inside, layer) for layer in inside.hidden]
    losses = [float(ops.mean(Tensor(row)).value) for row in inside.losses]
    return [
        {"loss": number(loss), "layers": [layer[member] for layer in layers]}
        for member, loss in enumerate(losses)
    ]


def _of_layer(inside: Inside, layer: Glimpse) -> list[dict[str, Any]]:
    """One for each member."""
    kernels = inside.members(inside.parameters.views[f"{layer.name}/kernel"])
    assert layer.delta is not None
    slopes: Sequence[float | None] = layer.slopes or [None] * len(kernels)
    columns = zip(kernels, layer.delta, layer.a, slopes, strict=True)
    return [
        {
            "name": layer.name,
            "activation": layer.activation.name,
            "units": layer.units,
            "distinct": len({unit.tobytes() for unit in kernel.reshape(-1, layer.units).T}),
            "signal": number(rms(delta)),
            "spread": number(float(np.std(a, dtype=np.float64))),
            "slope": slope,
        }
        for kernel, delta, a, slope in columns
    ]


def rms(values: Array) -> float:
    """√(mean of the squares), taken in float64."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def chance(material: Material) -> tuple[float, float]:
    """(the loss of the best constant answer, the share of the largest class; 0 in regression).

    Cross-entropy: -Σ p ln p of the shares p of the training labels (with weights, of the masses m:
    -Σ m ln(m / Σ m)). Other losses: that of the mean
    or the median of the targets, whichever is less: exact for mse and mae, a bound for huber.
    """
    train, majority, measure = material.train, 0.0, material.loss
    assert measure is not None
    encoded = train.encoded.astype(np.float64)
    if material.task.kind == "classification":
        shares = np.bincount(train.targets, measure.sample_weights(encoded)) / len(train)
        majority = float(shares.max())
        plain = measure.of if isinstance(measure, Weighted) else measure
        if isinstance(plain, SoftmaxCrossEntropy | BinaryCrossEntropy):
            masses = measure.masses(encoded) if isinstance(measure, Weighted) else shares
            masses = masses[masses > 0]
            return float(-np.sum(masses * np.log(masses / masses.sum()))), majority
    rows, counts = measure.parted(encoded)
    answers = (np.average(rows, 0, counts), np.median(rows, axis=0))
    losses = [measure(_all(answer, rows), Tensor(encoded)).value for answer in answers]
    return float(min(np.mean(loss) for loss in losses)), majority


def _all(answer: Array, rows: Array) -> Tensor:
    return Tensor(np.broadcast_to(answer, rows.shape).copy())
