"""The functions of shapes, joins, sums and matrices against NumPy's, over ranks, axes and empty arrays.

Each call is made three ways: by ``ops``, by NumPy on arrays, and by NumPy on tensors. Where NumPy
raises, ours raises too; else value, shape and the gradient's shape are NumPy's.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backproplab as bpl
from backproplab.autograd import Tensor, ops
from backproplab.errors import GraphError

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
AXIS = st.integers(-5, 4)
AXES = st.one_of(st.none(), AXIS, st.lists(AXIS, max_size=3).map(tuple))
KEPT = st.booleans()
K = st.integers(-3, 3)
NUMBERS = st.lists(st.integers(-4, 4), min_size=1, max_size=3).map(tuple)

# NumPy's name: strategies of its settings, by name; the array comes first
OF_ONE = {
    "ravel": {}, "transpose": {"axes": st.one_of(st.none(), st.permutations(range(3)).map(tuple))},
    "reshape": {"shape": st.one_of(st.integers(-1, 6), st.lists(st.integers(-1, 4), max_size=3).map(tuple))},
    "swapaxes": {"axis1": AXIS, "axis2": AXIS}, "moveaxis": {"source": AXIS, "destination": AXIS},
    "expand_dims": {"axis": st.one_of(AXIS, st.lists(AXIS, min_size=1, max_size=2).map(tuple))},
    "squeeze": {"axis": AXES}, "broadcast_to": {"shape": st.one_of(st.integers(0, 3), SHAPES)},
    "tile": {"reps": st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=4).map(tuple))},
    "repeat": {"repeats": st.integers(0, 3), "axis": st.one_of(st.none(), AXIS)},
    "flip": {"axis": AXES}, "roll": {"shift": st.one_of(K, NUMBERS), "axis": st.one_of(st.none(), AXIS, NUMBERS)},
    "diff": {"n": st.integers(1, 3), "axis": AXIS},
    "tril": {"k": K}, "triu": {"k": K}, "diag": {"k": K},
    "diagonal": {"offset": K, "axis1": AXIS, "axis2": AXIS}, "trace": {"offset": K, "axis1": AXIS, "axis2": AXIS},
    "pad": {"pad_width": st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2)))},
    "split": {"indices_or_sections": st.one_of(st.integers(1, 3), NUMBERS), "axis": AXIS},
    "array_split": {"indices_or_sections": st.one_of(st.integers(1, 4), NUMBERS), "axis": AXIS},
    "sort": {"axis": st.one_of(st.none(), AXIS)}, "argsort": {"axis": st.one_of(st.none(), AXIS)},
    "argmax": {"axis": st.one_of(st.none(), AXIS)}, "argmin": {"axis": st.one_of(st.none(), AXIS)},
    "cumsum": {"axis": st.one_of(st.none(), AXIS)}, "cumprod": {"axis": st.one_of(st.none(), AXIS)},
    "median": {"axis": st.one_of(st.none(), AXIS)}, "ptp": {"axis": AXES}, "count_nonzero": {"axis": AXES},
    **{key: {"axis": AXES, "keepdims": KEPT} for key in ("sum", "mean", "prod", "max", "min", "all", "any")},
    **{key: {"axis": AXES, "keepdims": KEPT, "ddof": st.integers(0, 1)} for key in ("var", "std")},
}  # fmt: skip
OF_TWO = {
    "matmul": {}, "dot": {}, "inner": {}, "outer": {}, "kron": {}, "vdot": {},
    "tensordot": {"axes": st.one_of(st.integers(0, 2), st.tuples(AXIS, AXIS))},
}  # fmt: skip
OF_A_LIST = {
    "concatenate": {"axis": st.one_of(st.none(), AXIS)},
    "stack": {"axis": AXIS},
    "hstack": {},
    "vstack": {},
}


def array(shape, seed=0):
    x = np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) / 4 - 1
    return np.asarray(x, float)


def attempted(call):
    """The results as a list of arrays, or None if the call raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            y = call()
        except (ValueError, TypeError, IndexError, GraphError, np.exceptions.AxisError):
            return None
    return [np.asarray(part) for part in (y if isinstance(y, list) else [y])]


