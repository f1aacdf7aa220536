"""einsum: any sum of products, by names of axes."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.ops.shapes import broadcast_to, expand_dims
from backproplab.autograd.primitive import Op, Rule, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _settings(*arrays: Any, subscripts: str) -> dict[str, Any]:
    """Subscripts without an ellipsis of the user's: it gets letters, one for each axis that it
    stands for. Each operand and the result may have leading axes besides, ``...ij,...jk->...ik``.
    """
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise GraphError(f"einsum {subscripts!r} names {len(terms)} arrays, got {len(arrays)}")
    counts = [_hidden(term, array) for term, array in zip(terms, arrays, strict=True)]
    letters = "".join(terms).replace("...", "")
    if not arrow:
        single = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        result = "..." + "".join(single)
    free = [letter for letter in ascii_letters if letter not in letters + result]
    hidden = "".join(free[: max(counts)])
    if hidden and arrow and "..." not in result:
        raise GraphError(f"einsum {subscripts!r}: the result has no place for the axes of '...'")
    named = [
        term.replace("...", hidden[len(hidden) - count :])
        for term, count in zip(terms, counts, strict=True)
    ]
    result = result.replace("...", hidden)
    if "." in result or len(set(result)) < len(result):
        raise GraphError(f"einsum {subscripts!r}: the result names an axis twice")
    return {"subscripts": f"{','.join('...' + term for term in named)}->...{result}"}


def _hidden(term: str, array: Any) -> int:
    """The number of axes that the ellipsis of a term stands for; 0 if it has none."""
    letters, shape = term.replace("...", "", 1), shape_of(array)
    if len(set(letters)) < len(letters) or "." in letters:
        raise GraphError(f"einsum {term!r}: an axis twice in one array; use diagonal or trace")
    if len(letters) > len(shape):
        raise GraphError(f"einsum {term!r}: the array has shape {shape}")
    return len(shape) - len(letters) if "..." in term else 0


def _einsum(*arrays: Array, subscripts: str, out: Array | None = None) -> Array:
    kept = out if out is not None and out.ndim else None  # NumPy 2.4.0 fails where it has no axes
    result = np.einsum(subscripts, *arrays, out=kept, optimize=len(arrays) > 1)
    if kept is out:
        return np.asarray(result)
    np.copyto(out, result)  # type: ignore[arg-type]
    return out  # type: ignore[return-value]


def _rule(position: int) -> Rule:
    """The vjp rule: cotangent and other operands, summed to the axes of this operand.

    An axis that only this operand has was summed, so the cotangent is constant along it.
    """

    def rule(g: Tensor, y: Tensor, *xs: Tensor, subscripts: str) -> Tensor:
        left, _, result = subscripts.replace("...", "").partition("->")
        terms = left.split(",")
        own, others = terms[position], terms[:position] + terms[position + 1 :]
        known = set(result).union(*others)
        kept = "".join(letter for letter in own if letter in known)
        factors = [x for i, x in enumerate(xs) if i != position]
        part = einsum(g, *factors, subscripts=f"{','.join([result, *others])}->{kept}")
        lost = tuple(i - len(own) for i, letter in enumerate(own) if letter not in known)
        return _spread(part, lost, xs[position].shape) if lost else part

    return rule


def _spread(part: Tensor, axes: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    part = expand_dims(part, axis=axes)
    wanted = [shape[a] if a in axes else n for a, n in enumerate(part.shape, -part.ndim)]
    return broadcast_to(part, shape=wanted)


einsum: Op = primitive(
    "einsum",
    _einsum,
    vjp=_rule,
    samples=[
        reals((3, 4), (4, 2), subscripts="ij,jk->ik"),
        reals((3, 4), subscripts="ij->j"),
        reals((2, 3), (3,), (2,), subscripts="ij,j,i"),
        reals((2, 3, 4), (2, 4, 3), subscripts="...ij,...ji->..."),
        reals((3, 2, 5), (3, 4), subscripts="i...,ij->...j"),
    ],
    settings=_settings,
    doc="The sum of products given by ``subscripts``, such as 'ij,jk->ik'.",
)
