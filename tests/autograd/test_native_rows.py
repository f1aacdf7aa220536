"""Loops over short rows have NumPy's bits: softmax, losses on labels, row by row, sums of rows."""

from functools import partial

import numpy as np
import pytest

from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import (
    building,
    fused,
    passes,
    products,
    roots,
    tape,
    translate,
)
from backproplab.autograd.lowering import elementwise, logits
from backproplab.errors import GraphError
from tests.autograd.playing import DTYPES, odd, played

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)

LENGTHS = [1, 2, 4, 5, 8, 10, 37, 130, 1200]  # one by one, eight side by side, pairs of halves
LEVELS = [0, *(level for level in (3, 4) if level <= products.level())]
LABELS = np.array([3, 0, 1, 4, 2, 4])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@np.errstate(all="ignore")
def test_softmax_also_in_place(n, dtype):
    x = odd((2, 7, n), dtype)
    want, got, same = np.empty_like(x), np.empty_like(x), x.copy()
    for call in logits.softmax(x, out=want, axis=(-1,)):
        call()
    for mine in (
        played(logits.softmax(x, out=got, axis=(-1,))),
        played(logits.softmax(same, out=same, axis=(-1,))),
    ):
        assert len(mine._records) == 1
    assert want.tobytes() == got.tobytes() == same.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS[3:])
@np.errstate(all="ignore")
def test_cross_entropy_also_of_a_crew_with_the_same_labels(n, dtype):
    for lead, labels in (((6,), LABELS), ((3, 6), LABELS), ((2, 6), np.tile(LABELS, (2, 1)))):
        x = odd((*lead, n), dtype)
        want, got = np.empty(lead, dtype), np.empty(lead, dtype)
        for call in logits.softmax_cross_entropy(x, labels, out=want):
            call()
        mine = played(logits.softmax_cross_entropy(x, labels, out=got))
        assert len(mine._records) == 1
        assert want.tobytes() == got.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_hot(dtype):
    got = np.full((6, 5), 7, dtype)
    assert len(played(logits.one_hot(LABELS, out=got, classes=5, dtype=dtype))._records) == 1
    np.testing.assert_array_equal(got, np.eye(5)[LABELS])


@pytest.mark.parametrize("rule", [logits.softmax_cross_entropy, logits.one_hot])
def test_labels_that_are_no_classes_raise_what_python_raises(rule):
    labels, x, out = LABELS.copy(), np.zeros((6, 5)), np.empty((6, 5))
    calls = rule(labels, out=out, classes=5, dtype=float) if rule is logits.one_hot else None
    mine = tape.Tape(calls or rule(x, labels, out=np.empty(6)))
    mine()
    for wrong in (5, -1):
        labels[2] = wrong
        with pytest.raises(GraphError, match="with 5 classes"):
            mine()


def test_a_pass_that_cannot_be_tried_is_made_call_by_call(monkeypatch):
    """The memory of labels may not hold labels yet."""
    monkeypatch.setattr(passes, "TRIED", {})
    x, labels = np.zeros((6, 5)), np.full(6, 9)
    assert len(tape.Tape(logits.softmax_cross_entropy(x, labels, out=np.empty(6)))._records) > 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("turned", [False, True])
@np.errstate(all="ignore")
def test_relu_also_in_place_and_with_gaps(dtype, turned):
    for shape in ((50,), (4, 37), (2, 5, 3, 8)):
        x = odd((*shape[:-1], shape[-1] + 3), dtype)[..., : shape[-1]]
        x = np.asfortranarray(x) if turned else x
        want, got, same = np.empty_like(x), np.empty_like(x), x.copy("K")
        for call in elementwise.relu(x, out=want):
            call()
        played(elementwise.relu(x, out=got))
        played(elementwise.relu(same, out=same))
        assert want.tobytes() == got.tobytes() == same.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("turned", [False, True])
@np.errstate(all="ignore")
def test_the_gradient_of_relu_also_in_place_and_with_gaps(dtype, turned):
    for shape in ((50,), (4, 37), (2, 5, 3, 8)):
        y, g = odd(shape, dtype), odd((*shape[:-1], shape[-1] + 3), dtype, 5)[..., : shape[-1]]
        y = np.asfortranarray(y) if turned else y
        want, got, same = np.empty_like(y), np.empty_like(y), y.copy("K")
        for call in elementwise.relu_gradient(y, g, out=want):
            call()
        played(elementwise.relu_gradient(y, g, out=got))
        played(elementwise.relu_gradient(same, g, out=same))
        np.testing.assert_array_equal(want, got)
        np.testing.assert_array_equal(want, same)
        assert np.signbit(want[want == 0]).tolist() == np.signbit(got[got == 0]).tolist()


CASES = {
    logits.softmax: ([odd((6, 5), "f4")], (6, 5), {"axis": (-1,)}),
    logits.softmax_cross_entropy: ([odd((6, 5), "f4"), LABELS], (6,), {}),
    logits.one_hot: ([LABELS], (6, 5), {"classes": 5, "dtype": np.float32}),
    elementwise.relu: ([odd((6, 5), "f4")], (6, 5), {}),
    elementwise.relu_gradient: ([odd((6, 5), "f4"), odd((6, 5), "f4", 1)], (6, 5), {}),
}


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: rule.__name__)
@np.errstate(all="ignore")
def test_a_pass_with_other_bits_is_not_made(rule, monkeypatch):
    """Then NumPy's own loops are played, call by call."""
    arrays, shape, settings = CASES[rule]
    ours = played(rule(*arrays, out=np.empty(shape, "f4"), **settings))._records
    monkeypatch.setattr(passes, "TRIED", {})
    monkeypatch.setattr(passes, "_is_equal", lambda *unused: False)
    want, got = np.empty(shape, "f4"), np.empty(shape, "f4")
    for call in rule(*arrays, out=want, **settings):
        call()
    others = played(rule(*arrays, out=got, **settings))._records
    assert {record.loop for record in ours}.isdisjoint(record.loop for record in others)
    assert want.tobytes() == got.tobytes()


