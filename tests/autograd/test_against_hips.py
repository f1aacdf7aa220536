"""NumPy code, differentiated unchanged: ours against HIPS/autograd, value and gradient.

Each case is one function of a NumPy module and arrays. It runs on plain NumPy with our tensors
(NumPy's own dispatch finds our ops) and on autograd.numpy with theirs.
"""

import autograd.numpy as anp
import autograd.scipy.special as ascipy
import numpy as np
import pytest
from autograd.core import make_vjp

import backproplab as bpl

X, PAIR, POS, UNIT, TALL = "x", "pair", "positive", "unit", "tall"


def draw(kind, rng):
    """Random shapes: one to three axes, broadcasting pairs."""
    shape = tuple(rng.integers(2, 5, rng.integers(1, 4)))
    reals = lambda s: rng.uniform(0.2, 2, s) * rng.choice([-1, 1], s)
    if kind == X:
        return (reals(shape),)
    if kind == PAIR:
        thin = tuple(n if rng.random() < 0.7 else 1 for n in shape)
        return reals(shape), reals(thin)
    if kind == POS:
        return (rng.uniform(0.3, 2, shape),)
    if kind == UNIT:
        return (rng.uniform(-0.9, 0.9, shape),)
    if kind == TALL:
        return (reals((4, 3)),)
    if kind == "spd":
        a = rng.standard_normal((3, 3))
        return (a @ a.T + 2 * np.eye(3),)
    if kind == "matrix":
        return (rng.standard_normal((3, 3)) + 3 * np.eye(3),)
    if kind == "system":
        return rng.standard_normal((3, 3)) + 3 * np.eye(3), rng.standard_normal((3, 2))
    if kind == "vectors":
        return rng.standard_normal(4), rng.standard_normal(4)
    if kind == "products":
        return rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    if kind == "threes":
        return rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    raise ValueError(kind)


