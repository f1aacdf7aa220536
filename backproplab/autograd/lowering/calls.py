"""The default lowering, and forward functions made from rules and from plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.primitive import Op

Call = Callable[[], Any]
BY_NAME = (np.maximum, np.minimum)  # NumPy deprecates their out by position


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
