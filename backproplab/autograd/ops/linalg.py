"""Products, solutions and decompositions of matrices; leading axes are batches."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backproplab.autograd.lowering import into, sums
from backproplab.autograd.ops.elementwise import multiply
from backproplab.autograd.ops.indexing import scatter, take
from backproplab.autograd.ops.reductions import sum
from backproplab.autograd.ops.shapes import (
    axes_from_right,
    expand_dims,
    moveaxis,
    numbers,
    reshape,
    swapaxes,
    transpose,
)
from backproplab.autograd.ops.statistics import any
from backproplab.autograd.primitive import Op, apply, composition, lift, primitive, shape_of
from backproplab.autograd.samples import Sample, reals, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def flipped(x: Any) -> Tensor:
    """The transposed matrices."""
    return apply(swapaxes, x, axis1=-1, axis2=-2)


def well_conditioned(*more: tuple[int, ...], symmetric: bool = False) -> Sample:
    """A sample: a matrix far from singular (positive definite if symmetric), and more arrays."""

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        a = rng.standard_normal((2, 3, 3))
        matrix = a @ a.swapaxes(-1, -2) + 2 * np.eye(3) if symmetric else a + 4 * np.eye(3)
        return (matrix, *[rng.standard_normal(shape) for shape in more])

    return sample(draw)


matrix_product = primitive(
    "matrix_product",
    lambda a, b, out=None: sums.product_of(a, b)(a, b, out=out),
    lowering=sums.matrix_product,
    vjp=[lambda g, y, a, b: g @ flipped(b), lambda g, y, a, b: flipped(a) @ g],
    samples=[
        reals((3, 4), (4, 2)),
        reals((2, 3, 4), (2, 4, 2)),
        reals((2, 3, 4), (4, 2)),
        reals((5, 1, 3, 4), (2, 4, 2)),
    ],
    doc="a b for matrices (…, n, k) and (…, k, m); leading axes broadcast.",
)
matrix_vector: Op = primitive(
    "matrix_vector",
    into(lambda a, b: np.matmul(a, b[..., None])[..., 0]),
    vjp=[
        lambda g, y, a, b: expand_dims(g, axis=-1) * expand_dims(b, axis=-2),
        lambda g, y, a, b: matrix_vector(flipped(a), g),
    ],
    samples=[reals((3, 4), (4,)), reals((2, 3, 4), (2, 4))],
    doc="a b for matrices (…, n, k) and vectors (…, k); leading axes broadcast.",
)
inv: Op = primitive(
    "inv",
    into(np.linalg.inv),
    vjp=[lambda g, y, x: -(flipped(y) @ g @ flipped(y))],
    samples=well_conditioned(),
    doc="The inverse matrices.",
)
solve_matrix: Op = primitive(
    "solve_matrix",
    into(np.linalg.solve),
    vjp=[
        lambda g, y, a, b: -(solve_matrix(flipped(a), g) @ flipped(y)),
        lambda g, y, a, b: solve_matrix(flipped(a), g),
    ],
    samples=well_conditioned((2, 3, 4)),
    doc="The matrix x with a x = b.",
)
det: Op = primitive(
    "det",
    into(np.linalg.det),
    vjp=[lambda g, y, x: expand_dims(g * y, axis=(-1, -2)) * flipped(inv(x))],
    samples=well_conditioned(),
    doc="The determinant.",
)
log_abs_det = primitive(
    "log_abs_det",
    into(lambda x: np.linalg.slogdet(x)[1]),
    vjp=[lambda g, y, x: expand_dims(g, axis=(-1, -2)) * flipped(inv(x))],
    samples=well_conditioned(),
    doc="ln |det x|, without overflow.",
)
sign_of_det = primitive(
    "sign_of_det",
    into(lambda x: np.linalg.slogdet(x)[0]),
    vjp=[None],
    samples=well_conditioned(),
    doc="The sign of det x; a constant to a gradient.",
)


tril: Op = primitive(
    "tril",
    into(np.tril),
    vjp=[lambda g, y, x, k: tril(g, k=k)],
    samples=[reals((3, 4)), reals((4, 3), k=1)],
    settings=lambda x, k=0: {"k": k},
    doc="x with zeros above its diagonal number ``k``.",
)
triu: Op = primitive(
    "triu",
    into(np.triu),
    vjp=[lambda g, y, x, k: triu(g, k=k)],
    samples=[reals((3, 4)), reals((4, 3), k=1)],
    settings=lambda x, k=0: {"k": k},
    doc="x with zeros below its diagonal number ``k``.",
)


def _cholesky_rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Murray 2016, arXiv 1602.07527, section 3.2: L⁻ᵀ Φ(Lᵀ g) L⁻¹, made symmetric."""
    middle = flipped(y) @ g
    halved = 0.5 * (tril(middle) + tril(middle, k=-1))  # the diagonal is in both
    left = solve_matrix(flipped(y), halved)
    whole = flipped(solve_matrix(flipped(y), flipped(left)))
    return 0.5 * (whole + flipped(whole))


