"""The solution of dy/dt = f(y) as a function of tensors, with its gradient in two ways.

Through the solver: autograd of its steps, whose lengths are constants. By the adjoint: a second
differential equation, which is solved backward in time. This file must not know what f is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops, vjp
from backproplab.autograd.lowering import into
from backproplab.autograd.primitive import Op, apply
from backproplab.solvers import METHODS, Tolerance, solved, solved_within

FAR = 100  # times the tolerance: how far from y(0) the adjoint may arrive
LOST = (
    "the adjoint, which computes y backward in time, does not find back to y(0): its gradients "
    "are wrong. Try gradient: solver, or a smaller rtol"
)


@dataclass(frozen=True)
class Flow:
    """How y(time) is found from y(0).

    steps: of equal length; 0 for a method that chooses their lengths within ``tolerance``.
    """

    solver: str
    time: float
    steps: int
    tolerance: Tolerance

    def __call__(self, slope: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
        """y(time); NaN where no step is short enough."""
        method = METHODS[self.solver]
        if not method.error:
            return solved(method, lambda t, y: slope(y), y, self.time, self.steps)
        found = solved_within(method, lambda t, y: slope(y), y, self.time, self._ratio)
        return y * np.nan if found is None else found

    def _ratio(self, x: Tensor, *positions: Tensor) -> float:
        """The tolerance's; as an op, so that a recorder of steps knows that numbers leave here."""
        step_control = Op(
            f"{self.solver}'s step control", into(self.tolerance.ratio), (), (), "chooses a length"
        )
        return float(apply(step_control, x, *positions))


# sums round by the order of the memory: a member's part is to lie as it would alone
apart = Op("adjoint", into(lambda x: x.copy()), (lambda g, y, x: g,), (), "x in memory of its own")


class Packed(NamedTuple):
    """Tensors (*lead, *shape) as one tensor (*lead, n), and back.

    lead: the number of axes that all of them share.  shapes: the other axes of each.
    """

    lead: int
    shapes: Sequence[tuple[int, ...]]

    @classmethod
    def like(cls, lead: int, tensors: Sequence[Tensor]) -> Packed:
        return cls(lead, [x.shape[lead:] for x in tensors])

    def flat(self, tensors: Sequence[Tensor]) -> Tensor:
        rows = [
            ops.reshape(x, shape=(*x.shape[: self.lead], prod(shape)))
            for x, shape in zip(tensors, self.shapes, strict=True)
        ]
        return ops.concatenate(rows, axis=-1)

    def parts(self, flat: Tensor) -> list[Tensor]:
        ends = pairwise(accumulate(map(prod, self.shapes), initial=0))
        return [
            ops.reshape(apart(flat[..., start:end]), shape=(*flat.shape[:-1], *shape))
            for shape, (start, end) in zip(self.shapes, ends, strict=True)
        ]


def by_adjoint(
    flow: Flow, slope: Callable[..., Tensor], y: Tensor, parameters: Sequence[Tensor], lead: int
) -> Tensor:
    """y(time), of which only y(0) and y(time) are kept for the gradient.

    slope: dy/dt of y and the parameters.  lead: the number of axes that y and all of them share,
        those of a population.

    With a = ∂L/∂y and g = 0 at T, y, a and g follow dy/dt = f, da/dt = -aᵀ ∂f/∂y and
    dg/dt = -aᵀ ∂f/∂θ back to 0: there a is ∂L/∂y(0), and g is ∂L/∂θ. Pontryagin et al. 1962; Chen
    et al. 2018, arXiv 1806.07366. Warns if y does not come back to y(0).
    """
    given = [y, *parameters]
    whole = Packed.like(lead, given)

    def forward(flat: Array) -> Array:
        start, *theta = whole.parts(Tensor(flat))
        return flow(lambda y: slope(y, *theta), start).value

    def pull(g: Tensor, end: Tensor, flat: Tensor) -> Tensor:
        start, *theta = whole.parts(flat)
        state = Packed.like(lead, [end, flat])

        def back(z: Tensor) -> Tensor:
            y, adjoint = state.parts(z)
            forth, pullback = vjp(slope, y, *theta)
            return state.flat([-forth, whole.flat(pullback(whole.parts(adjoint)[0]))])

        adjoint = whole.flat([g, *(ops.zeros_like(Tensor(x.value)) for x in theta)])
        again, cotangent = state.parts(flow(back, state.flat([end, adjoint])))
        _check(again.value, start.value, flow.tolerance)
        return cotangent

    op = Op("adjoint", into(forward), (pull,), (), "the solution of a differential equation")
    return apply(op, whole.flat(given))


def _check(again: Array, start: Array, tolerance: Tolerance) -> None:
    """Warn if y(0), computed backward, is not the y(0) that was given."""
    allowed = tolerance.rtol * np.max(np.abs(start), initial=0) + tolerance.atol
    if not np.max(np.abs(again - start), initial=0) <= FAR * allowed:
        warnings.warn(LOST, RuntimeWarning, stacklevel=2)
