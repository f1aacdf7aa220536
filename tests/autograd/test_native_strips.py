"""Parts in strips leave the bits of one part after the other, with any number of threads."""

from functools import partial

import numpy as np
import pytest

from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import (
    NotFinite,
    building,
    grouping,
    products,
    require_finite,
    strips,
    tape,
)
from backproplab.autograd.lowering import elementwise, sliding
from backproplab.autograd.windows import Windows
from tests.autograd.playing import DTYPES

THREADS = [1, 2, 3]
ROWS, COLUMNS = 2048, 16

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Strips of small arrays, so that tests are fast."""
    monkeypatch.setattr(strips, "LARGE", 2**12)
    monkeypatch.setattr(grouping, "STRIP", 2**11)
    monkeypatch.setattr(grouping, "LONGEST", 2**15)


def numbers(dtype, *shapes, number=0):
    chance = np.random.default_rng(number)
    found = [chance.standard_normal(shape).astype(dtype) for shape in shapes]
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, np.finfo(dtype).smallest_subnormal], dtype)
    for x in found:
        x.reshape(-1)[chance.permutation(x.size)[: len(odd)]] = odd[: x.size]
    return found


def bits(x):
    """Without the sign of NaN, which depends on which of two is the first where they meet."""
    return np.where(np.isnan(x), np.nan, x).astype(x.dtype).tobytes()


def groups_of(calls, scratch=(), least=2):
    """The strips that these calls become."""
    whole = tape.Tape([])
    whole.calls = calls
    found = grouping.in_strips(whole._parts({}), scratch, least=least)
    return [own for own, _ in found if isinstance(own, strips.Strips)]


def assert_alike(make, kept, threads, scratch=()):
    """NumPy's calls and the tape leave the same bits in the arrays of these names."""
    found = []
    for play in (False, True):
        arrays = make()
        calls = arrays.pop("calls")
        memory = [arrays[name] for name in scratch]
        run = tape.Tape(calls, (), memory, threads) if play else None
        for _ in range(3):
            for call in [run] if run else calls:
                call()
        assert not run or not run.refusals
        found.append({name: bits(arrays[name]) for name in kept})
    assert found[0] == found[1]


def normalization(dtype):
    """Batch normalization forward and back, as it is lowered."""
    shape = (ROWS, COLUMNS)
    x, g, scale, shift = numbers(dtype, shape, shape, COLUMNS, COLUMNS)
    d, square, y, s = (np.empty(shape, dtype) for _ in range(4))
    mean, variance = np.empty((1, COLUMNS), dtype), np.empty((1, COLUMNS), dtype)
    ones, total, dot = np.ones(ROWS, dtype), np.empty(COLUMNS, dtype), np.empty(COLUMNS, dtype)
    calls = [
        partial(np.add.reduce, x, axis=(0,), out=mean, keepdims=True),
        partial(np.divide, mean, ROWS, mean),
        partial(np.subtract, x, mean, d),
        partial(np.square, d, square),
        partial(np.add.reduce, square, axis=(0,), out=variance, keepdims=True),
        partial(np.sqrt, variance, variance),
        partial(np.multiply, d, scale, y),
        partial(np.add, y, shift, y),
        partial(np.dot, ones, g, total),
        partial(np.multiply, g, d, s),
        partial(np.add.reduce, s, axis=(0,), out=dot),
        partial(np.multiply, d, dot, d),
        partial(np.subtract, g, d, g),
        partial(np.subtract, g, total, g),
        partial(np.copyto, d, x),
    ]
    names = {"x": x, "g": g, "d": d, "y": y, "square": square, "s": s}
    return names | {"mean": mean, "variance": variance, "total": total, "dot": dot, "calls": calls}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(all="ignore")
def test_batch_normalization(dtype, threads):
    kept = ["x", "g", "d", "y", "mean", "variance", "total", "dot"]
    assert_alike(lambda: normalization(dtype), [*kept, "square", "s"], threads)
    assert_alike(lambda: normalization(dtype), kept, threads, scratch=["square", "s"])


def test_what_only_a_group_uses_leaves_no_trace_in_memory():
    own = normalization(np.float32)
    for name in ("square", "s"):
        own[name].fill(7)
    found = groups_of(own["calls"], [own["square"], own["s"]])
    assert sum(len(group.sizes) for group in found) == 2
    tape.Tape(own["calls"], (), [own["square"], own["s"]])()
    assert (own["square"] == 7).all()
    assert (own["s"] == 7).all()


