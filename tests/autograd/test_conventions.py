"""The conventions of ops/elementwise.py at NaN, outside the domain and at its edge; and digits.

Over the whole registry, and over every function that an expression of ``explain`` may call.
"""

import inspect

import mpmath
import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import OPS, Op, Tensor, apply, backward, ops
from backproplab.autograd.engines.replay import Replay
from backproplab.autograd.primitive import FUNCTIONS
from backproplab.errors import DataError
from backproplab.explain.compare import compare
from backproplab.explain.trace import trace
from backproplab.explain.values import read_point
from backproplab.formulas.functions import arity, known

NAN, INF = np.nan, np.inf
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def replayed(function, *arrays, also=()):
    """(value, gradients) of the sum of function(*arrays), by a plan that is replayed."""

    def step(*inputs):
        leaves = [Tensor(x.value, None, True) for x in inputs]
        y = function(*leaves)
        return [y, *backward(y, ops.ones_like(Tensor(y.value)), leaves)]

    with np.errstate(all="ignore"):
        into = [np.full_like(y.value, 7) for y in step(*map(Tensor, arrays))]
        replay = Replay(step, also, into)
        replay(*arrays)
        for y in into:
            y[...] = 7
        (plan,) = replay.plans.values()
        plan.run(arrays)
    return into


def both(function, *arrays, also=()):
    """The eager (value, gradients), after a comparison with the replayed ones.

    also: the other arrays that the function reads.
    """
    with np.errstate(all="ignore"):
        y, pullback = bpl.vjp(function, *arrays)
        eager = [y.value, *[g.value for g in pullback(np.ones_like(y.value))]]
    for a, b in zip(eager, replayed(function, *arrays, also=also), strict=True):
        np.testing.assert_array_equal(a, b)
    return eager


# --- NaN in, NaN out, and a NaN gradient: every op of the registry

STEPS = {  # constants to a gradient, whose value need not be NaN
    "isnan", "isfinite", "isinf", "logical_not", "logical_and", "logical_or", "logical_xor", "greater", "greater_equal",
    "less", "less_equal", "equal", "not_equal", "argsort", "argmax_along", "argmin_along", "first_extreme", "full_like",
    "dropout_mask", "place_at_first", "pick_at_first", "sign_of_det", "one_hot",
}  # fmt: skip
WITHOUT_NAN = {
    ("fmax", 0),
    ("fmax", 1),
    ("fmin", 0),
    ("fmin", 1),
    ("copysign", 1),
    ("heaviside", 1),
}
FACTORS = {"symmetric_eigen", "real_eigen", "singular", "pinv"}  # LAPACK's iterations need numbers
PLACES = [
    (op, k, i)
    for op in OPS.values()
    for k in range(len(op.samples))
    for i, x in enumerate(op.samples[k].draw(np.random.default_rng(0)))
    if np.asarray(x).dtype.kind == "f" and not op.effect
]


@quiet
@pytest.mark.parametrize(("op", "k", "i"), PLACES, ids=[f"{o.name}-{k}-{i}" for o, k, i in PLACES])
def test_nan_in_nan_out_and_a_nan_gradient(op, k, i):
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    settings = op.canonical(*arrays, **op.samples[k].settings)

    def along(x):
        return apply(op, *[x if i == j else a for j, a in enumerate(arrays)], **settings)

    def gradient(x):
        y, pullback = bpl.vjp(along, x)
        return pullback(np.ones(y.shape))[0].value

    hole = np.full_like(arrays[i], NAN)
    if op.name == "whole_numbers":
        with pytest.raises(DataError, match="got nan"):
            along(hole)
        return
    if op.name in FACTORS:
        with pytest.raises(np.linalg.LinAlgError):
            along(hole)
        return
    if (op.name, i) in WITHOUT_NAN:  # the other argument decides
        return
    if op.name not in STEPS and not (op.name == "where" and i == 0):
        assert np.isnan(along(hole).value).any()
    if op.rule(i) is None:
        return
    slopes = [gradient(c * arrays[i]) for c in (1, 0.37, 0.6 if op.name == "cholesky" else -0.6)]
    same = [np.array_equal(slopes[0], slope, equal_nan=True) for slope in slopes]
    if not all(same):  # else the derivative does not depend on x
        assert np.isnan(gradient(hole)).any()
        others = [a for j, a in enumerate(arrays) if j != i]
        np.testing.assert_array_equal(both(along, hole, also=others)[1], gradient(hole))