def check(name, ours, numpys, on_tensors, arrays):
    expected = attempted(numpys)
    for found in (attempted(ours), attempted(on_tensors)):
        if found is None and not all(x.ndim for x in arrays):
            return  # NumPy takes axis 0 of a number; ours may refuse it
        assert (found is None) == (expected is None), f"{name}: {found} where NumPy has {expected}"
        for a, b in zip(found or [], expected or [], strict=True):
            assert a.shape == b.shape, name
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=name)
    if expected is None:
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        y, pullback = bpl.vjp(ours, *arrays)
        parts = y if isinstance(y, list) else [y]
        back = pullback(
            [np.ones(p.shape) for p in parts] if isinstance(y, list) else np.ones(y.shape)
        )
    assert [g.shape for g in back] == [x.shape for x in arrays], name


def numpys(name, x, words):
    if name == "reshape":  # NumPy 2.0 has another name for the shape
        return np.reshape(x, words["shape"])
    return getattr(np, name)(x, **words)


@pytest.mark.parametrize("name", OF_ONE)
@settings(max_examples=60)
@given(data=st.data())
def test_of_one_array(name, data):
    x = array(data.draw(SHAPES))
    words = {key: data.draw(strategy, label=key) for key, strategy in OF_ONE[name].items()}
    check(
        name, lambda x=x: getattr(ops, name)(x, **words), lambda: numpys(name, x, words),
        lambda: numpys(name, Tensor(x), words), [x],
    )  # fmt: skip


@pytest.mark.parametrize("name", OF_TWO)
@settings(max_examples=60)
@given(data=st.data())
def test_of_two_arrays(name, data):
    a = array(data.draw(SHAPES))
    other = data.draw(st.one_of(SHAPES, st.just(a.shape), st.just(a.shape[::-1])))
    b = array(other, 1)
    words = {key: data.draw(strategy, label=key) for key, strategy in OF_TWO[name].items()}
    check(
        name, lambda a=a, b=b: getattr(ops, name)(a, b, **words), lambda: getattr(np, name)(a, b, **words),
        lambda: getattr(np, name)(Tensor(a), b, **words), [a, b],
    )  # fmt: skip


@pytest.mark.parametrize("name", OF_A_LIST)
@pytest.mark.parametrize("spread", [False, True])
@settings(max_examples=60)
@given(data=st.data())
def test_of_a_list(name, spread, data):
    """``f([a, b])`` as NumPy has it, and ``f(a, b)``."""
    shape = data.draw(SHAPES)
    count = data.draw(st.integers(2 if spread else 0, 3))
    xs = [array(data.draw(st.one_of(st.just(shape), SHAPES)), i) for i in range(count)]
    words = {key: data.draw(strategy, label=key) for key, strategy in OF_A_LIST[name].items()}
    function = getattr(ops, name)
    check(
        name, lambda *own: function(*(own or xs), **words) if spread else function(list(own or xs), **words),
        lambda: getattr(np, name)(xs, **words),
        lambda: getattr(np, name)([Tensor(x) for x in xs] or [], **words), xs,
    )  # fmt: skip


@pytest.mark.parametrize("name", OF_A_LIST)
@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 3, 4), (1, 2)])
def test_of_one_array_that_is_the_list(name, shape):
    x = array(shape)
    expected = attempted(lambda: getattr(np, name)(x))
    found = attempted(lambda: getattr(ops, name)(x))
    assert (found is None) == (expected is None)
    if expected:
        np.testing.assert_array_equal(found[0], expected[0])


