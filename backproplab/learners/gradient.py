"""Gradient: where the gradient of a batch comes from; how it is used is another matter.

A source fills a vector from a batch. It must not know the optimizer, nor the loop.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Protocol

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.analytic import AnalyticSource, analytic_problems
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.learner import Brake
from backproplab.learners.material import Material, coupled_members
from backproplab.learners.numeric import NumericSource, Scheme, seconds_each
from backproplab.nn import Network, ParameterVector
from backproplab.ranks import ONE, Ranks
from backproplab.spec import Family, PositiveOr


class GradientSource(Protocol):
    """Fills ``gradient`` from batches.

    refusal: why steps are computed without the engine asked for; empty if they are not.
    """

    gradient: ParameterVector
    refusal: str

    def __call__(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | None = None,
        brake: Brake | None = None,
        outputs: Array | None = None,
    ) -> bool:
        """The mean gradient of these rows, None for all; False if the brake ended it midway.

        outputs: filled with what the network gives in training, (…, batch, units), where wanted.
        Nothing but ``gradient`` and ``outputs`` has changed after False.
        """


class Gradient(Family):
    """Where the gradient comes from.

    stacks: it can fill those of a crew at once.  shares: several ranks can share a batch.
    """

    stacks: ClassVar[bool] = False
    shares: ClassVar[bool] = False

    def source(self, *parts: Any, ranks: Ranks = ONE, threads: int = 1) -> GradientSource:
        """What fills a gradient; the arguments are those of ``TiledSource``."""
        raise NotImplementedError

    def passes(self, network: Network) -> tuple[int, int]:
        """Forward and backward passes over a batch that give the gradient of this network."""
        raise NotImplementedError

    def problems(self, material: Material) -> list[Problem]:
        """What it cannot differentiate, reported before anything is written."""
        return []

    def cost(self, material: Material) -> str:
        """What is to be known of the time it takes; empty for nothing."""
        return ""

    def excess(self, material: Material) -> list[Problem]:
        """What would take so long that commands refuse it, unless it is forced."""
        return []


class Backprop(Gradient, name="backprop"):
    """One forward pass, one backward pass, every derivative."""

    stacks = True
    shares = True

    def passes(self, network: Network) -> tuple[int, int]:
        return 1, 1

    def source(self, *parts: Any, ranks: Ranks = ONE, threads: int = 1) -> GradientSource:
        return BackpropSource(*parts, ranks=ranks, threads=threads)


class Analytic(Gradient, name="analytic"):
    """The four fundamental equations of dense networks, written by hand, without autograd."""

    stacks = True
    shares = True

    def passes(self, network: Network) -> tuple[int, int]:
        return 1, 1

    def source(self, *parts: Any, ranks: Ranks = ONE, threads: int = 1) -> GradientSource:
        return AnalyticSource(*parts, ranks=ranks, threads=threads)

    def problems(self, material: Material) -> list[Problem]:
        assert material.network is not None
        return analytic_problems(material.network)


LIMIT = 100_000  # forward passes an update: of a small network about five seconds


class Numeric(Gradient, name="numeric"):
    """(f(θ + h eᵢ) - f(θ - h eᵢ)) / 2h for each weight, in float64: 2n forward passes.

    scheme: ``forward`` is (f(θ + h eᵢ) - f(θ)) / h: n + 1 passes, and half the digits.
    step: h; ``auto`` is ∛ε max(1, |θᵢ|), for ``forward`` √ε max(1, |θᵢ|).
    """

    scheme: Scheme = "central"
    step: Annotated[float | str, PositiveOr("auto")] = "auto"

    def passes(self, network: Network) -> tuple[int, int]:
        """One more where running statistics are to move, as in a pass in training."""
        moved = any(not weight.trainable for weight in network.weights.values())
        copies = 2 * network.size if self.scheme == "central" else network.size + 1
        return copies + moved, 0

    def problems(self, material: Material) -> list[Problem]:
        assert material.network is not None
        return coupled_members(self.name, material.network)

    def cost(self, material: Material) -> str:
        """``2,000 forward passes an update, 200,000 in all: about 9 s``: one of them is timed."""
        forwards, updates = self._forwards(material), material.steps
        whole = forwards * updates * seconds_each(material)
        return (
            f"{forwards:,} forward passes an update, {forwards * updates:,} in all: "
            f"about {float(f'{whole:.2g}'):,g} s"
        )

    def excess(self, material: Material) -> list[Problem]:
        if (forwards := self._forwards(material)) <= LIMIT:
            return []
        what = f"learner.gradient: {self.name} takes {forwards:,} forward passes an update"
        return [Problem("", what, "use learner.gradient=backprop, or give --force if it is meant")]

    def _forwards(self, material: Material) -> int:
        assert material.network is not None
        return self.passes(material.network)[0]

    def source(self, *parts: Any, ranks: Ranks = ONE, threads: int = 1) -> GradientSource:
        step = None if isinstance(self.step, str) else self.step
        return NumericSource(self.scheme, step, *parts)
