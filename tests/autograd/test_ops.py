"""Every op, from the registry: derivatives, population axis, types, no mutation."""

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import elementwise_grad

import backproplab as bpl
from backproplab.autograd import OPS, Tensor, apply, gradcheck, ops
from backproplab.autograd.each_unit import OWN_AXES
from backproplab.errors import GraphError

CASES = [(op, k) for op in OPS.values() for k in range(len(op.samples))]


def cases(wanted):
    """The samples of every op for which ``wanted(op)``, as test parameters."""
    chosen = [(op, k) for op, k in CASES if wanted(op)]
    return pytest.mark.parametrize(("op", "k"), chosen, ids=[f"{op.name}-{k}" for op, k in chosen])


def is_certain(op):
    """Chance draws other numbers for another shape, and anew each time."""
    return not op.effect or op.name == "assign"


def arrays_of(op, k, seed=0):
    return [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(seed))]


def differentiable_positions(op, arrays):
    return [i for i, x in enumerate(arrays) if x.dtype.kind == "f" and op.rule(i) is not None]


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_op_has_samples_and_a_doc(op):
    assert op.samples
    assert op.doc


@cases(lambda op: op.differentiable)
def test_derivatives_to_order_2_in_both_modes(op, k):
    arrays = arrays_of(op, k)
    positions = differentiable_positions(op, arrays)

    def function(*moving):
        inputs = list(arrays)
        for position, x in zip(positions, moving, strict=True):
            inputs[position] = x
        return op(*inputs, **op.samples[k].settings)

    gradcheck(function, *[arrays[i] for i in positions], order=2)


@cases(is_certain)
def test_a_leading_axis_gives_the_stacked_results(op, k):
    members = [arrays_of(op, k, seed) for seed in range(3)]
    settings = op.canonical(*members[0], **op.samples[k].settings)
    alone = [apply(op, *m, **settings).value for m in members]
    ndim = max(x.ndim for x in members[0])
    aligned = op.name not in OWN_AXES
    stacked = [
        np.stack([_aligned(m[i], ndim if aligned and len(m) > 1 else 0) for m in members])
        for i in range(len(members[0]))
    ]
    together = apply(op, *stacked, **settings).value
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-12, atol=1e-12)


def _aligned(x, ndim):
    """Room for the member axis in front, as broadcasting would give it."""
    return x.reshape((1,) * (ndim - x.ndim) + x.shape)


@cases(lambda op: True)
def test_float32_stays_float32_and_inputs_stay_whole(op, k):
    arrays = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in arrays_of(op, k)]
    before = [x.copy() for x in arrays]
    settings = {
        key: np.float32 if key == "dtype" else v for key, v in op.samples[k].settings.items()
    }
    if op is ops.assign:  # the one op that changes an input, by its name
        before[0] = np.broadcast_to(arrays[1], before[0].shape)
    y = op(*arrays, **settings)
    assert y.dtype in (np.float32, np.bool_) or op.name.startswith(("arg", "whole"))  # places
    for x, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, old)


@cases(lambda op: is_certain(op) and not op.view)  # a view has no buffer of its own
def test_out_receives_the_same_numbers(op, k):
    arrays = arrays_of(op, k)
    settings = op.canonical(*arrays, **op.samples[k].settings)
    y = np.asarray(op.forward(*arrays, **settings))
    out = np.empty_like(y)
    op.forward(*arrays, out=out, **settings)
    np.testing.assert_array_equal(out, y)


@pytest.mark.parametrize("number", [2, 2.5, True])
def test_a_python_number_takes_the_type_of_its_neighbor(number):
    x = Tensor(np.ones(3, np.float32))
    for y in (x * number, number * x, x + number, number - x, x / number, ops.maximum(x, number)):
        assert y.dtype == np.float32


# Where HIPS/autograd has the function, its value and gradient are the reference.
ORACLE = {
    "exp": anp.exp, "expm1": anp.expm1, "log": anp.log, "log1p": anp.log1p, "sqrt": anp.sqrt,
    "square": anp.square, "tanh": anp.tanh, "absolute": anp.abs, "negative": anp.negative,
    "sigmoid": lambda x: 1 / (1 + anp.exp(-x)), "relu": lambda x: anp.maximum(x, 0),
    "softplus": lambda x: anp.logaddexp(x, 0), "softsign": lambda x: x / (1 + anp.abs(x)),
    "silu": lambda x: x / (1 + anp.exp(-x)),
    "elu": lambda x: anp.where(x > 0, x, anp.expm1(anp.minimum(x, 0))),
    "leaky_relu": lambda x: anp.where(x > 0, x, 0.3 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", ORACLE)
def test_values_and_gradients_agree_with_hips_autograd(name):
    x = np.random.default_rng(1).uniform(0.2, 3, (4, 5))
    if name not in ("log", "log1p", "sqrt"):
        x *= np.random.default_rng(2).choice([-1, 1], x.shape)
    y, pullback = bpl.vjp(getattr(ops, name), x)
    np.testing.assert_allclose(y.value, ORACLE[name](x), rtol=1e-12)
    expected = elementwise_grad(ORACLE[name])(x)
    np.testing.assert_allclose(pullback(np.ones_like(x))[0].value, expected, rtol=1e-10)


def test_gelu_and_erf_agree_with_scipy():
    x = np.linspace(-4, 4, 41)
    np.testing.assert_allclose(ops.erf(x).value, scipy.special.erf(x), rtol=1e-15)
    np.testing.assert_allclose(ops.gelu(x).value, x * scipy.special.ndtr(x), rtol=1e-12, atol=1e-15)


def test_selu_constants_keep_mean_0_and_variance_1():
    # Klambauer et al. 2017: the constants solve E[selu(z)] = 0, E[selu(z)²] = 1 for z ~ N(0, 1)
    z = np.random.default_rng(0).standard_normal(1_000_000)
    y = ops.selu(z).value
    assert abs(y.mean()) < 3e-3
    assert abs(y.var() - 1) < 5e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1.0, 17.0, 40.0, 89.0, 710.0, 1e4])
