"""Normalization and embedding: closed forms, invariances, refusals."""

import numpy as np
import pytest

from backproplab import grad, gradcheck, ops
from backproplab.errors import GraphError


def test_batch_norm_gives_each_column_its_shift_and_scale():
    # cs231n assignment 2: with gamma [1, 2, 3], beta [11, 12, 13] these are the std and the mean
    x = np.random.default_rng(0).standard_normal((200, 3)) * [2, 0.5, 10] + [1, -4, 7]
    y = ops.batch_norm(x, np.array([1.0, 2, 3]), np.array([11.0, 12, 13]), epsilon=1e-12).value
    np.testing.assert_allclose(y.mean(axis=0), [11, 12, 13], rtol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [1, 2, 3], rtol=1e-10)


def test_layer_norm_is_batch_norm_of_the_transpose():
    x, one, zero = np.random.default_rng(0).standard_normal((6, 4)), np.ones(1), np.zeros(1)
    np.testing.assert_allclose(
        ops.layer_norm(x, one, zero).value, ops.batch_norm(x.T, one, zero).value.T, rtol=1e-12
    )


def test_derivatives_to_order_2():
    rng = np.random.default_rng(0)
    scale, shift = rng.standard_normal((2, 3))
    gradcheck(ops.batch_norm, rng.standard_normal((5, 3)), scale, shift)
    gradcheck(ops.layer_norm, rng.standard_normal((5, 3)), scale, shift)
    images = lambda x, a, b: ops.batch_norm(x, a, b, axis=(-4, -3, -2))
    gradcheck(images, rng.standard_normal((2, 2, 3, 3)), scale, shift)


def test_embedding_takes_rows_and_adds_up_their_gradients():
    table = np.random.default_rng(0).standard_normal((4, 2))
    indices = np.array([[1, 3, 1], [1, 0, 3]])
    np.testing.assert_array_equal(ops.embedding(indices, table).value, table[indices])
    g = grad(lambda t: ops.sum(ops.embedding(indices, t)))(table)
    np.testing.assert_array_equal(g.value, [[1, 1], [3, 3], [0, 0], [2, 2]])


def test_embedding_of_a_population():
    rng = np.random.default_rng(0)
    tables, indices = rng.standard_normal((3, 4, 2)), rng.integers(0, 4, (3, 5, 6))
    own, shared = ops.embedding(indices, tables).value, ops.embedding(indices[0], tables).value
    for p in range(3):
        np.testing.assert_array_equal(own[p], tables[p][indices[p]])
        np.testing.assert_array_equal(shared[p], tables[p][indices[0]])
    g = grad(lambda t: ops.sum(ops.square(ops.embedding(indices[0], t))))(tables)
    counts = np.bincount(indices[0].ravel(), minlength=4)[:, None]
    np.testing.assert_allclose(g.value, 2 * counts * tables, rtol=1e-12)


@pytest.mark.parametrize(("indices", "message"), [
    ([[0, 4]], "0 to 4 are not all among the 4 rows of the table, 0 to 3"),
    ([[-1, 2]], "-1 to 2 are not all among"),
    ([[0.5, 1]], "embedding takes whole numbers, got float64"),
])  # fmt: skip
def test_what_is_no_row_is_refused(indices, message):
    with pytest.raises(GraphError, match=message):
        ops.embedding(np.array(indices), np.ones((4, 2)))


def test_an_empty_batch_has_an_empty_embedding_and_no_gradient():
    indices = np.zeros((0, 3), int)
    assert ops.embedding(indices, np.ones((4, 2))).shape == (0, 3, 2)
    g = grad(lambda t: ops.sum(ops.embedding(indices, t)))(np.ones((4, 2)))
    np.testing.assert_array_equal(g.value, np.zeros((4, 2)))
