"""The graph as data: order, names, the printer, counts, and costs by closed forms."""

import numpy as np
import pytest

from backproplab.autograd import Tensor, ops
from backproplab.autograd.graph import count, flops, memory, names, nodes, number, pretty


def leaf(*shape):
    return Tensor(np.ones(shape), None, True)


def test_nodes_come_once_inputs_first_in_the_order_of_the_formula():
    a, b = leaf(), leaf()
    c = a + b
    d = b + 1
    f = c * d
    order = nodes(f)
    assert [id(x) for x in order[:3]] == [id(a), id(b), id(c)]
    assert [id(x) for x in order[-2:]] == [id(d), id(f)]
    assert len(order) == 6


def test_depth_costs_no_stack():
    y = leaf()
    for _ in range(20_000):
        y = y * y
    assert len(nodes(y)) == 20_001


def test_names_are_given_or_counted_by_op():
    a, b = leaf(2), leaf(2)
    f = ops.tanh(a + b) + ops.tanh(b) * 2
    found = names(nodes(f), {"a": a})
    assert [found[id(x)] for x in nodes(f)] == [
        "a", "x1", "add_1", "tanh_1", "tanh_2", "2", "multiply_1", "add_2",
    ]  # fmt: skip


def test_pretty_tells_op_inputs_settings_type_and_shape():
    x, w = leaf(3, 4), leaf(4, 2)
    y = ops.sum(ops.tanh(x @ w), axis=-1)
    lines = pretty(y, {"x": x, "w": w}).splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["x", "float64", "(3,", "4)"],
        ["w", "float64", "(4,", "2)"],
    ]
    assert lines[2].startswith("matrix_product_1 = matrix_product(x, w)")
    assert lines[3].startswith("tanh_1 = tanh(matrix_product_1)")
    assert lines[4].startswith("sum_1 = sum(tanh_1, axis=(-1,), keepdims=False)")
    assert lines[4].endswith("float64 (3,)")
    assert len({line.index("float64") for line in lines}) == 1


def test_pretty_writes_no_arrays():
    x = leaf(3, 4)
    assert "array(4,)" in pretty(x[np.array([0, 2, 2, 0])])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (-0.5, "-0.5"),
        (1e16, "1e+16"),
        (-5.466781571308061, "-5.466781571308061"),
        (np.float32(2), "2"),
    ],
)
def test_numbers_keep_every_digit(value, text):
    assert number(value) == text
    assert float(text) == value


def test_counts_by_op():
    a = leaf()
    assert count((a + 1) * (a + 1)) == {"input": 3, "add": 2, "multiply": 1}


def test_the_graph_of_the_logistic_map_grows_linearly():
    # the course's expression swell: l <- 4 l (1 - l); see explain/test_symbolic.py for SymPy's side
    sizes, y = [], leaf()
    for _ in range(8):
        y = 4 * y * (1 - y)
        sizes.append(count(y).total())
    assert len(set(np.diff(sizes))) == 1


# a function of two leaves, their shapes, the operations by hand
COSTS = {
    "elementwise": (lambda a, b: a + b, (3, 4), (3, 4), 12),
    "broadcast": (lambda a, b: a * b, (3, 4), (4,), 12),
    "reduction": (lambda a, b: ops.sum(a), (3, 4), (), 12),
    "matrix product": (lambda a, b: a @ b, (3, 4), (4, 5), 2 * 3 * 4 * 5),
    "population": (lambda a, b: a @ b, (7, 3, 4), (7, 4, 5), 7 * 2 * 3 * 4 * 5),
    "einsum": (lambda a, b: ops.einsum(a, b, subscripts="ij,jk->ik"), (3, 4), (4, 5), 2 * 3 * 4 * 5),
    "batched einsum": (lambda a, b: ops.einsum(a, b, subscripts="...ij,...jk->...ik"), (7, 3, 4), (7, 4, 5), 7 * 2 * 3 * 4 * 5),
    "contraction to a number": (lambda a, b: ops.einsum(a, b, subscripts="ij,ij"), (3, 4), (3, 4), 2 * 12),
    "moves": (lambda a, b: ops.concatenate(a[:, 1:], b.T), (3, 3), (2, 3), 0),
    "a layer": (lambda a, b: ops.tanh(a @ b) + 1, (3, 4), (4, 5), 2 * 3 * 4 * 5 + 15 + 15),
    "inverse": (lambda a, b: ops.inv(a + b), (4, 4), (4, 4), 16 + 2 * 4**3),
}  # fmt: skip


@pytest.mark.parametrize("case", COSTS)
def test_flops_by_hand(case):
    function, left, right, expected = COSTS[case]
    rng = np.random.default_rng(0)
    a, b = (Tensor(rng.standard_normal(shape), None, True) for shape in (left, right))
    assert flops(function(a, b)) == expected


def test_a_leaf_costs_nothing():
    assert flops(leaf(3)) == 0
    assert memory(leaf(3)) == 24


def test_memory_counts_a_buffer_once():
    x = leaf(3, 4)
    assert memory(ops.reshape(x, shape=12)) == 96
    assert memory(ops.tanh(x) + ops.reshape(x, shape=(3, 4))) == 96 * 3
    vector = np.zeros(100)
    assert memory(Tensor(vector[:50], None, True) + Tensor(vector[50:], None, True)) == 800 + 400
