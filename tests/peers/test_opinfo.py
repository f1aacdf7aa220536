"""PyTorch's own operator samples (OpInfo), computed by ours: value, gradient and second derivative.

PyTorch's settings are translated (dim: axis, keepdim: keepdims). A call that we refuse is no
sample; every entry must have one that we answer, and the answers must agree but for DIFFERENT.
"""

import itertools
import re
import warnings

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import Tensor, ops
from backproplab.errors import GraphError
from backproplab.scipy import special

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SAMPLES, REFERENCES = 4, 2  # of each entry

SAME = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log10",
    "log1p",
    "log2",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "sqrt",
    "square",
    "reciprocal",
    "floor",
    "ceil",
    "trunc",
    "sign",
    "positive",
    "deg2rad",
    "rad2deg",
    "sinc",
    "isfinite",
    "isinf",
    "isposinf",
    "isneginf",
    "isreal",
    "isnan",
    "signbit",
    "logical_not",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "copysign",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "heaviside",
    "remainder",
    "fmod",
    "float_power",
    "matmul",
    "dot",
    "vdot",
    "outer",
    "inner",
    "kron",
    "trace",
    "fliplr",
    "flipud",
    "ravel",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "real",
    "angle",
    "i0",
    "frexp",
    "isclose",
    "allclose",
    "zeros_like",
    "ones_like",
    "floor_divide",
    "diagflat",
    "nan_to_num",
    "isin",
    "argwhere",
]
NUMPYS = {  # PyTorch's name: NumPy's
    "abs": "absolute", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atanh": "arctanh", "atan2": "arctan2", "neg": "negative", "sgn": "sign", "eq": "equal", "ne": "not_equal", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal", "mul": "multiply", "true_divide": "divide",
    "div/no_rounding_mode": "divide", "pow": "power", "mm": "matmul", "bmm": "matmul", "mv": "matmul", "equal": "array_equal",
    "max/binary": "maximum", "min/binary": "minimum", "conj": "conjugate", "conj_physical": "conjugate",
    "resolve_conj": "positive", "resolve_neg": "positive", "clone": "positive", "contiguous": "positive",
    "alias_copy": "positive", "round": "round", "round/decimals_0": "round", "nn.functional.threshold": None,
}  # fmt: skip
SPECIALS = {
    "digamma": "digamma", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "lgamma": "gammaln", "sigmoid": "expit", "special.i0e": "i0e",
    "special.i1": "i1", "special.i1e": "i1e", "special.ndtr": "ndtr", "special.ndtri": "ndtri", "special.entr": "entr",
    "special.log_ndtr": "log_ndtr", "special.erfcx": "erfcx", "special.bessel_j0": "j0", "special.bessel_j1": "j1",
    "special.bessel_y0": "y0", "special.bessel_y1": "y1", "special.modified_bessel_i0": "i0", "special.modified_bessel_i1": "i1",
    "xlogy": "xlogy", "special.xlog1py": "xlog1py",
}  # fmt: skip
ACTIVATIONS = {
    "relu": ops.relu, "relu6": ops.relu6, "silu": ops.silu, "mish": ops.mish, "softsign": ops.softsign, "tanhshrink": ops.tanh_shrink,
    "hardswish": ops.hard_silu, "hardsigmoid": ops.hard_sigmoid, "logsigmoid": ops.log_sigmoid, "selu": ops.selu,
    "elu": lambda x, alpha=1.0: ops.elu(x, alpha=alpha), "celu": lambda x, alpha=1.0: ops.celu(x, alpha=alpha),
    "leaky_relu": lambda x, negative_slope=0.01: ops.leaky_relu(x, alpha=negative_slope),
    "softplus": lambda x, beta=1.0, threshold=20.0: ops.softplus(x * beta) / beta, "softshrink": lambda x, lambd=0.5: ops.soft_shrink(x, threshold=lambd),
    "hardshrink": lambda x, lambd=0.5: ops.hard_shrink(x, threshold=lambd), "hardtanh": lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
    "gelu": lambda x, approximate="none": ops.gelu(x) if approximate == "none" else refused(), "softmin": lambda x, dim: special.softmax(-x, axis=dim),
}  # fmt: skip


