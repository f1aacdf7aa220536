"""Curvature: the Hessian of the mean loss over the weights, and Newton's direction by it.

The Hessian is computed in float64, row by row: each is one backward pass through the gradient. It
knows no optimizer and no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, grad, ops, vjp
from backproplab.learners.learner import Brake
from backproplab.learners.numeric import double
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.streams import Chance

LIMIT = 2000  # weights: their Hessian takes 32 MB, and as many backward passes
SHIFT = 1e-3  # of the mean diagonal, the first one that is tried where the Hessian is not positive


class Curvature:
    """The Hessian (…, n, n) of the weights (…, n) on a batch; its own arrays, no state.

    damping: added to the diagonal; of a crew a column.
    """

    def __init__(
        self, network: Network, loss: Loss, parameters: ParameterVector, chance: Chance,
        damping: Any,
    ) -> None:  # fmt: skip
        self.network, self.loss, self.chance = network, loss, chance
        self.parameters = parameters
        self.damping = damping * np.ones((*parameters.population, 1))
        n = len(parameters)
        self.hessian = np.zeros((*parameters.population, n, n))

    def fill(self, inputs: Array, targets: Array, rows: Array | None, brake: Brake | None) -> bool:
        """The Hessian of the mean loss of these rows, None for all; False if the brake ended it.

        The stream of chance gives the masks of dropout, and moves as in one pass.
        """
        if rows is not None:
            inputs, targets = inputs.take(rows, axis=0), targets.take(rows, axis=0)
        loss = loss_of_weights(
            self.network, self.loss, self.parameters, inputs, targets, self.chance
        )
        _, pullback = vjp(grad(loss), self.parameters.trainable.astype(np.float64))
        for row, unit in enumerate(self._units()):
            if brake and brake.within_step():
                return False
            self.hessian[..., row, :] = pullback(unit)[0].value
        return True

    def _units(self) -> Iterator[Array]:
        for row in range(len(self.parameters)):
            unit = np.zeros((*self.parameters.population, len(self.parameters)))
            unit[..., row] = 1
            yield unit

    def solve(self, gradient: Array, more: Any) -> Array:
        """Newton's direction, (H + damping + more)⁻¹ gradient, (…, n), of each member.

        more: what else is on the diagonal; of a crew a column.
        """
        n, shift = len(self.parameters), self.damping + more * np.ones_like(self.damping)
        members = zip(
            self.hessian.reshape(-1, n, n), gradient.reshape(-1, n), shift.ravel(), strict=True
        )
        found = np.array([newton_direction(*member) for member in members])
        return found.reshape(gradient.shape).astype(gradient.dtype)


def loss_of_weights(
    network: Network, loss: Loss, parameters: ParameterVector, inputs: Array, targets: Array,
    chance: Chance | None = None,
) -> Callable[[Tensor], Tensor]:  # fmt: skip
    """The mean loss of these examples as a function of the weights (…, n), in float64.

    Of a crew the sum over its members, so that the gradient has each one's own. Running
    statistics stay as they are.  chance: draws the masks of dropout; without it there is none.
    """
    examples = Tensor(inputs.astype(np.float64)), Tensor(double(targets))

    def mean(theta: Tensor) -> Tensor:
        outputs = network(_named(parameters, theta), examples[0], chance)
        return ops.sum(ops.mean(loss(outputs, examples[1]), axis=-1))

    return mean


def _named(parameters: ParameterVector, theta: Tensor) -> Mapping[str, Tensor]:
    """The weights as parts of θ, and copies of the running statistics."""
    shapes, population = parameters.weights, parameters.population
    ends = accumulate(map(prod, shapes.values()))
    found = {
        name: ops.reshape(theta[..., end - prod(shape) : end], shape=(*population, *shape))
        for (name, shape), end in zip(shapes.items(), ends, strict=True)
    }
    others = parameters.views.items()
    return found | {n: Tensor(v.astype(np.float64)) for n, v in others if n not in shapes}


def newton_direction(hessian: Array, gradient: Array, damping: float) -> Array:
    """(H + τ)⁻¹ g, with τ the damping, or as much more as makes the matrix positive definite.

    So it points uphill whatever the curvature is. Nocedal and Wright 2006, algorithm 3.3.
    """
    if not np.isfinite(hessian).all():
        return np.full_like(gradient, np.nan)
    symmetric, unit, shift = (hessian + hessian.T) / 2, np.eye(len(gradient)), damping
    least = SHIFT * float(np.abs(np.diagonal(hessian)).mean()) or SHIFT
    while True:
        try:
            factor = np.linalg.cholesky(symmetric + shift * unit)
        except np.linalg.LinAlgError:
            shift = max(10 * shift, least)
            continue
        half = np.linalg.solve(factor, gradient.astype(np.float64))
        found: Array = np.linalg.solve(factor.T, half)
        return found
