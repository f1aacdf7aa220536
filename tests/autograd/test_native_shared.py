"""What threads share alone leaves NumPy's bits: products, searches for NaN, an optimizer's chains."""

from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import (
    NotFinite,
    building,
    fused,
    products,
    proof,
    require_finite,
    strips,
    tape,
)
from tests.autograd.playing import DTYPES, fail_trials

THREADS = [1, 2, 3, products.CROWD]
LAYOUTS = ["rows", "columns"]
SHAPES = [  # (M, K, N): tiles that are not full, several pieces of k, columns and rows that divide
    (128, 784, 256),
    (128, 1024, 200),
    (45, 16, 3001),
    (37, 900, 150),
    (33, 449, 1041),
    (300, 60, 300),
    (128, 10, 1000),
]

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)
packs = pytest.mark.skipif(products.level() < 4, reason="no copies of factors without AVX-512")


@pytest.fixture(params=THREADS)
def threads(request):
    """Threads of BLAS, and so of the player."""
    with threadpool_limits(request.param):
        yield request.param


def laid_out(shape, dtype, layout):
    """A matrix whose rows or columns lie side by side, with a gap between them."""
    m, n = shape if layout == "rows" else shape[::-1]
    x = np.empty((m, n + 3), dtype)[:, 1 : n + 1]
    return x if layout == "rows" else x.T


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@np.errstate(all="ignore")
def test_products_have_the_bits_of_as_many_threads_of_blas(shape, left, right, dtype, threads):
    """Nothing beside the result is written, and each playing leaves the same bits."""
    m, k, n = shape
    a, b = laid_out((m, k), dtype, left), laid_out((k, n), dtype, right)
    memory = np.full((m, n + 2), 7, dtype)
    out = memory[:, 1:-1]
    mine = tape.Tape([partial(np.matmul, a, b, out)])
    assert not mine.refusals
    for kind in (False, False, True):
        for number, x in enumerate((a, b)):
            proof._fill(x, number, kind)
        want = np.matmul(a, b, np.empty_like(memory)[:, 1:-1])
        mine()
        assert bits(out) == bits(want)
        assert np.all(memory[:, [0, -1]] == 7)


def bits(x):
    """Without the sign of NaN, which depends on which of two is the first where they meet."""
    return np.where(np.isnan(x), np.nan, x).astype(x.dtype).tobytes()


@packs
def test_a_large_product_is_shared(threads):
    """By as many threads as BLAS has, without it: in the order of sums that these have."""
    a, b = np.ones((128, 784), "f4"), np.ones((784, 256), "f4")
    mine = tape.Tape([partial(np.dot, a, b, np.empty((128, 256), "f4"))])
    assert mine.crew.threads == threads
    assert mine.crew.has_work == (threads > 1)


@packs
def test_a_small_product_alone_asks_for_no_threads(threads):
    calls = [
        partial(np.dot, np.ones((32, 10)), np.ones((128, 10)).T, np.empty((32, 128))),
        partial(np.dot, np.ones((8, 40)), np.ones((40, 100)), np.empty((8, 100))),
    ]
    assert tape.Tape(calls).crew.threads == 1


@packs
def test_a_product_that_fails_its_trial_is_left_to_all_threads_of_blas(threads, monkeypatch):
    a, b, out = np.ones((128, 784), "f4"), np.ones((784, 256), "f4"), np.empty((128, 256), "f4")
    ways = len(products.own_loops(a, b, out))
    fail_trials(monkeypatch, ways)
    mine = tape.Tape([partial(np.dot, a, b, out)])
    assert ways
    assert mine.crew.threads == 1
    mine()
    np.testing.assert_array_equal(out, 784)


@packs
def test_another_number_of_threads_is_another_trial(monkeypatch):
    monkeypatch.setattr(proof, "TRIED", {})
    call = partial(np.dot, np.empty((8, 50)), np.empty((50, 20)), np.empty((8, 20)))
    for number in (1, 2, 1):
        with threadpool_limits(number):
            tape.Tape([call])
    assert len(proof.TRIED) == 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("size", [64, 65, 70_001, 70_400])
def test_a_search_for_nan_finds_it_wherever_it_is(size, threads, dtype, monkeypatch):
    """Nothing after it is played, and the next playing is a new search."""
    monkeypatch.setattr(strips, "LARGE", 0)
    x, after = np.zeros(size, dtype), np.zeros(3, dtype)
    calls = [partial(require_finite, x), partial(np.add, after, 1, after)]
    mine = tape.Tape(calls, threads=threads)
    mine()
    for place in (0, size // 2, size - 1):
        x[place] = np.nan
        with pytest.raises(NotFinite):
            mine()
        x[place] = 0
    mine()
    np.testing.assert_array_equal(after, 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("chain", fused.CHAINS, ids=lambda chain: chain.loop)
@np.errstate(all="ignore")
def test_an_update_in_blocks_is_one_loop_that_threads_share(chain, threads, dtype, monkeypatch):
    """Its numbers are others in each round, for every thread."""
    monkeypatch.setattr(strips, "LARGE", 0)
    rounds, size, block = 5, 1000, 384
    used = sorted({name for _, names in chain.calls for name in names if name in "aber"})
    rates = np.random.default_rng(1).uniform(0.1, 1, (len(used), rounds)).astype(dtype)
    tables = dict(zip(used, rates, strict=True))

    def calls_on(vectors, numbers):
        places = [slice(start, start + block) for start in range(0, size, block)]
        own = [{name: x[place] for name, x in vectors.items()} | numbers for place in places]
        return [partial(f, *[of[name] for name in names]) for of in own for f, names in chain.calls]

    want, got = vectors_of(size, dtype), vectors_of(size, dtype)
    for round_ in range(rounds):
        for call in calls_on(want, {name: own[round_, ...] for name, own in tables.items()}):
            call()
    first = {name: own[0, ...] for name, own in tables.items()}
    mine = tape.Tape(calls_on(got, first), tables.values(), threads=threads)
    assert len(mine._records) == 1
    assert mine.crew.has_work == (threads > 1)
    mine.play(rounds, 10.0)
    for name in chain.operands[: chain.written]:
        assert bits(got[name]) == bits(want[name])


def vectors_of(size, dtype):
    vectors = {name: np.empty(size, dtype) for name in "θmsgw"}
    for number, x in enumerate(vectors.values()):
        proof._fill(x, number, odd=True)
    return vectors