def refused():
    raise GraphError("no rule")


def axes(function):
    """A NumPy function of x, axis= and keepdims= with PyTorch's names of them."""

    def call(x, dim=None, keepdim=False, **more):
        return function(
            x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim, **more
        )

    return call


def running(function):
    """PyTorch's of a number is a number, NumPy's an array of one entry."""
    return lambda x, *a, **k: np.reshape(along(function)(x, *a, **k), np.shape(x))


def along(function):
    return lambda x, dim=None, **more: function(x, axis=dim, **more)


def spread(function):
    def call(x, dim=None, unbiased=None, *, correction=None, keepdim=False):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = (1 if unbiased is None else int(unbiased)) if correction is None else correction
        return function(
            x,
            axis=tuple(dim)
            if isinstance(dim, list)
            else dim or (None if dim is None or dim == [] else dim),
            ddof=ddof,
            keepdims=keepdim,
        )

    return call


def shape(*n):
    return n[0] if len(n) == 1 and not isinstance(n[0], int) else n


def repeated(x, *n):
    return np.tile(x, shape(*n))


def expanded(x, *n):
    wanted = list(shape(*n))
    lead = len(wanted) - np.ndim(x)
    return np.broadcast_to(
        x, [np.shape(x)[i - lead] if k == -1 else k for i, k in enumerate(wanted)]
    )


def norm(x, p="fro", dim=None, keepdim=False, dtype=None):
    if p == "nuc":
        return np.linalg.norm(x, "nuc", dim and tuple(dim), keepdim)
    return np.linalg.vector_norm(
        x,
        axis=dim if dim is None or isinstance(dim, int) else tuple(dim),
        ord=2 if p in ("fro", None) else p,
        keepdims=keepdim,
    )


def first(pair):
    return pair[0]