# subscripts, shapes
EINSUM = [
    ("...i->...", (2, 3, 4)), ("i...->...", (2, 3, 4)), ("i...j->j...", (2, 3, 4, 5)), ("...i->i...", (2, 3, 4)),
    ("i...j->...", (2, 3, 4)), ("...", (2, 3)), ("...->...", (2, 3)), ("i...", (2, 3, 4)), ("ji...", (2, 3, 4)),
    ("i...,ij->...j", (3, 2, 5), (3, 4)), ("i...,i...->...", (3, 2, 5), (3, 2, 5)), ("...i,i...->...", (2, 3), (3, 2)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("i...,...->...", (3, 4, 5), (5,)), ("...i,j->...ij", (2, 3), (4,)),
    ("b...i,b...->i...", (2, 5, 6, 3), (2, 6)), ("...,...->...", (2, 3), (3,)), ("i...,j...", (2, 4), (3, 4)),
    ("...i,...j,...k->k...ji", (2, 3), (1, 4), (2, 5)), ("ij,jk->ik", (2, 3), (3, 4)), ("ij", (2, 3)), ("ji", (2, 3)),
    ("ij->", (2, 3)), ("i,j->ji", (2,), (3,)), ("...i->...", (3,)), ("i...->...i", (3,)), ("i...->i", (3,)),
    (" i ... , i -> ... ", (3, 2), (3,)), ("i...,i...->i...", (3, 1), (3, 4)), ("...ij,...j->...i", (0, 3, 4), (4,)),
    # refused by NumPy
    ("...i->i", (2, 3)), ("i...->", (2, 3)), ("...i,i->", (2, 3), (3,)), ("...i...->i", (2, 3)), ("i..->i", (2, 3)),
    ("...i->......", (2, 3)), ("ij->ii", (2, 3)), ("ijk...->i", (2, 3)), ("i->ij", (2,)), ("...,...", (2, 3), (4,)),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in EINSUM])
def test_einsum_with_an_ellipsis_anywhere(subscripts, shapes):
    xs = [array(shape, i) for i, shape in enumerate(shapes)]
    check(
        subscripts, lambda *own: ops.einsum(*(own or xs), subscripts=subscripts),
        lambda: np.einsum(subscripts, *xs), lambda: np.einsum(subscripts, *map(Tensor, xs)), xs,
    )  # fmt: skip
    if attempted(lambda: np.einsum(subscripts, *xs)) is not None and all(x.size for x in xs):
        bpl.gradcheck(lambda *own: ops.einsum(*own, subscripts=subscripts), *xs)


def test_einsum_of_a_population_has_its_leading_axis():
    a, b = array((5, 2, 3)), array((5, 3, 4), 1)
    np.testing.assert_allclose(ops.einsum(a, b, subscripts="ij,jk->ik").value, a @ b)


@pytest.mark.parametrize("name", ["trace", "diagonal"])
def test_of_numpy_linalg_over_the_last_axes(name):
    x, function = array((2, 3, 4)), getattr(np.linalg, name)
    np.testing.assert_array_equal(function(Tensor(x)).value, function(x))
    np.testing.assert_array_equal(function(Tensor(x), offset=1).value, function(x, offset=1))


# --- softmax and its kin, which NumPy has not: over empty axes

ROWS = {"softmax": ops.softmax, "log_softmax": ops.log_softmax, "logsumexp": ops.logsumexp}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (0,), (2, 0, 3), (0, 0)])
@pytest.mark.parametrize("axis", [0, -1])
def test_softmax_of_nothing(name, shape, axis):
    function = lambda x: ROWS[name](x, axis=axis)
    y, pullback = bpl.vjp(function, np.zeros(shape))
    lengths = list(shape)
    if name == "logsumexp":
        del lengths[axis]
        assert (y.value == -np.inf).all()  # the logarithm of an empty sum
    assert y.shape == tuple(lengths)
    assert pullback(np.ones(y.shape))[0].shape == shape
    assert bpl.hvp(lambda x: ops.sum(function(x)), np.zeros(shape), np.ones(shape)).shape == shape


def test_cross_entropy_of_no_examples():
    y, pullback = bpl.vjp(
        lambda z: ops.softmax_cross_entropy(z, np.zeros(0, np.int64)), np.zeros((0, 4))
    )
    assert y.shape == (0,)
    assert pullback(np.ones(0))[0].shape == (0, 4)
    with pytest.raises(GraphError, match="with 0 classes"):
        ops.softmax_cross_entropy(np.zeros((2, 0)), np.zeros(2, np.int64))


@pytest.mark.parametrize("shape", [-1, (2, -1), (0,), (0, 3), (4,), (2, 1), (5, 3), (3, 3)])
@pytest.mark.parametrize(
    "x", [np.ones(()), np.ones(1), np.ones((1, 3)), np.ones((3, 1)), np.ones((3, 0))]
)
def test_broadcasting_has_numpys_answer_and_its_error(x, shape):
    expected = attempted(lambda: np.broadcast_to(x, shape))
    found = attempted(lambda: ops.broadcast_to(x, shape=shape))
    assert (found is None) == (expected is None)
    assert found is None or found[0].shape == expected[0].shape
