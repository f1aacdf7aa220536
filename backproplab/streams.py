"""One root seed, many independent random streams, each known by its name.

Changing how many numbers one stream draws (another initializer, say) leaves every other stream's
numbers alone. The names: ``data split init shuffle dropout search learner``.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

NAMES = ("data", "split", "init", "shuffle", "dropout", "search", "learner")


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of stream ``name`` under the root ``seed``: PCG64 on a spawned SeedSequence.

    >>> stream(42, "init").integers(100) == stream(42, "init").integers(100)
    np.True_
    """
    if name not in NAMES:
        raise ValueError(f"no stream {name!r}; one of {', '.join(NAMES)}")
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))
    return np.random.Generator(np.random.PCG64(sequence))


class Streams:
    """A generator for each member of a population, used where one network uses one.

    Each member draws what it would draw alone.
    """

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self.generators = list(generators)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Uniform numbers from [0, 1), of shape (P, …)."""
        drawn = np.empty(size, dtype) if out is None else out
        for generator, part in zip(self.generators, drawn, strict=True):
            generator.random(dtype=dtype, out=part)
        return drawn

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Standard normal numbers of shape (P, …)."""
        drawn = np.empty(size, dtype) if out is None else out
        for generator, part in zip(self.generators, drawn, strict=True):
            generator.standard_normal(dtype=dtype, out=part)
        return drawn


class Shared:
    """One generator for copies of one network: each of them gets the same numbers."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Uniform numbers from [0, 1), of shape (P, …), equal for all P."""
        drawn = np.empty(size, dtype) if out is None else out
        self.chance.random(dtype=dtype, out=drawn[0])
        drawn[1:] = drawn[0]
        return drawn


class Rows:
    """One generator for some rows of a batch: it draws for all of them.

    So what a row gets does not depend on who computes it.
    """

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.batch = 0
        self.own = slice(0)

    def of(self, batch: int, own: slice) -> None:
        """From now on, the rows ``own`` of a batch."""
        self.batch, self.own = batch, own

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Uniform numbers from [0, 1), of shape (own rows, …)."""
        shape = size if out is None else out.shape
        drawn = self.chance.random((self.batch, *shape[1:]), dtype)[self.own]
        if out is None:
            return drawn
        np.copyto(out, drawn)
        return out


Chance = np.random.Generator | Streams | Shared | Rows  # of one network, or of a population


def state_of(chance: Chance) -> Any:
    """Where a generator stands, or each generator of a population."""
    if isinstance(chance, Streams):
        return [generator.bit_generator.state for generator in chance.generators]
    if isinstance(chance, Shared | Rows):
        return state_of(chance.chance)
    return chance.bit_generator.state


def restore_state(chance: Chance, state: Any) -> None:
    """Put a generator, or those of a population, back to what ``state_of`` gave."""
    if isinstance(chance, Shared | Rows):
        restore_state(chance.chance, state)
        return
    if not isinstance(chance, Streams):
        chance.bit_generator.state = state
        return
    for generator, own in zip(chance.generators, state, strict=True):
        generator.bit_generator.state = own
