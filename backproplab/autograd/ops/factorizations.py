"""Eigenvalues, singular values and QR of matrices (…, n, m), and the pseudo-inverse.

An op has one result, so the factors are one array below each other, from which the compositions
take their parts. A derivative of eigenvectors or singular vectors exists where their values are
distinct; else it is NaN, except where the gradient by them is 0.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into
from backproplab.autograd.ops.elementwise import equal, where
from backproplab.autograd.ops.indexing import concatenate, part
from backproplab.autograd.ops.linalg import flipped, solve_matrix, tril, triu, well_conditioned
from backproplab.autograd.ops.reductions import sum
from backproplab.autograd.ops.shapes import broadcast_to, cast, expand_dims
from backproplab.autograd.ops.storage import ones_like
from backproplab.autograd.primitive import Op, composition, lift, primitive
from backproplab.autograd.samples import Sample, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _rows(x: Tensor, start: int, end: int | None) -> Tensor:
    return part(x, -2, slice(start, end))


def _row(x: Tensor, at: int) -> Tensor:
    return part(x, -2, at)


def _unit(x: Tensor) -> Tensor:
    """Unit matrices in the shape of the square matrices x."""
    return tril(triu(ones_like(x)))


def _on_diagonal(values: Tensor) -> Tensor:
    """Matrices with these values on their diagonals, else 0."""
    n = values.shape[-1]
    return tril(triu(broadcast_to(expand_dims(values, axis=-1), shape=(*values.shape, n))))


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b; where b = 0, 0 if a is 0 and else NaN."""
    none = equal(b, 0)
    return where(none, where(equal(a, 0), 0.0, np.nan), a / where(none, 1.0, b))


def _over_gaps(a: Tensor, values: Tensor) -> Tensor:
    """aᵢⱼ / (vⱼ - vᵢ) off the diagonal, on which it is 0."""
    gaps = expand_dims(values, axis=-2) - expand_dims(values, axis=-1)
    return _ratio(a * (1 - _unit(a)), gaps)


def _symmetric(x: Any) -> Any:
    return (x + x.swapaxes(-1, -2)) / 2


def finite(x: Array) -> Array:
    """The matrices, for LAPACK, which may not come back from one with infinity or NaN.

    Raises LinAlgError for such a matrix.
    """
    if not np.isfinite(x).all():
        raise np.linalg.LinAlgError("a matrix with infinity or NaN has no such factors")
    return x


def _eigh(x: Array, uplo: Literal["L", "U"]) -> Array:
    values, vectors = np.linalg.eigh(finite(_symmetric(x)), uplo)  # it decides the vectors' signs
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def _eigh_rule(g: Tensor, y: Tensor, x: Tensor, uplo: str) -> Tensor:
    """V (diag g_λ + (Vᵀ g_V) / (λⱼ - λᵢ)) Vᵀ, made symmetric. Giles 2008, section 3.1."""
    vectors = _rows(y, 1, None)
    inside = _over_gaps(flipped(vectors) @ _rows(g, 1, None), _row(y, 0))
    whole = vectors @ (_on_diagonal(_row(g, 0)) + inside) @ flipped(vectors)
    return 0.5 * (whole + flipped(whole))


symmetric_eigen = primitive(
    "symmetric_eigen",
    into(_eigh),
    vjp=[_eigh_rule],
    samples=well_conditioned(symmetric=True),
    settings=lambda x, uplo="L": {"uplo": uplo},
    doc="The eigenvalues, ascending, in a row over the eigenvectors in columns, of the symmetric "
    "part of x.",
)


def _eig(x: Array) -> Array:
    values, vectors = np.linalg.eig(finite(x))
    if np.iscomplexobj(values):
        raise GraphError("eig: some eigenvalues are complex, and a tensor is real")
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def _eig_rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """V⁻ᵀ (diag g_λ + (Vᵀ g_V) / (λⱼ - λᵢ)) Vᵀ, for eigenvectors of length 1."""
    vectors, along = _rows(y, 1, None), _rows(g, 1, None)
    along = along - vectors * sum(vectors * along, axis=-2, keepdims=True)
    inside = _over_gaps(flipped(vectors) @ along, _row(y, 0))
    inside = _on_diagonal(_row(g, 0)) + inside
    return solve_matrix(flipped(vectors), inside @ flipped(vectors))


def _of_real_spectrum(rng: np.random.Generator) -> tuple[Any, ...]:
    vectors = rng.standard_normal((2, 3, 3)) + 2 * np.eye(3)
    return (vectors @ np.diag([3.0, 1.0, -2.0]) @ np.linalg.inv(vectors),)


real_eigen = primitive(
    "real_eigen",
    into(_eig),
    vjp=[_eig_rule],
    samples=sample(_of_real_spectrum),
    doc="The eigenvalues in a row over the eigenvectors in columns; GraphError for complex ones.",
)


def _svd(x: Array) -> Array:
    u, s, vt = np.linalg.svd(finite(x), full_matrices=False)
    return np.concatenate([u, s[..., None, :], vt.swapaxes(-1, -2)], axis=-2)


def _skew(x: Tensor) -> Tensor:
    return x - flipped(x)


