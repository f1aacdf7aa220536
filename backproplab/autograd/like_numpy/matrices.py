"""NumPy's products and np.linalg, with all of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np
import numpy.linalg as la

from backproplab.arrays import Array
from backproplab.autograd import ops
from backproplab.autograd.like_numpy.table import (
    RULES,
    NoRuleError,
    bound,
    of_op,
    plain,
    rule,
    sequence,
    without,
)
from backproplab.autograd.ops.factorizations import triangle
from backproplab.autograd.primitive import lift, shape_of
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError

NAMED: dict[str, Any] = {
    f.__name__: type(f(np.eye(1))) for f in (la.eigh, la.svd, la.qr, la.slogdet, la.eig)
}  # the named tuples of their results
of_op(la.det, np.inner, np.kron, np.vdot, np.trace, la.inv)
RULES |= {
    np.dot: bound(np.dot, ops.dot),
    np.outer: bound(np.outer, ops.outer),
    la.matmul: lambda x1, x2, /: ops.matmul(x1, x2),
}


@rule(la.matrix_power)
def _matrix_power(a: Any, n: int) -> Tensor:
    return ops.matrix_power(a, n=n)


@rule(la.outer)
def _outer(x1: Any, x2: Any, /) -> Tensor:
    if len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return ops.outer(x1, x2)


@rule(la.trace)
def _trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    without("linalg.trace", dtype=dtype)
    return ops.trace(x, offset=offset, axis1=-2, axis2=-1)


@rule(la.diagonal)
def _diagonal(x: Any, /, *, offset: int = 0) -> Tensor:
    return ops.diagonal(x, offset=offset, axis1=-2, axis2=-1)


@rule(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    axes = plain(axes)
    return ops.tensordot(a, b, axes=axes if isinstance(axes, int) else tuple(axes))


@rule(la.tensordot)
def _la_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Tensor:
    return _tensordot(x1, x2, axes)


@rule(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Tensor:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (ops.moveaxis(x, source=at, destination=-1) for x, at in ((a, axisa), (b, axisb)))
    if a.shape[-1] == b.shape[-1] == 3:
        y = ops.cross(a, b)
        return ops.moveaxis(y, source=-1, destination=axisc) if axisc != -1 else y
    if {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise NoRuleError("np.cross has a rule for vectors of length 3; NumPy deprecates 2")
    raise ValueError("both vectors must have dimension 3")


@rule(la.cross)
def _la_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    if shape_of(x1)[axis] != 3 or shape_of(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return _cross(x1, x2, axis=axis)


@rule(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, **words: Any) -> Tensor:
    without("einsum", out=out, dtype=words.get("dtype"))
    if not isinstance(operands[0], str):
        operands = tuple(_named(operands))
    subscripts, arrays = operands[0], list(operands[1:])
    for term, array in zip(
        subscripts.replace(" ", "").partition("->")[0].split(","), arrays, strict=False
    ):
        if "..." not in term and len(term) != len(shape_of(array)):
            raise GraphError(
                f"einsum {subscripts!r}: {term!r} does not name each axis of its array"
            )
    subscripts, arrays = _of_diagonals(subscripts.replace(" ", ""), arrays)
    return ops.einsum(*arrays, subscripts=subscripts)


def _named(operands: Any) -> list[Any]:
    """``einsum(a, [0, 1], b, [1, 2], [0, 2])`` as ``einsum("ab,bc->ac", a, b)``."""
    arrays, axes = list(operands[0 : len(operands) // 2 * 2 : 2]), list(operands[1::2])
    letter = {number: chr(97 + number) if number < 26 else chr(39 + number)
              for term in (*axes, operands[-1] if len(operands) % 2 else []) for number in term
              if number is not Ellipsis}  # fmt: skip

    def spelled(term: Any) -> str:
        return "".join("..." if i is Ellipsis else letter[i] for i in term)

    left = ",".join(map(spelled, axes))
    return [left + ("->" + spelled(operands[-1]) if len(operands) % 2 else ""), *arrays]


def _of_diagonals(subscripts: str, arrays: list[Any]) -> tuple[str, list[Any]]:
    """The terms that name an axis twice, of the diagonals along it."""
    left, arrow, result = subscripts.partition("->")
    letters = left.replace("...", "").replace(",", "")
    if not arrow:
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        result = ("..." if "..." in left else "") + once
    pairs = [_diagonals(*pair) for pair in zip(left.split(","), arrays, strict=False)]
    if len(arrays) != len(left.split(",")):
        raise GraphError(
            f"einsum {subscripts!r} names {len(left.split(','))} arrays, got {len(arrays)}"
        )
    return ",".join(term for term, _ in pairs) + "->" + result, [array for _, array in pairs]


def _diagonals(term: str, array: Any) -> tuple[str, Any]:
    while "..." not in term and (twice := next((c for c in term if term.count(c) > 1), "")):
        i, j = term.index(twice), term.rindex(twice)
        if shape_of(array)[i] != shape_of(array)[j]:
            raise ValueError(f"einsum: the axes {twice!r} differ in length")
        array = ops.diagonal(array, axis1=i, axis2=j)
        term = term[:i] + term[i + 1 : j] + term[j + 1 :] + twice
    return term, array


@rule(la.solve)
def _solve(a: Any, b: Any) -> Tensor:
    return ops.solve(a, b)


@rule(la.cholesky)
def _cholesky(a: Any, /, *, upper: bool = False) -> Tensor:
    (x,) = lift(a)
    x = x if x.dtype.kind == "f" else ops.cast(x, dtype=np.float64)
    if x.ndim > 1 and not _is_symmetric(x.value):
        x = triangle(x, "U" if upper else "L")  # else the gradient is symmetric, too
    y = ops.cholesky(x)
    return ops.swapaxes(y, axis1=-1, axis2=-2) if upper else y


def _is_symmetric(x: Array) -> bool:
    """Whether max|x − xᵀ| ≤ √ε max|x|: products with a transpose and inverses come no closer where
    BLAS and LAPACK round otherwise above the diagonal than below it."""
    if x.shape[-1] != x.shape[-2]:
        return False
    largest = np.max(np.abs(x), (-2, -1), keepdims=True, initial=0, where=np.isfinite(x))
    error = np.sqrt(np.finfo(x.dtype).eps) * largest
    return bool(np.isclose(x, x.swapaxes(-1, -2), rtol=0, atol=error, equal_nan=True).all())


@rule(la.slogdet)
def _slogdet(a: Any) -> Any:
    return NAMED["slogdet"](*ops.slogdet(a))


@rule(la.eigh)
def _eigh(a: Any, UPLO: str = "L") -> Any:
    return NAMED["eigh"](*ops.eigh(a, uplo=UPLO))


@rule(la.eigvalsh)
def _eigvalsh(a: Any, UPLO: str = "L") -> Tensor:
    return ops.eigh(a, uplo=UPLO)[0]


@rule(la.eig)
def _eig(a: Any) -> Any:
    return NAMED["eig"](*ops.eig(a))


@rule(la.eigvals)
def _eigvals(a: Any) -> Tensor:
    return ops.eig(a)[0]


@rule(la.svd)
def _svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    (x,) = lift(a)
    if x.ndim < 2 or not x.size:
        raise NoRuleError("np.linalg.svd has a rule for matrices with entries")
    if hermitian:
        raise NoRuleError("np.linalg.svd: hermitian= has no rule: use eigh")
    if not compute_uv:
        return ops.svd(x)[1]
    if full_matrices and x.shape[-1] != x.shape[-2]:
        raise NoRuleError(
            "np.linalg.svd: the additional vectors of full_matrices=True are not unique and have "
            "no derivative: write full_matrices=False"
        )
    return NAMED["svd"](*ops.svd(x))


@rule(la.svdvals)
def _svdvals(x: Any, /) -> Tensor:
    return _svd(x, compute_uv=False)


@rule(la.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    (x,) = lift(a)
    tall = x.shape[-2] > x.shape[-1]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and tall) or not x.size:
        raise NoRuleError(f"np.linalg.qr: mode {mode!r} has no rule for the shape {x.shape}")
    q, r = ops.qr(x)
    return r if mode == "r" else NAMED["qr"](q, r)


@rule(la.pinv)
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Tensor:
    (x,) = lift(a)
    if rtol is not np._NoValue and rcond is not None:
        raise ValueError("rtol and rcond are two names of one argument")
    if rtol is np._NoValue:
        cut = 1e-15 if rcond is None else rcond
    else:
        cut = max(x.shape[-2:]) * np.finfo(x.dtype).eps if rtol is None else rtol
    return ops.pinv(x, rcond=plain(cut), hermitian=hermitian)


@rule(la.lstsq)
def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    (a,), (b,) = lift(a), lift(b)
    _, residuals, rank, _ = la.lstsq(a.value, b.value, rcond)
    cut = max(a.shape) * np.finfo(a.dtype).eps if rcond is None else rcond
    x = ops.matmul(ops.pinv(a, rcond=cut), b)
    squares = ops.sum(ops.square(b - ops.matmul(a, x)), axis=0)
    left = ops.reshape(squares, shape=residuals.shape) if residuals.size else Tensor(residuals)
    return x, left, rank, ops.svd(a)[1]


@rule(la.multi_dot)
def _multi_dot(arrays: Any, *, out: Any = None) -> Tensor:
    without("linalg.multi_dot", out=out)
    if len(sequence(arrays)) < 2:
        raise ValueError("Expecting at least two arrays.")
    shapes = [shape_of(x) for x in sequence(arrays)]
    if any(len(shape) > 2 for shape in shapes) or any(len(s) != 2 for s in shapes[1:-1]):
        raise la.LinAlgError("multi_dot takes matrices, and vectors at the ends")
    first, last = shapes[0], shapes[-1]
    lengths = [
        first[0] if len(first) == 2 else 1,
        *[shape[0] for shape in shapes[1:]],
        last[1] if len(last) == 2 else 1,
    ]
    return _in_best_order(sequence(arrays), lengths)


def _in_best_order(arrays: Sequence[Any], lengths: Sequence[int]) -> Tensor:
    """The product of matrices with the fewest multiplications; among equals, NumPy's order.

    lengths: the axis before the first matrix, between each two, and after the last.
    """

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """(multiplications, last factor of the left part) of the product of the factors i to j."""
        if i == j:
            return 0, i
        return min(
            (best(i, k)[0] + best(k + 1, j)[0] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
            for k in range(i, j)
        )

    def product(i: int, j: int) -> Any:
        if i == j:
            return arrays[i]
        k = best(i, j)[1]
        return ops.dot(product(i, k), product(k + 1, j))

    whole: Tensor = product(0, len(arrays) - 1)
    return whole


@rule(la.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Tensor:
    shape = shape_of(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    inverse = ops.inv(ops.reshape(a, shape=(prod(shape[:ind]), prod(shape[ind:]))))
    return ops.reshape(inverse, shape=shape[ind:] + shape[:ind])


@rule(la.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Tensor:
    (a,), (b,) = lift(a), lift(b)
    if not a.size or not b.size or a.ndim <= b.ndim:
        raise NoRuleError(
            "np.linalg.tensorsolve has a rule for entries, and more axes of a than of b"
        )
    if axes is not None:
        places = [i for i in range(a.ndim) if i not in axes]
        a = ops.transpose(a, axes=(*places, *axes))
    rest = a.shape[b.ndim :]
    x = ops.solve(ops.reshape(a, shape=(b.size, prod(rest))), ops.ravel(b))
    return ops.reshape(x, shape=rest)
