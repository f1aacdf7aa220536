"""Packing: parts as the records that the player reads."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.records import OPERANDS, Record


def packed(parts: Sequence[Part], callback: Any) -> tuple[Any, Array]:
    """Records of these parts, and the memory of their lengths and strides."""
    records = (Record * len(parts))()
    numbers = [_numbers(part) for part in parts]
    pool = np.array([n for lists in numbers for own in lists for n in own] or [0], np.intp)
    at = pool.ctypes.data
    for record, part, lists in zip(records, parts, numbers, strict=True):
        record.loop = part.loop.address or ctypes.cast(callback, ctypes.c_void_p).value
        record.context, record.aux = part.loop.context, part.loop.aux
        record.data[: len(part.views)] = [address_of(x) for x in part.views]
        record.axes = len(lists[2])
        for name, own in zip(("lengths", "strides", "shape", "outer"), lists, strict=True):
            setattr(record, name, at)
            at += len(own) * pool.itemsize
    return records, pool


def _numbers(part: Part) -> tuple[Sequence[int], ...]:
    """Lengths and strides of the loop; shape and steps of the axes around it."""
    if not part.views:
        return (), (), (), ()
    shape = part.views[0].shape
    strides = [x.strides for x in part.views]
    if part.lengths:
        lengths, inner = part.lengths, part.strides
    else:
        lengths, inner = shape[-1:] or (1,), tuple(s[-1] if s else 0 for s in strides)
        shape = shape[:-1]
    padded = [*strides, *[(0,) * len(shape)] * (OPERANDS - len(strides))]
    outer = [own[axis] for axis in range(len(shape)) for own in padded]
    return lengths, inner, shape, outer
