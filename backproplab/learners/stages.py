"""Stages: a forward and a backward pass through a chain of layers, from one layer to the next.

Each layer is a graph of its own, so that what goes into it and what comes back can be looked at;
the numbers are those of one graph, to the last bit. This file must not know what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backproplab.autograd import Tensor, backward
from backproplab.nn import Activation, Layer, Pass, Place
from backproplab.nn.activations import Linear
from backproplab.nn.chain import chain
from backproplab.nn.layer import Weights
from backproplab.nn.structure import Residual


class Stage:
    """One layer at work: from x to z, and from z to a = f(z), in evaluation mode.

    name: with the names of the blocks around it.  inner: the stages of the layers in a residual
    block, whose z is x plus what the last of them gives.  delta: ∂L/∂z, after ``backward``.
    tracked: whether there will be a backward pass.
    """

    def __init__(self, place: Place, weights: Weights, x: Tensor, at: str, tracked: bool) -> None:
        self.place = place
        self.name = at + place.name
        self.inner: list[Stage] = []
        self.delta: Tensor | None = None
        self.x = Tensor(x.value, None, tracked)
        layer, self.activation = _apart(place.layer)
        own = {name: weights[f"{self.name}/{name}"] for name in place.weights}
        self.moved = {f"{self.name}/{n}": w for n, w in own.items() if w.tracked}
        if isinstance(layer, Residual):
            inner = chain(layer.layers, place.input_shape)
            self.inner = forward(inner, weights, self.x, tracked, f"{self.name}/")
            self.z = self.x + self.inner[-1].a
        else:
            self.z = layer.apply(own, self.x, Pass(place.input_shape)) if layer else self.x
        self.cut = Tensor(self.z.value, None, tracked)
        self.a: Tensor = self.activation(self.cut)

    @property
    def shown(self) -> bool:
        """Whether it computes something of its own: it has weights or is an activation."""
        return bool(self.place.weights) or isinstance(self.place.layer, Activation)

    def backward(self, g: Tensor, onward: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """(∂L/∂x, ∂L/∂weights by name) from ∂L/∂a. onward: whether ∂L/∂x is needed."""
        self.delta = g if self.a is self.cut else backward(self.a, g, [self.cut])[0]
        if self.inner:
            flow, found = returned(self.inner, self.delta, onward)
            return (self.delta + flow if onward else flow), found
        if self.z is self.x:
            return self.delta, {}
        flows = backward(self.z, self.delta, [*self.moved.values(), *[self.x] * onward])
        return flows[-1] if flows else g, dict(zip(self.moved, flows, strict=False))


def forward(
    places: Iterable[Place], weights: Weights, x: Tensor, tracked: bool = True, at: str = ""
) -> list[Stage]:
    """The stages of a chain that is given x. at: the names before those of its layers."""
    stages: list[Stage] = []
    for place in places:
        stages.append(Stage(place, weights, x, at, tracked))
        x = stages[-1].a
    return stages


def returned(
    stages: Sequence[Stage], g: Tensor, onward: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """(∂L/∂x, ∂L/∂weights by name) from ∂L/∂(the chain's output), leaving each stage's ``delta``.

    onward: whether ∂L/∂x is needed; without it the pass ends at the first stage that is shown.
    """
    first = next((k for k, stage in enumerate(stages) if stage.shown), len(stages))
    gradient: dict[str, Tensor] = {}
    for number in reversed(range(0 if onward else first, len(stages))):
        g, own = stages[number].backward(g, onward or number > first)
        gradient |= own
    return g, gradient


def _apart(layer: Layer) -> tuple[Layer | None, Activation]:
    """The layer without its activation, and the activation."""
    if isinstance(layer, Activation):
        return None, layer
    activation = getattr(layer, "activation", None)
    if activation is None or isinstance(activation, Linear):
        return layer, Linear()
    return layer.model_copy(update={"activation": Linear()}), activation
