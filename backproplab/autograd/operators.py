"""Python's operators, bound onto Tensor: the one place where ``a + b`` becomes ``add(a, b)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backproplab.autograd import ops
from backproplab.autograd.tensor import Tensor


def _reflected(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda self, other: function(other, self)


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
}
COMPARISONS = {
    "gt": ops.greater,
    "ge": ops.greater_equal,
    "lt": ops.less,
    "le": ops.less_equal,
}

for _name, _function in BINARY.items():
    setattr(Tensor, f"__{_name}__", lambda a, b, f=_function: f(a, b))
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
for _name, _function in COMPARISONS.items():
    setattr(Tensor, f"__{_name}__", lambda a, b, f=_function: f(a, b))
for _name, _function in {"neg": ops.negative, "abs": ops.absolute}.items():
    setattr(Tensor, f"__{_name}__", lambda x, f=_function: f(x))

Tensor.__getitem__ = lambda x, index: ops.take(x, index=index)  # type: ignore[method-assign]
Tensor.T = property(lambda x: ops.transpose(x))  # type: ignore[assignment,method-assign]  # noqa: PLW0108
