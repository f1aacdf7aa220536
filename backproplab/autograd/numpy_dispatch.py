"""NumPy's functions on tensors: ``np.sin(tensor)`` is ``ops.sin(tensor)``.

NumPy passes calls on tensors to us (NEP 13 for ufuncs, NEP 18 for functions), and the table of
``like_numpy`` has the rule. Where there is none, an untracked tensor is the array that it holds;
a tracked one raises GraphError. operators.py binds this file to Tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.like_numpy import METHODS, NoRuleError, plain, public, rule_of, tracked_in
from backproplab.errors import GraphError

MISUSE = (NoRuleError, TypeError, ValueError, AttributeError, IndexError)


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
    """``Tensor.__array_ufunc__``: a ufunc's call, or its reduce, accumulate, outer, …"""
    try:
        if method == "__call__":
            return rule_of(ufunc)(*inputs, **settings)
        return METHODS[method](ufunc, *inputs, **settings)
    except MISUSE as error:
        if not tracked_in((inputs, settings)):
            return getattr(ufunc, method)(*plain(inputs), **plain(settings))
        call = public(ufunc) + ("" if method == "__call__" else f".{method}")
        raise _taught(call, error, settings) from error


def array_function(
    self: Any,
    function: Callable[..., Any],
    types: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """``Tensor.__array_function__``: any other public NumPy function."""
    try:
        return rule_of(function)(*args, **kwargs)
    except MISUSE as error:
        if not tracked_in((args, dict(kwargs))):
            return function(*plain(tuple(args)), **plain(dict(kwargs)))
        raise _taught(public(function), error, kwargs) from error


def _taught(call: str, error: Exception, settings: Mapping[str, Any]) -> Exception:
    """The error in our words; a ValueError, such as of shapes that do not fit, is NumPy's."""
    if settings.get("out") is not None:
        return GraphError(
            f"{call} cannot write a tracked tensor into an array, which has no graph: "
            "write w = w + x in place of w += x, and leave out="
        )
    if isinstance(error, NoRuleError) and "has no rule" in str(error):
        return error
    if isinstance(error, ValueError) and not isinstance(error, NoRuleError):
        return error
    return GraphError(f"{call} so called has no rule for tensors: {error}")
