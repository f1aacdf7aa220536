"""Loops for crews of small networks have NumPy's bits: few classes, narrow and turned factors."""

from functools import partial

import numpy as np
import pytest

from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import building, door, passes, products, proof, tape
from backproplab.autograd.engines.replay import Replay
from backproplab.autograd.lowering import elementwise, logits
from tests.autograd.playing import DTYPES, odd, played

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)


def made(calls):
    for call in calls:
        call()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 10, 15, 16])
@np.errstate(all="ignore")
def test_many_rows_of_few_classes(n, dtype):
    """In several blocks, the last of which is shorter; labels that begin anew within a block."""
    x, labels = odd((3, 700, n), dtype), np.arange(700) % n
    want, got, same = np.empty_like(x), np.empty_like(x), x.copy()
    made(logits.softmax(x, out=want, axis=(-1,)))
    played(logits.softmax(x, out=got, axis=(-1,)))
    assert len(played(logits.softmax(same, out=same, axis=(-1,)))._records) == 1
    assert want.tobytes() == got.tobytes() == same.tobytes()
    want, got = np.empty((2, 3, 700), dtype)
    for own in (labels, np.tile(labels, (3, 1))):
        made(logits.softmax_cross_entropy(x, own, out=want))
        assert len(played(logits.softmax_cross_entropy(x, own, out=got))._records) == 1
        assert want.tobytes() == got.tobytes()


# --- the gradients of tanh and sigmoid

ACTIVATIONS = {"tanh": ops.tanh, "sigmoid": ops.sigmoid}


def plan_of(step, x, results):
    """The plan of a step, and where its results go."""
    into = [np.empty(shape, x.dtype) for shape in results]
    replay = Replay(step, [], into)
    replay(x)
    (plan,) = replay.plans.values()
    np.copyto(plan.inputs[0], x)
    return plan, into


def layers(activation, also=()):
    """Two layers of an activation, and the gradient by what they get.

    also: "value" or "slope" if the step has them as results.
    """

    def step(x):
        x = Tensor(x.value, None, True)
        y = activation(activation(x) + x)
        more = {"value": y, "slope": 1 - y * y}
        return [*backward(y * x, ops.ones_like(y) * 0.3, [x]), *[more[k] for k in also]]

    return step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("also", [(), ("value",), ("slope",), ("value", "slope")], ids=str)
@np.errstate(all="ignore")
def test_a_gradient_in_one_pass_is_the_gradient_of_eager(name, also, dtype):
    x = odd((3, 40, 7), dtype)
    step = layers(ACTIVATIONS[name], also)
    want = [y.value.tobytes() for y in step(Tensor(x))]
    plan, into = plan_of(step, x, [x.shape] * (1 + len(also)))
    passes = [s for s in plan.program.instructions if s.op.name == f"{name}_gradient"]
    shared = name == "tanh" and "slope" in also  # 1 - y², which is not computed anew
    assert len(passes) == 2 - shared
    for run in (plan.play, played(plan.calls)):
        for y in into:
            y[...] = 7
        run()
        assert [y.tobytes() for y in into] == want


def test_a_gradient_whose_slope_is_used_elsewhere_is_left_as_it_is():
    def twice(x):
        y = ops.tanh(x)
        slope = 1 - y * y
        return [x * slope, slope]

    def of_two(x):
        y = ops.tanh(x)
        return [x * (2 - y * y)]

    def broadcast(x):
        y = ops.tanh(x[:1])
        return [x * (1 - y * y)]

    x = odd((4, 3), np.float64)
    for step in (twice, of_two, broadcast):
        plan, into = plan_of(step, x, [y.shape for y in step(Tensor(x))])
        assert "tanh_gradient" not in str(plan.program)
        plan.play()
        assert [y.value.tobytes() for y in step(Tensor(x))] == [y.tobytes() for y in into]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", [elementwise.tanh_gradient, elementwise.sigmoid_gradient])
@np.errstate(all="ignore")
def test_a_gradient_also_in_place_and_with_gaps(rule, dtype):
    for shape in ((50,), (4, 37), (2, 5, 3, 8)):
        y, g = odd(shape, dtype), odd((*shape[:-1], shape[-1] + 3), dtype, 5)[..., : shape[-1]]
        for own in (y, y.copy("F")):
            want, got, same, last = np.empty_like(y), np.empty_like(y), own.copy("K"), g.copy()
            made(rule(own, g, out=want))
            calls = rule(own, g, out=got), rule(same, g, out=same), rule(own, last, out=last)
            for call in calls:
                played(call)
            assert want.tobytes() == got.tobytes() == same.tobytes() == last.tobytes()


@pytest.mark.parametrize("rule", [elementwise.tanh_gradient, elementwise.sigmoid_gradient])
def test_a_gradient_that_fails_its_trial_is_made_call_by_call(rule, monkeypatch):
    monkeypatch.setattr(passes, "TRIED", {})
    monkeypatch.setattr(passes, "_is_equal", lambda *unused: False)
    y, g = odd((2, 6, 5), np.float32)
    want, got = np.empty((2, 6, 5), np.float32)
    made(rule(y, g, out=want))
    assert len(played(rule(y, g, out=got))._records) == 3
    assert want.tobytes() == got.tobytes()


# --- products whose rows are lanes, and factors that are turned

SETS = [level for level in (3, 4) if level <= products.level()]
THIN = [(m, k, n) for m in (2, 8, 19, 40) for k in (1, 2, 7, 12) for n in (2, 3, 4, 5, 18)]


