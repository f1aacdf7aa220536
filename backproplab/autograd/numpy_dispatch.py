"""NumPy's functions on tensors: ``np.sin(tensor)`` is ``ops.sin(tensor)``.

NumPy asks a tensor what to do (NEP 13 for ufuncs, NEP 18 for functions). The op of the same name
is called, with NumPy's positional settings turned into keywords; without one the error names the
nearest. This file only translates; it is bound onto Tensor in operators.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.primitive import FUNCTIONS, Op
from backproplab.errors import GraphError, did_you_mean

SPREAD = {"concatenate", "stack", "hstack", "vstack"}  # they take their arrays in one list
OWN_NAME = {"amax": "max", "amin": "min", "around": "round", "true_divide": "divide",
            "permute_dims": "transpose", "concat": "concatenate", "fabs": "absolute",
            "array_split": "split"}  # fmt: skip
ATTRIBUTES: dict[Callable[..., Any], str] = {np.shape: "shape", np.ndim: "ndim", np.size: "size"}


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
    """``Tensor.__array_ufunc__``: a ufunc call; ``np.add.reduce`` is ``sum``."""
    name = OWN_NAME.get(ufunc.__name__, ufunc.__name__)
    reductions = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
    if method == "reduce" and name in reductions:
        return _op(reductions[name])(*inputs, **_used(settings))
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
    if function in ATTRIBUTES:
        return getattr(args[0], ATTRIBUTES[function])
    name = OWN_NAME.get(function.__name__, function.__name__)
    if name == "einsum":
        return _op(name)(*args[1:], subscripts=args[0])
    op = _op(name)
    if name in SPREAD:
        return op(*args[0], **_settings(function, args, kwargs, 1))
    arrays = _array_count(op, len(args))
    return op(*args[:arrays], **_settings(function, args, kwargs, arrays))


def _op(name: str) -> Callable[..., Any]:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    hint = did_you_mean(name, FUNCTIONS) or "write it with backproplab.ops"
    raise GraphError(f"np.{name} has no rule for tensors — {hint}")


def _array_count(op: Callable[..., Any], given: int) -> int:
    """How many of NumPy's positional arguments are arrays: as many as the op takes."""
    if isinstance(op, Op):
        return given if callable(op.vjp) else len(op.vjp)
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
    return sum(p.kind in kinds for p in inspect.signature(op).parameters.values())


def _settings(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], arrays: int
) -> dict[str, Any]:
    """NumPy's further arguments by name, without those that say nothing."""
    names = list(inspect.signature(function).parameters)
    positional = dict(zip(names[arrays : len(args)], args[arrays:], strict=True))
    return _used(positional | dict(kwargs))


def _used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from None and from NumPy's ``no value``."""
    said = {k: v for k, v in settings.items() if v is not None and v is not np._NoValue}
    for name in ("out", "where", "dtype", "initial"):
        if name in said:
            raise GraphError(f"{name}= has no meaning for a tensor: an op makes a new one")
    return {key: value for key, value in said.items() if key not in ("order", "kind", "copy")}
