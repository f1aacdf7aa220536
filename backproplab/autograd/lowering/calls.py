"""The default lowering, and forward functions made from rules and from plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.primitive import Op

Call = Callable[[], Any]
Rule = Callable[..., Sequence[Call]]
BY_NAME = (np.maximum, np.minimum)  # NumPy deprecates their out by position


class Pass:
    """The calls of a rule, one after the other; an engine may know a single loop for all of them.

    rule: made the ``calls`` of these arrays, ``out`` and settings.
    """

    def __init__(
        self, rule: Rule, arrays: Sequence[Array], out: Array, settings: dict[str, Any]
    ) -> None:
        self.rule, self.arrays, self.out, self.settings = rule, arrays, out, settings
        self.calls = rule(*arrays, out=out, **settings)

    def __call__(self) -> None:
        for call in self.calls:
            call()


def in_one_pass(rule: Rule) -> Rule:
    """The rule, whose calls an engine may make in one pass."""

    @wraps(rule)
    def whole(*arrays: Array, out: Array, **settings: Any) -> list[Call]:
        return [Pass(rule, arrays, out, settings)]

    return whole


def lower(op: Op, inputs: Sequence[Array], out: Array, settings: dict[str, Any]) -> Sequence[Call]:
    """The calls that, made in order, recompute ``out`` from the inputs, with the bits of
    ``op.forward``.

    An op without a rule is one call of its forward function, with ``out`` by position if it is a
    ufunc, by name otherwise.
    """
    if op.lowering is not None:
        return op.lowering(*inputs, out=out, **settings)
    if isinstance(op.forward, np.ufunc) and op.forward not in BY_NAME:
        return [partial(op.forward, *inputs, out)]  # half a µs less than by name
    return [partial(op.forward, *inputs, out=out, **settings)]


def stepwise(
    rule: Callable[..., Sequence[Call]], empty: Callable[..., Array]
) -> Callable[..., Array]:
    """The forward function that makes the calls of ``rule`` once; a replay makes the same calls.

    empty: ``(*arrays, **settings) -> array``: uninitialized memory for the result.
    """

    def forward(*arrays: Array, out: Array | None = None, **settings: Any) -> Array:
        result = empty(*arrays, **settings) if out is None else out
        for call in rule(*arrays, out=result, **settings):
            call()
        return result

    return forward


def into(function: Callable[..., Any]) -> Callable[..., Array]:
    """The forward function, with ``out=``, of a function that always allocates its result."""

    def forward(*arrays: Array, out: Array | None = None, **settings: Any) -> Array:
        result = function(*arrays, **settings)
        if out is None:
            return np.asarray(result)
        np.copyto(out, result)
        return out

    return forward