def everywhere():
    """Each function that treats every entry by itself, with its number of arguments."""
    return [(name, arity(FUNCTIONS[name])) for name in known() if name in FUNCTIONS]


CONSTANT_AT_NAN = {"nan_to_num", "nan_where", "fmax", "fmin", "copysign"}
CONSTANT_SLOPE = {
    ("remainder", 0),
    ("divide", 0),
    ("multiply", 0),
    ("multiply", 1),
    ("sigmoid_cross_entropy", 1),
    ("fmod", 0),
    ("xlogy", 0),
    ("xlog1py", 0),
}
CONSTANT_SLOPE |= {
    (name, i) for name in ("add", "subtract", "negative", "deg2rad", "rad2deg") for i in range(2)
}


@quiet
@pytest.mark.parametrize(
    ("name", "count"), [e for e in everywhere() if e[0] not in CONSTANT_AT_NAN]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_elementwise_function_at_nan(name, count, dtype):
    for at in range(count):
        point = [np.full(2, 1.7 if name == "arccosh" else 0.7, dtype) for _ in range(count)]
        point[at][1] = NAN
        y, *gradients = both(FUNCTIONS[name], *point)
        assert np.isnan(y).tolist() == [False, True]
        assert y.dtype == dtype
        if (name, at) not in CONSTANT_SLOPE:
            assert np.isnan(gradients[at]).tolist() == [False, True]


SETTINGS = {
    "clip": {"a_min": -1.0, "a_max": 1.0},
    "leaky_relu": {"alpha": 0.0},
    "hard_shrink": {"threshold": 0.0},
}


@pytest.mark.parametrize(("name", "words"), SETTINGS.items())
def test_settings_that_hide_a_nan(name, words):
    """``0 · x`` and bounds on both sides."""
    y, gradient = both(lambda x: FUNCTIONS[name](x, **words), np.array([NAN, 0.5]))
    assert np.isnan(y).tolist() == np.isnan(gradient).tolist() == [True, False]


X = np.array([[1.0, NAN, 3.0], [1.0, 2.0, 3.0]])
OVER_ROWS = {
    "max": ops.max, "min": ops.min, "ptp": ops.ptp, "median": ops.median, "norm": ops.norm, "var": ops.var, "std": ops.std,
    "norm-inf": lambda x, axis: ops.norm(x, ord=INF, axis=axis), "norm-1": lambda x, axis: ops.norm(x, ord=1, axis=axis),
    "logsumexp": ops.logsumexp, "softmax": lambda x, axis: ops.softmax(x, axis=axis)[:, 1],
    "log_softmax": lambda x, axis: ops.log_softmax(x, axis=axis)[:, 1],
    "max_pool": lambda x, axis: ops.max_pool(ops.reshape(x, shape=(2, 3, 1)), window=(3,))[:, 0, 0],
    "global_max_pool": lambda x, axis: ops.global_max_pool(ops.reshape(x, shape=(2, 3, 1)), rank=1)[:, 0],
}  # fmt: skip


@quiet
@pytest.mark.parametrize("name", OVER_ROWS)
def test_a_row_with_nan(name):
    y, gradient = both(lambda x: OVER_ROWS[name](x, axis=-1), X)
    assert np.isnan(y).tolist() == [True, False]
    assert np.isnan(gradient[0, 1])
    assert np.isfinite(gradient[1]).all()


def test_numpy_agrees_on_nan():
    for name in ("max", "min", "ptp", "median", "var", "std", "sum", "mean", "prod", "sort"):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(
                getattr(ops, name)(X, axis=-1).value, getattr(np, name)(X, axis=-1)
            )


def test_nan_changes_no_other_number():
    """relu and its kin at the numbers that are not NaN: as before, exactly."""
    x = np.array([-INF, -2.0, -0.0, 0.0, 1e-310, 5e-324, 0.3, 1.0, 7.0, INF])
    assert both(ops.relu, x)[1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert both(lambda x: ops.leaky_relu(x, alpha=2.0), x)[1].tolist() == [2] * 4 + [1] * 6
    assert both(lambda x: ops.leaky_relu(x, alpha=-2.0), x)[0].tolist() == [INF, 4, 0, 0, *x[4:]]
    assert both(ops.hard_shrink, x[1:-1])[0].tolist() == [-2, 0, 0, 0, 0, 0, 1, 7]
    assert both(lambda x: ops.clip(x, 0, 1), x)[1].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]


# --- the domain and its edge

POINTS = np.array([-INF, -3.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 3.0, INF])


@quiet
@pytest.mark.parametrize("name", [name for name, count in everywhere() if count == 1])
def test_outside_the_domain_value_and_gradient_are_nan(name):
    if name == "nan_to_num":
        return
    y, gradient = both(FUNCTIONS[name], POINTS)
    finite = np.isfinite(POINTS)
    assert np.isnan(gradient[np.isnan(y) & finite]).all()
    assert not np.isnan(gradient[np.isfinite(y) & finite]).any()


EDGES = [  # function, point, derivative from inside the domain
    (ops.sqrt, 0.0, INF), (ops.log, 0.0, INF), (ops.log2, 0.0, INF), (ops.log10, 0.0, INF), (ops.log1p, -1.0, INF),
    (ops.cbrt, 0.0, INF), (ops.arcsin, 1.0, INF), (ops.arccos, 1.0, -INF), (ops.arccosh, 1.0, INF),
    (ops.arctanh, 1.0, INF), (lambda x: ops.power(x, 0.5), 0.0, INF), (lambda x: ops.power(x, 1.0), 0.0, 1),
    (lambda x: ops.power(x, 0.0), 0.0, 0), (lambda x: ops.power(x, 3.0), 0.0, 0), (lambda x: ops.power(x, -1.0), 0.0, -INF),
    (lambda x: ops.power(x, 0.0), INF, 0), (lambda x: ops.power(x, 3.0), -2.0, 12), (lambda x: ops.power(x, 0.5), -2.0, NAN),
    (lambda x: ops.power(0.0, x), 2.0, 0), (lambda x: ops.power(0.0, x), 0.0, -INF), (lambda x: ops.power(0.0, x), -1.0, -INF),
    (lambda x: ops.power(-2.0, x), 2.0, NAN), (lambda x: ops.power(-2.0, x), 0.5, NAN), (lambda x: ops.power(3.0, x), 0.0, np.log(3)),
    (lambda x: x**x, 0.0, -INF), (lambda x: x**x, 2.0, 4 * (np.log(2) + 1)), (lambda x: x**x, -2.0, NAN),
    (lambda x: ops.float_power(x, x), 0.0, -INF), (lambda x: ops.hypot(x, x), 0.0, 0), (lambda x: ops.hypot(x, 0.0), 0.0, 0),
]  # fmt: skip


@quiet
@pytest.mark.parametrize("case", range(len(EDGES)))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_derivative_at_the_edge_of_the_domain(case, dtype):
    function, x, expected = EDGES[case]
    np.testing.assert_allclose(both(function, np.array(x, dtype))[1], expected, rtol=1e-6)


def test_the_mixed_second_derivative_of_a_power():
    # ∂²aᵇ/∂a∂b = aᵇ⁻¹ (1 + b ln a), at b = 0 too
    mixed = bpl.grad(lambda b: bpl.grad(ops.power)(2.0, b))
    assert mixed(0.0).item() == pytest.approx(0.5)
    assert mixed(3.0).item() == pytest.approx(4 * (1 + 3 * np.log(2)))


# text, point: derivatives by a and b, or None where one is not finite
POWERS = [
    ("a**b", "a=2 b=3", (12, 8 * np.log(2))), ("a**b", "a=2 b=0", (0, np.log(2))), ("a**b", "a=0 b=2", (0, 0)),
    ("a**b", "a=0 b=1", (1, 0)), ("a**b", "a=0 b=0", None), ("a**b", "a=-2 b=2", None), ("a**a", "a=0", None),
    ("a**a", "a=-2", None), ("a**2", "a=-2", (-4,)), ("a**2", "a=0", (0,)), ("a**0.5", "a=0", None), ("a**0", "a=0", (0,)),
    ("0**b", "b=2", (0,)), ("a**3", "a=-2", (12,)), ("log(a)", "a=-1", None), ("float_power(a, b)", "a=0 b=2", (0, 0)),
    ("float_power(a, b)", "a=-2 b=2", None), ("hypot(a, b)", "a=0 b=0", (0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "point", "expected"), POWERS)
def test_explain_has_the_same_rule(text, point, expected):
    """A derivative that is no finite number is shown as it is; the others are backprop's and SymPy's."""
    parsed, values = read_point(text, point.split())
    if expected is None:
        found = [c.backprop for c in compare(parsed, values, trace(parsed, values))]
        assert not np.isfinite(np.asarray(found, float)).all()
        return
    comparisons = compare(parsed, values, trace(parsed, values))
    for comparison, slope in zip(comparisons, expected, strict=True):
        assert comparison.backprop == pytest.approx(slope)
        if comparison.symbolic.value is not None:
            assert comparison.symbolic.value == pytest.approx(slope)


# --- digits at large numbers, in float32


def mp_logaddexp(a, b):
    return a + mpmath.log(1 + mpmath.exp(b - a)) if a > b else b + mpmath.log(1 + mpmath.exp(a - b))


def mp_logaddexp2(a, b):
    ln2 = mpmath.log(2)
    return mp_logaddexp(a * ln2, b * ln2) / ln2


def mp_cross_entropy(x, z):
    return mp_logaddexp(0, x) - x * z


SIZES = [0.0, 1e-6, 0.3, 1.0, 5.0, 20.0, 90.0, 1e3, 1e7, 3e20]
AROUND = [0.0, 0.5, 1.0, 2.0, 30.0]
STABLE_1 = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "softplus": lambda x: mp_logaddexp(0, x),
    "log_sigmoid": lambda x: -mp_logaddexp(0, -x), "tanh": mpmath.tanh, "arctan": mpmath.atan, "arcsinh": mpmath.asinh,
    "erf": mpmath.erf, "erfc": mpmath.erfc, "expm1": mpmath.expm1, "silu": lambda x: x / (1 + mpmath.exp(-x)),
}  # fmt: skip
STABLE_2 = {
    "logaddexp": mp_logaddexp, "logaddexp2": mp_logaddexp2, "hypot": mpmath.hypot, "arctan2": mpmath.atan2,
    "sigmoid_cross_entropy": mp_cross_entropy,
}  # fmt: skip


def exact(function, *point):
    """(value, derivatives) with 50 digits."""
    with mpmath.workdps(700):
        point = [mpmath.mpf(float(x)) for x in point]
        h = mpmath.mpf(10) ** -300

        def at(i, t):
            return function(*[x + t if i == j else x for j, x in enumerate(point)])

        slopes = [(at(i, h) - at(i, -h)) / (2 * h) for i in range(len(point))]
        return [float(function(*point)), *map(float, slopes)]


def close(found, expected, scale=1.0):
    top = np.finfo(np.float32).max
    if abs(expected) > top:
        assert np.isinf(found)
    else:
        assert found == pytest.approx(
            expected, rel=2e-6, abs=max(2e-6 * scale, 1e-37)
        )  # below it numbers underflow


@pytest.mark.parametrize("name", STABLE_1)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_stable_functions_have_their_digits(name, size, sign):
    if name == "expm1" and sign * size > 80:
        return
    x = np.array(sign * size, np.float32)
    y, slope = both(getattr(ops, name), x)
    value, derivative = exact(STABLE_1[name], x)
    close(y, value, abs(value))
    close(slope, derivative, min(1.0, max(abs(derivative), 0.1)))
    if name in ("arctan", "arcsinh"):
        close(slope, derivative, abs(derivative))


@pytest.mark.parametrize("name", STABLE_2)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("apart", AROUND)
def test_stable_functions_of_two_have_their_digits(name, size, apart):
    for sign in (-1, 1):
        a = np.array(sign * size, np.float32)
        b = np.array(a + np.float32(apart), np.float32)
        if name == "sigmoid_cross_entropy":
            b = np.array(min(apart, 1.0), np.float32)
        if name in ("hypot", "arctan2") and not a and not b:
            continue
        y, *slopes = both(getattr(ops, name), a, b)
        value, *derivatives = exact(STABLE_2[name], a, b)
        close(
            y,
            value,
            abs(value) if name != "sigmoid_cross_entropy" else 1 + abs(float(a) * float(b)),
        )
        for slope, derivative in zip(slopes, derivatives, strict=True):
            close(slope, derivative, abs(derivative) if name in ("hypot", "arctan2") else 1.0)


ROWS = [[0, 1, 2, -3], [0, 0.5, 0, 0], [-2, 0, -40, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("shift", [0.0, 100.0, -100.0, 1e7, -1e7])
@pytest.mark.parametrize("columns", [2, 3, 4, 40])
def test_softmax_and_its_kin_have_their_digits(shift, columns):
    """A shift of all logits changes no digit, as far as the logits themselves keep theirs."""
    rows = np.array(ROWS)[:, np.arange(columns) % 4]
    z = (rows + shift).astype(np.float32)
    wide = z.astype(np.float64)
    labels = np.array([0, 1, 1, 0])
    with mpmath.workdps(50):
        sums = [mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x)) for x in row)) for row in wide]
        logs = [[float(mpmath.mpf(x) - s) for x in row] for row, s in zip(wide, sums, strict=True)]
    logs = np.array(logs)
    found = both(ops.log_softmax, z)[0]
    np.testing.assert_allclose(found, logs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ops.softmax(z).value, np.exp(logs), rtol=2e-6, atol=1e-12)
    np.testing.assert_allclose(ops.logsumexp(z, axis=-1).value, list(map(float, sums)), rtol=1e-6)
    loss, slope = both(lambda z: ops.softmax_cross_entropy(z, labels), z, also=[labels])
    np.testing.assert_allclose(loss, -logs[np.arange(4), labels], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, np.exp(logs) - np.eye(columns)[labels], rtol=2e-6, atol=1e-6)


