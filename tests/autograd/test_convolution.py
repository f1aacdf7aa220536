"""Convolution and pooling: against six loops and SciPy, conventions, refusals."""

from itertools import product

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from backproplab import grad, gradcheck, ops
from backproplab.errors import GraphError


def six_loops(x, kernel, stride, padding, dilation):
    """The definition, entry by entry."""
    (s, t), (p, q), (d, e) = stride, padding, dilation
    x = np.pad(x, ((0, 0), (p, p), (q, q), (0, 0)))
    n, h, w, _ = x.shape
    kh, kw, channels, filters = kernel.shape
    rows, columns = (h - (kh - 1) * d - 1) // s + 1, (w - (kw - 1) * e - 1) // t + 1
    y = np.zeros((n, rows, columns, filters))
    for m, i, j, o in product(range(n), range(rows), range(columns), range(filters)):
        for a, b, c in product(range(kh), range(kw), range(channels)):
            y[m, i, j, o] += x[m, i * s + a * d, j * t + b * e, c] * kernel[a, b, c, o]
    return y


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)), pairs)
def test_conv2d_is_its_definition(size, stride, padding, dilation):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 7, 8, 2)), rng.standard_normal((*size, 2, 3))
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    y = ops.conv2d(x, kernel, **settings).value
    np.testing.assert_allclose(y, six_loops(x, kernel, **settings), rtol=1e-12, atol=1e-12)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_same_gives_one_window_for_each_stride(n, size, stride, dilation):
    y = ops.conv1d(np.ones((1, n, 1)), np.ones((size, 1, 1)), stride=stride, padding="same", dilation=dilation)  # fmt: skip
    assert y.shape == (1, -(-n // stride), 1)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_same_and_valid_are_scipy_s(size):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((6, 7)), rng.standard_normal((size, size))
    image, weights = x[None, :, :, None], kernel[:, :, None, None]
    y = ops.conv2d(image, weights).value[0, :, :, 0]
    np.testing.assert_allclose(y, scipy.signal.correlate(x, kernel, "valid"), rtol=1e-12)
    y = ops.conv2d(image, weights, padding="same").value[0, :, :, 0]
    after = size // 2  # Keras puts the larger half after; SciPy's "same" is the centre of "full"
    full = scipy.signal.correlate(x, kernel, "full")[after : after + 6, after : after + 7]
    np.testing.assert_allclose(y, full, rtol=1e-12, atol=1e-12)


def test_conv1d_is_numpy_s_correlate():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal(9), rng.standard_normal(4)
    y = ops.conv1d(x[None, :, None], kernel[:, None, None]).value[0, :, 0]
    np.testing.assert_allclose(y, np.correlate(x, kernel, "valid"), rtol=1e-12)


@pytest.mark.parametrize("settings", [
    {}, {"stride": 2, "padding": "same"}, {"padding": (1, 0), "dilation": (2, 1)},
])  # fmt: skip
def test_derivatives_to_order_2(settings):
    rng = np.random.default_rng(0)
    gradcheck(
        lambda x, k: ops.conv2d(x, k, **settings),
        rng.standard_normal((2, 5, 4, 2)),
        rng.standard_normal((2, 3, 2, 3)),
    )


def test_kernels_of_a_population_on_shared_and_on_own_inputs():
    rng = np.random.default_rng(0)
    kernels = rng.standard_normal((3, 2, 2, 2, 4))
    for x in (rng.standard_normal((5, 4, 4, 2)), rng.standard_normal((3, 5, 4, 4, 2))):
        together = ops.conv2d(x, kernels).value
        for p in range(3):
            alone = ops.conv2d(x[p] if x.ndim == 5 else x, kernels[p]).value
            np.testing.assert_allclose(together[p], alone, rtol=1e-12, atol=1e-12)


def test_any_memory_layout_and_an_empty_batch():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((2, 3, 3, 4))
    y = ops.conv2d(x, kernel).value
    np.testing.assert_array_equal(ops.conv2d(np.asfortranarray(x), kernel).value, y)
    np.testing.assert_array_equal(ops.conv2d(x[::-1, ::-1][::-1, ::-1], kernel).value, y)
    assert ops.conv2d(x[:0], kernel).shape == (0, 4, 4, 4)
    dx, dk = grad(lambda x, k: ops.sum(ops.conv2d(x, k)), (0, 1))(x[:0], kernel)
    assert dx.shape == (0, 5, 6, 3)
    assert not dk.value.any()


def test_max_pool_row_of_cs231n():
    # assignment 2, x = linspace(-0.3, 0.4) of (2, 3, 4, 4): the first row of the result
    x = np.moveaxis(np.linspace(-0.3, 0.4, 96).reshape(2, 3, 4, 4), 1, -1)
    y = ops.max_pool(x).value[0, :, :, 0].ravel()
    np.testing.assert_allclose(y, [-0.26315789, -0.24842105, -0.20421053, -0.18947368], rtol=1e-7)


def test_at_a_tie_the_first_row_by_row_gets_the_gradient():
    x = np.array([[0.0, 1, 2, 2], [1, 1, 2, 2]])[None, :, :, None]
    g = grad(lambda x: ops.sum(ops.max_pool(x)))(x)
    np.testing.assert_array_equal(g.value[0, :, :, 0], [[0, 1, 1, 0], [0, 0, 0, 0]])
    g = grad(lambda x: ops.sum(ops.max_pool(x, stride=1)))(x)  # windows that overlap
    np.testing.assert_array_equal(g.value[0, :, :, 0], [[0, 1, 2, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("settings", [
    {}, {"window": 3, "stride": 2, "padding": "same"}, {"window": (3, 1), "stride": 1}, {"window": 3, "padding": 1},
])  # fmt: skip
def test_pools_are_the_maximum_and_mean_of_every_window(settings):
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    patches = _windows_of(x, **settings)
    for pool, reduce in ((ops.max_pool, np.nanmax), (ops.avg_pool, np.nanmean)):
        np.testing.assert_allclose(pool(x, **settings).value, reduce(patches, axis=(-2, -1)), rtol=1e-12)  # fmt: skip
        gradcheck(lambda x, pool=pool: pool(x, **settings), x)


def _windows_of(x, window=2, stride=None, padding=0):
    """(n, rows, columns, c, kh, kw), NaN where there is only padding."""
    size = (window, window) if isinstance(window, int) else window
    step = stride or size[0]
    before = after = padding
    if padding == "same":  # ⌈5/2⌉ and ⌈6/2⌉ windows of 3 need 2 and 1 more
        around = ((0, 0), (1, 1), (0, 1), (0, 0))
    else:
        around = ((0, 0), (before, after), (before, after), (0, 0))
    x = np.pad(x, around, constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))[:, ::step, ::step]


def test_padding_never_wins_and_never_counts():
    x = -np.ones((1, 3, 3, 1))
    np.testing.assert_array_equal(ops.max_pool(x, padding="same").value, -np.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(ops.avg_pool(x, padding="same").value, -np.ones((1, 2, 2, 1)))


def test_global_pools():
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 5))
    np.testing.assert_array_equal(ops.global_max_pool(x).value, x.max(axis=(1, 2)))
    np.testing.assert_allclose(ops.global_avg_pool(x).value, x.mean(axis=(1, 2)), rtol=1e-13)
    assert ops.global_avg_pool(x[0], rank=1).shape == (4, 5)


@pytest.mark.parametrize(("call", "message"), [
    (lambda x, k: ops.conv2d(x, k[:, :, :1]), "cannot go over x .* of shape"),
    (lambda x, k: ops.conv2d(x, k[0]), "cannot go over"),
    (lambda x, k: ops.conv2d(x, k, dilation=4), "a window of 5 × 5 does not fit into 4 × 4"),
    (lambda x, k: ops.conv2d(x, k, padding="full"), "'same', 'valid' or numbers, got 'full'"),
    (lambda x, k: ops.conv2d(x, k, stride=0), "stride must be a number from 1, or 2 of them, got 0"),
    (lambda x, k: ops.conv2d(x, k, padding=(1, 1, 1)), "padding must be a number from 0, or 2 of them"),
    (lambda x, k: ops.max_pool(x, window=5), "a window of 5 × 5 does not fit into 4 × 4"),
])  # fmt: skip
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(GraphError, match=message):
        call(np.ones((1, 4, 4, 2)), np.ones((2, 2, 2, 3)))
