"""Every op on every memory layout, and on nothing at all: the layout changes no value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backproplab as bpl
from backproplab.autograd import OPS, apply

CASES = [(op, k) for op in OPS.values() for k in range(len(op.samples)) if not op.effect]
BY_NAME = {f"{op.name}-{k}": (op, k) for op, k in CASES}


def fortran(x):
    return x.copy(order="F")


def strided(x):
    """Every other entry of a larger array."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (), x.dtype)
    view = wide[..., ::2] if x.ndim else wide
    view[...] = x
    return view


def backwards(x):
    return x[..., ::-1].copy()[..., ::-1] if x.ndim else x


def broadcast(x):
    """Read-only, with a stride of 0 where the first rows are equal."""
    return np.broadcast_to(x, x.shape)


def foreign(x):
    """The other byte order's neighbor: an unaligned copy."""
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    view = np.frombuffer(buffer.data, x.dtype, x.size, 1).reshape(x.shape)
    view[...] = x
    return view


LAYOUTS = st.sampled_from([fortran, strided, backwards, broadcast, foreign])


@given(st.sampled_from(sorted(BY_NAME)), LAYOUTS, LAYOUTS, st.integers(0, 100))
def test_layout_changes_no_value(name, first, second, seed):
    op, k = BY_NAME[name]
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(seed))]
    settings = op.canonical(*arrays, **op.samples[k].settings)
    laid = [(first, second)[i % 2](x) for i, x in enumerate(arrays)]
    np.testing.assert_allclose(
        apply(op, *laid, **settings).value, apply(op, *arrays, **settings).value, rtol=1e-13
    )


@pytest.mark.parametrize(("op", "k"), CASES, ids=list(BY_NAME))
def test_a_gradient_in_another_layout_is_the_same(op, k):
    if not op.differentiable:
        return
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    moving = [i for i, x in enumerate(arrays) if x.dtype.kind == "f" and op.rule(i) is not None]

    def gradients(layout):
        inputs = [layout(x) for x in arrays]

        def function(*xs):
            full = list(inputs)
            for i, x in zip(moving, xs, strict=True):
                full[i] = x
            return op(*full, **op.samples[k].settings)

        y, pullback = bpl.vjp(function, *[inputs[i] for i in moving])
        return [g.value for g in pullback(layout(np.cos(np.arange(y.size)).reshape(y.shape)))]

    for plain, laid in zip(gradients(np.asarray), gradients(fortran), strict=True):
        np.testing.assert_allclose(laid, plain, rtol=1e-12, atol=1e-14)


# What has no value for nothing: an extreme of an empty axis, as in NumPy.
NEEDS_ENTRIES = {"max", "min", "softmax", "log_softmax", "logsumexp", "mean", "tril", "triu"}
ELEMENTWISE = [
    op for op, k in CASES if k == 0 and all(x.shape == (3, 4) for x in map(np.asarray, op.samples[0].draw(np.random.default_rng(0))))
    and not op.samples[0].settings and op.name not in NEEDS_ENTRIES
]  # fmt: skip


INSIDE = {"arccosh": 1.5, "whole_numbers": 2.0}  # where 0.5 is outside


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0, 2), ()])
def test_empty_arrays_and_single_numbers(op, shape):
    count = len(op.samples[0].draw(np.random.default_rng(0)))
    arrays = [np.full(shape, INSIDE.get(op.name, 0.5)) for _ in range(count)]
    y, pullback = bpl.vjp(op, *arrays)
    assert y.shape in (shape, shape[::-1], ())
    for gradient in pullback(np.ones(y.shape)):
        assert gradient.shape == shape


def test_sums_and_products_of_nothing():
    empty = np.zeros((0, 3))
    from backproplab import ops

    np.testing.assert_array_equal(ops.sum(empty, axis=0).value, np.zeros(3))
    np.testing.assert_array_equal(ops.prod(empty, axis=0).value, np.ones(3))
    assert ops.concatenate(empty, np.ones((2, 3)), axis=0).shape == (2, 3)
    assert ops.matmul(np.zeros((2, 0)), np.zeros((0, 3))).value.tolist() == [[0, 0, 0]] * 2
    assert bpl.grad(lambda x: ops.sum(ops.matmul(x, x.T)))(np.zeros((0, 4))).shape == (0, 4)