OURS = {
    **{name: getattr(np, name) for name in SAME}, **{name: getattr(np, n) for name, n in NUMPYS.items() if n},
    **{name: getattr(special, n) for name, n in SPECIALS.items()},
    **{f"nn.functional.{name}": f for name, f in ACTIVATIONS.items()},
    **{f"polygamma/polygamma_n_{n}": (lambda x, k: special.polygamma(k, x)) for n in range(5)},
    "add": lambda a, b, alpha=1: np.add(a, b * alpha), "sub": lambda a, b, alpha=1: np.subtract(a, b * alpha), "rsub": lambda a, b, alpha=1: np.subtract(b, a * alpha),
    "__radd__": lambda a, b: b + a, "__rmul__": lambda a, b: b * a, "__rsub__": lambda a, b: b - a, "__rdiv__": lambda a, b: b / a, "__rpow__": lambda a, b: b**a,
    "__rmod__": lambda a, b: b % a, "__rmatmul__": lambda a, b: b @ a, "div/floor_rounding": lambda a, b, rounding_mode: np.floor_divide(a, b),
    "div/trunc_rounding": lambda a, b, rounding_mode: np.trunc(a / b), "frac": lambda x: x - np.trunc(x), "rsqrt": lambda x: 1 / np.sqrt(x), "lerp": lambda a, b, w: a + w * (b - a),
    "addcmul": lambda x, a, b, value=1: x + value * a * b, "addcdiv": lambda x, a, b, value=1: x + value * a / b, "round/decimals_3": np.round,
    "round/decimals_neg_3": np.round, "logit": lambda x, eps=None: special.logit(x if eps is None else np.clip(x, eps, 1 - eps)),
    "clamp": lambda x, min=None, max=None: np.clip(x, min, max), "clamp_min": np.maximum, "clamp_max": np.minimum,
    "special.modified_bessel_k0": lambda x: ops.kv(0, x), "special.modified_bessel_k1": lambda x: ops.kv(1, x),
    "special.polygamma/special_polygamma_n_0": lambda x, n: special.polygamma(n, x), **{f"mvlgamma/mvlgamma_p_{p}": (special.multigammaln) for p in (1, 3, 5)},
    "nn.functional.threshold": lambda x, threshold, value: np.where(x > threshold, x, value), "nn.functional.mse_loss": lambda a, b, reduction="mean": reduced(np.square(a - b), reduction),
    "nn.functional.l1_loss": lambda a, b, reduction="mean": reduced(np.abs(a - b), reduction), "nn.functional.linear": lambda x, w, b=0.0: x @ np.swapaxes(w, -1, -2) + b if np.ndim(w) > 1 else refused(),
    "nn.functional.glu": lambda x, dim=-1: (lambda a, b: a * special.expit(b))(*np.split(x, 2, dim)), "nn.functional.normalize": lambda x, p=2.0, dim=1, eps=1e-12: x / np.maximum(np.linalg.vector_norm(x, axis=dim, ord=p, keepdims=True), eps),
    "nn.functional.binary_cross_entropy_with_logits": lambda x, z: np.mean(ops.sigmoid_cross_entropy(x, z)), "nn.functional.cosine_similarity": lambda a, b, dim=1: np.sum(a * b, axis=dim) / (np.linalg.vector_norm(a, axis=dim) * np.linalg.vector_norm(b, axis=dim)),
    "addmm": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b), "addmm/decomposed": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b), "addmv": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b),
    "baddbmm": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b), "addbmm": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * np.sum(a @ b, axis=0), "addr": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * np.outer(a, b),
    "tensordot": lambda a, b, dims=2: np.tensordot(a, b, dims), "einsum": lambda arrays, equation: np.einsum(equation, *arrays), "cross": lambda a, b, dim=-1: np.cross(a, b, axis=dim), "linalg.cross": lambda a, b, dim=-1: np.linalg.cross(a, b, axis=dim),
    "tril": np.tril, "triu": np.triu, "diag": np.diag, "diagonal": lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2), "diagonal_copy": lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
    "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2), "linalg.det": np.linalg.det, "linalg.inv": np.linalg.inv, "linalg.inv_ex": np.linalg.inv, "logdet": lambda x: np.log(np.linalg.det(x)),
    "linalg.slogdet": np.linalg.slogdet, "linalg.cholesky": lambda x, upper=False: np.linalg.cholesky(x, upper=upper), "linalg.cholesky_ex": lambda x, upper=False: np.linalg.cholesky(x, upper=upper), "cholesky": lambda x, upper=False: np.linalg.cholesky(x, upper=upper),
    "linalg.vecdot": lambda a, b, dim=-1: np.linalg.vecdot(a, b, axis=dim), "linalg.cond": np.linalg.cond, "linalg.eigvalsh": lambda x, UPLO="L": np.linalg.eigvalsh(x, UPLO), "linalg.matrix_power": np.linalg.matrix_power,
    "linalg.multi_dot": np.linalg.multi_dot, "linalg.norm": lambda x, ord=None, dim=None, keepdim=False: np.linalg.norm(x, ord, dim if dim is None or isinstance(dim, int) else tuple(dim), keepdim),
    "linalg.norm/subgradients_at_zero": lambda x, ord=None, dim=None, keepdim=False: np.linalg.norm(x, ord, dim if dim is None or isinstance(dim, int) else tuple(dim), keepdim),
    "linalg.matrix_norm": lambda x, ord="fro", dim=(-2, -1), keepdim=False: np.linalg.norm(x, ord, tuple(dim), keepdim), "linalg.vector_norm": lambda x, ord=2, dim=None, keepdim=False: np.linalg.vector_norm(x, axis=dim if dim is None or isinstance(dim, int) else tuple(dim), ord=ord, keepdims=keepdim),
    "linalg.solve": lambda a, b, left=True: np.linalg.solve(a, b) if left else refused(), "linalg.vander": lambda x, N=None: np.vander(x, N, increasing=True) if np.ndim(x) == 1 else refused(), "linalg.pinv": lambda x, rtol=None: np.linalg.pinv(x, rtol=rtol),
    "pinverse": lambda x, rcond=1e-15: np.linalg.pinv(x, rcond), "linalg.svdvals": np.linalg.svdvals, "linalg.tensorinv": lambda x, ind=2: np.linalg.tensorinv(x, ind), "linalg.tensorsolve": lambda a, b, dims=None: np.linalg.tensorsolve(a, b, dims),
    "linalg.solve_triangular": lambda a, b, upper, left=True, unitriangular=False: bpl.scipy.linalg.solve_triangular(a, b, lower=not upper) if left and not unitriangular else refused(), "norm": norm, "norm/nuc": norm, "norm/fro": norm, "norm/inf": norm, "dist": lambda a, b, p=2: np.linalg.vector_norm(a - b, ord=p),
    "linalg.qr": lambda x, mode="reduced": np.linalg.qr(x, mode), "linalg.lstsq/grad_oriented": lambda a, b, driver=None: first(np.linalg.lstsq(a, b)) if np.ndim(a) == 2 else refused(), "linalg.pinv/hermitian": lambda x, rtol=None, hermitian=False: np.linalg.pinv(x, rtol=rtol, hermitian=hermitian),
    "reshape": np.reshape, "view": np.reshape, "view_copy": np.reshape, "reshape_as": lambda x, y: np.reshape(x, np.shape(y)), "view_as": lambda x, y: np.reshape(x, np.shape(y)), "unsqueeze": np.expand_dims, "unsqueeze_copy": np.expand_dims,
    "squeeze": lambda x, dim=None: np.squeeze(x, dim) if dim is None or np.shape(x)[dim] == 1 else x, "permute": lambda x, *n: np.transpose(x, shape(*n)), "permute_copy": lambda x, *n: np.transpose(x, shape(*n)), "transpose": np.swapaxes, "transpose_copy": np.swapaxes,
    "movedim": np.moveaxis, "T": np.transpose, "t": np.transpose, "t_copy": np.transpose, "mT": np.matrix_transpose, "H": np.transpose, "mH": np.matrix_transpose, "expand": expanded, "expand_copy": expanded, "expand_as": lambda x, y: np.broadcast_to(x, np.shape(y)), "broadcast_to": np.broadcast_to,
    "broadcast_tensors": lambda *xs: list(np.broadcast_arrays(*xs)), "tile": repeated, "repeat": repeated, "flip": lambda x, dims: np.flip(x, tuple(dims)), "roll": lambda x, shifts, dims=None: np.roll(x, shifts, dims or None if dims != 0 else 0), "rot90": lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims),
    "flatten": lambda x, start_dim=0, end_dim=-1: np.reshape(x, (*np.shape(x)[:start_dim], -1, *np.shape(x)[end_dim % max(np.ndim(x), 1) + 1 :])) if np.size(x) else refused(), "cat": lambda xs, dim=0: np.concatenate(list(xs), axis=dim), "stack": lambda xs, dim=0: np.stack(list(xs), axis=dim),
    "hstack": lambda xs: np.hstack(list(xs)), "vstack": lambda xs: np.vstack(list(xs)), "dstack": lambda xs: np.dstack(list(xs)), "column_stack": lambda xs: np.column_stack(list(xs)), "unbind": lambda x, dim=0: list(np.moveaxis(x, dim, 0)), "unbind_copy": lambda x, dim=0: list(np.moveaxis(x, dim, 0)),
    "tensor_split": lambda x, n, dim=0: np.array_split(x, plain(n), dim), "hsplit": np.hsplit, "vsplit": np.vsplit, "dsplit": np.dsplit, "narrow": lambda x, dim, start, length: np.take(x, np.arange(plain(start), plain(start) + length), axis=dim),
    "select": lambda x, dim, i: np.take(x, i, axis=dim), "index_select": lambda x, dim, i: np.take(x, plain(i), axis=dim) if np.ndim(x) else refused(), "gather": lambda x, dim, i: np.take_along_axis(x, plain(i), dim) if np.ndim(x) and np.shape(plain(i))[:dim] == np.shape(x)[:dim] else refused(),
    "take": lambda x, i: np.take(x, plain(i)), "take_along_dim": lambda x, i, dim=None: np.take_along_axis(x, plain(i), dim) if dim is not None else refused(), "__getitem__": lambda x, i: x[plain(i)], "masked_select": lambda x, m: np.extract(plain(m), x) if np.shape(plain(m)) == np.shape(x) else refused(),
    "masked_fill": lambda x, m, v: np.where(plain(m), v, x), "where": lambda x, c, y: np.where(plain(c), x, y), "constant_pad_nd": lambda x, pad, value=0: np.pad(x, width(x, pad), constant_values=value),
    "nn.functional.pad/constant": lambda x, pad, mode="constant", value=0: np.pad(x, width(x, pad), constant_values=value or 0), "nn.functional.pad/reflect": lambda x, pad, mode: np.pad(x, width(x, pad), mode="reflect"),
    "nn.functional.pad/replicate": lambda x, pad, mode: np.pad(x, width(x, pad), mode="edge"), "nn.functional.pad/circular": lambda x, pad, mode: np.pad(x, width(x, pad), mode="wrap"), "fft.fftshift": lambda x, dim=None: np.fft.fftshift(x, dim), "fft.ifftshift": lambda x, dim=None: np.fft.ifftshift(x, dim),
    "sum": axes(np.sum), "mean": axes(np.mean), "nansum": axes(np.nansum), "nanmean": axes(np.nanmean), "prod": axes(np.prod), "amax": axes(np.max), "amin": axes(np.min), "max/reduction_no_dim": np.max, "min/reduction_no_dim": np.min, "all": axes(np.all), "any": axes(np.any),
    "max/reduction_with_dim": lambda x, dim, keepdim=False: [np.max(x, axis=dim, keepdims=keepdim), np.argmax(x, axis=dim, keepdims=keepdim)], "min/reduction_with_dim": lambda x, dim, keepdim=False: [np.min(x, axis=dim, keepdims=keepdim), np.argmin(x, axis=dim, keepdims=keepdim)],
    "count_nonzero": lambda x, dim=None: np.count_nonzero(x, axis=tuple(dim) if isinstance(dim, list) else dim), "argmax": lambda x, dim=None, keepdim=False: np.argmax(x, dim) if not keepdim else refused(), "argmin": lambda x, dim=None, keepdim=False: np.argmin(x, dim) if not keepdim else refused(),
    "std": spread(np.std), "var": spread(np.var), "std/unbiased": spread(np.std), "var/unbiased": spread(np.var), "logsumexp": lambda x, dim, keepdim=False: special.logsumexp(x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim), "cumsum": running(np.cumsum), "cumprod": running(np.cumprod),
    "quantile": lambda x, q, dim=None, keepdim=False, interpolation="linear": np.quantile(x, plain(q), axis=dim, method=interpolation, keepdims=keepdim), "nanquantile": lambda x, q, dim=None, keepdim=False, interpolation="linear": np.nanquantile(x, plain(q), axis=dim, method=interpolation, keepdims=keepdim),
    "sort": lambda x, dim=-1, descending=False, stable=False: np.sort(x, axis=dim) if not descending else refused(), "msort": lambda x: np.sort(x, axis=0), "aminmax": lambda x, dim=None, keepdim=False: [np.min(x, axis=dim, keepdims=keepdim), np.max(x, axis=dim, keepdims=keepdim)], "softmax": lambda x, dim: special.softmax(x, axis=dim),
    "log_softmax": lambda x, dim: special.log_softmax(x, axis=dim), "cov": lambda x, correction=1, fweights=None, aweights=None: np.cov(x, ddof=correction) if fweights is None and aweights is None else refused(), "corrcoef": np.corrcoef, "diff": lambda x, n=1, dim=-1, prepend=np._NoValue, append=np._NoValue: np.diff(x, n, dim, prepend if prepend is not None else np._NoValue, append if append is not None else np._NoValue),
    "trapezoid": lambda y, x=None, dim=-1, dx=1.0: np.trapezoid(y, x, dx, dim), "trapz": lambda y, x=None, dim=-1, dx=1.0: np.trapezoid(y, x, dx, dim), "gradient": lambda x, spacing=1.0, dim=None, edge_order=1: as_list(np.gradient(x, spacing, axis=dim, edge_order=edge_order)) if isinstance(spacing, float | int) else refused(),
    "std_mean": lambda x, dim=None, **k: [spread(np.std)(x, dim, **k), np.mean(x, axis=dim and tuple(dim) if isinstance(dim, list) else dim, keepdims=k.get("keepdim", False))], "var_mean": lambda x, dim=None, **k: [spread(np.var)(x, dim, **k), np.mean(x, axis=dim and tuple(dim) if isinstance(dim, list) else dim, keepdims=k.get("keepdim", False))],
    "full_like": lambda x, value, **k: np.full_like(x, value), "unique": lambda x, **k: np.unique(x) if not any(k.values()) or list(k) == ["sorted"] else refused(), "argsort": lambda x, dim=-1, descending=False, stable=False: np.argsort(x, axis=dim) if not descending else refused(),
    "nn.functional.softmin": lambda x, dim: special.softmax(-x, axis=dim), "nn.functional.logsigmoid": ops.log_sigmoid, "nn.functional.huber_loss": lambda a, b, reduction="mean", delta=1.0: reduced(np.where(np.abs(a - b) <= delta, 0.5 * (a - b) ** 2, delta * (np.abs(a - b) - 0.5 * delta)), reduction),
    "nn.functional.smooth_l1_loss": lambda a, b, reduction="mean", beta=1.0: reduced(np.where(np.abs(a - b) < beta, 0.5 * (a - b) ** 2 / max(beta, 1e-30), np.abs(a - b) - 0.5 * beta), reduction), "nn.functional.soft_margin_loss": lambda x, y, reduction="mean": reduced(np.log1p(np.exp(-y * x)), reduction),
    "nn.functional.kl_div": lambda x, y, reduction="mean", log_target=False: reduced(special.xlogy(y, y) - y * x, reduction) if not log_target and reduction != "batchmean" else refused(), "nn.functional.pairwise_distance": lambda a, b, p=2.0, eps=1e-6, keepdim=False: np.linalg.vector_norm(a - b + eps, axis=-1, ord=p, keepdims=keepdim),
    "ldexp": lambda x, n: x * np.power(2.0, n),
    "split": lambda x, size, dim=0: np.split(x, range(size, np.shape(x)[dim], size), dim), "unsafe_split": lambda x, size, dim=0: np.split(x, range(size, np.shape(x)[dim], size), dim), "split_with_sizes": lambda x, sizes, dim=0: np.split(x, np.cumsum(sizes)[:-1], dim),
    "meshgrid/list_of_tensors": lambda xs, indexing="ij": list(np.meshgrid(*xs, indexing=indexing)), "meshgrid/variadic_tensors": lambda *xs, indexing="ij": list(np.meshgrid(*xs, indexing=indexing)), "atleast_1d": lambda x, *more: listed(np.atleast_1d, x, more), "atleast_2d": lambda x, *more: listed(np.atleast_2d, x, more), "atleast_3d": lambda x, *more: listed(np.atleast_3d, x, more),
}  # fmt: skip