BROADCAST = [
    ((9, 10), (9, 10), (1, 10)),
    ((9, 10), (1, 10), (9, 10)),
    ((9, 10), (9, 10), (9, 1)),
    ((9, 10), (9, 1), (9, 10)),
    ((70, 33), (70, 33), (33,)),
    ((3, 40, 7), (3, 40, 7), (3, 1, 7)),
    ((3, 4, 511), (3, 4, 511), (4, 1)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ufunc", translate.ROUNDED)
@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
@np.errstate(all="ignore")
def test_short_rows_are_one_call(shapes, ufunc, dtype):
    shape, *given = shapes
    arrays = [odd(own, dtype, number) for number, own in enumerate(given)]
    wide = odd((*shape[:-1], shape[-1] + 2), dtype)[..., 1:-1]
    for out in (np.empty(shape, dtype), wide):
        want = ufunc(*arrays)
        (record,) = played([partial(ufunc, *arrays, out)])._records
        assert record.axes <= len(shape) - 2
        assert want.tobytes() == out.tobytes()
    for place, x in enumerate(arrays):
        if x.shape == shape:
            arrays[place] = own = x.copy()
            played([partial(ufunc, *arrays, own)])
            assert want.tobytes() == own.tobytes()
            arrays[place] = x


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(all="ignore")
def test_sums_of_rows_with_every_instruction_set(dtype, level, monkeypatch):
    """One after the other; by NumPy's loop with level 0, or where another NaN comes first."""
    monkeypatch.setattr(translate, "level", lambda: level)
    for shape, axes in (((50, 3), (0,)), ((4, 60, 16), (0, 1)), ((4, 60, 37), (1,)), ((9, 500), (0,))):  # fmt: skip
        for x in (odd(shape, dtype), np.round(odd(shape, dtype)), -0.0 * np.ones(shape, dtype)):
            got = np.empty(np.add.reduce(x, axis=axes, keepdims=True).shape, dtype)
            played([partial(np.add.reduce, x, axis=axes, out=got, keepdims=True)])
            want = np.add.reduce(x, axis=axes, keepdims=True)
            np.testing.assert_array_equal(want, got)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_number_that_is_not_finite_is_found_wherever_it_is(dtype, level, monkeypatch):
    monkeypatch.setattr(translate, "level", lambda: level)
    limits = np.finfo(dtype)
    for n in (1, 7, 16, 100, 300):
        memory = np.full(n + 2, np.nan, dtype)  # what is beside is not looked at
        x = memory[1:-1]
        x[...] = np.resize([limits.max, limits.min, limits.smallest_subnormal, 0, -0.0], n)
        check = played([partial(native.require_finite, x)])
        for place in range(n):
            kept, x[place] = x[place], (np.nan, np.inf, -np.inf)[place % 3]
            with pytest.raises(native.NotFinite):
                check()
            x[place] = kept
            check()


needs_avx512 = pytest.mark.skipif(products.level() < 4, reason="no AVX-512")


@needs_avx512
@np.errstate(all="ignore")
def test_roots_of_odd_numbers():
    x = np.concatenate([odd(4096, "f4"), 2.0 ** np.arange(-150, 128).repeat(16)])
    x = np.resize(x, 16 * 600).astype("f4")
    np.testing.assert_array_equal(roots.roots_of(x), np.sqrt(x))


@needs_avx512
@pytest.mark.slow
def test_the_hard_roots_are_those_nearest_to_the_middle_of_two_numbers():
    """n 2ᵏ is between the squares of Y and Y + 1; in units of Y the root is |n 2ᵏ - Y² - Y - 1/4| / 2Y
    from the middle."""
    found = []
    for shift, first in ((23, 0x3F800000), (24, 0x40000000)):
        for start in range(2**23, 2**24, 2**20):
            n = np.arange(start, start + 2**20)
            y = np.sqrt((n << shift).astype(float)).astype(np.int64)
            y -= y * y > n << shift
            off = np.abs((n << shift) - y * y - y) <= 8
            found += [first + int(k) - 2**23 for k in n[off]]
    assert tuple(found) == roots.HARD


@needs_avx512
@pytest.mark.slow
def test_every_root_is_the_nearest_number():
    for start in range(0x3F800000, 0x40800000, 2**22):
        x = np.arange(start, start + 2**22, dtype=np.uint32).view("f4")
        np.testing.assert_array_equal(roots.roots_of(x), np.sqrt(x))


def test_where_a_root_is_wrong_adam_leaves_them_to_the_divider(monkeypatch):
    monkeypatch.setattr(fused, "are_exact", lambda: False)
    assert fused._name("adam", 4) == "adam_4"
    monkeypatch.setattr(roots, "roots_of", lambda numbers: np.nextafter(np.sqrt(numbers), 2))
    assert not roots.are_exact.__wrapped__()
