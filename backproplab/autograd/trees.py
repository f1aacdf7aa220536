"""Nested containers of arrays: dicts, lists and tuples, flattened and rebuilt.

A list or tuple of numbers is an array, as in NumPy; with any other entry, or of parts that differ
in length, it is a container. Dicts keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backproplab.autograd.tensor import Tensor

NUMBERS = (bool, int, float, complex)
ARRAYS = (Tensor, np.ndarray, float)
SEQUENCES = (list, tuple)


def is_container(x: Any) -> bool:
    """Whether x is a container, not an array."""
    if type(x) in ARRAYS:
        return False
    if isinstance(x, dict):
        return True
    return isinstance(x, SEQUENCES) and _lengths(x) is None


def _lengths(x: Any) -> tuple[int, ...] | None:
    """The shape of a number, or of nested lists of numbers; None for anything else."""
    if isinstance(x, NUMBERS):
        return ()
    if not isinstance(x, SEQUENCES):
        return None
    inner: tuple[int, ...] = ()
    for place, entry in enumerate(x):
        lengths = _lengths(entry)
        if lengths is None or (place and lengths != inner):
            return None
        inner = lengths
    return (len(x), *inner)


def leaves(tree: Any) -> list[Any]:
    """The entries of a tree that are not containers, in order."""
    if type(tree) is Tensor or not is_container(tree):
        return [tree]
    entries = tree.values() if isinstance(tree, dict) else tree
    return [leaf for entry in entries for leaf in leaves(entry)]


def aligned(given: Any, tree: Any) -> list[Any]:
    """The leaves of ``given`` in the order of ``tree``; ValueError if their structures differ."""
    if not is_container(tree):
        return [given]
    if isinstance(tree, dict):
        if not isinstance(given, dict) or given.keys() != tree.keys():
            raise ValueError(f"expected a dict with the keys {list(tree)}")
        pairs = [(given[key], entry) for key, entry in tree.items()]
    else:
        if not isinstance(given, list | tuple) or len(given) != len(tree):
            raise ValueError(f"expected {len(tree)} entries")
        pairs = list(zip(given, tree, strict=True))
    return [leaf for one, entry in pairs for leaf in aligned(one, entry)]


def rebuild(tree: Any, new: Iterator[Any]) -> Any:
    """A tree of the same structure with its leaves from ``new``."""
    if type(tree) is Tensor or not is_container(tree):
        return next(new)
    if isinstance(tree, dict):
        return {key: rebuild(entry, new) for key, entry in tree.items()}
    entries = [rebuild(entry, new) for entry in tree]
    return type(tree)(*entries) if hasattr(tree, "_fields") else type(tree)(entries)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with ``function`` applied to each leaf."""
    if type(tree) in ARRAYS:
        return function(tree)
    return rebuild(tree, iter([function(leaf) for leaf in leaves(tree)]))


def tensors(tree: Any) -> list[Tensor]:
    """The leaves of a tree of tensors."""
    return [leaf if isinstance(leaf, Tensor) else Tensor(leaf) for leaf in leaves(tree)]