def listed(function, x, more):
    return [function(part) for part in x] if isinstance(x, list | tuple) else function(x, *more)


def as_list(y):
    return list(y) if isinstance(y, tuple | list) else [y]


def reduced(x, reduction):
    return {"mean": np.mean, "sum": np.sum, "none": np.positive}[reduction](x)


def width(x, pad):
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)]
    return (
        [(0, 0)] * (np.ndim(x) - len(pairs)) + pairs[::-1]
        if min(pad, default=0) >= 0
        else refused()
    )


def plain(x):
    if isinstance(x, tuple | list):
        return type(x)(plain(part) for part in x)
    return x.value if isinstance(x, Tensor) else x


DIFFERENT = {
    "linalg.eigvalsh": "PyTorch's gradient is symmetric; ours is by the triangle that NumPy reads, as HIPS/autograd's",
    "linalg.norm/subgradients_at_zero": "the second derivative at 0 is 0 as the first, PyTorch's NaN",
    "nn.functional.softplus": "PyTorch's is x itself above its threshold",
    "special.bessel_j0": "PyTorch's value has 7 digits; ours is SciPy's",
    "special.bessel_j1": "PyTorch's value has 7 digits; ours is SciPy's",
    "special.bessel_y1": "PyTorch's value has 7 digits; ours is SciPy's",
    "special.entr": "outside the domain, x < 0, ours has NaN",
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def entries():
    return sorted(OURS)


@pytest.fixture(scope="module")
def infos(torch):
    pytest.importorskip(
        "expecttest", reason="PyTorch's samples need expecttest: pip install '.[oracle]'"
    )
    from torch.testing._internal.common_methods_invocations import op_db

    named = {
        f"{op.name}{'/' + op.variant_test_name if op.variant_test_name else ''}": op for op in op_db
    }
    assert named.keys() >= OURS.keys(), OURS.keys() - named.keys()
    return named


def test_there_are_enough_entries():
    assert len(OURS) >= 220


def translated(torch, x):
    """PyTorch's arguments as NumPy's."""
    if isinstance(x, torch.Tensor):
        return x.detach().numpy()
    if isinstance(x, tuple | list):
        return type(x)(translated(torch, part) for part in x)
    if isinstance(x, dict):
        return {key: translated(torch, value) for key, value in x.items()}
    return x


def floats(torch, tree):
    """The float64 tensors among nested arguments."""
    if isinstance(tree, torch.Tensor):
        return [tree] if tree.dtype == torch.float64 else []
    return (
        [t for part in tree for t in floats(torch, part)] if isinstance(tree, tuple | list) else []
    )


def filled(tree, new):
    """The arguments with their float64 arrays from ``new``, in order."""
    if isinstance(tree, np.ndarray):
        return next(new) if tree.dtype == np.float64 else tree
    return (
        type(tree)(filled(part, new) for part in tree) if isinstance(tree, tuple | list) else tree
    )


def results(torch, y):
    return [
        part
        for part in (y if isinstance(y, tuple | list) else [y])
        if isinstance(part, torch.Tensor)
    ]


def ours_of(torch, function, sample):
    """(values, gradients, second derivatives, cotangents, directions) by ours; None if refused."""
    try:
        return derivatives(torch, function, sample)
    except (GraphError, TypeError, ValueError, IndexError, KeyError):
        return None


def derivatives(torch, function, sample):
    args, kwargs = (
        translated(torch, (sample.input, *sample.args)),
        translated(torch, dict(sample.kwargs)),
    )
    arrays = [x.detach().numpy() for x in floats(torch, (sample.input, *sample.args))]
    whole = lambda *xs: [
        ops.positive(part) for part in as_list(function(*filled(args, iter(xs)), **kwargs))
    ]
    y = [part.value for part in whole(*arrays)]
    rng = np.random.default_rng(0)
    us = [rng.standard_normal(part.shape) if part.dtype.kind == "f" else None for part in y]
    vs = [rng.standard_normal(x.shape) for x in arrays]
    total = lambda *xs: sum(
        (np.sum(part * u) for part, u in zip(whole(*xs), us, strict=True) if u is not None),
        start=0.0 * np.sum(xs[0]),
    )
    if not arrays or all(u is None for u in us):
        return y, [], [], us, vs
    places = tuple(range(len(arrays)))
    g = bpl.grad(total, places)(*arrays)
    h = bpl.grad(
        lambda *xs: sum(
            np.sum(a * v) for a, v in zip(bpl.grad(total, places)(*xs), vs, strict=True)
        ),
        places,
    )(*arrays)
    return y, [part.value for part in g], [part.value for part in h], us, vs


def theirs_of(torch, op, sample, us, vs):
    """(values, gradients, second derivatives) by PyTorch; none of those that it has not."""
    given = floats(torch, (sample.input, *sample.args))
    value = [
        part.numpy() for part in results(torch, op(sample.input, *sample.args, **sample.kwargs))
    ]
    g, h = [], []
    try:
        for x in given:
            x.requires_grad_(True)
        y = results(torch, op(sample.input, *sample.args, **sample.kwargs))
        parts = [
            (part, u)
            for part, u in zip(y, us, strict=False)
            if u is not None and part.requires_grad
        ]
        if parts:
            total = sum((part * torch.from_numpy(np.asarray(u))).sum() for part, u in parts)
            g = torch.autograd.grad(
                total, given, create_graph=True, allow_unused=True, materialize_grads=True
            )
            along = sum(
                (a * torch.from_numpy(np.asarray(v))).sum() for a, v in zip(g, vs, strict=True)
            )
            h = [torch.zeros_like(x) for x in given]
            if along.requires_grad:
                h = torch.autograd.grad(along, given, allow_unused=True, materialize_grads=True)
    except (RuntimeError, NotImplementedError) as error:
        if not re.search("derivative|differentiable", str(error)):
            raise
    return (
        value,
        [x.detach().numpy(force=True) for x in g],
        [x.detach().numpy(force=True) for x in h],
    )


def fresh(torch, sample):
    """The sample with contiguous leaves, and with leaves that are not."""
    from torch.testing._internal.common_utils import noncontiguous_like

    detached = sample.transform(lambda x: x.detach().clone() if isinstance(x, torch.Tensor) else x)
    yield detached
    yield sample.transform(
        lambda x: (
            noncontiguous_like(x.detach()) if isinstance(x, torch.Tensor) and x.numel() > 1 else x
        )
    )


@pytest.mark.parametrize("name", entries())
def test_value_gradient_and_second_derivative(name, torch, infos):
    op, answered, wrong = infos[name], 0, []
    torch.manual_seed(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        samples = itertools.islice(
            op.sample_inputs("cpu", torch.float64, requires_grad=False), SAMPLES
        )
        references = itertools.islice(
            op.reference_inputs("cpu", torch.float64, requires_grad=False), REFERENCES
        )
        for sample in (*samples, *references):
            for one in fresh(torch, sample):
                found = ours_of(torch, OURS[name], one)
                if found is None:
                    continue
                answered += 1
                *mine, us, vs = found
                theirs = theirs_of(torch, op, one, us, vs)
                for what, a, b in zip(
                    ("value", "gradient", "second derivative"), mine, theirs, strict=True
                ):
                    for x, y in zip(a, b, strict=False):
                        same = np.shape(x) == np.shape(y) and np.allclose(
                            x, y, rtol=1e-7, atol=1e-9, equal_nan=True
                        )
                        if not same:
                            wrong.append(f"{what} {x} instead of {y} for {one}")
    assert answered, f"{name}: we refuse every sample"
    if name in DIFFERENT:
        assert wrong, f"{name} agrees: take it from the list"
    else:
        assert not wrong, f"{len(wrong)} of {answered}: {wrong[0]}"
