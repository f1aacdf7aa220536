"""Windows that slide over the axes before the channels: where they are, and how many fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.primitive import shape_of
from backproplab.errors import GraphError

Sizes = tuple[int, ...]
Numbers = int | Sequence[int]
Padding = Numbers | str


@dataclass(frozen=True)
class Windows:
    """Windows over the spatial axes of arrays (…, *spatial, channels).

    size, stride, dilation: a number from 1 for each spatial axis; see ``of``.
    """

    size: Sizes
    stride: Sizes
    dilation: Sizes

    @classmethod
    def of(cls, size: Numbers, rank: int, stride: Numbers = 1, dilation: Numbers = 1) -> Windows:
        """Windows over ``rank`` axes; a single number applies to each of them. GraphError if there
        are more or fewer numbers than axes."""
        given = {"window": size, "stride": stride, "dilation": dilation}
        return cls(*[_each_axis(numbers, rank, name, 1) for name, numbers in given.items()])

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def reach(self) -> Sizes:
        """The length of a window along each axis, with the gaps of its dilation."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True))

    @property
    def inner(self) -> Sizes:
        """The axes ``size`` of patches (…, *counts, *size, channels)."""
        return tuple(range(-self.rank - 1, -1))

    @property
    def lines(self) -> list[Windows]:
        """Windows along one axis each; applied in turn they cover what these cover."""
        fields = (self.size, self.stride, self.dilation)
        return [
            Windows(
                *[tuple(n if a == axis else 1 for a, n in enumerate(field)) for field in fields]
            )
            for axis in range(self.rank)
        ]

    @property
    def apart(self) -> bool:
        """Whether no two windows share an entry."""
        return all(s >= r for s, r in zip(self.stride, self.reach, strict=True))

    def spatial(self, x: Any) -> Sizes:
        """The lengths of the spatial axes of x."""
        return shape_of(x)[-self.rank - 1 : -1]

    def counts(self, spatial: Sizes) -> Sizes:
        """The number of windows along each axis, ⌊(n - reach) / stride⌋ + 1. GraphError if none
        fits."""
        if any(r > n for r, n in zip(self.reach, spatial, strict=True)):
            raise GraphError(f"a window of {_by(self.reach)} does not fit into {_by(spatial)}")
        axes = zip(spatial, self.reach, self.stride, strict=True)
        return tuple((n - r) // s + 1 for n, r, s in axes)

    def paddings(self, spatial: Sizes, padding: Padding) -> list[tuple[int, int]]:
        """The padding (before, after) of each axis, in entries.

        "valid" is none; "same" is the least that gives ⌈n / stride⌉ windows, with the larger half
        after (as in TensorFlow and Keras); a number is added on both sides.
        """
        if padding == "same":
            axes = zip(spatial, self.reach, self.stride, strict=True)
            missing = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in axes]
            return [(m // 2, m - m // 2) for m in missing]
        if isinstance(padding, str) and padding != "valid":
            raise GraphError(f"padding must be 'same', 'valid' or numbers, got {padding!r}")
        numbers = 0 if isinstance(padding, str) else padding
        return [(p, p) for p in _each_axis(numbers, self.rank, "padding", 0)]

    def counts_after(self, spatial: Sizes, padding: Padding) -> Sizes:
        """The number of windows along each axis after padding."""
        around = self.paddings(spatial, padding)
        return self.counts(tuple(n + sum(p) for n, p in zip(spatial, around, strict=True)))

    def views(self, x: Array) -> Iterator[tuple[tuple[Any, ...], Array]]:
        """For each position in the window: its index in patches, and a view of the entries that all
        windows have at it, (…, *counts, channels)."""
        counts = self.counts(self.spatial(x))
        for position in np.ndindex(self.size):
            axes = zip(position, self.dilation, self.stride, counts, strict=True)
            spans = [slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, s, n in axes]
            index: tuple[Any, ...] = (..., *spans, slice(None))
            yield (..., *position, slice(None)), x[index]


def _each_axis(numbers: Numbers, rank: int, what: str, least: int) -> Sizes:
    sizes = (numbers,) * rank if isinstance(numbers, int) else tuple(numbers)
    if len(sizes) != rank or min(sizes) < least:
        raise GraphError(f"{what} must be a number from {least}, or {rank} of them, got {numbers}")
    return sizes


def _by(sizes: Sizes) -> str:
    return " × ".join(map(str, sizes))
