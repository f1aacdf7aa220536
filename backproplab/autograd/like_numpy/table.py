"""The table of NumPy's functions: the rule of each on tensors, or the reason why it has none.

A rule has the signature of NumPy's function. A function that has the name of an op has a rule by
that; the others are declared in the files of this folder with ``@rule(np.roll)``, or refused with
``refuse``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from backproplab.autograd.like_numpy.signatures import parameters
from backproplab.autograd.primitive import FUNCTIONS, Op
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError, did_you_mean

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

RULES: dict[Function, Function] = {}
REFUSED: dict[Function, str] = {}  # with the reason, and what to write instead
OWN_NAME = {"amax": "max", "amin": "min", "around": "round", "true_divide": "divide",
            "permute_dims": "transpose", "concat": "concatenate", "fabs": "absolute",
            "radians": "deg2rad", "degrees": "rad2deg", "expit": "sigmoid", "psi": "digamma",
            "jn": "jv", "log_expit": "log_sigmoid"}  # fmt: skip


class NoRuleError(GraphError):
    """A function, or one of its arguments, has no rule for tensors."""


def rule(*functions: Function) -> Callable[[F], F]:
    """Declares the rule of these functions; it has NumPy's signature."""

    def declare(own: F) -> F:
        RULES.update(dict.fromkeys(functions, own))
        return own

    return declare


def refuse(reason: str, *functions: Function) -> None:
    """Declares that these functions have no rule."""
    REFUSED.update(dict.fromkeys(functions, reason))


def of_op(*functions: Function) -> None:
    """Declares that the rule of these functions is the op or composition of their name."""
    for function in functions:
        RULES[function] = bound(
            function, FUNCTIONS[OWN_NAME.get(function.__name__, function.__name__)]
        )


def public(function: Function) -> str:
    """The name of a function in messages: ``np.linalg.norm``, and np.erf of SciPy's ufunc."""
    if isinstance(function, np.ufunc):
        return f"np.{function.__name__}"
    return f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"


def rule_of(function: Function) -> Function:
    """The rule of a function. NoRuleError, with the nearest name, if it has none."""
    if (own := RULES.get(function)) is not None:
        return own
    made = getattr(np, function.__name__, None)  # np.ones(3, like=x) calls another function
    if getattr(function, "__module__", "") == "numpy" and made in RULES:
        return RULES[made]
    name = OWN_NAME.get(function.__name__, function.__name__)
    if isinstance(function, np.ufunc) and name in FUNCTIONS and _is_public(function):
        RULES[function] = _of_ufunc(FUNCTIONS[name])
        return RULES[function]
    hint = REFUSED.get(function) or did_you_mean(name, FUNCTIONS) or "write it with backproplab.ops"
    raise NoRuleError(f"{public(function)} has no rule for tensors — {hint}")


def _is_public(ufunc: np.ufunc) -> bool:
    """Whether it is NumPy's or SciPy's of its name, and not one that somebody made."""
    homes = (np, np._core.umath, sys.modules.get("scipy.special"))  # type: ignore[attr-defined]
    return any(getattr(home, ufunc.__name__, None) is ufunc for home in homes)


def bound(function: Function, op: Function) -> Function:
    """The op as a function with NumPy's signature: the settings, which NumPy takes by position
    too, become keywords. The signature is read once, here."""
    names = [p.name for p in parameters(function)]
    count = _array_count(op)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) <= count:
            return op(*args)
        if len(args) > len(names):
            raise TypeError(f"{function.__name__} takes {len(names)} arguments, got {len(args)}")
        settings = dict(zip(names[count:], args[count:], strict=False)) | kwargs
        arrays = [*args[:count], *(settings.pop(name, None) for name in names[len(args) : count])]
        while arrays and arrays[-1] is None:
            arrays.pop()
        return op(*arrays, **used(settings))

    return call


def _array_count(op: Function) -> int:
    """The number of NumPy's first arguments that are arrays: the number that the op takes."""
    if isinstance(op, Op):
        return op.arity or 1
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
    return sum(p.kind in kinds for p in inspect.signature(op).parameters.values())


def _of_ufunc(op: Function) -> Function:
    return lambda *arrays, **settings: op(*arrays, **used(settings)) if settings else op(*arrays)


def used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given and matter; an axis of None means all axes.

    NoRuleError for those that write into an array, or ask for another type or order.
    """
    said = {
        key: value
        for key, value in settings.items()
        if value is not np._NoValue and (value is not None or key == "axis")
    }
    if PASSED_BY.isdisjoint(said):
        return said
    if said.get("where") is True:
        del said["where"]
    for name in ("out", "where", "dtype", "initial"):
        if name in said:
            raise NoRuleError(f"{name}= has no meaning for a tensor: an op makes a new one")
    if said.get("order", "C") not in ("C", "K", "A"):
        raise NoRuleError(f"order={said['order']!r} has no rule for tensors")
    return {key: value for key, value in said.items() if key not in UNUSED}


UNUSED = ("order", "kind", "stable", "copy", "casting", "subok", "like", "device")
PASSED_BY = frozenset((*UNUSED, "out", "where", "dtype", "initial"))


def plain(x: Any) -> Any:
    """x with the array of each tensor in its place, also within containers."""
    if isinstance(x, Tensor):
        return x.value
    if isinstance(x, slice):
        return slice(plain(x.start), plain(x.stop), plain(x.step))
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)(plain(part) for part in x)
    return x


def tracked_in(x: Any) -> bool:
    """Whether a tensor in x, or in its containers, is tracked."""
    if isinstance(x, Tensor):
        return x.tracked
    if isinstance(x, dict):
        return any(map(tracked_in, x.values()))
    return isinstance(x, list | tuple) and any(map(tracked_in, x))


def constant(function: Function) -> Function:
    """NumPy's function of the arrays: a rule where the result is a constant to a gradient."""
    return lambda *args, **kwargs: function(*plain(args), **plain(kwargs))


def without(name: str, **settings: Any) -> None:
    """NoRuleError if one of these settings is given."""
    for key, value in settings.items():
        if value is not None and value is not np._NoValue and value is not False:
            raise NoRuleError(f"np.{name}: {key}= has no rule for tensors")


def sequence(x: Any) -> Sequence[Any]:
    """The arrays of a list argument; the entries, if it is one array."""
    return x if isinstance(x, list | tuple) else list(x)
