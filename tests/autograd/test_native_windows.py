"""Passes over windows have the bits of the calls that they replace, for every layout they take."""

import numpy as np
import pytest

from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import building, passes, proof, tape, translate
from backproplab.autograd.lowering import sliding
from backproplab.autograd.windows import Windows
from tests.autograd.playing import DTYPES

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)

LINES = [  # spatial, and size, stride, dilation along one axis
    ((8, 6), (1, 2), (1, 2), 1),
    ((8, 6), (2, 1), (2, 1), 1),
    ((7, 9), (2, 1), (3, 1), 1),  # an entry between windows, and after the last
    ((7, 9), (1, 3), (1, 3), 1),
    ((7, 11), (1, 3), (1, 5), (1, 2)),
    ((5, 5), (3, 1), (1, 1), 1),  # they overlap
    ((9,), (4,), (4,), 1),
    ((6,), (1,), (2,), 1),
    ((5, 6), (2, 2), 2, 1),
]
SEVERAL = [
    ((5, 6), (3, 3), 1, 1),
    ((4, 5), (3, 4), 1, 1),  # fewer windows than a window has rows
    ((6, 7), (3, 2), 2, 1),
    ((8, 9), (2, 3), (1, 2), (2, 3)),
    ((4, 4), (1, 1), 1, 1),
    ((9,), (4,), (3,), (2,)),
    ((4, 5, 3), (2, 2, 2), 1, 1),
]
CHANNELS = [1, 3, 16, 32, 37]
IMAGES = 3


def arrays_of(shapes, dtype, rounded, turned):
    """Odd numbers, many of them equal; turned: with another order of axes in memory."""
    found = []
    for number, shape in enumerate(shapes):
        x = np.empty(shape[::-1], dtype).T if turned else np.empty(shape, dtype)
        proof._fill(x, number, odd=True)
        found.append(np.round(x, out=x) if rounded else x)
    return found


@np.errstate(all="ignore")
def assert_alike(rule, shapes, out_shape, turned=False, **settings):
    """The rule's calls made by NumPy, and by the player."""
    for dtype in DTYPES:
        for rounded in (True, False):
            arrays = arrays_of(shapes, dtype, rounded, turned)
            want, got = (np.full(out_shape, 7, dtype) for _ in range(2))
            for call in rule(*arrays, out=want, **settings):
                call()
            mine = tape.Tape(rule(*arrays, out=got, **settings))
            mine()
            assert mine.refusals == []
            for found in (
                got,
                want,
            ):  # where NaN meets -NaN, releases of NumPy keep one or the other
                found[np.isnan(found)] = np.nan
            assert got.tobytes() == want.tobytes()


def windows_of(spatial, size, stride, dilation, channels):
    windows = Windows.of(size, len(spatial), stride, dilation)
    counts = windows.counts(spatial)
    return windows, (IMAGES, *spatial, channels), (IMAGES, *counts, channels)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("line", LINES, ids=str)
def test_largest_entries_and_their_gradient(line, channels, turned):
    windows, whole, top = windows_of(*line, channels)
    assert_alike(sliding.window_max, [whole], top, turned, windows=windows)
    assert_alike(sliding.place_at_first, [top, whole, top], whole, turned, windows=windows)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("case", [*SEVERAL, *LINES], ids=str)
def test_patches_and_their_transpose(case, channels, turned):
    windows, whole, counts = windows_of(*case, channels)
    seen = (*counts[:-1], *windows.size, channels)
    spatial = whole[1:-1]
    assert_alike(sliding.patches, [whole], seen, turned, windows=windows)
    assert_alike(sliding.fold, [seen], whole, turned, windows=windows, spatial=spatial)


def test_what_a_convolutional_network_takes_is_one_pass_each():
    """Patches, their transpose, the largest entries, their gradient: 3 × 3 windows, and 2 × 2."""
    assert_one(
        "fold", sliding.fold, [(2, 6, 6, 3, 3, 16)], (2, 8, 8, 16), (3, 3), 1, spatial=(8, 8)
    )
    assert_one(
        "at_first", sliding.place_at_first, 3 * [(2, 8, 4, 16)], (2, 8, 8, 16), (1, 2), (1, 2)
    )
    assert_one("largest", sliding.window_max, [(2, 8, 8, 16)], (2, 8, 4, 16), (1, 2), (1, 2))


def assert_one(name, rule, shapes, out, size, stride, **settings):
    shapes = [shapes[0], out, shapes[0]] if len(shapes) == 3 else shapes
    arrays = [np.zeros(shape, np.float32) for shape in shapes]
    windows = Windows.of(size, 2, stride)
    (call,) = rule(*arrays, out=np.zeros(out, np.float32), windows=windows, **settings)
    (part,) = passes._parts(call)
    assert part.loop.address == native.records.library().loop(f"{name}_4")


RULES = [sliding.window_max, sliding.place_at_first, sliding.fold]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_pass_with_other_bits_is_not_made(rule, monkeypatch):
    """Then NumPy's own loops are played, call by call."""
    monkeypatch.setattr(passes, "TRIED", {})
    monkeypatch.setattr(passes, "_is_equal", lambda *unused: False)
    spatial, line = (8, 6), Windows.of((1, 2), 2, (1, 2))
    small, whole = (2, 8, 3, 4), (2, *spatial, 4)
    case = {
        "window_max": ([whole], small, {}),
        "place_at_first": ([small, whole, small], whole, {}),
        "fold": ([(2, 8, 3, 1, 2, 4)], whole, {"spatial": spatial}),
    }
    shapes, out, settings = case[rule.__name__]
    rule = getattr(sliding, rule.__name__)
    assert_alike(rule, shapes, out, windows=line, **settings)
    (call,) = rule(*map(np.zeros, shapes), out=np.zeros(out), windows=line, **settings)
    assert len(tape.Tape([call])._records) >= len(call.calls)


def test_copies_walk_along_the_longest_line():
    """The only order in which 28 entries lie side by side in both."""
    given = np.lib.stride_tricks.as_strided(np.zeros(99, "f4"), (3, 28), (4, 4))
    (part,) = translate.copy(np.empty((3, 28), "f4"), given)
    assert part.lengths == (3, 28 * 4)
