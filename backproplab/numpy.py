"""NumPy's namespace for programs of tensors: ``import backproplab.numpy as np``.

NumPy passes its functions on tensors to our ops by itself. What it cannot pass on, arrays made of
tensors, is here; every other name is NumPy's.

>>> import backproplab.numpy as np
>>> from backproplab import grad
>>> grad(lambda x: np.sum(np.array([x, 2 * x])))(3.0)
Tensor(3., dtype=float64)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy

from backproplab.autograd import Tensor, ops
from backproplab.autograd.like_numpy import RULES, array, tracked_in
from backproplab.autograd.like_numpy.moves import Places
from backproplab.autograd.like_numpy.signatures import parameters
from backproplab.autograd.numpy_dispatch import array_function, array_ufunc

__all__ = ["array", "asarray", "c_", "full", "linalg", "r_"]


def asarray(a: Any, dtype: Any = None, **words: Any) -> Any:
    """NumPy's asarray, also of nested lists of tensors."""
    made = array(a, dtype)
    return made if isinstance(made, Tensor) else numpy.asarray(a, dtype, **words)


def full(shape: Any, fill_value: Any, dtype: Any = None, **words: Any) -> Any:
    """NumPy's full, also of a tensor, which keeps its gradient."""
    if not isinstance(fill_value, Tensor):
        return numpy.full(shape, fill_value, dtype, **words)
    filler = fill_value if dtype is None else ops.cast(fill_value, dtype=dtype)
    return ops.broadcast_to(filler, shape=shape)


class _Joined:
    """``r_`` and ``c_``: the entries at the places that NumPy's object gives."""

    def __init__(self, numpys: Any) -> None:
        self.numpys = numpys

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        places = Places()
        numbered = [
            item if isinstance(item, str) else places.of(self._array(item)) for item in items
        ]
        return places.entries(self.numpys[tuple(numbered)])

    def _array(self, item: Any) -> Any:
        return numpy.r_[item] if isinstance(item, slice) else array(item)


r_, c_ = _Joined(numpy.r_), _Joined(numpy.c_)


LISTS = ("arrays", "tup", "arys", "args", "operands", "condlist", "xi", "choices")


def _of_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes lists of tensors as arrays too: NumPy passes on tensors only."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if type(x) in (list, tuple) and tracked_in(x):
                args = tuple(array(x) if type(x) in (list, tuple) else x for x in args)
                break
        if not (args and type(args[0]) is Tensor):
            return function(*args, **kwargs)
        if isinstance(function, numpy.ufunc):  # where NumPy would bring it
            return array_ufunc(args[0], function, "__call__", *args, **kwargs)
        return array_function(args[0], function, (), args, kwargs)

    return called


class _Linalg:
    """``numpy.linalg``, whose functions take lists of tensors as arrays too."""

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = _of(getattr(numpy.linalg, name))
        return found


linalg = _Linalg()


def __getattr__(name: str) -> Any:
    found = globals()[name] = _of(getattr(numpy, name))  # the next look-up finds it there
    return found


def _of(found: Any) -> Any:
    if not callable(found) or found not in RULES:
        return found
    if isinstance(found, numpy.ufunc) or parameters(found)[0].name not in LISTS:
        return _of_lists(found)
    return found
