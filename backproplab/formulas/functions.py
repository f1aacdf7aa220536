"""The functions that an expression may call, by their op's name.

Of elementwise functions there is no list. Each function of the registry is tried on a few numbers:
it may be called if it takes one or two arrays, treats each entry by itself, and keeps the graph. So
a new op can be called as soon as it is declared. Functions of whole vectors are listed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.autograd.primitive import FUNCTIONS, Op

SPELLINGS = {"abs": "absolute", "ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
TRIAL = np.array([[-7.5, -2.5, -0.6, 0.3], [0.9, 1.7, 3.2, 7.5]])


def cross_entropy(z: Tensor, target: Tensor) -> Tensor:
    """-ln softmax(z)[target], for the number of a class or a vector of probabilities."""
    if target.ndim:
        return ops.negative(ops.sum(ops.multiply(target, ops.log_softmax(z))))
    return ops.negative(ops.log_softmax(z)[int(target.value)])


VECTORS: dict[str, tuple[int, Callable[..., Tensor]]] = {
    **{name: (1, FUNCTIONS[name]) for name in ("sum", "mean", "max", "min")},
    **{name: (1, FUNCTIONS[name]) for name in ("softmax", "log_softmax", "logsumexp")},
    "cross_entropy": (2, cross_entropy),
}


def find(name: str) -> Callable[..., Tensor] | None:
    """The function that an expression calls by ``name``; None if there is none."""
    if name in VECTORS:
        return VECTORS[name][1]
    function = FUNCTIONS.get(SPELLINGS.get(name, name))
    return function if function and arity(function) else None


def arguments(name: str) -> int:
    """The number of arguments of a function that ``find`` finds."""
    function = find(name)
    return VECTORS[name][0] if name in VECTORS else arity(function) if function else 0


def known() -> list[str]:
    """Every name that can be called."""
    return sorted(name for name in {*FUNCTIONS, *SPELLINGS, *VECTORS} if find(name))


@cache
def arity(function: Callable[..., Any]) -> int:
    """The number of its arguments, 1 or 2; 0 if an expression may not call the function."""
    count = _arrays_taken(function)
    return count if count in (1, 2) and _elementwise(function, count) else 0


def _arrays_taken(function: Callable[..., Any]) -> int:
    if isinstance(function, Op):
        return 0 if callable(function.vjp) or not function.vjp[0] else len(function.vjp)
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 0
    return sum(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters)


def _elementwise(function: Callable[..., Any], count: int) -> bool:
    """True if the result is tracked, differs from x, and equals the results entry by entry."""
    arrays = [TRIAL, TRIAL[::-1, ::-1] + 0.2][:count]
    try:
        with np.errstate(all="ignore"):
            whole = function(*[Tensor(x, None, True) for x in arrays])
            entries = [
                function(*[Tensor(x[index], None, True) for x in arrays])
                for index in np.ndindex(TRIAL.shape)
            ]
    except Exception:  # it needs settings, matrices or whole numbers
        return False
    if not all(isinstance(y, Tensor) and y.tracked for y in (whole, *entries)):
        return False
    if whole.shape != TRIAL.shape or any(y.shape for y in entries):
        return False
    alone = np.reshape([y.value for y in entries], TRIAL.shape)
    same = np.allclose(whole.value, alone, rtol=1e-12, atol=0, equal_nan=True)
    return same and not np.array_equal(whole.value, TRIAL)
