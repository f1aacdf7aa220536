"""The player gives the bits of replay: every op, number and layout; and what it refuses."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from backproplab.autograd import OPS, Tensor, apply, backward, ops
from backproplab.autograd.engines import Bound, engine, native
from backproplab.autograd.engines.native import (
    building,
    door,
    fused,
    products,
    proof,
    records,
    selftest,
    tape,
    translate,
)
from backproplab.autograd.engines.replay import Replay
from backproplab.columns import Column
from backproplab.errors import DataError
from tests.autograd.playing import fail_trials

LEAPS = Path(__file__).parent.parent / "learners" / "test_leaps.py"
OTHERS = [
    Path(__file__).with_name(f"test_native_{name}.py")
    for name in ("windows", "rows", "strips", "shared", "crews")
]
SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 1e-310, 1e-42, 0.0]
CASES = [(op, k) for op in OPS.values() for k in range(len(op.samples)) if not op.effect]
IDS = [f"{op.name}-{k}" for op, k in CASES]

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)


def test_the_player_is_built_where_there_is_a_compiler():
    assert native.missing() == "", "python -m backproplab.autograd.engines.native builds it"


def played_as_replayed(step, arrays, externals=()):
    """Replay the step, play it; both must leave the same bits, or raise the same error."""
    into = [np.full_like(y.value, 7) for y in step(*[Tensor(x) for x in arrays])]
    replay = Replay(step, externals, into)
    replay(*arrays)
    (plan,) = replay.plans.values()
    found = []
    for run in (plan.play, tape.Tape(plan.calls)):
        for own, given in zip(plan.inputs, arrays, strict=True):
            np.copyto(own, given)
        for y in into:
            y[...] = 7
        try:
            run()
        except Exception as error:
            found.append(repr(error))
        else:
            found.append([bits(y) for y in into])
    assert found[0] == found[1]


def bits(y):
    """Bytes. Without AVX2 the sign of a NaN that met another is the compiler's choice."""
    return (y if products.level() else np.where(y == y, y, np.nan)).tobytes()


def with_special(x):
    if x.dtype.kind == "f":
        places = np.random.default_rng(1).permutation(x.size)[: len(SPECIAL)]
        x.reshape(-1)[places] = SPECIAL[: len(places)]
    return x


