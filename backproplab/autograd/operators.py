"""Python's operators and NumPy's protocols, bound to Tensor in one place.

``a + b`` becomes ``add(a, b)``, ``np.sin(a)`` becomes ``sin(a)``. In-place operators are not bound:
``a += b`` makes a new tensor, and ``a[0] = 1`` raises, because a graph keeps its values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.numpy_dispatch import array_function, array_ufunc
from backproplab.autograd.primitive import Op, applied
from backproplab.autograd.tensor import Tensor


def _of_two(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, Op) and function.settings is None:
        return lambda a, b: applied(function, (a, b), {})  # as its call, which looks at more
    return lambda a, b: function(a, b)  # noqa: PLW0108  # a method, which an op is not


def _of_one(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, Op) and function.settings is None:
        return lambda x: applied(function, (x,), {})
    return lambda x: function(x)  # noqa: PLW0108


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, Op) and function.settings is None:
        return lambda a, b: applied(function, (b, a), {})
    return lambda a, b: function(b, a)


def _power(base: Tensor, exponent: Any) -> Tensor:
    if type(exponent) in (int, float) and exponent == 2:
        return ops.square(base)
    return ops.power(base, exponent)


BINARY: dict[str, Callable[..., Any]] = {
    "add": ops.add,
    "sub": ops.subtract,
    "mul": ops.multiply,
    "truediv": ops.divide,
    "pow": _power,
    "matmul": ops.matmul,
    "mod": ops.remainder,
    "floordiv": ops.floor_divide,
    "divmod": np.divmod,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}
UNARY: dict[str, Callable[..., Any]] = {
    "neg": ops.negative,
    "pos": ops.positive,
    "abs": ops.absolute,
    "invert": np.invert,
}
COMPARISONS: dict[str, Callable[..., Any]] = {
    "gt": ops.greater,
    "ge": ops.greater_equal,
    "lt": ops.less,
    "le": ops.less_equal,
    "eq": ops.equal,
    "ne": ops.not_equal,
}

for _name, _function in BINARY.items():
    setattr(Tensor, f"__{_name}__", _of_two(_function))
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
for _name, _function in COMPARISONS.items():
    setattr(Tensor, f"__{_name}__", _of_two(_function))
for _name, _function in UNARY.items():
    setattr(Tensor, f"__{_name}__", _of_one(_function))

Tensor.__getitem__ = lambda x, index: ops.take(x, index=index)  # type: ignore[method-assign]
Tensor.T = property(lambda x: ops.transpose(x))  # type: ignore[assignment,method-assign]  # noqa: PLW0108
# Methods of an array that do what NumPy's function of that name does.
METHODS = (
    "sum", "mean", "prod", "max", "min", "var", "std", "argmax", "argmin", "argsort",
    "cumsum", "cumprod", "ravel", "squeeze", "swapaxes", "repeat", "take", "compress", "choose",
    "dot", "trace", "diagonal", "clip", "round", "all", "any", "nonzero", "searchsorted",
    "argpartition", "copy", "astype",
)  # fmt: skip


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda x, *words, **settings: array_function(x, function, (), (x, *words), settings)


for _name in METHODS:
    setattr(Tensor, _name, _method(_name))

Tensor.transpose = lambda x, *axes: ops.transpose(  # type: ignore[attr-defined]
    x, axes=None if not axes else axes[0] if isinstance(axes[0], list | tuple) else axes
)
Tensor.flatten = lambda x: ops.ravel(x)  # type: ignore[attr-defined]  # noqa: PLW0108
Tensor.reshape = lambda x, *n: ops.reshape(x, shape=n[0] if len(n) == 1 else n)  # type: ignore[attr-defined]
Tensor.mT = property(lambda x: np.matrix_transpose(x))  # type: ignore[attr-defined]  # noqa: PLW0108
Tensor.conj = Tensor.conjugate = lambda x: ops.positive(x)  # type: ignore[attr-defined]  # noqa: PLW0108
Tensor.ptp = _method("ptp")  # type: ignore[attr-defined]
Tensor.__array_ufunc__ = array_ufunc
Tensor.__array_function__ = array_function  # type: ignore[attr-defined]
