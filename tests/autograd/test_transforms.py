"""Transforms against closed forms; the numbers are those of anchors/learners.md section 7."""

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import ops
from backproplab.errors import GraphError


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


START = np.array([-1.2, 1.0])


def test_rosenbrock_by_hand():
    value, gradient = bpl.value_and_grad(rosenbrock)(START)
    assert value.item() == pytest.approx(24.2, rel=1e-14)
    np.testing.assert_allclose(gradient.value, [-215.6, -88], rtol=1e-14)
    np.testing.assert_allclose(bpl.hessian(rosenbrock)(START).value, [[1330, 480], [480, 200]])
    np.testing.assert_allclose(bpl.hvp(rosenbrock, START, [1.0, -2.0]).value, [370, 80])
    at_minimum = bpl.hessian(rosenbrock)(np.ones(2)).value
    np.testing.assert_allclose(at_minimum, [[802, -400], [-400, 200]])


def test_exp_of_root():
    # d/dx exp(√x) at 4
    derivative = bpl.grad(lambda x: ops.exp(ops.sqrt(x)))(4.0)
    assert derivative.item() == pytest.approx(1.8472640247326626, rel=1e-14)


def g(x):
    return ops.stack(x[0] * x[1], ops.sin(x[0]), ops.exp(x[1]) * x[2])


POINT = np.array([0.5, -1.0, 2.0])
JACOBIAN = np.array(
    [[-1, 0.5, 0], [0.8775825618903728, 0, 0], [0, 0.7357588823428847, 0.36787944117144233]]
)


def test_jacobian_and_its_products():
    np.testing.assert_allclose(bpl.jacobian(g)(POINT).value, JACOBIAN, rtol=1e-15)
    v, u = np.array([1.0, 0, -1]), np.array([1.0, 2, 3])
    _, along = bpl.jvp(g, [POINT], [v])
    np.testing.assert_allclose(
        along.value, [-1, 0.8775825618903728, -0.36787944117144233], rtol=1e-15
    )
    _, pullback = bpl.vjp(g, POINT)
    pulled = pullback(u)[0].value
    expected = [0.7551651237807455, 2.707276647028654, 1.103638323514327]
    np.testing.assert_allclose(pulled, expected, rtol=1e-14)
    assert along.value @ u == pytest.approx(v @ pulled, rel=1e-14)  # the dot test


def test_hvp_against_differences_of_gradients():
    f = lambda x: ops.sum(ops.exp(ops.sin(x) * x[::-1]))
    x, v, h = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2, -1]), 1e-6
    gradient = lambda x: bpl.grad(f)(x).value
    numeric = (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)
    np.testing.assert_allclose(bpl.hvp(f, x, v).value, numeric, rtol=1e-6)
    hessian = bpl.hessian(f)(x).value
    np.testing.assert_allclose(bpl.hvp(f, x, v).value, hessian @ v, rtol=1e-12)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)


def test_newton_s_method_on_breast_cancer():
    # anchors/learners.md section 7: first 5 standardized features and a bias, 8 steps
    from sklearn.datasets import load_breast_cancer

    x, z = load_breast_cancer(return_X_y=True)
    x = (x[:, :5] - x[:, :5].mean(0)) / x[:, :5].std(0)
    x = np.hstack([x, np.ones((len(x), 1))])
    loss = lambda w: ops.mean(ops.sigmoid_cross_entropy(ops.matmul(x, w), z * 1.0))
    w = np.zeros(6)
    for _ in range(8):
        w = w - np.linalg.solve(bpl.hessian(loss)(w).value, bpl.grad(loss)(w).value)
    value, gradient = bpl.value_and_grad(loss)(w)
    assert value.item() == pytest.approx(0.1487022643883075, rel=1e-8)
    assert np.linalg.norm(gradient.value) < 1e-4


def test_softmax_jacobian():
    y = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    jacobian = bpl.jacobian(ops.softmax)(np.array([1.0, 2, 3])).value
    np.testing.assert_allclose(jacobian, np.diag(y) - np.outer(y, y), rtol=1e-13)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-16)


def test_logistic_regression_hessian_is_xt_s_x():
    rng = np.random.default_rng(0)
    x, z, w = rng.standard_normal((20, 3)), rng.integers(0, 2, 20) * 1.0, rng.standard_normal(3)

    def loss(w):
        return ops.mean(ops.sigmoid_cross_entropy(ops.matmul(x, w), z))

    p = 1 / (1 + np.exp(-x @ w))
    hessian = bpl.hessian(loss)(w).value
    np.testing.assert_allclose(hessian, x.T * (p * (1 - p)) @ x / 20, rtol=1e-12)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    v = rng.standard_normal(3)
    np.testing.assert_allclose(bpl.hvp(loss, w, v).value, hessian @ v, rtol=1e-12)


def test_transforms_nest():
    # d/dx of (f'(x))² = 2 f' f'' with f = x³; and a jvp of a grad is a Hessian product
    f = lambda x: x**3
    assert bpl.grad(lambda x: bpl.grad(f)(x) ** 2)(2.0).item() == pytest.approx(2 * 12 * 12)
    _, along = bpl.jvp(bpl.grad(rosenbrock), [START], [np.array([1.0, -2.0])])
    np.testing.assert_allclose(along.value, [370, 80], rtol=1e-13)
    third = bpl.jacobian(bpl.hessian(lambda x: ops.sum(x**3)))(np.array([1.0, 2]))
    assert third.shape == (2, 2, 2)
    assert third.value[0, 0, 0] == pytest.approx(6)


def test_whole_numbers_become_floats():
    # the course's numeric_gradient gives [10000, 20000] for an int array: np.zeros_like is int too
    f = lambda p: p[0] * p[1] + p[1]
    for point in ([2, 1], np.array([2, 1]), np.array([2.0, 1.0])):
        np.testing.assert_array_equal(bpl.grad(f)(point).value, [1, 3])


def test_argnums():
    f = lambda a, b: a * b * b
    assert bpl.grad(f, 1)(2.0, 3.0).item() == 12
    assert bpl.grad(f, -1)(2.0, 3.0).item() == 12
    assert [g.item() for g in bpl.grad(f, (1, 0))(2.0, 3.0)] == [12, 9]


def test_misuse_is_told():
    with pytest.raises(GraphError, match=r"one number as result, got shape \(2,\)"):
        bpl.grad(lambda x: x * 2)(np.ones(2))
    with pytest.raises(GraphError, match=r"cotangent has shape \(3,\), expected \(2,\)"):
        bpl.vjp(lambda x: x * 2, np.ones(2))[1](np.ones(3))
    with pytest.raises(GraphError, match="complex128"):
        bpl.grad(lambda x: x * x)(1j)


def test_a_jacobian_of_nothing_is_empty():
    assert bpl.jacobian(lambda x: x[:0] * 2)(np.ones(3)).shape == (0, 3)
