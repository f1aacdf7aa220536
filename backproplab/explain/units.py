"""A small network unit by unit: every scalar weight w¹₁₂, every z, a and δ of one update.

Names have the layer above and the unit below: ``w1_12`` is the weight of layer 1 to unit 1 from
unit 2. Matrices are (to, from), as in Nielsen's book, chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.explain.update import Parameter, Update
from backproplab.nn import Activation, Place
from backproplab.nn.layers import Dense

MOST_UNITS, MOST_LAYERS = 3, 3  # of a network that is shown unit by unit


@dataclass(frozen=True)
class Moved:
    """A number before and after the update, and ∂C by it."""

    name: str
    old: float
    gradient: float
    new: float
    rule: str


@dataclass(frozen=True)
class UnitLayer:
    """One dense layer: a = f(W a(before) + b). delta: ∂C/∂z. slope: f'(z)."""

    number: int
    activation: str
    kernel: Array
    bias: Array | None
    z: Array
    a: Array
    delta: Array
    slope: Array
    gradient_a: Array

    def name(self, letter: str, unit: int) -> str:
        return f"{letter}{self.number}_{unit + 1}"


@dataclass(frozen=True)
class UnitNet:
    """All layers, the input and its target, the loss before and after."""

    x: Array
    y: Array
    loss_name: str
    loss: float
    after: float
    layers: tuple[UnitLayer, ...]
    moved: tuple[tuple[Moved, ...], ...]
    own_output: str
    output: Array
    step: str

    def inputs(self, layer: UnitLayer) -> list[tuple[str, float]]:
        """(name, value) of what the layer takes: ``x_1`` or ``a1_1``."""
        if layer.number == 1:
            return [(f"x_{k + 1}", float(v)) for k, v in enumerate(self.x)]
        before = self.layers[layer.number - 2]
        return [(before.name("a", k), float(v)) for k, v in enumerate(before.a)]


def unit_net(update: Update) -> UnitNet | None:
    """The network unit by unit; None if it is too large, or not made of plain dense layers."""
    dense = [n for n, place in enumerate(update.steps) if isinstance(place.layer, Dense)]
    others = [p for p in update.steps if not isinstance(p.layer, Dense | Activation)]
    others += [place for place in update.steps if place.layer.factors(place.input_shape)]
    sizes = [update.values[0].array.size, *(update.values[n + 1].array.size for n in dense)]
    if others or not 1 <= len(dense) <= MOST_LAYERS or max(sizes) > MOST_UNITS:
        return None
    if dense[0] != 0 or any(b - a > 2 for a, b in zip(dense, [*dense[1:], len(update.steps)])):  # noqa: B905
        return None
    layers = tuple(_layer(update, n, number) for number, n in enumerate(dense, start=1))
    y = np.atleast_1d(update.target).astype(float)
    own = {"sigmoid": "sigmoid", "softmax": "softmax"}.get(_own_output(update), "")
    output = y + layers[-1].delta if own else layers[-1].a
    e = update.parts.experiment
    step = f"{e.optimizer.name}, learning rate {e.learning_rate:g}"
    whole = UnitNet(
        update.values[0].array, y, update.loss_name, update.loss, update.after,
        layers, (), own, output, step,
    )  # fmt: skip
    moved = tuple(tuple(_moved(update, whole, n, at)) for n, at in enumerate(dense))
    return UnitNet(**{**whole.__dict__, "moved": moved})


def dense_places(update: Update) -> list[Place]:
    """Its dense layers, in the order of their numbers."""
    return [place for place in update.steps if isinstance(place.layer, Dense)]


def _own_output(update: Update) -> str:
    """The output function that the loss has in itself: its δ is then ŷ - y."""
    name = update.loss_name
    if "cross_entropy" not in name or not update.loss_on_logits:
        return ""
    return "softmax" if name.startswith("softmax") else "sigmoid"


def _layer(update: Update, at: int, number: int) -> UnitLayer:
    own, z = update.own(update.steps[at]), update.values[at + 1]
    after = update.values[at + 2] if at + 2 < len(update.values) else z
    follows = after is not z and after.slope is not None
    slope = after.slope if follows and after.slope is not None else np.ones_like(z.array)
    out = after if follows else z
    name = update.steps[at + 1].layer.name if follows else "linear"
    bias = own["bias"].old if "bias" in own else None
    return UnitLayer(
        number, name, own["kernel"].old.T, bias, z.array, out.array, z.gradient, slope, out.gradient
    )


def _moved(update: Update, net: UnitNet, number: int, at: int) -> Iterator[Moved]:
    own, layer = update.own(update.steps[at]), net.layers[number]
    names = [name for name, _ in net.inputs(layer)]
    for j in range(layer.z.size):
        for k, source in enumerate(names):
            name = f"w{layer.number}_{j + 1}{k + 1}"
            yield _entry(name, own["kernel"], (k, j), f"{source} * {layer.name('delta', j)}")
    if "bias" in own:
        for j in range(layer.z.size):
            yield _entry(layer.name("b", j), own["bias"], (j,), layer.name("delta", j))


def _entry(name: str, p: Parameter, index: tuple[int, ...], rule: str) -> Moved:
    return Moved(name, float(p.old[index]), float(p.gradient[index]), float(p.new[index]), rule)