def test_every_function_of_the_tables_exists():
    for name in {*STABLE_1, *STABLE_2}:
        assert callable(getattr(ops, name))
    assert OPS.keys() >= STEPS
    assert all(isinstance(op, Op) or inspect.isfunction(op) for op in FUNCTIONS.values())


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("shape", [(5, 5), (3, 5, 5)])
@pytest.mark.parametrize(
    ("dtype", "gap"), [("f8", 3e-16), ("f8", 1e-10), ("f4", 2e-7), ("f4", 1e-5)]
)
def test_a_matrix_symmetric_but_for_rounding_has_the_symmetric_gradient(dtype, gap, shape, upper):
    """As products with a transpose are, and inverses: how much is BLAS' and LAPACK's affair."""
    chance = np.random.default_rng(0)
    a = chance.standard_normal(shape)
    exact = a @ np.swapaxes(a, -1, -2)
    exact = ((exact + np.swapaxes(exact, -1, -2)) / 2 + np.eye(5)).astype(dtype)
    g, below = chance.standard_normal(shape).astype(dtype), np.tri(5, k=-1)

    def gradient(x):
        return bpl.vjp(lambda x: np.linalg.cholesky(x, upper=upper), x)[1](g)[0].value

    rounded = (exact * (1 + gap * below)).astype(dtype)
    assert (rounded != np.swapaxes(rounded, -1, -2)).any()
    near = {
        "rtol": 1e4 * np.finfo(dtype).eps + 100 * gap,
        "atol": 1e2 * np.finfo(dtype).eps + 10 * gap,
    }
    np.testing.assert_allclose(gradient(rounded), gradient(exact), **near)
    other = (exact + 0.01 * below).astype(dtype)  # of it NumPy reads one triangle
    assert not (np.tril(gradient(other), -1) if upper else np.triu(gradient(other), 1)).any()
