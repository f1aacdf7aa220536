"""The signatures of NumPy's functions; NumPy has those of its compiled ones from 2.4 on.

The oldest NumPy is 2.0. Functions that came or went later are named by ``present`` alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]

COMPILED: dict[Function, Function] = {  # a function that has the signature; it is never called
    np.arange: lambda start_or_stop, /, stop=None, step=1, *, dtype=None, device=None, like=None: 0,
    np.array: lambda object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=0,
        like=None: 0,
    np.asanyarray: lambda a, dtype=None, order=None, *, device=None, copy=None, like=None: 0,
    np.asarray: lambda a, dtype=None, order=None, *, device=None, copy=None, like=None: 0,
    np.ascontiguousarray: lambda a, dtype=None, *, like=None: 0,
    np.asfortranarray: lambda a, dtype=None, *, like=None: 0,
    np.bincount: lambda x, /, weights=None, minlength=0: 0,
    np.concatenate: lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": 0,
    np.dot: lambda a, b, out=None: 0,
    np.empty_like: lambda prototype, /, dtype=None, order="K", subok=True, shape=None, *,
        device=None: 0,
    np.inner: lambda a, b, /: 0,
    np.lexsort: lambda keys, axis=-1: 0,
    np.min_scalar_type: lambda a, /: 0,
    np.packbits: lambda a, /, axis=None, bitorder="big": 0,
    np.ravel_multi_index: lambda multi_index, dims, mode="raise", order="C": 0,
    np.result_type: lambda *arrays_and_dtypes: 0,
    np.unpackbits: lambda a, /, axis=None, count=None, bitorder="big": 0,
    np.unravel_index: lambda indices, shape, order="C": 0,
    np.vdot: lambda a, b, /: 0,
    np.where: lambda condition, x=None, y=None, /: 0,
    np.zeros: lambda shape, dtype=None, order="C", *, device=None, like=None: 0,
}  # fmt: skip


def parameters(function: Function) -> list[inspect.Parameter]:
    """The parameters of a function of NumPy's, also of a compiled one."""
    return list(inspect.signature(COMPILED.get(function, function)).parameters.values())


def present(*names: str) -> list[Function]:
    """NumPy's functions of these names, without those that this version does not have."""
    return [getattr(np, name) for name in names if hasattr(np, name)]
