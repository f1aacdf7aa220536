"""A gradient is used as an array: by NumPy, by Python, by SciPy's optimizers, by matplotlib.

A tensor that is not tracked loses nothing by being the array that it holds; a tracked one raises.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

import backproplab as bpl
from backproplab.autograd import Tensor
from backproplab.errors import GraphError

X = np.array([3.0, 1.0, 2.0])


def gradient():
    return bpl.grad(lambda x: np.sum(x**3))(X)  # 27, 3, 12


def number():
    return bpl.grad(lambda x: x**3)(2.0)


def subtracted(g):
    w = np.ones(3)
    w -= 0.1 * g
    return w


def masked(g):
    w = np.zeros(3)
    np.copyto(w, g, where=[True, False, True])
    return w


# what a user writes, on the gradient [27, 3, 12]
USES = {
    "in place": (subtracted, [-1.7, 0.7, -0.2]), "copyto": (masked, [27, 0, 12]), "full_like": (lambda g: np.full_like(X, g[0]), [27] * 3),
    "allclose": (lambda g: np.allclose(g, [27, 3, 12]), True), "isclose": (lambda g: np.isclose(g, 3), [False, True, False]),
    "array_equal": (lambda g: np.array_equal(g, [27, 3, 12]), True), "astype": (lambda g: g.astype(np.float32), [27, 3, 12]),
    "copy": (lambda g: g.copy(), [27, 3, 12]), "all": (lambda g: g.all(), True), "any": (lambda g: g.any(), True),
    "argsort": (lambda g: g.argsort(), [1, 2, 0]), "floor": (lambda g: g // 2, [13, 1, 6]), "of floor": (lambda g: 100 // g, [3, 33, 8]),
    "and": (lambda g: (g > 3) & (g < 20), [False, False, True]), "and of an array": (lambda g: np.array([True, True, False]) & (g > 3), [True, False, False]),
    "or": (lambda g: (g > 20) | (g < 5), [True, True, False]), "not": (lambda g: ~(g > 3), [False, True, False]), "xor": (lambda g: (g > 3) ^ (g > 20), [False, False, True]),
    "round": (lambda g: round(g / 7, 2), [3.86, 0.43, 1.71]), "divmod": (lambda g: divmod(g, 2)[1], [1, 1, 0]), "full": (lambda g: np.full(2, g[1]), [3, 3]),
    "tolist": (lambda g: g.tolist(), [27, 3, 12]), "histogram": (lambda g: np.histogram(g, 2)[0], [2, 1]), "save": (lambda g: np.save("/dev/null", g), None),
    "sorted": (sorted, [3, 12, 27]), "nonzero": (lambda g: g.nonzero()[0], [0, 1, 2]), "unique": (np.unique, [3, 12, 27]), "percentile": (lambda g: np.percentile(g, 50), 12),
    "ufunc at": (lambda g: np.add.at(np.zeros(3), [0, 1, 1], g), None), "where=": (lambda g: np.add(g, 1, out=np.zeros(3), where=g > 5), [28, 0, 13]),
    "assigned": (lambda g: np.empty(3).__setitem__(slice(None), g), None), "linspace": (lambda g: np.linspace(0, g, 2), [[0, 0, 0], [27, 3, 12]]),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_gradient_is_an_array(use):
    call, expected = USES[use]
    found = call(gradient())
    if expected is not None:
        np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float))


def test_a_gradient_is_sorted_in_place_and_its_array_is_not():
    g = gradient()
    before = g.value
    assert g.sort() is None
    assert g.tolist() == [3, 12, 27]
    assert before.tolist() == [27, 3, 12]
    with pytest.raises(GraphError, match=r"np\.sort\(x\) returns a sorted copy"):
        bpl.grad(lambda x: x.sort())(X)


def test_formats():
    assert f"{number():.3f}" == "12.000"
    assert f"{gradient():.1f}" == "[27.0 3.0 12.0]"
    assert f"{gradient()}" == "Tensor([27.,  3., 12.], dtype=float64)"
    assert round(number()) == 12
    assert isinstance(round(number()), int)


PLOTS = {
    "plot": lambda g: plt.plot(g, g), "scatter": lambda g: plt.scatter(g, g, c=g, s=g), "bar": lambda g: plt.bar(g, g),
    "hist": plt.hist, "imshow": lambda g: plt.imshow(np.outer(g, g)), "errorbar": lambda g: plt.errorbar(g, g, yerr=g),
    "fill": lambda g: plt.fill_between(g, g, g[0]), "line": lambda g: plt.axhline(g[0]), "limits": lambda g: plt.xlim(g[1], g[0]),
    "contour": lambda g: plt.contour(np.outer(g, g)), "text": lambda g: plt.text(g[0], g[1], "here"),
}  # fmt: skip


@pytest.mark.parametrize("plot", PLOTS)
def test_matplotlib_takes_a_gradient(plot):
    with mpl.rc_context({"backend": "agg"}):
        PLOTS[plot](gradient())
        plt.close("all")


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


HESSIAN = {"Newton-CG", "trust-ncg", "trust-exact", "trust-krylov"}


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "TNC", "SLSQP", *sorted(HESSIAN)])
def test_scipys_optimizers_take_our_gradient(method):
    """The steps are those of SciPy's own derivative of the function."""
    start = np.array([1.3, 0.7, 0.8, 1.9])
    hessian = {"hess": bpl.hessian(rosenbrock)} if method in HESSIAN else {}
    found = minimize(rosenbrock, start, jac=bpl.grad(rosenbrock), method=method, **hessian)
    np.testing.assert_allclose(np.asarray(found.x), np.ones(4), atol=2e-3)
    if not hessian:
        expected = minimize(rosen, start, jac=rosen_der, method=method)
        assert abs(found.nfev - expected.nfev) <= 0.1 * expected.nfev + 3