cholesky = primitive(
    "cholesky",
    into(lambda x: np.linalg.cholesky((x + x.swapaxes(-1, -2)) / 2)),
    vjp=[_cholesky_rule],
    samples=well_conditioned(symmetric=True),
    doc="The lower triangular L with L Lᵀ = x, of the symmetric part of x, positive definite.",
)


@composition
def matmul(a: Any, b: Any) -> Tensor:
    """a @ b with NumPy's meaning: a vector is a row on the left, a column on the right."""
    left, right = shape_of(a), shape_of(b)
    if len(left) > 1 and len(right) > 1:
        return matrix_product(a, b)
    if not left or not right or left[-1] != right[-2 if len(right) > 1 else -1]:
        raise ValueError(f"matmul: {left} and {right} are no product")
    if len(left) > 1:
        return matrix_vector(a, b)
    return matrix_vector(flipped(b), a) if len(right) > 1 else sum(a * b)


@composition
def dot(a: Any, b: Any) -> Tensor:
    """np.dot: sums over the last axis of a and the last but one (or only) axis of b."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        return a * b
    if len(left) <= 2 and len(right) <= 2:
        return matmul(a, b)
    rows = _matrix(a, 1)
    front = (len(right) - 2,) if len(right) > 1 else (0,)
    order = (*front, *[axis for axis in range(len(right)) if axis not in front])
    columns = _matrix(transpose(b, axes=order), len(order) - 1)
    rest = tuple(right[axis] for axis in order[1:])
    return reshape(matrix_product(rows, columns), shape=(*left[:-1], *rest))


@composition
def vdot(a: Any, b: Any) -> Tensor:
    """Σ a b over all entries; of truths, whether both are true anywhere."""
    if np.prod(shape_of(a)) != np.prod(shape_of(b)):
        raise GraphError(f"vdot: {shape_of(a)} and {shape_of(b)} differ in their number of entries")
    products = multiply(reshape(a, shape=-1), reshape(b, shape=-1))
    return (any if products.dtype == bool else sum)(products)


@composition
def inner(a: Any, b: Any) -> Tensor:
    """The sums of products over the last axes."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        return a * b
    product = matrix_product(_matrix(a, 1), flipped(_matrix(b, 1)))
    return reshape(product, shape=(*left[:-1], *right[:-1]))


@composition
def outer(a: Any, b: Any) -> Tensor:
    """aᵢ bⱼ of the raveled a and b."""
    return reshape(a, shape=(-1, 1)) * reshape(b, shape=(1, -1))


@composition
def kron(a: Any, b: Any) -> Tensor:
    """The Kronecker product: each entry of a times b, as blocks."""
    left, right = shape_of(a), shape_of(b)
    left = (1,) * (len(right) - len(left)) + left
    right = (1,) * (len(left) - len(right)) + right
    outside = reshape(a, shape=[n for size in left for n in (size, 1)])
    blocks = outside * reshape(b, shape=[n for size in right for n in (1, size)])
    return reshape(blocks, shape=[m * n for m, n in zip(left, right, strict=True)])