LAST = {"axis": -1}
CASES = {
    **{name: (lambda n: lambda np, x: getattr(np, n)(x))(name) for name in (
        "negative", "absolute", "sign", "floor", "ceil", "rint", "square", "exp", "exp2", "expm1",
        "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "arcsinh", "reciprocal", "deg2rad",
        "rad2deg", "sinc", "sum", "mean", "prod", "max", "min", "var", "std", "ravel", "transpose",
        "squeeze", "amax", "amin", "fabs")},
    **{name: (lambda n: lambda np, a, b: getattr(np, n)(a, b))(name) for name in (
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2", "logaddexp",
        "logaddexp2", "true_divide")},
    **{name: (lambda n: lambda np, x: getattr(np, n)(x))(name) for name in (
        "sqrt", "log", "log2", "log10", "log1p")},
    **{name: (lambda n: lambda np, x: getattr(np, n)(x))(name) for name in ("arcsin", "arccos", "arctanh")},
    "arccosh": lambda np, x: np.arccosh(x + 1),
    "power": lambda np, x: np.power(x, 1.7),
    "power_of_two": lambda np, x: np.power(1.7, x),
    "operators": lambda np, a, b: -(a + b * a - a / b) ** 2 + 3,
    "comparison": lambda np, a, b: np.where(a > b, a * b, a - b),
    "remainder": lambda np, x: np.remainder(x, 0.7),
    "clip": lambda np, x: np.clip(x, -1, 1),
    "sort": lambda np, x: np.sort(np.ravel(x)),
    "sum_axis": lambda np, x: np.sum(x, axis=-1),
    "sum_keepdims": lambda np, x: np.sum(x, axis=0, keepdims=True),
    "mean_axis": lambda np, x: np.mean(x, 0),
    "prod_axis": lambda np, x: np.prod(x, axis=0),
    "max_axis": lambda np, x: np.max(x, axis=-1),
    "min_axis": lambda np, x: np.min(x, axis=0),
    "var_axis": lambda np, x: np.var(x, axis=0),
    "var_ddof": lambda np, x: np.var(x, axis=0, ddof=1),
    "std_axis": lambda np, x: np.std(x, axis=-1),
    "cumsum": lambda np, x: np.cumsum(x, axis=0),
    "reshape": lambda np, x: np.reshape(x, (-1,)),
    "swapaxes": lambda np, x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda np, x: np.moveaxis(x, 0, -1),
    "expand_dims": lambda np, x: np.expand_dims(x, 1),
    "concatenate": lambda np, a, b: np.concatenate([a, a * 2, b * a], axis=0),
    "stack": lambda np, a, b: np.stack([a, b * a], axis=1),
    "hstack": lambda np, x: np.hstack([x, x * 2]),
    "vstack": lambda np, x: np.vstack([x, x * 2]),
    "split": lambda np, x: np.split(x, 2, axis=0)[1] * 3,
    "flip": lambda np, x: np.flipud(x) if np is anp else np.flip(x, 0),
    "roll": lambda np, x: np.roll(x, 1, axis=0),
    "tile": lambda np, x: np.tile(x, (2, 3)),
    "repeat": lambda np, x: np.repeat(x, 2, axis=0),
    "pad": lambda np, x: np.pad(x, ((1, 2), (0, 1)), "constant") if np is anp else np.pad(x, ((1, 2), (0, 1))),
    "diff": lambda np, x: np.diff(x, axis=0),
    "index": lambda np, x: x[0] * x[-1],
    "slice": lambda np, x: x[1:3, ::2],
    "fancy": lambda np, x: x[np.array([0, 2, 2, 1])] if np is not anp else x[[0, 2, 2, 1]],
    "tril": lambda np, x: np.tril(x),
    "triu": lambda np, x: np.triu(x),
    "diag": lambda np, x: np.diag(x),
    "trace": lambda np, x: np.trace(x),
    "inv": lambda np, x: np.linalg.inv(x),
    "det": lambda np, x: np.linalg.det(x),
    "slogdet": lambda np, x: np.linalg.slogdet(x)[1],
    "cholesky": lambda np, x: np.linalg.cholesky(x),
    "norm": lambda np, x: np.linalg.norm(x),
    "norm_axis": lambda np, x: np.linalg.norm(x, axis=-1),
    "solve": lambda np, a, b: np.linalg.solve(a, b),
    "dot": lambda np, a, b: np.dot(a, b),
    "matmul": lambda np, a, b: np.matmul(a, b),
    "inner": lambda np, a, b: np.inner(a, b),
    "outer": lambda np, a, b: np.outer(a, b),
    "kron": lambda np, a, b: np.kron(a, b),
    "tensordot": lambda np, a, b: np.tensordot(a, b, 1),
    "einsum": lambda np, a, b: np.einsum("ij,jk->ki", a, b),
    "einsum_sum": lambda np, a, b: np.einsum("ij,jk->k", a, b),
    "cross": lambda np, a, b: np.cross(a, b),
    "logsumexp": lambda np, x: ascipy.logsumexp(x, axis=-1) if np is anp else bpl.ops.logsumexp(x, axis=-1),
    "logit": lambda np, x: ascipy.logit(x / 3) if np is anp else bpl.ops.logit(x / 3),
    "sigmoid": lambda np, x: ascipy.expit(x) if np is anp else bpl.ops.sigmoid(x),
    "erf": lambda np, x: ascipy.erf(x) if np is anp else bpl.ops.erf(x),
    "erfc": lambda np, x: ascipy.erfc(x) if np is anp else bpl.ops.erfc(x),
}  # fmt: skip
KIND = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "arctan2", "logaddexp", "logaddexp2", "operators", "comparison"), PAIR),
    **dict.fromkeys(("sqrt", "log", "log2", "log10", "log1p", "power", "arccosh", "logit", "remainder"), POS),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), UNIT),
    **dict.fromkeys(("tan",), UNIT),
    **dict.fromkeys(("concatenate", "stack", "cross"), "threes"),
    **dict.fromkeys(("split", "vstack", "hstack", "tile", "pad", "slice", "fancy", "tril", "triu", "repeat", "flip", "roll", "diff", "index"), TALL),
    **dict.fromkeys(("diag", "trace", "inv", "det", "slogdet"), "matrix"),
    "cholesky": "spd", "solve": "system",
    **dict.fromkeys(("inner", "outer"), "vectors"),
    **dict.fromkeys(("dot", "matmul", "tensordot", "einsum", "einsum_sum", "kron"), "products"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Output seems independent of input")  # theirs, of sign and floor
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = draw(KIND.get(name, X), rng)
    function = CASES[name]
    y, pullback = bpl.vjp(lambda *xs: function(np, *xs), *arrays)
    u = rng.standard_normal(y.shape)
    ours = pullback(u)
    for i, x in enumerate(arrays):
        others = lambda z, i=i: function(anp, *[z if j == i else a for j, a in enumerate(arrays)])
        pull, theirs = make_vjp(others, x)
        np.testing.assert_allclose(y.value, theirs, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours[i].value, pull(u), rtol=1e-10, atol=1e-10)
