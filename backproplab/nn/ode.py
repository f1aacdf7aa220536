"""The ODE layer: its output is the solution of a differential equation that starts at its input."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.autograd import Tensor, ops
from backproplab.nn.flow import Flow, by_adjoint
from backproplab.nn.layer import Pass, Shape, Weights
from backproplab.nn.structure import Block, Layers
from backproplab.solvers import METHODS, Tolerance
from backproplab.spec import Positive

STEPS = 10  # of equal length, where a config does not say
WITHIN = {"rtol": 1e-3, "atol": 1e-6}  # likewise; SciPy's
TYPICAL = 10  # steps of controlled length, to estimate memory


class Ode(Block, name="ode"):
    """y(time) of dy/dt = f(y), y(0) = x, where f is the chain ``layers``, which keeps the shape.

    Chen et al. 2018, arXiv 1806.07366. Weights have both layers' names: ``ode_1/dense_1/kernel``.

    solver: ``euler``, ``midpoint`` and ``rk4`` take equal steps; ``dopri5`` chooses their lengths
        by the error of all examples of a batch, which so depend on one another.
    time: at which y is the output.
    steps: of equal length, by default 10.
    rtol, atol: the allowed error of dopri5's steps, rtol |y| + atol; by default SciPy's, 1e-3 and
        1e-6. With ``adjoint`` and any solver: there is a warning where y(0), computed backward, is
        off by 100 times this.
    gradient: ``solver`` differentiates the steps, and keeps the values of all of them; dopri5's
        lengths count as constants. ``adjoint`` solves a second equation backward, and keeps y(0)
        and y(time) only.
    """

    layers: Layers
    solver: Literal["euler", "midpoint", "rk4", "dopri5"] = "rk4"
    time: Positive = 1.0
    steps: Annotated[int, Field(ge=1, le=10**5)] | None = None
    rtol: Annotated[float, Field(gt=0, lt=1)] | None = None
    atol: Positive | None = None
    gradient: Literal["solver", "adjoint"] = "solver"

    use = "takes as dy/dt"

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, fields: Any) -> Any:
        """Fill in the default for each number that is used and not given."""
        if not isinstance(fields, dict):
            return fields
        given = {key: value for key, value in fields.items() if value is not None}
        adaptive = given.get("solver") == "dopri5"
        defaults = {} if adaptive else {"steps": STEPS}
        return defaults | (WITHIN if adaptive or given.get("gradient") == "adjoint" else {}) | given

    @model_validator(mode="after")
    def _uses_all_that_is_given(self) -> Self:
        if self.adaptive and self.steps is not None:
            raise _refused("steps", "dopri5 chooses the lengths of its steps — remove it")
        if not self.adaptive and self.gradient == "solver":
            for key in ("rtol", "atol"):
                if getattr(self, key) is not None:
                    what = f"{self.solver} takes equal steps — remove it, or set solver: dopri5"
                    raise _refused(key, what)
        return self

    @model_validator(mode="after")
    def _is_one_function(self) -> Self:
        """Layers that draw or move something at each call are no right side of an equation."""
        if self.differs_in_training and (self.adaptive or self.gradient == "adjoint"):
            layer = next(x for x in self.layers if x.differs_in_training)
            who = "dopri5" if self.adaptive else "adjoint"
            what = f"{layer.name} computes something else at each call, and {who} compares calls"
            raise _refused("layers", f"{what} — remove it, or use equal steps and gradient: solver")
        return self

    @property
    def adaptive(self) -> bool:
        """Whether the solver chooses the lengths of its steps."""
        return bool(METHODS[self.solver].error)

    @property
    def mixes_examples(self) -> bool:
        return self.adaptive or super().mixes_examples

    @property
    def mixes_members(self) -> bool:
        return self.adaptive or super().mixes_members

    def footprint(self, shape: Shape) -> int:
        stages = len(METHODS[self.solver].rows)
        steps = 1 if self.gradient == "adjoint" else self.steps or TYPICAL
        return steps * stages * super().footprint(shape)

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        within = Tolerance(self.rtol or 0.0, self.atol or 0.0)
        flow = Flow(self.solver, self.time, self.steps or 0, within)
        if self.gradient == "solver":
            return flow(lambda y: self.through(weights, y, at), x)
        names = list(weights)

        def slope(y: Tensor, *parameters: Tensor) -> Tensor:
            return self.through(dict(zip(names, parameters, strict=True)), y, at)

        population = self._population(weights, at.shape)
        shape = (*population, *x.shape[-1 - len(at.shape) :])
        start = ops.broadcast_to(x, shape=shape) if population else x
        return by_adjoint(flow, slope, start, list(weights.values()), len(population))

    def _population(self, weights: Weights, shape: Shape) -> Shape:
        """The axes that all weights have before their own."""
        declared = self.weights(shape)
        return next((w.shape[: w.ndim - len(declared[n].shape)] for n, w in weights.items()), ())


def _refused(key: str, what: str) -> PydanticCustomError:
    return PydanticCustomError("ode", "{what}", {"what": what, "path": key})