def test_stable_functions_stay_finite_and_warn_of_nothing(dtype, size):
    z = np.array([[size, -size, 0], [-size, -size, -size]], dtype)
    labels = np.array([1, 2])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for y in (
            ops.softmax(z), ops.log_softmax(z), ops.logsumexp(z, axis=-1), ops.softplus(z),
            ops.softmax_cross_entropy(z, labels), ops.sigmoid_cross_entropy(z, np.zeros_like(z)),
        ):  # fmt: skip
            assert np.isfinite(y.value).all()
    assert np.isfinite(ops.sigmoid(z).value).all()


# anchors/learners.md section 9, "fused" column: logits, class, loss, gradient
FUSED = [
    ([1000, 0], 0, 0, [0, 0]),
    ([1000, 0], 1, 1000, [1, -1]),
    ([100, 0], 1, 100, [1, -1]),
    ([20, 0], 1, 20, [1, -1]),
    ([-1000, -10, -8], 0, 992.126928011043, [-1, 0.11920292202211755, 0.8807970779778823]),
    ([1, 2, 3], 2, 0.4076059644443804, [0.09003057317038046, 0.24472847105479764, -0.3347590442251781]),
]  # fmt: skip


@pytest.mark.parametrize(("logits", "label", "loss", "gradient"), FUSED)
def test_fused_cross_entropy_by_the_course_table(logits, label, loss, gradient):
    z = np.array([logits], float)
    y, pullback = bpl.vjp(lambda z: ops.softmax_cross_entropy(z, np.array([label])), z)
    np.testing.assert_allclose(y.value, [loss], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pullback(np.ones(1))[0].value, [gradient], rtol=1e-8, atol=1e-8)


def test_logsumexp_of_infinities():
    rows = np.array([[1000, 1000], [-1000, -1000], [-np.inf, -np.inf], [0, -np.inf]])
    expected = [1000.6931471805599, -999.3068528194401, -np.inf, 0]
    np.testing.assert_allclose(ops.logsumexp(rows, axis=-1).value, expected, rtol=1e-15)


# binary cross-entropy with logits: anchors/learners.md section 9
@pytest.mark.parametrize(
    ("x", "z", "loss"), [(17, 0, 17), (40, 0, 40), (1000, 1, 0), (2, 1, 0.1269280110429725)]
)
def test_sigmoid_cross_entropy_by_the_course_table(x, z, loss):
    assert ops.sigmoid_cross_entropy(float(x), float(z)).item() == pytest.approx(loss, rel=1e-7)


def test_conventions_at_kinks_and_ties():
    from backproplab import grad

    assert grad(ops.relu)(0.0).item() == 0
    assert grad(ops.absolute)(0.0).item() == 0
    assert [g.item() for g in grad(ops.maximum, (0, 1))(1.0, 1.0)] == [1, 0]
    assert [g.item() for g in grad(ops.minimum, (0, 1))(1.0, 1.0)] == [1, 0]
    np.testing.assert_array_equal(grad(ops.max)(np.array([1.0, 3, 3, 2])).value, [0, 1, 0, 0])
    np.testing.assert_array_equal(
        grad(ops.min)(np.array([[3.0, 1], [1, 1]])).value, [[0, 1], [0, 0]]
    )


@cases(lambda op: True)
def test_only_views_share_memory(op, k):
    arrays = arrays_of(op, k)
    y = op(*arrays, **op.samples[k].settings).value
    assert op.view or not any(np.shares_memory(y, x) for x in arrays)


def test_arguments_as_people_write_them():
    x = Tensor(np.arange(3.0))
    np.testing.assert_array_equal((x == 1).value, [False, True, False])
    np.testing.assert_array_equal((x != 1).value, [True, False, True])
    np.testing.assert_array_equal(ops.where([True, False], [1.0, 2.0], 0.0).value, [1, 0])
    assert ops.sum(x, axis=np.int64(0)).item() == 3
    assert x in {x}


def test_settings_given_as_arrays_are_refused():
    with pytest.raises(GraphError, match="sum takes 1 arrays, got 2: settings such as axis"):
        ops.sum(np.ones((2, 3)), 0)


def test_an_unknown_op_names_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'sigmoid'"):
        ops.sigmod(1.0)


@pytest.mark.parametrize(
    ("a", "b"), [((4,), (4,)), ((3, 4), (4,)), ((3,), (3, 4)), ((2, 3, 4), (4,)), ((3,), (2, 3, 4)), ((2, 3, 4), (4, 5))]
)  # fmt: skip
def test_matmul_means_what_numpy_means(a, b):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(ops.matmul(x, y).value, x @ y, rtol=1e-13)
    gradcheck(ops.matmul, x, y)


INDEXES = [
    0, -1, slice(1, 3), (slice(None), 2), (Ellipsis, 1), None, (0, slice(None, None, -1)),
    [2, 0, 2], ([0, 1], [1, 1]), np.array([[0, 1], [2, 2]]), np.array([True, False, True]),
    (slice(0, 2), [3, 3, 0]), [], (Ellipsis, [True, False, True, False]),
]  # fmt: skip


@pytest.mark.parametrize("index", INDEXES, ids=repr)
def test_indexing_means_what_numpy_means(index):
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(ops.take(x, index=index).value, x[index])
    gradcheck(lambda x: x[index], x)