def network(dtype, images=16):
    """A convolution by patches, its windows' largest entries, and the way back."""
    two = Windows((1, 2), (1, 2), (1, 1))
    three = Windows((3, 3), (1, 1), (1, 1))
    x, kernel, bias, g = numbers(dtype, (images, 10, 10, 4), (36, 16), 16, (images, 8, 4, 16))
    seen, out = np.empty((images, 8, 8, 3, 3, 4), dtype), np.empty((images, 8, 8, 16), dtype)
    top, back = np.empty((images, 8, 4, 16), dtype), np.empty((images, 8, 8, 16), dtype)
    wide, folded = np.empty((images * 64, 36), dtype), np.empty(x.shape, dtype)
    rows, turned = out.reshape(-1, 16), np.ascontiguousarray(kernel.T)
    gradient, slope = np.empty((36, 16), dtype), np.empty_like(g)
    calls = [
        *sliding.patches(x, seen, three),
        partial(np.dot, seen.reshape(-1, 36), kernel, rows),
        *elementwise.add(out, bias, out),
        *sliding.window_max(out, out=top, windows=two),
        *elementwise.relu(top, out=top),
        *elementwise.relu_gradient(top, g, out=slope),
        *sliding.place_at_first(slope, out, top, out=back, windows=two),
        partial(np.dot, seen.reshape(-1, 36).T, back.reshape(-1, 16), gradient),
        partial(np.dot, back.reshape(-1, 16), turned, wide),
        *sliding.fold(wide.reshape(seen.shape), out=folded, windows=three, spatial=x.shape[1:3]),
    ]
    names = {"out": out, "top": top, "back": back, "wide": wide, "folded": folded, "slope": slope}
    return names | {"gradient": gradient, "calls": calls}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(all="ignore")
def test_a_convolution(dtype, threads):
    kept = ["out", "top", "back", "folded", "gradient"]
    assert_alike(lambda: network(dtype), [*kept, "wide", "slope"], threads)
    assert_alike(lambda: network(dtype), kept, threads, scratch=["wide", "slope"])


@pytest.mark.skipif(not products.level(), reason="its products are those of BLAS")
def test_a_convolution_is_one_group():
    """But for the transpose of patches, where a compiler adds in another order: NaN's sign."""
    own = network(np.float32)
    group, *_ = groups_of(own["calls"], [own["wide"], own["slope"]])
    assert len(group.parts) >= 8
    assert group.sizes


