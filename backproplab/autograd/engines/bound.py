"""Engine and Bound: choose between eager, replayed and native, and fall back, in one place.

An engine has no state: recordings belong to the Bound, and a new Bound records again at other
steps with the same bits. A Bound closes no reference cycle, so it is freed with its owner, unless
its step refers to the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines import native
from backproplab.autograd.engines.plan import Plan, by_python
from backproplab.autograd.engines.replay import RecordingError, Replay, Step
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError, did_you_mean

EngineName = Literal["auto", "eager", "replay", "native"]


@dataclass(frozen=True)
class Engine:
    """``eager`` builds a graph for each run of a step, ``replay`` records the step once and
    makes its NumPy calls again, ``native`` lets the player make them, if there is one. ``auto`` is
    native if the step can be replayed, else eager."""

    name: EngineName

    @property
    def is_native(self) -> bool:
        """Whether recorded steps are played; else they are replayed by Python, or not recorded."""
        return self.name in ("auto", "native") and not native.missing()

    @property
    def described(self) -> str:
        """``native``, ``replay`` or ``eager``, and why it is not native where that was wanted."""
        if self.name in ("eager", "replay"):
            return self.name
        return "native" if self.is_native else f"replay ({native.missing()})"

    def bind(self, step: Step, externals: Sequence[Array], into: Sequence[Array]) -> Bound:
        """The step as a callable that fills ``into``.

        step: a function from tensors to a sequence of tensors, made of ops.
        externals: arrays other than its inputs that it reads or assigns to, such as weights.
        into: an array for each result.
        """
        return Bound(self, step, externals, into)


def engine(name: EngineName) -> Engine:
    """The engine of this name. Raises GraphError for an unknown name."""
    if name not in get_args(EngineName):
        raise GraphError(f"no engine {name!r}; {did_you_mean(name, get_args(EngineName))}")
    return Engine(name)


class Bound:
    """A step that fills ``into`` each time it is called; made by ``Engine.bind``.

    refusal: why the engine ``auto`` computes this step eagerly; empty while it replays, and with
        the other engines.
    """

    def __init__(
        self, engine: Engine, step: Step, externals: Sequence[Array], into: Sequence[Array]
    ) -> None:
        self.engine = engine
        self.step = step
        self.into = into
        self.refusal = ""
        player = native.Played if engine.is_native else by_python
        self.replay = None if engine.name == "eager" else Replay(step, externals, into, player)

    def __call__(self, *inputs: Array, stay: bool = False) -> None:
        """Compute the step on these inputs.

        stay: the caller will pass the same memory again, so that a replay may read contiguous
            inputs there instead of copying them.

        Raises RecordingError if the engine is not ``auto`` and the step cannot be replayed.
        """
        if self.replay is None:
            self._compute(inputs)
            return
        try:
            self.replay(*inputs, stay=stay)
        except RecordingError as error:
            self._refuse(error)

    def of_rows(self, rows: Array | slice, *arrays: Array) -> None:
        """Compute the step on these rows of each array.

        rows: indices of any shape, which are gathered, or a slice, which is read where it is.
            A replay does not check indices; they must be from -n to n - 1.
        """
        if self.replay is None:
            self._compute([_rows_of(x, rows) for x in arrays])
            return
        try:
            self.replay.of_rows(rows, *arrays)
        except RecordingError as error:
            self._refuse(error)

    def ahead(self, rows: tuple[int, ...], *arrays: Array) -> tuple[Plan, int] | None:
        """The plan for so shaped rows of each array, and how many of its next runs may be played
        together with other calls; None if it has none, or is not to be played."""
        if self.replay is None or not self.engine.is_native:
            return None
        return self.replay.ahead(rows, *arrays)

    def _compute(self, inputs: Sequence[Array]) -> None:
        results = self.step(*[Tensor(x) for x in inputs])
        for wanted, result in zip(self.into, results, strict=True):
            np.copyto(wanted, result.value)

    def _refuse(self, error: RecordingError) -> None:
        """Compute eagerly from now on. This call's results are right: the recorder computed it."""
        if self.engine.name != "auto":
            raise RecordingError(f"{error}; engine=auto computes such a step eagerly") from None
        self.refusal, self.replay = str(error), None


def _rows_of(x: Array, rows: Array | slice) -> Array:
    return x[rows] if isinstance(rows, slice) else x.take(rows, axis=0)
