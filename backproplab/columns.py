"""Column: a number for each member of a population, which NumPy treats as it treats one number.

A Python number takes the type of the array that it meets, and what is computed with numbers alone
is computed in double precision. A column does the same, so a population's formulas are the
single network's, to the last bit. ``merged`` makes one spec of those of the members.

This file must not know what the numbers are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from backproplab.arrays import Array
from backproplab.spec import Spec


class Column(NDArrayOperatorsMixin):
    """P numbers, to meet arrays (P, …).

    values: float64, of shape (P, 1, …). It is true if any number is not 0, and equal to another
    column only. It cannot be the output of a ufunc, nor be compared where Python wants one answer.
    """

    def __init__(self, values: Sequence[float] | Array) -> None:
        array = np.asarray(values, np.float64)
        self.values = array[:, None] if array.ndim == 1 else array

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, dtype: Any = None, **settings: Any
    ) -> Any:
        if any(isinstance(x, Column) for x in settings.get("out", ())):
            return NotImplemented
        arrays = [x for x in inputs if isinstance(x, np.ndarray | np.generic)]
        if arrays:
            kind = dtype or np.result_type(*arrays, 0.0)
            given = [x.values.astype(kind) if isinstance(x, Column) else x for x in inputs]
            return getattr(ufunc, method)(*given, dtype=dtype, **settings)
        if ufunc is np.power:  # NumPy's may be a bit away from Python's
            return Column([a**b for a, b in zip(*map(self._numbers, inputs), strict=True)])
        result = ufunc(*[x.values if isinstance(x, Column) else x for x in inputs])
        return result if result.dtype == bool else Column(result)

    def _numbers(self, x: Any) -> list[float]:
        return x.values.ravel().tolist() if isinstance(x, Column) else [x] * self.values.size

    def each(self, function: Callable[[float], float]) -> Column:
        """The function of each number."""
        return Column([function(x) for x in self._numbers(self)])

    def __bool__(self) -> bool:
        """True if any number is not 0."""
        return bool(self.values.any())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Column) and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Column({self._numbers(self)})"


def spread(number: Any, axes: int) -> Any:
    """The number, or the column in as many axes as the arrays (P, …) have that it shall meet."""
    if not isinstance(number, Column):
        return number
    return Column(number.values.reshape(-1, *[1] * (axes - 1)))


def each(function: Callable[[float], float], number: Any) -> Any:
    """The function of a number, or of each number of a column."""
    return number.each(function) if isinstance(number, Column) else function(number)


def merged(values: Sequence[Any], besides: tuple[type, ...] = ()) -> Any:
    """What the values have in common, with a column where their numbers differ.

    Only the fields that a spec names in ``by_member`` may differ. besides: specs of these kinds
    may differ too, and the first one's stand. Raises ValueError for anything else.
    """
    first = values[0]
    if all(value == first for value in values) or any(isinstance(v, besides) for v in values):
        return first
    if len({type(value) for value in values}) == 1:
        if isinstance(first, Spec):
            return first.model_copy(update=_fields(values, besides, list(type(first).model_fields)))
        if is_dataclass(first) and not isinstance(first, type):
            names = [field.name for field in fields(first)]
            return replace(first, **_fields(values, besides, names))
        if isinstance(first, tuple) and len({len(value) for value in values}) == 1:
            return tuple(merged(items, besides) for items in zip(*values, strict=True))
    raise ValueError(f"{first!r} and others are not alike")


def _fields(values: Sequence[Any], besides: tuple[type, ...], names: list[str]) -> dict[str, Any]:
    numbers = getattr(type(values[0]), "by_member", ())
    held = {name: [getattr(value, name) for value in values] for name in names}
    return {
        name: Column(own) if name in numbers and len(set(own)) > 1 else merged(own, besides)
        for name, own in held.items()
    }