def program(dtype, number):
    """Calls by chance on blocks of memory of which several shapes are views: each reads or writes
    what others wrote or read, in rows, turned, or a row for all."""
    chance = np.random.default_rng(number)
    size = ROWS * COLUMNS
    blocks = numbers(dtype, size, size, size, size, number=number)
    small = numbers(dtype, COLUMNS, COLUMNS, COLUMNS, number=number + 1)
    forms = [(ROWS, COLUMNS), (ROWS, COLUMNS), (ROWS // 4, 4, COLUMNS), (size,), (COLUMNS, ROWS)]

    def of(form):
        x = blocks[chance.integers(4)].reshape(form)
        return (
            x.reshape(COLUMNS, ROWS).T if form == (ROWS, COLUMNS) and chance.random() < 0.1 else x
        )

    calls = []
    while len(calls) < 25:
        form, kind = forms[chance.integers(len(forms))], chance.integers(8)
        a, b, out = of(form), of(form), of(form)
        row = small[chance.integers(3)]
        if kind < 3:
            calls.append(partial([np.add, np.subtract, np.maximum][kind], a, b, out=out))
        elif kind == 3:
            calls.append(partial(np.copyto, out, a))
        elif kind == 4 and form[-1] == COLUMNS:
            calls.append(partial(np.multiply, a, row, out))
        elif kind == 5 and form == (ROWS, COLUMNS) and a.flags.c_contiguous:
            calls.append(partial(np.add.reduce, a, axis=(0,), out=row))
        elif kind == 6 and form == (ROWS, COLUMNS) and a.flags.c_contiguous:
            calls.append(partial(np.dot, np.ones(ROWS, dtype), a, row))
        elif kind == 7:
            calls.append(partial(np.copyto, row, blocks[0][:COLUMNS]))
    names = {f"block{k}": x for k, x in enumerate(blocks)}
    return names | {f"row{k}": x for k, x in enumerate(small)} | {"calls": calls}


@pytest.mark.parametrize("number", range(40))
@np.errstate(all="ignore")
def test_programs_by_chance(number):
    dtype, threads = DTYPES[number % 2], THREADS[number % 3]
    found = []
    for play in (False, True):
        own = program(dtype, number)
        calls = own.pop("calls")
        run = tape.Tape(calls, (), (), threads) if play else None
        for _ in range(2):
            for call in [run] if run else calls:
                call()
        found.append({name: bits(x) for name, x in own.items()})
    assert found[0] == found[1]


@pytest.mark.parametrize("number", range(40))
@np.errstate(all="ignore")
def test_programs_by_chance_on_scratch_memory(number):
    """Two of the blocks are filled anew at the end, so that nothing reads what was in them."""
    dtype, threads = DTYPES[number % 2], THREADS[number % 3]
    found, hidden = [], ["block2", "block3"]
    for play in (False, True):
        own = program(dtype, number)
        calls = own.pop("calls")
        start = [partial(np.copyto, own[name], own["block0"]) for name in hidden]
        calls = [*start, *calls]
        run = tape.Tape(calls, (), [own[name] for name in hidden], threads) if play else None
        for _ in range(2):
            for call in [run] if run else calls:
                call()
        found.append({name: bits(x) for name, x in own.items() if name not in hidden})
    assert found[0] == found[1]


def test_programs_by_chance_have_strips_and_scratch_memory():
    each = [program(np.float32, number) for number in range(40)]
    found = [g for own in each for g in groups_of(own["calls"], [own["block2"], own["block3"]])]
    assert len(found) > 20
    assert any(group.sizes for group in found)
    assert any(one.sums for group in found for one in group.parts)


def test_nothing_is_done_before_a_check_that_fails():
    x, y, z = (np.ones((ROWS, COLUMNS), np.float32) for _ in range(3))
    x[5, 5] = np.nan
    calls = [
        partial(np.add, x, y, z),
        partial(require_finite, x),
        partial(np.multiply, y, 2, y),
        partial(np.add, y, 1, y),
    ]
    assert len(groups_of(calls, least=1)) == 2
    with pytest.raises(NotFinite):
        tape.Tape(calls, (), (), 2)()
    assert (y == 1).all()


def test_python_sees_all_that_was_done_before_it():
    x, y = (np.ones((ROWS, COLUMNS), np.float32) for _ in range(2))
    seen = []
    calls = [
        partial(np.add, x, y, y),
        partial(np.add, y, y, y),
        lambda: seen.append(y.sum()),
        partial(np.add, y, y, y),
        partial(np.add, y, y, y),
    ]
    tape.Tape(calls, (), (), 2)()
    assert seen == [4 * ROWS * COLUMNS]
    assert (y == 16).all()
    y[...] = 1
    tape.Tape(calls, (), [y], 2)()
    assert seen == [4 * ROWS * COLUMNS] * 2


def test_what_comes_after_the_calls_that_use_it_reads_no_scratch_memory():
    x, y, z = (np.ones((ROWS, COLUMNS), np.float32) for _ in range(3))
    calls = [partial(np.add, x, x, y), partial(np.add, y, x, z), lambda: None]
    whole = tape.Tape([])
    whole.calls = calls
    for until, sizes in ((2, 1), (3, 0)):
        (group,) = [
            own
            for own, _ in grouping.in_strips(whole._parts({}), [y], until)
            if isinstance(own, strips.Strips)
        ]
        assert len(group.sizes) == sizes


def test_an_operand_that_moves_is_in_no_strip():
    table, x = np.ones((3, ROWS, COLUMNS), np.float32), np.zeros((ROWS, COLUMNS), np.float32)
    table[1], table[2] = 10, 100
    calls = [partial(np.add, x, table[0, ...], x), partial(np.add, x, 0, x)]
    played = tape.Tape(calls, [table])
    played.play(3, 1.0)
    assert (x == 111).all()


def test_a_sum_along_one_row_is_in_no_strip():
    """NumPy adds it up in halves of halves."""
    x, total = np.ones(ROWS * COLUMNS, np.float32), np.empty((), np.float32)
    calls = [partial(np.add, x, x, x), partial(np.add.reduce, x, axis=(0,), out=total)]
    assert not groups_of(calls)


def test_a_thread_that_never_comes_is_not_waited_for(monkeypatch):
    x = np.ones((ROWS, COLUMNS), np.float32)
    played = tape.Tape([partial(np.add, x, x, x), partial(np.add, x, x, x)], (), (), 2)

    class Never:
        def submit(self, *unused):
            return self

        def cancel(self):
            return True

    monkeypatch.setattr("backproplab.autograd.engines.native.crew._helpers", lambda n: Never())
    played()
    assert (x == 4).all()
