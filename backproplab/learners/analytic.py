"""Analytic: the four fundamental equations of dense networks, written by hand, without autograd.

With z = a W + b and a' = σ(z) in each layer, rows of a batch, and δ = ∂C/∂z:

    δ(last) = ∂C/∂y ⊙ σ'(z)           softmax or sigmoid with its cross-entropy: δ = p - t
    δ       = δ(next) W(next)ᵀ ⊙ σ'(z)
    ∂C/∂b   = Σ over examples of δ
    ∂C/∂W   = aᵀ δ

A layer that multiplies W and b by factors has them where W and b stand, and in ∂C/∂W and ∂C/∂b.

Nielsen 2015, "Neural Networks and Deep Learning", chapter 2, in which a batch is a matrix of
columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.learners.tiles import TiledSource
from backproplab.nn import Activation, Network, ParameterVector, Place
from backproplab.nn.embed_columns import EmbedColumns
from backproplab.nn.layers import Dense


class AnalyticSource(TiledSource):
    """The gradient of the mean loss of a batch, by the four equations."""

    def _compute(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | slice,
        batch: int,
        into: ParameterVector,
        outputs: Array | None,
    ) -> None:
        weights, places = self.parameters.views, self.network.places
        values = [inputs[rows]]  # what goes into each layer, and at last what the network gives
        sums = []  # z of each layer
        for place in places:
            z, y = _forward(place, weights, values[-1])
            sums.append(z)
            values.append(y)
        if outputs is not None:
            outputs[...] = values[-1]
        error = self.loss_function.slope(values[-1], targets[rows]) / batch  # ∂C/∂y
        for place, z, (x, y) in reversed(list(zip(places, sums, pairwise(values), strict=True))):
            delta = error * _activation(place).slope(z, y)
            if isinstance(place.layer, Dense):
                _write(place, x, delta, into.views)
            if place is not places[0]:
                error = _backward(place, weights, delta)


def _forward(place: Place, weights: Mapping[str, Array], x: Array) -> tuple[Array, Array]:
    """z = x W + b, or x of an activation as a layer, and σ(z)."""
    z = x
    if isinstance(place.layer, Dense):
        z = x @ _used(place, weights, "kernel")
        if place.layer.bias:
            z += _used(place, weights, "bias")[..., None, :]
    return z, _activation(place)(Tensor(z)).value


def _backward(place: Place, weights: Mapping[str, Array], delta: Array) -> Array:
    """∂C/∂a of what went into the layer: δ Wᵀ."""
    if not isinstance(place.layer, Dense):
        return delta
    return delta @ _used(place, weights, "kernel").swapaxes(-1, -2)


def _used(place: Place, weights: Mapping[str, Array], name: str) -> Array:
    """An array of the layer, times its factor if it has one."""
    array, factors = weights[f"{place.name}/{name}"], place.layer.factors(place.input_shape)
    return array * factors[name] if name in factors else array


def _write(place: Place, x: Array, delta: Array, into: Mapping[str, Array]) -> None:
    """∂C/∂W = aᵀ δ and ∂C/∂b = Σ δ, of the mean over the batch: δ is divided by it already."""
    np.matmul(x.swapaxes(-1, -2), delta, out=into[f"{place.name}/kernel"])
    if f"{place.name}/bias" in into:
        np.add.reduce(delta, axis=-2, out=into[f"{place.name}/bias"])
    for name, factor in place.layer.factors(place.input_shape).items():
        if f"{place.name}/{name}" in into:
            into[f"{place.name}/{name}"] *= factor


def _activation(place: Place) -> Activation:
    layer = place.layer.activation if isinstance(place.layer, Dense) else place.layer
    assert isinstance(layer, Activation)
    return layer


def analytic_problems(network: Network) -> list[Problem]:
    """The layers that the four equations do not cover."""
    what = "analytic gradients are written for dense layers and activations, not for"
    backprop, places, found = "use learner.gradient=backprop", list(network.places), []
    if isinstance(places[0].layer, EmbedColumns):  # comes from data.columns, before model.layers
        hint = f"make them categorical in data.columns, or {backprop}"
        found.append(Problem("", f"learner.gradient: {what} embedded columns", hint))
        del places[0]
    return found + [
        Problem(
            "", f"model.layers.{at}: {what} {place.layer.name}", f"remove the layer, or {backprop}"
        )
        for at, place in enumerate(places)
        if not isinstance(place.layer, Dense | Activation)
    ]
