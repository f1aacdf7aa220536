"""Linearized: a network as a linear function of its weights, f(x) + J(x) (θ - θ₀).

J(x) is the Jacobian of the outputs by the weights θ₀, in float64. It is never kept whole: products
with it are one pass backward (vᵀJ) or its derivative (J v), J Jᵀ is computed from blocks of
examples. This file must not know how θ is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, jvp, vjp
from backproplab.learners.evaluation import tile_length, tiles
from backproplab.learners.learner import Brake, NoBrake
from backproplab.learners.numeric import double
from backproplab.nn import Network, ParameterVector
from backproplab.nn.layer import Weights
from backproplab.passes import Passes

BLOCK = 2**27  # bytes that the Jacobian of one block of examples should stay below


def block_length(network: Network) -> int:
    """Examples whose Jacobians are computed at a time: by the network alone."""
    each = 8 * (prod(network.output_shape) * network.size + 2 * network.footprint)
    return max(BLOCK // each, 1)


def block_bytes(network: Network, examples: int) -> int:
    """Of two blocks, each with the gradient that fills it and the values of a pass."""
    outputs = prod(network.output_shape)
    numbers = (outputs + 1) * network.size + 2 * network.footprint
    return 2 * 8 * numbers * min(block_length(network), examples)


class Linearized:
    """A network at the weights ``parameters``, in float64."""

    def __init__(self, network: Network, parameters: ParameterVector) -> None:
        self.network = network
        self.outputs = prod(network.output_shape)
        shapes = parameters.weights
        self.weights = {name: parameters.views[name].astype(np.float64) for name in shapes}

    def __call__(self, inputs: Array) -> Array:
        """f(x), (n, outputs)."""
        return np.concatenate(
            [self._outputs(x, self._tensors()).value for x in self._tiles(inputs)]
        )

    def jacobian(self, inputs: Array) -> Array:
        """J, (n, outputs, weights): a leading axis gives each example weights of its own."""
        count, lead = len(inputs), (len(inputs),)
        leaves = [
            Tensor(np.broadcast_to(w, lead + w.shape), None, True) for w in self.weights.values()
        ]
        own = dict(zip(self.weights, leaves, strict=True))
        outputs = self._outputs(inputs[:, None], own)  # (n, 1, outputs)
        found = np.empty((count, self.outputs, sum(w.size for w in self.weights.values())))
        for output in range(self.outputs):
            seed = np.zeros(outputs.shape)
            seed[..., output] = 1
            gradients = backward(outputs, Tensor(seed), leaves)
            parts = [gradient.value.reshape(count, -1) for gradient in gradients]
            np.concatenate(parts, axis=1, out=found[:, output])
        return found

    def kernel(self, inputs: Array, brake: Brake) -> Array | None:
        """J Jᵀ, (n · outputs, n · outputs), of one example's outputs after another's.

        None if the brake ended it.
        """
        blocks = self._blocks(len(inputs))
        found = np.empty((len(inputs) * self.outputs,) * 2)
        for number, one in enumerate(blocks):
            left = self._rows(inputs[one])
            for other in blocks[: number + 1]:
                if brake.within_step():
                    return None
                rows, columns = self._place(one), self._place(other)
                if other is one:
                    np.matmul(left, left.T, out=found[rows, rows])
                else:
                    np.matmul(left, self._rows(inputs[other]).T, out=found[rows, columns])
                    found[columns, rows] = found[rows, columns].T
        return found

    def passes(self, examples: int) -> Passes:
        """What ``kernel`` takes: the Jacobians of the first of m blocks are computed m times."""
        lengths = [block.stop - block.start for block in self._blocks(examples)]
        taken = sum(length * (len(lengths) - n) for n, length in enumerate(lengths))
        times = -(-taken // examples)
        return Passes(times, times * self.outputs, taken, taken * self.outputs)

    def gradient(self, inputs: Array, coefficients: Array) -> Weights:
        """vᵀJ by name, with v = ``coefficients`` (n, outputs): Σ over examples and outputs."""
        total = {name: np.zeros(w.shape) for name, w in self.weights.items()}
        start = 0
        for x in self._tiles(inputs):
            _, pullback = vjp(lambda w, x=x: self._outputs(x, w), self.weights)
            (found,) = pullback(coefficients[start : start + len(x)])
            for name, part in found.items():
                total[name] += part.value
            start += len(x)
        return {name: Tensor(array) for name, array in total.items()}

    def moved(self, inputs: Array, change: Weights) -> Array:
        """f(x) + J(x) v, (n, outputs), with v = ``change`` by name."""
        found = []
        for x in self._tiles(inputs):
            outputs, rate = jvp(lambda w, x=x: self._outputs(x, w), [self.weights], [change])
            found.append(outputs.value + rate.value)
        return np.concatenate(found)

    def _outputs(self, inputs: Array, weights: Weights) -> Tensor:
        return self.network(weights, Tensor(double(inputs)))

    def _tensors(self) -> Mapping[str, Tensor]:
        return {name: Tensor(array) for name, array in self.weights.items()}

    def _tiles(self, inputs: Array) -> Iterator[Array]:
        for tile in tiles(len(inputs), tile_length(self.network), NoBrake()):
            assert tile is not None
            yield inputs[tile]

    def _rows(self, inputs: Array) -> Array:
        return self.jacobian(inputs).reshape(len(inputs) * self.outputs, -1)

    def _blocks(self, examples: int) -> list[slice]:
        length = block_length(self.network)
        return [slice(a, min(a + length, examples)) for a in range(0, examples, length)]

    def _place(self, block: slice) -> slice:
        return slice(block.start * self.outputs, block.stop * self.outputs)
