"""Kernel regression: the training of an infinitely wide network, or of a linearized one, in closed
form, as time passes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Protocol

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import Problem
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
from backproplab.learners.linearized import Linearized, block_bytes
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
        matrix = 8 * rows * rows
        solving = AT_ONCE if self.at_once(material) else SPECTRAL
        return int(max(solving * matrix, matrix + blocks))

    def at_once(self, material: Material) -> bool:
        """Whether one linear system gives all that is asked for."""
        return material.steps == 1 and isinstance(self.time, str) and self.ridge > 0

    def begin(self, material: Material) -> Regressing:
        return Regressing(self, material)


class Machine(Protocol):
    """A kernel and the training examples X."""

    @property
    def weights(self) -> Arrays:
        """What it predicts with, besides the coefficients."""

    def kernel(self, brake: Brake) -> Array | None:
        """Θ(X, X); None if the brake ended it."""

    def passes(self) -> Passes:
        """What ``kernel`` takes."""

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        """f₀(x) + Θ(x, X) a, (m, outputs), of the coefficients a (n, outputs)."""


class InfiniteMachine:
    """One kernel for all outputs, and f₀ = 0."""

    def __init__(self, kernel: Infinite, inputs: Array) -> None:
        self._kernel = kernel
        self.weights = {"kernel_machine/inputs": inputs}
        self._inputs = _flat(inputs)

    def kernel(self, brake: Brake) -> Array | None:
        found = np.empty((len(self._inputs),) * 2)
        for rows, block in self._kernel.blocks(self._inputs, self._inputs):
            if brake.within_step():
                return None
            found[rows] = block
        return found

    def passes(self) -> Passes:
        return Passes()

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        found = np.zeros((len(inputs), coefficients.shape[1]))
        if coefficients.any():
            for rows, block in self._kernel.blocks(_flat(inputs), self._inputs):
                np.matmul(block, coefficients, out=found[rows])
        return found


class LinearMachine:
    """The network that is linear in its weights: it predicts with θ - θ₀ = J(X)ᵀ a."""

    def __init__(self, material: Material) -> None:
        assert material.network is not None
        parameters = material.network.parameters(material.dtype)
        material.network.initialize(parameters, material.stream("init"))
        self.inputs = material.train.inputs
        self.weights = {"kernel_machine/inputs": self.inputs, **parameters.views}
        self.network = Linearized(material.network, parameters)
        self._change: tuple[bytes, Any] = b"", None  # of which coefficients, and θ - θ₀

    def kernel(self, brake: Brake) -> Array | None:
        return self.network.kernel(self.inputs, brake)

    def passes(self) -> Passes:
        return self.network.passes(len(self.inputs))

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        if not coefficients.any():
            return self.network(inputs)
        if self._change[0] != (known := coefficients.tobytes()):
            self._change = known, self.network.gradient(self.inputs, coefficients)
        return self.network.moved(inputs, self._change[1])


class Limit:
    """The solution of (Θ + ridge) a = residual by Cholesky's method, in the memory of Θ."""

    def __init__(self, kernel: Array, ridge: float, residual: Array) -> None:
        from scipy.linalg import cho_factor, cho_solve

        np.fill_diagonal(kernel, np.diagonal(kernel) + ridge * np.mean(np.diagonal(kernel)))
        factor = cho_factor(kernel.T, overwrite_a=True, check_finite=False)
        self._found: Array = cho_solve(factor, residual.reshape(len(kernel), -1))

    def coefficients(self, time: float) -> Array:
        return self._found

    def times(self, steps: int) -> Array:
        return np.array([np.inf])


class Spectrum:
    """Θ + ridge as its eigenvalues, ascending, and eigenvectors, and what is to be fitted in them.

    entries: N.  values: of Θ, those that rounding made negative are 0.
    """

    def __init__(self, kernel: Array, ridge: float, residual: Array) -> None:
        self.entries = residual.size
        more = ridge * float(np.mean(np.diagonal(kernel)))
        values, self.vectors = np.linalg.eigh(kernel)
        self.values = np.maximum(values, 0) + more
        self.parts = self.vectors.T @ residual.reshape(len(kernel), -1)

    def coefficients(self, time: float) -> Array:
        """a_t, (rows of Θ, …): in each direction (1 - e^(-λ t / N)) / λ of the residual."""
        if math.isinf(time):
            large = self.values > self._least
            shares = np.divide(1, self.values, out=np.zeros_like(self.values), where=large)
        else:
            decay = -np.expm1(-self.values * time / self.entries)
            early = np.full_like(self.values, time / self.entries)  # the limit for λ = 0
            shares = np.divide(decay, self.values, out=early, where=self.values > 0)
        return self.vectors @ (shares[:, None] * self.parts)

    def times(self, steps: int) -> Array:
        """Evenly in logarithm, from a tenth of the fastest direction's time to the slowest's; ∞."""
        slowest = max(float(self.values[0]), self._least)
        first, last = 0.1 / float(self.values[-1]), 1 / slowest
        return np.append(self.entries * np.geomspace(first, last, steps - 1), np.inf)

    @property
    def _least(self) -> float:
        """The eigenvalue below which rounding hides whether a direction can be learned at all."""
        return float(self.values[-1]) * len(self.values) * np.finfo(float).eps


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
            kernel = self.machine.kernel(brake)
            if kernel is None:
                return made
            if not np.isfinite(kernel).all():
                made.diverged[0] = Divergence(span.start, self._advice())
                return made
            self._solution = self._solved(kernel)
        times = self._times(self._solution)
        while made.done < span.steps and not (made.done and brake.between_steps()):
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

    def _solved(self, kernel: Array) -> Limit | Spectrum:
        train = self.material.train
        start = self.machine.predict(train.inputs, np.zeros_like(self.coefficients))
        residual = train.encoded.astype(np.float64) - start
        way = Limit if self.settings.at_once(self.material) else Spectrum
        return way(kernel, self.settings.ridge, residual)

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


def _flat(inputs: Array) -> Array:
    """(n, features) in float64."""
    return inputs.reshape(len(inputs), -1).astype(np.float64)
