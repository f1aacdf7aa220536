"""Tensor: a value, the node that computed it, and whether it is differentiated.

A graph of tensors is plain data: no closures, no ``.grad``, no mathematics. The reverse sweep, the
printer and the recorder read the same record. This file must not know the ops.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from backproplab.arrays import Array
from backproplab.errors import GraphError

if TYPE_CHECKING:
    from backproplab.autograd.primitive import Op


NUMBERS = count()
REAL = "fiub"  # kinds of dtype: floats, whole numbers, booleans


class Node:
    """How a tensor was computed: ``op(*inputs, **settings)``."""

    __slots__ = ("inputs", "number", "op", "settings")

    number: int  # in the order of creation: the numbers of the inputs' nodes are smaller

    def __init__(self, op: Op, inputs: tuple[Tensor, ...], settings: dict[str, Any]) -> None:
        self.op = op
        self.inputs = inputs
        self.settings = settings
        self.number = next(NUMBERS)

    def __repr__(self) -> str:
        words = [f"{x.dtype}{list(x.shape)}" for x in self.inputs]
        words += [f"{key}={value!r}" for key, value in self.settings.items()]
        return f"{self.op.name}({', '.join(words)})"


class Tensor:
    """An array that may be part of a graph.

    value: the NumPy array.
    node: how it was computed; None for a leaf, and for a value that is not tracked.
    tracked: True if the tensor, or one that it was computed from, may be differentiated by.
    """

    __slots__ = ("__weakref__", "node", "tracked", "value")
    __array_ufunc__: Any = None  # NumPy calls it: bound in operators.py
    __hash__ = object.__hash__

    value: Array
    node: Node | None
    tracked: bool

    def __init__(self, value: Any, node: Node | None = None, tracked: bool = False) -> None:
        if type(value) is not ndarray:
            value = value if isinstance(value, ndarray) else np.asarray(value)
        self.value = value
        if value.dtype.kind not in REAL:
            raise GraphError(
                f"a tensor has real numbers, not {value.dtype}: for complex numbers compute "
                "with the real and the imaginary part, two arrays"
            )
        self.node = node
        self.tracked = tracked

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    def constant(self, door: str) -> Array:
        """The array, for what leaves the graph through ``door``. GraphError if it is tracked: its
        gradient would be 0 without a word."""
        if self.tracked:
            raise GraphError(
                f"{door} needs plain numbers, and a tracked tensor would lose its graph there. "
                "Compute with ops (ops.sin(x), not math.sin(x)); make an array of tensors with "
                "np.stack([...]), not by assignment; write ops.stop_gradient(x) for a constant; "
                "to show a number, x.value"
            )
        return self.value

    def item(self) -> Any:
        """The number of a tensor with one entry, as a Python scalar. GraphError if tracked."""
        return self.constant("item()").item()

    def tolist(self) -> Any:
        """The numbers as nested lists. GraphError if tracked."""
        return self.constant("tolist()").tolist()

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Puts the entries in ascending order in place, as an array's method. GraphError if
        tracked: ``np.sort(x)`` is a sorted copy with its graph."""
        if self.tracked:
            raise GraphError(
                "x.sort() sorts in place, and the graph of a tracked tensor keeps its value: "
                "np.sort(x) returns a sorted copy"
            )
        self.value = np.sort(self.value, axis=axis, kind=kind, order=order)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self.value)))

    def __contains__(self, number: Any) -> bool:
        return bool(np.any(self.value == getattr(number, "value", number)))

    def __float__(self) -> float:
        return float(self.constant("float()").item())

    def __int__(self) -> int:
        return int(self.constant("int()").item())

    def __complex__(self) -> complex:
        return complex(self.constant("complex()").item())

    def __index__(self) -> int:
        return index(self.constant("an index").item())

    def __round__(self, digits: int | None = None) -> Any:
        value = self.constant("round()")
        return np.round(value, digits or 0) if value.ndim else round(value.item(), digits)

    def __bool__(self) -> bool:
        return bool(self.value)  # a comparison with 0: its derivative is 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.constant("a NumPy array"), dtype=dtype, copy=copy)

    def __copy__(self) -> Tensor:
        return self  # it is never changed in place

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self if self.tracked else Tensor(self.value.copy())

    def __reduce__(self) -> Any:
        return Tensor, (self.constant("pickle"),)

    def __format__(self, form: str) -> str:
        if not form:
            return repr(self)
        return np.array2string(self.value, formatter={"all": lambda entry: format(entry, form)})

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GraphError(
            "a tensor cannot be changed in place, its graph keeps the value: "
            "use ops.where, or build it with np.stack"
        )

    def __repr__(self) -> str:
        body = np.array2string(self.value, separator=", ", prefix="Tensor(")
        return f"Tensor({body}, dtype={self.dtype}{', tracked' if self.tracked else ''})"

    if TYPE_CHECKING:  # operators.py binds these to the ops

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        @property
        def T(self) -> Tensor: ...