def test_scipy_takes_value_and_gradient_in_one():
    found = minimize(bpl.value_and_grad(rosenbrock), np.zeros(4), jac=True, method="L-BFGS-B")
    np.testing.assert_allclose(found.x, np.ones(4), atol=1e-3)


# call, what the error says; or the right value
ARGUMENTS = {
    "roll": lambda x: np.roll(x, (1, 2), (0, 1)), "median": lambda x: np.median(x, axis=(0, 1)), "repeat": lambda x: np.repeat(x, np.array([1, 2]), 0),
    "kron": lambda x: np.kron(x[0], x[1]), "take": lambda x: np.take(x, [0, 1]), "einsum": lambda x: np.einsum(x, [0, 1], [0]),
    "einsum of two": lambda x: np.einsum(x, [0, 1], x, [0, 2]), "array_split": lambda x: np.array_split(np.ravel(x)[:7], 3)[0], "hstack": lambda x: np.hstack([x[0, 0], 2.0]),
    "radians": np.radians, "degrees": np.degrees, "flipud": np.flipud, "hsplit": lambda x: np.hsplit(x, 2)[1],
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_were_refused_or_misunderstood(name):
    x = np.arange(8.0).reshape(2, 4)
    y = ARGUMENTS[name](x)
    found, pullback = bpl.vjp(ARGUMENTS[name], x)
    np.testing.assert_allclose(found.value, y)
    bpl.gradcheck(ARGUMENTS[name], x, order=2)
    assert pullback(np.ones(y.shape))[0].shape == x.shape


TAUGHT = {
    "ragged": (lambda x: np.vstack([[x, 1.0], [x]]), r"np\.stack"),
    "an array of tensors": (lambda x: np.array([x, x]), r"np\.stack"),
    "in place": (lambda x: np.zeros(()).__iadd__(x), r"write w = w \+ x in place of w \+= x"),
    "histogram": (np.histogram, "np.histogram has no rule for tensors — its counts are steps"),
    "put": (lambda x: np.put(np.zeros(2), 0, x), "it writes into an array"),
    "no such rule": (np.spacing, None),
    "file": (lambda x: np.savetxt("/dev/null", x), r"save x\.value"),
}


@pytest.mark.parametrize("name", TAUGHT)
def test_the_error_says_what_to_write(name):
    call, words = TAUGHT[name]
    if words is None:
        assert call(Tensor(1.0, None, True)) == np.spacing(1.0)
        return
    with pytest.raises((GraphError, ValueError), match=words):
        call(Tensor(1.0, None, True))
