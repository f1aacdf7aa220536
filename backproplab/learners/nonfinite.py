"""Which tensor of a step stopped being finite first, and in which op: an eager rerun finds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Op, Tensor, backward
from backproplab.autograd.primitive import LISTENER
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.streams import Chance


class Watch:
    """The first op whose result is not finite although its inputs are: ``exp`` and ``inf``."""

    def __init__(self) -> None:
        self.op = ""
        self.gave = ""

    def __call__(
        self, op: Op, arrays: Any, inputs: tuple[Tensor, ...], value: Array, settings: Any
    ) -> Array:
        if not self.op and _nonfinite(value) and not any(_nonfinite(x.value) for x in inputs):
            self.op = op.name
            self.gave = "NaN" if np.isnan(value).any() else "inf"
        return value

    @property
    def words(self) -> str:
        """``, first exp gave inf``; nothing if every op kept what it got."""
        return f", first {self.op} gave {self.gave}" if self.op else ""


@contextmanager
def watched() -> Iterator[Watch]:
    """A watch that hears every op within."""
    watch = Watch()
    token = LISTENER.set(watch)
    try:
        with np.errstate(all="ignore"):
            yield watch
    finally:
        LISTENER.reset(token)


def first_nonfinite(
    network: Network,
    loss: Loss,
    parameters: ParameterVector,
    gradient: ParameterVector,
    chance: Chance,
    inputs: Array,
    targets: Array,
) -> str:
    """The first tensor of a training step that holds a NaN or an infinity; "" if none does.

    In the order: weights, outputs layer by layer, loss, gradients from the last layer back; with
    the op that made it of finite numbers.
    """
    weights = parameters.tensors(tracked=True)
    for name, view in parameters.views.items():
        if problem := _nonfinite(view):
            return f"the weights {name} ({problem})"
    x = Tensor(inputs)
    with watched() as watch:
        for place in network.places:
            x = place.apply(weights, x, chance)
            if problem := _nonfinite(x.value):
                return f"the output of {place.name} ({problem}{watch.words})"
        losses = loss(x, Tensor(targets))
    if problem := _nonfinite(losses.value):
        return f"the loss ({problem}{watch.words})"
    for name, view in reversed(gradient.views.items()):
        if problem := _nonfinite(view):
            return f"the gradient of {name} ({problem}{_backward(losses, list(weights.values()))})"
    return ""


def _backward(losses: Tensor, weights: list[Tensor]) -> str:
    """The op of the backward pass that made the first number that is not finite."""
    with watched() as watch:
        backward(losses, Tensor(np.ones_like(losses.value)), weights)
    return watch.words.replace(", first", ", backward first")


def _nonfinite(array: Array) -> str:
    """``3 of 320 values`` that are not finite, or nothing."""
    if array.dtype.kind != "f":
        return ""
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    return f"{bad} of {array.size} values" if bad else ""
