"""A Jacobian with all rows, or all columns, along a leading axis is the one made row by row."""

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import OPS, Tensor, ops, transforms
from backproplab.autograd.backward import backward
from backproplab.autograd.transforms import fresh_leaf

RNG = np.random.default_rng(0)


def arrays_of(op, k):
    return [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(1))]


CASES = [
    pytest.param(op, k, position, id=f"{name}-{k}-{position}")
    for name, op in OPS.items()
    if op.differentiable and not op.effect
    for k in range(len(op.samples))
    for position, x in enumerate(arrays_of(op, k))
    if x.dtype.kind == "f" and op.rule(position) is not None
]


def by_rows(function, x):
    """One sweep per entry of the result."""
    x = fresh_leaf(x)
    y = function(x)
    units = np.eye(y.size).reshape(y.size, *y.shape)
    rows = [backward(y, Tensor(unit), [x])[0].value for unit in units]
    return np.reshape(rows, y.shape + x.shape)


def of_argument(op, k, position):
    """(the op as a function of one of its arrays, that array)"""
    arrays, settings = arrays_of(op, k), op.samples[k].settings
    call = lambda x: op(*arrays[:position], x, *arrays[position + 1 :], **settings)
    return call, arrays[position]


def compared(function, x):
    found = bpl.jacobian(function)(x).value
    expected = by_rows(function, x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("op", "k", "position"), CASES)
def test_of_every_op(op, k, position):
    function, x = of_argument(op, k, position)
    compared(function, x)


@pytest.mark.parametrize(("op", "k", "position"), CASES)
def test_of_the_gradient_of_every_op(op, k, position):
    function, x = of_argument(op, k, position)
    weight = np.random.default_rng(2).standard_normal(np.shape(function(x).value))
    compared(bpl.grad(lambda x: ops.sum(function(x) * weight)), x)


W, V = RNG.standard_normal((4, 3)), RNG.standard_normal(3)
A = RNG.standard_normal((3, 3, 3))
AT_ONCE = {
    "a network": (lambda x: np.tanh(W @ np.tanh(W.T @ (W @ x) + V)) ** 2, V),
    "its Hessian": (bpl.grad(lambda x: np.sum(np.exp(np.sin(W @ x)) * x[0])), V),
    "wide": (lambda x: np.outer(np.tile(x, 4), np.sin(x)), V),
    "numbers beside arrays": (lambda x: x[0] * W + np.sum(x) - W @ x[:, None], V),
    "joins and cuts": (lambda x: np.concatenate([x[::2] * 2, x[:1] * W[:, 0], np.sort(x)]), V),
    "einsum": (lambda x: np.einsum("ij,jk->ik", W, x * A[0]), A[1]),
    "matrices": (lambda x: np.linalg.inv(x) * np.linalg.det(x), A[0]),
    "where": (lambda x: np.where(x > 0, x * x, 0.0) + np.max(x), V),
    "softmax": (lambda x: ops.log_softmax(W @ x), V),
}  # fmt: skip
ONE_BY_ONE = {
    "two index arrays apart": (lambda x: x[[0, 1, 2], :, [2, 1, 0]] ** 2, A),
    "leading axes that meet": (lambda x: ops.einsum(A, x, subscripts="ij,j->i"), V),
    "an op of the user's": (bpl.custom_vjp(np.sin, [lambda g, y, x: g * ops.cos(x)]), V),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_ONCE | ONE_BY_ONE)
def test_of_programs(name, monkeypatch):
    function, x = (AT_ONCE | ONE_BY_ONE)[name]
    found = []
    known = transforms._at_once
    monkeypatch.setattr(transforms, "_at_once", lambda y, x: found.append(known(y, x)) or found[-1])
    compared(function, x)
    assert (found[-1] is not None) == (name in AT_ONCE)


@pytest.mark.parametrize("entries", [1, 20, 1000])
def test_in_blocks(entries, monkeypatch):
    monkeypatch.setattr("backproplab.autograd.each_unit.ENTRIES", entries)
    for function, x in AT_ONCE.values():
        compared(function, x)


def test_a_jacobian_of_a_jacobian_keeps_its_graph():
    third = bpl.jacobian(bpl.jacobian(bpl.grad(lambda x: np.sum(np.exp(x * V)))))(V).value
    expected = np.zeros((3, 3, 3))
    expected[np.arange(3), np.arange(3), np.arange(3)] = V**3 * np.exp(V * V)
    np.testing.assert_allclose(third, expected, rtol=1e-12)