@composition
def cross(a: Any, b: Any) -> Tensor:
    """The vector product over the last axis, of length 3."""
    if shape_of(a)[-1:] != (3,) or shape_of(b)[-1:] != (3,):
        raise GraphError(f"cross takes vectors of length 3, got {shape_of(a)} and {shape_of(b)}")
    one, two = [1, 2, 0], [2, 0, 1]
    a1, a2, b1, b2 = (take(x, index=(Ellipsis, i)) for x in (a, b) for i in (one, two))
    return a1 * b2 - a2 * b1


@composition
def tensordot(a: Any, b: Any, *, axes: int | Sequence[Any] = 2) -> Tensor:
    """The sums of products over the last ``axes`` axes of a and the first of b, or over the axes
    (of a, of b) given."""
    if not isinstance(axes, int):
        ours, theirs = map(numbers, axes)
        axes = len(ours)
        a = moveaxis(a, source=ours, destination=tuple(range(-axes, 0)))
        b = moveaxis(b, source=theirs, destination=tuple(range(len(theirs))))
    left, right = shape_of(a), shape_of(b)
    if left[len(left) - axes :] != right[:axes] or axes > min(len(left), len(right)):
        raise GraphError(f"tensordot: the last {axes} axes of {left} are not the first of {right}")
    product = matrix_product(_matrix(a, axes), _matrix(b, len(right) - axes))
    return reshape(product, shape=(*left[: len(left) - axes], *right[axes:]))


def _matrix(x: Any, columns: int) -> Tensor:
    """x as a matrix: the last ``columns`` axes as one, and the axes before them as one."""
    shape = shape_of(x)
    cut = len(shape) - columns
    return reshape(x, shape=(prod(shape[:cut]), prod(shape[cut:])))


@composition
def solve(a: Any, b: Any) -> Tensor:
    """x with a x = b; b is a matrix (…, n, k), or one vector (n,)."""
    if len(shape_of(b)) > 1:
        return solve_matrix(a, b)
    return reshape(solve_matrix(a, expand_dims(b, axis=-1)), shape=shape_of(a)[:-1])


@composition
def slogdet(x: Any) -> tuple[Tensor, Tensor]:
    """(sign, ln |det|) of the determinant, without overflow."""
    return sign_of_det(x), log_abs_det(x)


@composition
def diagonal(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals number ``offset`` of the matrices over two axes, along a new last axis."""
    ndim = len(shape_of(x))
    if len(axes_from_right((axis1, axis2), ndim)) < 2:
        raise ValueError("diagonal: axis1 and axis2 must be two axes")
    x = moveaxis(x, source=(axis1, axis2), destination=(-2, -1))
    rows, columns = x.shape[-2:]
    count = min(rows + min(offset, 0), columns - max(offset, 0))
    places = np.arange(max(count, 0))
    return take(x, index=(Ellipsis, places - min(offset, 0), places + max(offset, 0)))


@composition
def trace(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sums of the diagonals number ``offset`` of the matrices over two axes."""
    return sum(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), axis=-1)


@composition
def diag(x: Any, *, k: int = 0) -> Tensor:
    """A matrix with the diagonal number ``k`` if x is a vector; that diagonal if x is a matrix."""
    shape = shape_of(x)
    if len(shape) == 2:
        return diagonal(x, offset=k)
    if len(shape) != 1:
        raise ValueError(f"diag takes a vector or a matrix, got shape {shape}")
    places, n = np.arange(*shape), shape[0] + abs(k)
    index = (Ellipsis, places - min(k, 0), places + max(k, 0))
    return apply(scatter, x, index=index, shape=(n, n), trailing=1)


@composition
def matrix_power(x: Any, *, n: int) -> Tensor:
    """The product of n factors x; of -n inverses if n is negative."""
    if n < 0:
        return matrix_power(inv(x), n=-n)
    (result,) = lift(x)
    if result.ndim < 2 or result.shape[-1] != result.shape[-2]:
        raise GraphError(f"matrix_power takes square matrices, got {result.shape}")
    if n == 0:
        return Tensor(np.broadcast_to(np.eye(result.shape[-1], dtype=result.dtype), result.shape))
    for _ in range(n - 1):
        result = matrix_product(result, x)
    return result
