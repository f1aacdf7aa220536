"""Gradient flow: the weights follow the differential equation dθ/dt = -∇L(θ), by a solver."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.learner import Advance, Arrays, Brake, Divergence, Json, Learner, Span
from backproplab.learners.material import Material
from backproplab.learners.networked import Networked, training_layers
from backproplab.learners.updates import loss_of
from backproplab.measures import Row, measure
from backproplab.passes import Passes
from backproplab.solvers import (
    METHODS,
    SHORTEST,
    Slope,
    Taken,
    Tolerance,
    controlled_step,
    first_step,
)
from backproplab.spec import Positive

MOST = 10_000  # accepted steps, if the config does not say
PACE = 10  # steps between two evaluations, if it does not
DEFAULTS = {"dopri5": {"rtol": 1e-6, "atol": 1e-9}, "euler": {"step": 0.01}}


class GradientFlow(Learner, name="gradient_flow"):
    """dθ/dt = -∇L(θ) from t = 0 to ``until``; L is the mean loss of all training examples.

    The solver computes in float64, whatever the dtype of the weights that predict.

    solver: ``dopri5`` chooses the length of each step, ``euler`` takes equal ones: that is
        gradient descent in batch mode with ``step`` as its learning rate.
    rtol, atol: dopri5's allowed error of a step, rtol |θ| + atol.
    step: the length of euler's steps, by default 0.01; of dopri5's first one, by default chosen
        from the gradients at the beginning.
    """

    solver: Literal["dopri5", "euler"] = "dopri5"
    until: Positive = 10.0
    rtol: Annotated[float, Field(gt=0, lt=1)] | None = None
    atol: Positive | None = None
    step: Positive | None = None

    unit = "solver step"
    timed = True
    uses: ClassVar[frozenset[str]] = frozenset({"model", "loss", "metrics"})
    declares = (measure("flow_time", None, "time of the flow"),)

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, fields: Any) -> Any:
        """Fill in the solver's default for each number that is not given."""
        if not isinstance(fields, dict):
            return fields
        given = {key: value for key, value in fields.items() if value is not None}
        return {**DEFAULTS.get(str(given.get("solver", "dopri5")), {}), **given}

    @model_validator(mode="after")
    def _euler_has_no_tolerance(self) -> Self:
        for key in ("rtol", "atol"):
            if self.solver == "euler" and getattr(self, key) is not None:
                what = "euler's steps have a fixed length — remove it, or set solver=dopri5"
                raise PydanticCustomError("tolerance", what, {"path": key})
        return self

    @property
    def most_steps(self) -> int:
        if self.solver == "dopri5":
            return MOST
        assert self.step
        return max(math.ceil(self.until / self.step - 1e-9), 1)

    @property
    def pace(self) -> int | None:
        return PACE if self.solver == "dopri5" else None

    def problems(self, material: Material) -> list[Problem]:
        return training_layers(self, material, "a flow")

    def numbers(self, size: int) -> int:
        return 2 * 12 * size  # float64: slopes, positions and an error

    def begin(self, material: Material) -> Flowing:
        return Flowing(self, material)


class Stopped(Exception):
    """The brake has ended a gradient midway."""


class Flowing(Networked):
    """A gradient flow at work.

    theta: the position of the flow, float64; ``parameters`` are its copy that predicts.
    time: t.  step: the length of the next step; 0 while there is none.
    slope: -∇L at theta, if the last step has computed it; else it has the size 0.
    used: gradients of the newest ``advance``, those of rejected steps included.
    """

    def __init__(self, settings: GradientFlow, material: Material) -> None:
        super().__init__(material)
        self.settings, self.method = settings, METHODS[settings.solver]
        self.shortest = SHORTEST * settings.until
        self.tolerance = Tolerance(settings.rtol or 0.0, settings.atol or 0.0)
        self._at = self.network.parameters(np.float64)  # where the gradient is taken
        chance = material.stream("dropout")
        of = self.network, loss_of(material), self._at, chance, material.engine
        self.source = BackpropSource(*of)
        self._inputs, self._targets = (
            x.astype(np.float64) if x.dtype.kind == "f" else x
            for x in (material.train.inputs, material.train.encoded)
        )
        self.theta = self.parameters.trainable.astype(np.float64)
        self.slope = np.empty(0)
        self.time = 0.0
        self.used = self._gradients = 0
        self.step = settings.step or 0.0

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made, self.used = Advance(), 0
        while made.done < span.steps and not (made.done and brake.between_steps()):
            try:
                taken = self._step(brake)
            except Stopped:
                break
            step = span.start + made.done
            if not taken:
                made.diverged[0] = Divergence(step, self._advice())
                break
            made.done += 1
            self.used += self._gradients
            made.report("solver_step_time", step + 1, self.time)
            made.report("solver_step_length", step + 1, taken)
            if self.time >= self.settings.until:
                made.ended[0] = "until_reached"
                break
        self.refusal = self.source.refusal
        return made

    def _step(self, brake: Brake) -> float:
        """Make one accepted step; its length, 0 if none is short enough. Raises Stopped."""

        def slope(t: float, y: Array) -> Array:
            return self._slope(y, brake)

        self._gradients = 0
        rest = self.settings.until - self.time
        first = self.slope if self.slope.size else slope(self.time, self.theta)
        if not np.isfinite(first).all():
            return 0.0
        taken = (self._controlled if self.method.error else self._fixed)(slope, first, rest)
        if taken is None:
            return 0.0
        self.theta = taken.y
        self.parameters.trainable[...] = taken.y
        ended = rest - taken.length < self.shortest
        self.time = self.settings.until if ended else self.time + taken.length
        return taken.length

    def _controlled(self, slope: Slope, first: Array, rest: float) -> Taken | None:
        here = self.method, slope, self.time, self.theta, first
        length = self.step or first_step(*here, self.tolerance.ratio)
        taken = controlled_step(*here, min(length, rest), self.shortest, self.tolerance.ratio)
        if taken:
            self.slope, self.step = taken.slope, taken.following
        return taken

    def _fixed(self, slope: Slope, first: Array, rest: float) -> Taken | None:
        length = min(self.step, rest)
        end, _ = self.method.step(slope, self.time, self.theta, first, length)
        return Taken(end, first, length, length) if np.isfinite(end).all() else None

    def _slope(self, theta: Array, brake: Brake) -> Array:
        """-∇L(θ), an array of its own."""
        self._at.trainable[...] = theta
        if not self.source(self._inputs, self._targets, None, brake):
            raise Stopped
        self._gradients += 1
        return -self.source.gradient.flat

    def _advice(self) -> str:
        at = f"the flow stopped being finite at t = {self.time:g}"
        if self.settings.solver == "euler":
            return f"{at} — try a smaller learner.step (now {self.step:g})"
        return f"{at}, or needs steps too short to count — try learner.until={self.time:g}"

    def passes(self, steps: int, examples: int) -> Passes:
        return Passes.of(self.used, self.used * len(self.material.train), forward=1, backward=1)

    @property
    def share(self) -> float:
        return self.time / self.settings.until

    def scalars(self, step: int) -> Row:
        return {"flow_time": self.time}

    def state(self) -> tuple[Arrays, Json]:
        arrays, state = super().state()
        position = {"theta": self.theta, "slope": self.slope}
        return {**arrays, **position}, state | {"time": self.time, "step": self.step}

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        self.theta, self.slope = arrays["theta"].copy(), arrays["slope"].copy()
        self.time, self.step = state["time"], state["step"]
