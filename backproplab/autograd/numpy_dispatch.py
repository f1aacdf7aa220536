"""NumPy's functions on tensors: ``np.sin(tensor)`` is ``ops.sin(tensor)``.

NumPy passes calls on tensors to us (NEP 13 for ufuncs, NEP 18 for functions). We call the op of
the same name, with NumPy's positional settings as keywords; if there is none, the error suggests
the nearest name. This file only translates; operators.py binds it to Tensor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.primitive import FUNCTIONS, Op
from backproplab.errors import GraphError, did_you_mean

SPREAD = {"concatenate", "concat", "stack", "hstack", "vstack"}  # take their arrays in one list
OWN_NAME = {"amax": "max", "amin": "min", "around": "round", "true_divide": "divide",
            "permute_dims": "transpose", "concat": "concatenate", "fabs": "absolute"}  # fmt: skip
ATTRIBUTES: dict[Callable[..., Any], str] = {np.shape: "shape", np.ndim: "ndim", np.size: "size"}


REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
LAST_TWO = {np.linalg.trace, np.linalg.diagonal}  # of the axes; np.trace uses the first two


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
    """``Tensor.__array_ufunc__``: a ufunc call; ``np.add.reduce`` is ``sum`` over axis 0."""
    name = OWN_NAME.get(ufunc.__name__, ufunc.__name__)
    if method == "reduce" and name in REDUCTIONS:
        return _op(REDUCTIONS[name])(*inputs, **_used({"axis": 0} | settings))
    if method != "__call__":
        raise GraphError(f"np.{name}.{method} has no rule for tensors")
    return _op(name)(*inputs, **_used(settings))


def array_function(
    self: Any,
    function: Callable[..., Any],
    types: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """``Tensor.__array_function__``: any other public NumPy function."""
    name = OWN_NAME.get(function.__name__, function.__name__)
    if function in ATTRIBUTES and len(args) == 1 and not kwargs:
        return getattr(args[0], ATTRIBUTES[function])
    if function not in (
        getattr(np, function.__name__, 0),
        getattr(np.linalg, function.__name__, 0),
    ):
        raise GraphError(
            f"{function.__module__}.{name} has no rule for tensors"
        )  # as np.emath.sqrt
    op = _op(name)
    try:
        if name == "einsum":
            return op(*args[1:], subscripts=_checked(args[0], args[1:]), **kwargs)
        arrays, settings = _split(function, op, args, kwargs)
        if function in LAST_TWO:
            settings |= {"axis1": -2, "axis2": -1}
        return op(*arrays, **settings)
    except (TypeError, AttributeError, IndexError) as error:
        raise GraphError(f"np.{name} so called has no rule for tensors: {error}") from error


def _op(name: str) -> Callable[..., Any]:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    hint = did_you_mean(name, FUNCTIONS) or "write it with backproplab.ops"
    raise GraphError(f"np.{name} has no rule for tensors — {hint}")


def _split(
    function: Callable[..., Any], op: Callable[..., Any], args: Sequence[Any], kwargs: Any
) -> tuple[Sequence[Any], dict[str, Any]]:
    """(the arrays, the settings by name), by the signature of NumPy's function."""
    given = inspect.signature(function).bind(*args, **kwargs).arguments
    if function.__name__ in SPREAD:
        (_, arrays), *rest = given.items()
        return [arrays], _used(dict(rest))
    names = list(inspect.signature(function).parameters)[: _array_count(op, len(given))]
    arrays = [given.pop(name, None) for name in names]
    while arrays and arrays[-1] is None:
        arrays.pop()
    return arrays, _used(given)


def _array_count(op: Callable[..., Any], given: int) -> int:
    """The number of NumPy's arguments that are arrays: the number that the op takes."""
    if isinstance(op, Op):
        return given if op.arity is None else op.arity
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
    return sum(p.kind in kinds for p in inspect.signature(op).parameters.values())


def _checked(subscripts: str, arrays: Sequence[Any]) -> str:
    """The subscripts, which in NumPy must name each axis or have an ellipsis; ours need none."""
    terms = subscripts.replace(" ", "").partition("->")[0]
    for term, array in zip(terms.split(","), arrays, strict=False):
        if "..." not in term and len(term) != np.ndim(getattr(array, "value", array)):
            raise GraphError(
                f"einsum {subscripts!r}: {term!r} does not name each axis of its array"
            )
    return subscripts


def _used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given; an axis of None means all axes."""
    said = {
        key: value
        for key, value in settings.items()
        if value is not np._NoValue and (value is not None or key == "axis")
    }
    for name in ("out", "where", "dtype", "initial"):
        if name in said:
            raise GraphError(f"{name}= has no meaning for a tensor: an op makes a new one")
    if said.get("order", "C") not in ("C", "K", "A"):
        raise GraphError(f"order={said['order']!r} has no rule for tensors")
    return {key: value for key, value in said.items() if key not in ("order", "kind", "copy")}