def layouts(x):
    """The matrix with its rows, its columns and neither side by side, and with gaps between rows."""
    wide = np.zeros((x.shape[0], 2 * x.shape[1] + 3), x.dtype)
    wide[:, : 2 * x.shape[1] : 2] = x
    near = np.zeros((x.shape[0], x.shape[1] + 3), x.dtype)
    near[:, : x.shape[1]] = x
    turned = np.zeros((x.shape[1], x.shape[0] + 3), x.dtype)
    turned[:, : x.shape[0]] = x.T
    return x, x.copy("F"), wide[:, : 2 * x.shape[1] : 2], near[:, :-3], turned[:, :-3].T


def small_numbers(shape, dtype, seed):
    """Numbers of few bits, whose products and their sums are exact in both types."""
    return np.random.default_rng(seed).integers(-8, 8, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", SETS)
@pytest.mark.parametrize("shape", THIN, ids=str)
def test_a_thin_product_from_any_layout_writes_its_rows_alone(shape, level, dtype, monkeypatch):
    monkeypatch.setattr(products, "level", lambda: level)
    m, k, n = shape
    a, b = small_numbers((m, k), dtype, 0), small_numbers((k, n), dtype, 1)
    whole = np.empty((m + 2, n + 3), dtype)
    for left in layouts(a):
        for right in layouts(b):
            for out in (whole[1:-1, 1 : n + 1], whole.reshape(-1)[n : n + m * n].reshape(m, n)):
                whole[...] = 7
                for cut in range(2):
                    tape._translated(cut, partial(np.matmul, left, right, out))()
                    np.testing.assert_array_equal(out, a.astype(int) @ b.astype(int))
                out[...] = 7
                assert (whole == 7).all()


def fused_chain(a, b):
    """In float64 products and sums of numbers of few bits are exact: one rounding to float32 after
    each is what a fused operation gives."""
    y = np.zeros((len(a), b.shape[1]), "f4")
    for i in range(len(b)):
        y[...] = y.astype(float) + np.outer(a[:, i], b[i]).astype(float)
    return y


@pytest.mark.parametrize("level", SETS)
@pytest.mark.parametrize("shape", [(37, 50, 2), (16, 9, 4), (21, 31, 16)], ids=str)
def test_a_thin_product_is_a_chain_of_fused_operations(shape, level, monkeypatch):
    monkeypatch.setattr(products, "level", lambda: level)
    m, k, n = shape
    chance = np.random.default_rng(0)
    a, b = (
        np.ldexp(chance.integers(-512, 512, s), chance.integers(-6, 1, s)).astype("f4")
        for s in ((m, k), (k, n))
    )
    for left in layouts(a):
        for right in layouts(b):
            out = np.empty((m, n), "f4")
            if products.own_loops(left, right, out):
                tape._translated(0, partial(np.matmul, left, right, out))()
                np.testing.assert_array_equal(out, fused_chain(a, b))


@pytest.mark.parametrize("level", SETS)
def test_a_sum_that_underflows_to_minus_zero_may_be_added_to_zero(level, monkeypatch):
    monkeypatch.setattr(products, "level", lambda: level)
    a, b = np.full((16, 2), -1e-30, "f4"), np.full((2, 3), 1e-30, "f4")
    for right in (b, b.copy("F")):
        for cut, sign in ((0, True), (1, False)):
            out = np.empty((16, 3), "f4")
            tape._translated(cut, partial(np.matmul, a, right, out))()
            assert (np.signbit(out) == sign).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", SETS)
@pytest.mark.parametrize("underflows", [False, True])
@np.errstate(all="ignore")
def test_thin_products_of_crews_play_as_numpy(underflows, level, dtype, monkeypatch):
    """Also where all products of a sum underflow, to 0 or -0."""
    monkeypatch.setattr(products, "level", lambda: level)
    for m, k, n in [(40, 16, 2), (33, 6, 3), (16, 32, 4), (32, 2, 16), (9, 16, 16), (300, 10, 32)]:
        a, b = odd((3, m, k), dtype), odd((3, k, n), dtype, 1)
        if underflows:
            proof._shrink(a, first=False)
            proof._shrink(b, first=False)
        for left in (a, a.swapaxes(1, 2).copy().swapaxes(1, 2)):
            for right in (b, b.swapaxes(1, 2).copy().swapaxes(1, 2)):
                want, got = np.empty((2, 3, m, n), dtype)
                np.matmul(left, right, want)
                played([partial(np.matmul, left, right, got)])
                assert want.tobytes() == got.tobytes()
                played([partial(np.dot, left[0], right[0], got[1])])
                assert np.dot(left[0], right[0], want[1]).tobytes() == got[1].tobytes()


@pytest.mark.skipif(not SETS, reason="no products of our own: no AVX2")
@pytest.mark.parametrize("turned", [False, True])
def test_a_thin_product_that_fails_its_trial_is_made_by_blas(turned, monkeypatch):
    x, w, out = np.ones((16, 4)), np.ones((3, 4)).T, np.empty((16, 3))
    passed = proof._Trial.passed
    trials = []
    monkeypatch.setattr(proof, "TRIED", {})
    monkeypatch.setattr(
        proof._Trial,
        "passed",
        lambda self, player: trials.append(1) or (len(trials) > 4 and passed(self, player)),
    )
    (record,) = played([partial(np.matmul, x, w if turned else w.copy(), out)])._records
    assert record.loop == door.loop_of(np.matmul, (x.dtype,) * 3, None).address
    np.testing.assert_array_equal(out, 4)