@pytest.mark.parametrize("special", [False, True], ids=["plain", "nan inf -0 denormal"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "k"), CASES, ids=IDS)
@np.errstate(all="ignore")
def test_every_op_and_its_gradient_play_bit_for_bit(op, k, dtype, special):
    arrays = [np.array(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays]
    settings = op.samples[k].settings
    settings = {key: dtype if key == "dtype" else value for key, value in settings.items()}

    def step(*inputs):
        leaves = [Tensor(x.value, None, x.dtype.kind == "f") for x in inputs]
        y = op(*leaves, **settings)
        moved = [x for i, x in enumerate(leaves) if x.tracked and op.rule(i) is not None]
        if not y.tracked or not moved:
            return [y]
        return [y, *backward(y, ops.ones_like(Tensor(y.value)) * 0.5, moved)]

    try:
        played_as_replayed(step, [with_special(x) for x in arrays] if special else arrays)
    except (np.linalg.LinAlgError, DataError):
        assert special  # no factors of a matrix with NaN, no embedding of 0.5: in any engine


def turned(x):
    return np.asfortranarray(x)


def strided(x):
    """Every other entry of a larger array, in its last axis."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (), x.dtype)
    view = wide[..., ::2] if x.ndim else wide
    view[...] = x
    return view


@pytest.mark.parametrize("layout", [turned, strided])
@pytest.mark.parametrize(("op", "k"), CASES, ids=IDS)
@np.errstate(all="ignore")
def test_every_op_plays_from_any_layout(op, k, layout):
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    settings = op.canonical(*arrays, **op.samples[k].settings)
    memory = [layout(x) for x in arrays]
    try:
        played_as_replayed(lambda: [apply(op, *map(Tensor, memory), **settings)], [], memory)
    except np.linalg.LinAlgError:
        return  # equal rows make no regular matrix


def test_what_networks_are_made_of_needs_no_python():
    """Of a convolutional network with pooling, no call is left to Python."""
    draw = np.random.default_rng(0).standard_normal
    x, kernel, w = (draw(s).astype("f4") for s in ((4, 8, 8, 2), (3, 3, 2, 3), (48, 5)))
    labels = np.array([0, 4, 2, 1])

    def step(x, labels):
        a, b = Tensor(kernel, None, True), Tensor(w, None, True)
        y = ops.max_pool(ops.relu(ops.conv2d(x, a, padding="same")))
        y = ops.sigmoid(ops.reshape(y, shape=(4, 48)) @ b)
        loss = ops.mean(ops.softmax_cross_entropy(y, labels))
        return backward(loss, ops.ones_like(Tensor(loss.value)), [a, b])

    replay = Replay(step, [kernel, w], [np.empty_like(kernel), np.empty_like(w)])
    replay(x, labels)
    (plan,) = replay.plans.values()
    assert tape.Tape(plan.calls).refusals == []


PRODUCTS = [(m, k, n) for m in (1, 2, 7, 32) for k in (1, 3, 64) for n in (1, 2, 10, 33)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_any_shape_and_order(dtype):
    """A product whose bits NumPy computes in another way is made by Python."""
    draw = lambda shape: np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for m, k, n in PRODUCTS:
        for a in (draw((m, k)), draw((k, m)).T, draw((m, 2 * k))[:, ::2]):
            for b in (draw((k, n)), draw((n, k)).T):
                played_alike(np.dot, (a, b), np.empty((m, n), dtype))
                played_alike(np.matmul, (a, b), np.empty((m, n), dtype))
                crew = np.stack([a, a + 1]), np.stack([b, b - 1])
                played_alike(np.matmul, crew, np.empty((2, m, n), dtype))
        played_alike(np.dot, (draw(k), draw((k, n))), np.empty(n, dtype))


def played_alike(function, arrays, out, **settings):
    want = out.copy()
    function(*arrays, out=want, **settings)
    tape.Tape([partial(function, *arrays, out=out, **settings)])()
    assert out.tobytes() == want.tobytes(), [x.shape for x in arrays]


SETS = [level for level in (3, 4) if level <= products.level()]
needs_own_products = pytest.mark.skipif(not SETS, reason="no products of our own: no AVX2")


def own_product(call, cut=products.CUTS[0]):
    """What our loop for this cut of k computes, whether or not BLAS does."""
    own = [loop.owner and tuple(loop.owner[0][:3]) for loop in products.own_loops(*call.args)]
    tape._translated(own.index(cut) if cut in own else 0, call)()
    return call.args[-1]


@pytest.mark.parametrize("level", SETS)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 5, 3), (1, 20, 125), (9, 7, 16), (15, 900, 40), (64, 1, 33), (3, 1, 125)]
)
def test_an_own_product_is_a_chain_of_fused_operations(m, k, n, level, monkeypatch):
    """Numbers of few bits: in float64 their products and sums are exact, so that one rounding to
    float32 after each is what a fused operation gives."""
    monkeypatch.setattr(products, "level", lambda: level)
    chance = np.random.default_rng(0)
    a, b = (
        np.ldexp(chance.integers(-512, 512, s), chance.integers(-6, 1, s)).astype("f4")
        for s in ((m, k), (k, n))
    )
    want = np.zeros((m, n), "f4")
    for i in range(k):
        want[...] = want.astype(float) + np.outer(a[:, i], b[i]).astype(float)
    for left in (a, np.asfortranarray(a)):
        got = own_product(partial(np.dot, left, b, np.empty((m, n), "f4")))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", SETS)
@np.errstate(all="ignore")
def test_own_products_of_every_instruction_set_play_as_numpy(level, dtype, monkeypatch):
    """Also in pieces of k, in crews and with odd numbers; what has other bits is BLAS'."""
    monkeypatch.setattr(products, "level", lambda: level)
    for m, k, n in [(8, 4, 16), (5, 70, 9), (17, 500, 20), (1, 64, 32), (1, 30, 70), (9, 1, 21)]:
        arrays = [np.empty((2, m, k), dtype), np.empty((2, k, n), dtype)]
        for odd in (False, True):
            for number, x in enumerate(arrays):
                proof._fill(x, number, odd)
            played_alike(np.matmul, arrays, np.empty((2, m, n), dtype))
            played_alike(np.dot, [x[0] for x in arrays], np.empty((m, n), dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("turned", [False, True])
def test_large_products_that_underflow(turned, dtype):
    """BLAS adds a sum to 0, so that -0 becomes +0."""
    tiny = {np.float32: 1e-30, np.float64: 1e-200}[dtype]
    for m, k, n in [(784, 32, 128), (64, 300, 1024), (568, 784, 128)]:
        a, b = np.zeros((m, k), dtype), np.zeros((k, n), dtype)
        a[:, -1], b[-1], a[::2, 0], b[0] = -tiny, tiny, tiny, -tiny
        a = np.asfortranarray(a) if turned else a
        played_alike(np.dot, (a, b), np.empty((m, n), dtype))


@pytest.mark.skipif(products.level() < 4, reason="no AVX-512")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(32, 500, 700), (45, 16, 9000), (50, 900, 150), (60, 900, 141)], ids=str)  # fmt: skip
def test_a_product_that_copies_columns(shape, dtype, monkeypatch):
    """Rows and columns that fill no tile, several pieces of k, crews; nothing beside is written."""
    monkeypatch.setattr(products, "threads_of_blas", lambda: 1)
    m, k, n = shape
    left, right = np.empty((2, k, m), dtype), np.empty((k, n + 2), dtype)
    for number, x in enumerate((left, right)):
        proof._fill(x, number, odd=False)
    for a in (left[0].T, left[0].T.copy(), left.mT):
        memory = np.full((*a.shape[:-1], n + 2), 7, dtype)
        call = partial(np.matmul, a, right[:, 1:-1], memory[..., 1:-1])
        (part,) = translate.translate(call)
        assert part.loop.owner[1] is not None
        played_alike(np.matmul, call.args[:2], call.args[2])
        own_product(call)
        assert np.all(memory[..., [0, -1]] == 7)
        np.testing.assert_allclose(memory[..., 1:-1], a @ right[:, 1:-1], rtol=0, atol=1e-3)


@needs_own_products
def test_pieces_of_k_are_cut_as_openblas_cuts_them():
    """784 by at most 448: halves in units of 16; 900: a whole piece, and then halves. With several
    threads the lengths of two halves differ by at most one."""
    several = (products.LONGEST, 1, products.ADDS_ZERO)
    for cut, k, ends in (
        (products.CUTS[2], 784, (400, 784)),
        (products.CUTS[2], 900, (448, 688, 900)),
        (several, 784, (392, 784)),
        (several, 901, (448, 675, 901)),
    ):
        a, b = (np.random.default_rng(0).standard_normal(s).astype("f4") for s in ((3, k), (k, 5)))
        want, start = np.zeros((3, 5), "f4"), 0
        for end in ends:
            part = partial(np.dot, a[:, start:end], b[start:end], np.empty((3, 5), "f4"))
            want, start = want + own_product(part), end
        whole = partial(np.dot, a, b, np.empty((3, 5), "f4"))
        np.testing.assert_array_equal(own_product(whole, cut), want)


DOTS = [(k, n) for k in (*range(2, 14), 100) for n in (2, 4, 7)]


@needs_own_products
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_times_columns_that_lie_side_by_side(dtype):
    """In integers, so that every order of additions has the same sum; nothing beside is written."""
    for k, n in DOTS:
        a, columns = (np.arange(size) % 7 - 3 for size in (k, n * (k + 2)))
        b = columns.reshape(n, k + 2)[:, 1:-1].astype(dtype).T
        memory = np.full(n + 2, 7, dtype)
        call = partial(np.dot, a[None].astype(dtype), b, memory[None, 1:-1])
        (part,) = translate.translate(call)
        assert part.loop.address == records.library().loop(f"dots_{b.itemsize}_v3")
        own_product(call)
        np.testing.assert_array_equal(memory, [7, *(a @ b), 7])


@needs_own_products
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@np.errstate(all="ignore")
def test_a_row_times_columns_adds_a_vector_of_sums(dtype):
    """Eight sums side by side, or four, then their halves, then pairs; no product is rounded."""
    size = 8 if dtype is np.float32 else 4
    chance = np.random.default_rng(0)
    a, b = (
        np.ldexp(chance.integers(-512, 512, s), chance.integers(-9, 9, s)).astype(dtype)
        for s in ((3 * size,), (4, 3 * size))
    )
    sums = (a * b).reshape(4, 3, size)
    x = (sums[:, 0] + sums[:, 1]) + sums[:, 2]
    x = x[:, size // 2 :] + x[:, : size // 2]
    x = x if size == 4 else x[:, ::2] + x[:, 1::2]
    want = x[:, 0] + x[:, 1]
    got = own_product(partial(np.dot, a[None], b.T, np.empty((1, 4), dtype)))
    np.testing.assert_array_equal(got[0], want)


@needs_own_products
@pytest.mark.parametrize("turned", [False, True])
def test_an_own_product_that_fails_its_proof_is_blas(turned, monkeypatch):
    a, b, out = np.ones((4, 6)), np.ones((6, 8)), np.empty((4, 8))
    if turned:
        a, b, out = a[:1], np.ones((8, 6)).T, out[:1]
    ways = len(products.own_loops(a, b, out))
    fail_trials(monkeypatch, ways)
    mine = tape.Tape([partial(np.dot, a, b, out)])
    assert not mine.refusals
    assert mine._records[0].loop == door.loop_of(np.matmul, (a.dtype,) * 3, None).address
    mine()
    np.testing.assert_array_equal(out, 6)


def test_large_products_are_left_to_many_threads_of_blas():
    if not products.threads_of_blas():
        pytest.skip("NumPy has another BLAS than OpenBLAS")
    a, b, out = np.empty((2, 64, 700)), np.empty((700, 500)), np.empty((2, 64, 500))
    for threads, members in ((1, 2), (2, 1), (products.CROWD, 1), (products.CROWD + 1, 0)):
        with threadpool_limits(threads):
            for member, (x, y) in enumerate([(a[0], out[0]), (a, out)]):
                own = products.own_loops(x, b, y)
                assert bool(own) == (products.level() == 4 and members > member)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_that_blas_makes_in_one_way_is_not_tried(dtype, monkeypatch):
    """np.dot and np.matmul give large matrices to the same function, in any order of their axes."""
    monkeypatch.setattr(proof, "first_equal", None)
    rows = products.FEW - 1
    a, b = np.empty((rows, 300), dtype), np.empty((300, 1030), dtype)
    for number, x in enumerate((a, b)):
        proof._fill(x, number, odd=False)
    for left in (a, np.asfortranarray(a)):
        for right in (b, np.asfortranarray(b)):
            assert products.has_one_way(left, right, np.empty((rows, 1030), dtype))
            played_alike(np.dot, (left, right), np.empty((rows, 1030), dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@np.errstate(all="ignore")
def test_a_product_with_many_rows_turns_the_other_factor(dtype):
    """Then its rows lie side by side."""
    a, b = np.empty((products.TURNED, 80), dtype), np.empty((15, 80), dtype).T
    for odd in (False, True):
        proof._fill(a, 0, odd)
        proof._fill(b, 1, odd)
        played_alike(np.dot, (a, b), np.empty((len(a), 15), dtype))
    parts = tape.proven(partial(np.dot, a, b, np.empty((len(a), 15), dtype)))
    assert len(parts) == (2 if products.level() else 1)
    for one in (b[:, :1], b[:, :1].copy(), b[:1, :1], b[:1]):  # rows or columns, both or neither
        played_alike(np.dot, (a[:, : len(one)], one), np.empty((len(a), one.shape[1]), dtype))


AXES = [(-1,), (0,), (1,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
@pytest.mark.parametrize("axis", AXES, ids=str)
@np.errstate(all="ignore")
def test_reductions_over_any_axes(ufunc, axis):
    draw = lambda shape: np.random.default_rng(0).standard_normal(shape).astype("f4")
    for shape in ((3, 4, 5), (2, 1, 9000), (17, 130, 3), (1, 1, 1), (33, 1, 2)):
        for x in (
            draw(shape),
            with_special(draw(shape)),
            draw(shape[::-1]).T,
            0 * -(draw(shape) ** 2),
        ):
            out = np.empty(ufunc.reduce(x, axis=axis, keepdims=True).shape, x.dtype)
            played_alike(ufunc.reduce, (x,), out, axis=axis, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_with_itself(dtype):
    """BLAS computes half of it, and copies the other half."""
    for n in (3, 40):
        x = np.random.default_rng(0).standard_normal((n, n + 5)).astype(dtype)
        played_alike(np.dot, (x, x.T), np.empty((n, n), dtype))
        played_alike(np.dot, (x[:, :n], x[:, :n]), np.empty((n, n), dtype))


ROW_SHAPES = [
    ((600, 16), (16,)),
    ((3, 600, 7), (3, 1, 7)),
    ((3, 600, 7), (7,)),
    ((601, 5), (1, 5)),  # no number of rows divides them
    ((600, 16), (600, 1)),
    ((600, 65), (65,)),
]


@pytest.mark.parametrize("ufunc", translate.ROUNDED)
@pytest.mark.parametrize(("shape", "row"), ROW_SHAPES, ids=str)
@np.errstate(all="ignore")
def test_a_row_with_many_short_rows(ufunc, shape, row):
    for dtype in (np.float32, np.float64):
        x, y = (np.empty(own, dtype) for own in (shape, row))
        for number, own in enumerate((x, y)):
            proof._fill(own, number, odd=True)
        played_alike(ufunc, (x, y), np.empty(shape, dtype))
        played_alike(ufunc, (y, x), np.empty(shape, dtype))
        played_alike(ufunc, (x.copy("F"), y), np.empty(shape, dtype))
        own, want = x.copy(), ufunc(x, y)
        tape.Tape([partial(ufunc, own, y, own)])()
        assert own.tobytes() == want.tobytes()


def test_a_column_of_numbers_is_left_to_numpy():
    """One number for each member of a crew, which is no array."""
    x, out = np.arange(6.0).reshape(3, 2), np.empty((3, 2))
    mine = tape.Tape([partial(np.multiply, x, Column([1, 2, 3]), out)])
    assert len(mine.refusals) == 1
    mine()
    np.testing.assert_array_equal(out, x * [[1], [2], [3]])


def test_an_output_that_overlaps_an_input_is_left_to_numpy():
    x = np.arange(8.0)
    mine = tape.Tape([partial(np.add, x[:-1], 1.0, x[1:]), partial(np.add, x, x[::-1], x)])
    assert mine.refusals == 2 * ["the output overlaps an input"]


X, ROWS = np.arange(12.0).reshape(3, 4), np.array([2, 0])
HOSTILE = [
    partial(np.dot, X, X, np.empty((3, 4))),
    partial(np.matmul, X, X.T, np.empty((3, 4))),
    partial(np.add, X, np.ones(3), np.empty((3, 4))),
    partial(np.add, X, X, np.empty(4)),
    partial(np.add, X, 1.0, np.broadcast_to(np.empty(4), (3, 4))),
    partial(np.copyto, np.empty(4), X),
    partial(np.copyto, np.empty((3, 4)), X, where=np.ones(3, bool)),
    partial(np.add.reduce, X, axis=(0,), out=np.empty(3)),
    partial(X.take, ROWS, 0, np.empty((2, 3)), "wrap"),
    partial(X.take, ROWS, 0, np.empty((1, 4)), "wrap"),
]


@pytest.mark.parametrize("call", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_call_does_not_reach_the_player(call):
    """It is left to NumPy, which raises."""
    with pytest.raises((door.Unplayable, ValueError)):
        tape.proven(call)


def test_a_check_that_fails_raises_what_python_raises():
    table = np.zeros((3, 4), "f4")
    step = lambda labels: [ops.softmax_cross_entropy(Tensor(table), labels)]
    bound = engine("native").bind(step, [table], [np.empty(3, "f4")])
    for _ in range(tape.WORTH + 4):
        bound(np.array([0, 1, 3]))
    with pytest.raises(Exception, match="labels from 0 to 4, with 4 classes"):
        bound(np.array([0, 1, 4]))


def test_an_error_in_python_is_raised_where_the_playing_began():
    def fail():
        raise KeyboardInterrupt

    x = np.zeros(3)
    mine = tape.Tape([partial(np.add, x, 1, x), fail, partial(np.add, x, 1, x)])
    with pytest.raises(KeyboardInterrupt):
        mine()
    np.testing.assert_array_equal(x, 1)


def test_each_round_reads_the_next_entry_of_a_table():
    table, total = np.arange(12.0).reshape(4, 3), np.zeros(3)
    mine = tape.Tape([partial(np.add, total, table[0], total)], tables=[table])
    mine.play(3, seconds=10)
    assert mine.rounds == 3
    np.testing.assert_array_equal(total, table[:3].sum(axis=0))
    mine.play(1)  # begins with the first again
    np.testing.assert_array_equal(total, table[:3].sum(axis=0) + table[0])


def test_playing_ends_when_its_time_is_over():
    mine = tape.Tape([partial(np.add, total := np.zeros(1), 1, total)])
    mine.play(10**9, seconds=0.01)
    assert 0 < mine.rounds == total[0] < 10**9


# --- fused chains


def chain_calls(chain, shape, dtype, rates=()):
    """The calls of a chain on arrays with odd numbers; and the arrays that it writes."""
    arrays = {name: np.empty(shape, dtype) for name in "θmsgw"}
    for k, x in enumerate(arrays.values()):
        proof._fill(x, k, odd=True)
    arrays |= {name: np.full((), 0.3 + 0.1 * k, dtype) for k, name in enumerate("aber")}
    arrays["r"] = np.full(rates, 0.01, dtype)
    calls = [partial(ufunc, *[arrays[n] for n in names]) for ufunc, names in chain.calls]
    return calls, [arrays[name] for name in chain.operands]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "rates"), [((1000,), ()), ((3, 37), (3, 1)), ((2,), ())])
@pytest.mark.parametrize("chain", fused.CHAINS, ids=lambda chain: chain.loop)
@np.errstate(all="ignore")
def test_a_fused_chain_has_the_bits_of_its_calls(chain, shape, rates, dtype):
    calls, arrays = chain_calls(chain, shape, dtype, rates)
    own, own_arrays = chain_calls(chain, shape, dtype, rates)
    mine = tape.Tape(own)
    assert len(mine._records) == 1
    for _ in range(3):
        mine()
        for call in calls:
            call()
    assert [x.tobytes() for x in own_arrays] == [x.tobytes() for x in arrays]


@pytest.mark.parametrize("chain", fused.CHAINS, ids=lambda chain: chain.loop)
def test_a_chain_whose_scratch_is_read_is_not_fused(chain):
    calls, _ = chain_calls(chain, (9,), np.float64)
    scratch = next(x for c, (_, n) in zip(calls, chain.calls, strict=True) for x, k in zip(c.args, n, strict=True) if k == "w")  # fmt: skip
    read = partial(np.add, scratch, 1.0, np.empty(9))
    assert len(tape.Tape([*calls, read])._records) == len(calls) + 1
    fresh = partial(np.negative, np.ones(9), scratch)
    assert len(tape.Tape([*calls, fresh, read])._records) == 3


def test_a_chain_on_arrays_that_overlap_is_not_fused():
    calls, _ = chain_calls(fused.SGD, (9,), np.float64)
    _, r, w = calls[0].args
    whole = np.zeros(10)
    calls = [partial(np.multiply, whole[1:], r, w), partial(np.subtract, whole[:-1], w, whole[:-1])]
    assert len(tape.Tape(calls)._records) == 2


# --- no player: replay, the same numbers, and the reason


def refused(monkeypatch):
    """What ``missing`` finds now, without what it has found before."""
    for found in (records.library, selftest.missing):
        found.cache_clear()
    return selftest.missing()


@pytest.fixture
def _fresh():
    yield
    for found in (records.library, selftest.missing):
        found.cache_clear()
    proof.TRIED.clear()
    door.loop_of.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_without_a_library(monkeypatch, tmp_path):
    monkeypatch.setattr(records, "LIBRARY", tmp_path / "none.so")
    assert "not built" in refused(monkeypatch)
    assert engine("auto").described.startswith("replay (the player is not built")
    into = np.empty(3)
    bound = engine("native").bind(lambda x: [ops.tanh(x)], [], [into])
    for k in range(40):
        bound(np.full(3, float(k)))
        np.testing.assert_array_equal(into, np.tanh(float(k)))


@pytest.mark.usefixtures("_fresh")
def test_a_library_of_another_source_is_not_loaded(monkeypatch):
    monkeypatch.setattr(records, "digest", lambda: "another")
    assert "another version" in refused(monkeypatch)


@pytest.mark.usefixtures("_fresh")
def test_a_damaged_library_is_not_loaded(monkeypatch, tmp_path):
    (tmp_path / "player.so").write_bytes(b"\x7fELF nonsense")
    monkeypatch.setattr(records, "LIBRARY", tmp_path / "player.so")
    assert "player.so" in refused(monkeypatch)


@pytest.mark.usefixtures("_fresh")
def test_a_numpy_without_the_door(monkeypatch):
    door.loop_of.cache_clear()
    monkeypatch.setattr(door, "CAPSULE", b"another_layout")
    assert "incorrect name" in refused(monkeypatch)


@pytest.mark.usefixtures("_fresh")
def test_a_trial_with_other_bits(monkeypatch):
    monkeypatch.setattr(selftest, "_equal", lambda dtype: False)
    assert "other bits in float32" in refused(monkeypatch)


@pytest.mark.usefixtures("_fresh")
def test_a_product_that_fails_its_proof_is_made_by_numpy(monkeypatch):
    proof.TRIED.clear()
    monkeypatch.setattr(proof._Trial, "passed", lambda *unused: False)
    x, y, out = np.eye(3), np.ones((3, 3)), np.empty((3, 3))
    mine = tape.Tape([partial(np.dot, x, y, out)])
    assert mine.refusals == ["NumPy's own call has other bits"]
    mine()
    np.testing.assert_array_equal(out, y)


def test_engines_by_name():
    assert engine("eager").described == "eager"
    assert engine("replay").described == "replay"
    assert engine("native").described == engine("auto").described == "native"
    assert isinstance(engine("native").bind(lambda x: [x], [], [np.empty(1)]), Bound)


def test_it_is_built_anew_from_its_source(tmp_path):
    where = tmp_path / "player.so"
    assert building.build(library=where) == ""
    assert records.Library(where).loop("copy_4")


def test_no_compiler_is_a_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert "no C compiler" in building.build(library=tmp_path / "player.so")


def where(library):
    """The path of a library of the compiler's."""
    words = [*building.compiler(), f"-print-file-name={library}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


SANITIZERS = {"address": "libasan.so", "undefined": "libubsan.so"}
BUILDS = {name: ("-g", f"-fsanitize={name}", "-fno-sanitize-recover=all") for name in SANITIZERS}
MACHINES = {0: "", 3: "-march=x86-64-v3", 4: "-march=x86-64-v4"}  # by level
BUILDS |= {
    f"level {level}": ("-DWIDE=", f"-DLEVELS={level}", *machine.split())
    for level, machine in MACHINES.items()
    if level <= products.level() and os.uname().machine == "x86_64"
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDS)
def test_the_whole_file_with_every_build(name, tmp_path):
    """Under sanitizers: the player reads and writes what it is given, and nothing beside it. For
    each instruction set alone: the bits are the same."""
    library = tmp_path / "player.so"
    assert building.build(BUILDS[name], library) == ""
    code = (
        "import sys, pathlib, pytest\n"
        "from backproplab.autograd.engines.native import records, selftest\n"
        "records.library.cache_clear(); selftest.missing.cache_clear()\n"
        f"records.LIBRARY = pathlib.Path({str(library)!r})\n"
        "assert selftest.missing() == ''\n"
        "own = ['-q', '-p', 'no:cacheprovider', '-m', 'not slow', '-k', 'not building and not built']\n"
        f"sys.exit(pytest.main([{__file__!r}, {str(LEAPS)!r}, *{[str(path) for path in OTHERS]!r}, *own]))"
    )
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    if name in SANITIZERS:  # SciPy throws, which a sanitizer intercepts
        environment["LD_PRELOAD"] = f"{where(SANITIZERS[name])} {where('libstdc++.so')}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,  # a deadline, not an expectation
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
