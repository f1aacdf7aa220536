"""Kernel regression: the training of an infinitely wide network, or of a linearized one, in closed
form, as time passes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod
from typing import Annotated

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.closed_form import Limit, Spectrum
from backproplab.learners.kernels import Empirical, Infinite, Kernel, Ntk
from backproplab.learners.learner import (
    Advance,
    Arrays,
    Brake,
    Divergence,
    Json,
    Learner,
    Learning,
    Span,
)
from backproplab.learners.linearized import block_bytes
from backproplab.learners.machines import InfiniteMachine, LinearMachine, Machine
from backproplab.learners.material import Material
from backproplab.learners.networked import training_layers
from backproplab.measures import Row, measure
from backproplab.nn import Loss
from backproplab.nn.losses import CenteredHalfMeanSquaredError
from backproplab.passes import Passes
from backproplab.spec import NonNegative, PositiveOr
from backproplab.task import Task

TIME = measure("flow_time", None, "time of the flow")
# matrices of the kernel's size at once: itself, and which entries are finite; with eigenvectors
# these, a copy of it and LAPACK's work
AT_ONCE, SPECTRAL = 1.25, 5.25
SAFE = 1e-6  # a ridge from which Θ + ridge is positive definite, whatever rounding does to Θ


class KernelRegression(Learner, name="kernel_regression"):
    """f_t(x) = f₀(x) + Θ(x, X) a_t,  a_t = Θ⁻¹ (I - e^(-Θ t / N)) (Y - f₀(X)).

    X, Y are the training examples, N the entries of Y. It is gradient flow on half the mean squared
    error, dθ/dt = -∇L(θ), as gradient descent in batch mode follows it with many small steps: k
    updates with the rate r take it to t = k r. Jacot et al. 2018, arXiv 1806.07572; Lee et al.
    2019, arXiv 1902.06720. All is computed in float64, whatever the dtype; a_t stays float64.

    kernel: Θ. Infinite kernels have f₀ = 0 and one Θ for all outputs; with ``empirical`` f₀ is the
        ``model`` as it is drawn.
    ridge: Θ of the training examples gets this share of its mean diagonal added to its diagonal.
    time: t at the end; ``inf`` for the limit, which with a ridge is kernel ridge regression.

    A step goes on to the next time: of n steps to t/n, 2t/n, …, t. With ``time: inf`` times are
    spaced evenly in logarithm, from when the fastest direction has begun to when the slowest one
    has ended, and the last one is infinite.
    """

    kernel: Kernel = Ntk()
    ridge: NonNegative = 1e-3
    time: Annotated[float | str, PositiveOr("inf")] = "inf"

    timed = True
    declares = (TIME,)

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]  # an infinite network is no model
        return frozenset({"model"} if isinstance(self.kernel, Empirical) else ())

    @property
    def subject(self) -> str:
        kernel = self.kernel
        if isinstance(kernel, Infinite):
            return f"{kernel.name} of ∞ units, {kernel.activation}, depth {kernel.depth}"
        return "linearized"

    @property
    def most_steps(self) -> int:
        return 1

    @property
    def pace(self) -> int:
        return 1

    def loss(self, chosen: Loss, task: Task) -> Loss:
        return CenteredHalfMeanSquaredError()

    def problems(self, material: Material) -> list[Problem]:
        return training_layers(self, material, "Jacobians") if material.network else []

    def memory(self, material: Material) -> int:
        network, examples = material.network, len(material.train)
        rows = examples * (prod(network.output_shape) if network else 1)
        blocks = block_bytes(network, examples) if network else 0
        inputs = 0 if network else 8 * material.train.inputs.size
        matrix = 8 * rows * rows
        solving = AT_ONCE if self.at_once(material) else SPECTRAL
        return int(inputs + max(solving * matrix, matrix + blocks))

    def at_once(self, material: Material) -> bool:
        """Whether one linear system gives all that is asked for."""
        return material.steps == 1 and isinstance(self.time, str) and self.ridge >= SAFE

    def begin(self, material: Material) -> Regressing:
        return Regressing(self, material)


class Regressing(Learning):
    """Kernel regression at work.

    coefficients: a_t, (n, outputs).  time: t.
    The kernel is computed in the first step, and again in the first one after a resume.
    """

    def __init__(self, settings: KernelRegression, material: Material) -> None:
        self.settings, self.material = settings, material
        train, kernel = material.train, settings.kernel
        self.machine: Machine = (
            InfiniteMachine(kernel, train.inputs)
            if isinstance(kernel, Infinite)
            else LinearMachine(material)
        )
        self.coefficients = np.zeros((len(train), material.task.outputs))
        self.time = 0.0
        self._solution: Limit | Spectrum | None = None
        self._used = Passes()

    @property
    def weights(self) -> Arrays:
        return {**self.machine.weights, "kernel_machine/coefficients": self.coefficients}

    @property
    def size(self) -> int:
        return self.coefficients.size

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made, self._used = Advance(), Passes()
        if not self._solution:
            made.diverged |= self._solve(span.start, brake)
        times = self._times(self._solution) if self._solution else ()
        while self._solution and made.done < span.steps:
            if made.done and brake.between_steps():
                break
            time = float(times[span.start + made.done])
            found = self._solution.coefficients(time)
            if not np.isfinite(found).all():
                made.diverged[0] = Divergence(span.start + made.done, self._advice())
                break
            self.coefficients[...] = found.reshape(self.coefficients.shape)
            self.time = time
            made.done += 1
        if span.start == 0 and made.done:
            self._used = self.machine.passes()
        return made

    def _solve(self, step: int, brake: Brake) -> dict[int, Divergence]:
        """Compute the kernel and its solution, unless the brake ends it; why that failed."""
        kernel, train = self.machine.kernel(brake), self.material.train
        if kernel is None:
            return {}
        if not np.isfinite(kernel).all():
            return {0: Divergence(step, self._advice())}
        start = self.machine.predict(train.inputs, np.zeros_like(self.coefficients))
        residual = train.encoded.astype(np.float64) - start
        way = Limit if self.settings.at_once(self.material) else Spectrum
        try:
            self._solution = way(kernel, self.settings.ridge, residual)
        except np.linalg.LinAlgError as error:
            what = f"the kernel cannot be solved ({error}) — try a larger learner.ridge"
            return {0: Divergence(step, what)}
        return {}

    def _times(self, solution: Limit | Spectrum) -> Array:
        steps, time = self.material.steps, self.settings.time
        if isinstance(time, str):
            return solution.times(steps)
        return time * np.arange(1, steps + 1) / steps

    def _advice(self) -> str:
        return "the kernel stopped being finite — set data.standardize=true, or a smaller sigma_w2"

    def passes(self, steps: int, examples: int) -> Passes:
        return self._used

    def predict(self, inputs: Array) -> Array:
        return self.machine.predict(inputs, self.coefficients).astype(self.material.dtype)

    def scalars(self, step: int) -> Row:
        return {} if math.isinf(self.time) else {TIME.name: self.time}

    def broken(self, row: Row, step: int) -> str:
        return "" if np.isfinite(row["loss"]) else self._advice()

    def state(self) -> tuple[Arrays, Json]:
        return {"coefficients": self.coefficients}, {"time": str(self.time)}

    def restore(self, arrays: Arrays, state: Json) -> None:
        np.copyto(self.coefficients, arrays["coefficients"])
        self.time = float(state["time"])

    def __str__(self) -> str:
        network = self.material.network
        return ", ".join([*([str(network)] if network else []), self.settings.subject])