def _svd_rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Townsend 2016, Differentiating the singular value decomposition."""
    m = x.shape[-2]
    u, s, v = _rows(y, 0, m), _row(y, m), _rows(y, m + 1, None)
    gu, gs, gv = _rows(g, 0, m), _row(g, m), _rows(g, m + 1, None)
    column, row = expand_dims(s, axis=-1), expand_dims(s, axis=-2)
    inside = _over_gaps(_skew(flipped(u) @ gu), s * s) * row
    inside = inside + column * _over_gaps(_skew(flipped(v) @ gv), s * s) + _on_diagonal(gs)
    outside_u = _outside(u, gu, row) @ flipped(v)
    return u @ inside @ flipped(v) + outside_u + u @ flipped(_outside(v, gv, row))


def _outside(u: Tensor, g: Tensor, s: Tensor) -> Tensor:
    """(I - u uᵀ) g / s: what leaves the space of the columns of u."""
    if u.shape[-1] == u.shape[-2]:
        return 0.0 * g
    return _ratio(g - u @ (flipped(u) @ g), s)


def _matrices(*shapes: tuple[int, ...]) -> list[Sample]:
    def draw(shape: tuple[int, ...]) -> Sample:
        return sample(lambda rng: (rng.standard_normal(shape),))

    return [draw(shape) for shape in shapes]


singular = primitive(
    "singular",
    into(_svd),
    vjp=[_svd_rule],
    samples=_matrices((2, 4, 3), (2, 4), (3, 3)),
    doc="u, the singular values in a row, and v, below each other, with u diag(s) vᵀ = x.",
)


def _qr_rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(g_Q + Q (T + Tᵀ - diag T)) R⁻ᵀ with T = triu(g_R Rᵀ - Qᵀ g_Q). Walter and Lehmann 2010."""
    m = x.shape[-2]
    q, r, gq, gr = _rows(y, 0, m), flipped(_rows(y, m, None)), _rows(g, 0, m), _rows(g, m, None)
    t = triu(triu(flipped(gr)) @ flipped(r) - flipped(q) @ gq)
    both = t + flipped(triu(t, k=1))
    return flipped(solve_matrix(r, flipped(gq + q @ both)))


def _qr(x: Array) -> Array:
    q, r = np.linalg.qr(x)
    return np.concatenate([q, r.swapaxes(-1, -2)], axis=-2)


tall_qr = primitive(
    "tall_qr",
    into(_qr),
    vjp=[_qr_rule],
    samples=_matrices((2, 4, 3), (3, 3)),
    doc="q and rᵀ below each other, with q r = x, of matrices with at least as many rows as "
    "columns.",
)


def _pinv_rule(g: Tensor, y: Tensor, x: Tensor, rcond: float, hermitian: bool) -> Tensor:
    """Golub and Pereyra 1973, for a matrix whose rank does not change."""
    yt, gt = flipped(y), flipped(g)
    result = -(yt @ g @ yt)
    result = result + (gt - x @ (y @ gt)) @ (y @ yt)
    return result + (yt @ y) @ (gt - (gt @ y) @ x)


def _pinv(x: Array, rcond: float, hermitian: bool) -> Array:
    return np.linalg.pinv(finite(x), rcond=rcond, hermitian=hermitian)


pinv: Op = primitive(
    "pinv",
    into(_pinv),
    vjp=[_pinv_rule],
    samples=_matrices((2, 4, 3), (2, 3), (3, 3)),
    settings=lambda x, rcond=1e-15, hermitian=False: {"rcond": rcond, "hermitian": hermitian},
    doc="The pseudo-inverse; its derivative is for a constant rank.",
)


def triangle(x: Any, uplo: str) -> Tensor:
    """The symmetric matrix that NumPy reads from one triangle of x."""
    (x,) = lift(x)
    x = x if x.dtype.kind == "f" else cast(x, dtype=np.float64)  # truths have no sum
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(f"takes square matrices, got shape {x.shape}")
    if uplo.upper() not in ("L", "U"):
        raise ValueError(f"UPLO must be 'L' or 'U', got {uplo!r}")
    lower = x if uplo.upper() == "L" else flipped(x)
    return tril(lower) + flipped(tril(lower, k=-1))


@composition
def eigh(x: Any, *, uplo: str = "L") -> tuple[Tensor, Tensor]:
    """(eigenvalues, ascending, eigenvectors in columns) of symmetric matrices."""
    y = symmetric_eigen(triangle(x, uplo), uplo=uplo.upper())
    return _row(y, 0), _rows(y, 1, None)


@composition
def eig(x: Any) -> tuple[Tensor, Tensor]:
    """(eigenvalues, eigenvectors in columns) of matrices whose eigenvalues are real."""
    y = real_eigen(x)
    return _row(y, 0), _rows(y, 1, None)


@composition
def svd(x: Any) -> tuple[Tensor, Tensor, Tensor]:
    """(u, s, vᵀ) with u diag(s) vᵀ = x; as many columns of u and v as singular values."""
    (x,) = lift(x)
    y, m = singular(x), x.shape[-2]
    return _rows(y, 0, m), _row(y, m), flipped(_rows(y, m + 1, None))


@composition
def qr(x: Any) -> tuple[Tensor, Tensor]:
    """(q, r) with q r = x: columns of length 1 at right angles, and an upper triangle."""
    (x,) = lift(x)
    m, n = x.shape[-2:]
    y = tall_qr(part(x, -1, slice(0, m)))
    q, r = _rows(y, 0, m), flipped(_rows(y, m, None))
    return q, r if n <= m else concatenate([r, flipped(q) @ part(x, -1, slice(m, None))], axis=-1)
