"""The slips in the course's notes: the right version, and why the slip fails.

Sources: anchors/learners.md section 0; "000" the gradient descent lecture, "001" the chain rule
lecture, "002" the notes on automatic differentiation.
"""

import numpy as np
import pytest

import backproplab as bpl
from backproplab import ops
from backproplab.optim import Updater
from backproplab.optim.rules import Sgd


def three_layers():
    """A 3-layer sigmoid net with unequal widths: weights (out, in) and the sums z, values a."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in [(4, 3), (5, 4), (2, 5)]]
    x, t = rng.standard_normal(3), rng.standard_normal(2)
    return weights, x, t


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slope(z):
    return sigmoid(z) * (1 - sigmoid(z))


def forward(weights, x):
    a, z = [x], []
    for w in weights:
        z.append(w @ a[-1])
        a.append(sigmoid(z[-1]))
    return a, z


def test_002_the_error_of_a_layer_uses_its_own_slope():
    # the notes write δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ∘ s'(z^L), with the last layer's z
    weights, x, t = three_layers()
    a, z = forward(weights, x)
    loss = lambda *ws: 0.5 * ops.sum((_net(ws, x) - t) ** 2)
    expected = [g.value for g in bpl.grad(loss, (0, 1, 2))(*weights)]
    delta = (a[-1] - t) * slope(z[-1])
    for layer in (2, 1, 0):
        np.testing.assert_allclose(np.outer(delta, a[layer]), expected[layer], rtol=1e-12)
        if layer:
            delta = (weights[layer].T @ delta) * slope(z[layer - 1])
    last = (a[-1] - t) * slope(z[-1])
    with pytest.raises(ValueError, match="broadcast"):
        (weights[2].T @ last) * slope(z[-1])  # the slip cannot even be shaped


def _net(ws, x):
    for w in ws:
        x = ops.sigmoid(ops.matmul(w, x))
    return x


def test_002_gradients_are_added_not_set():
    # "set gradient of children": with f = (a + b)(b + 1) the last path to b would win: 2 or 3
    assert bpl.grad(lambda a, b: (a + b) * (b + 1), 1)(2.0, 1.0).item() == 5


def test_002_each_node_once_not_each_path():
    def doubled(y):
        for _ in range(60):
            y = y + y
        return y

    assert bpl.grad(doubled)(1.0).item() == 2**60


def test_002_relu_s_slope_is_0_below_0():
    # "its derivative is always positive": units whose input is negative get no gradient
    np.testing.assert_array_equal(
        [bpl.grad(ops.relu)(z).item() for z in (-2.0, 0.0, 2.0)], [0, 0, 1]
    )


def test_002_an_ode_solver_that_updates_weights_is_gradient_flow():
    # dθ/dt = -∇L; one explicit Euler step of length h is a step of gradient descent with rate h
    loss = lambda w: ops.sum((w - 3) ** 4)
    theta, flow = np.array([1.0, 5.5]), np.array([1.0, 5.5])
    gradient = np.empty(2)
    updater = Updater(Sgd(), theta, gradient, {})
    for t in range(1, 101):
        gradient[...] = bpl.grad(loss)(theta).value
        updater(0.01, t)
        flow = flow + 0.01 * -bpl.grad(loss)(flow).value
    np.testing.assert_allclose(theta, flow, rtol=1e-15)


def test_002_the_update_is_of_the_same_layer():
    # the notes write w^{l+1} ← w^l - …: layers of unequal widths cannot take each other's update
    weights, x, t = three_layers()
    gradient = bpl.grad(lambda w: 0.5 * ops.sum((_net([w, *weights[1:]], x) - t) ** 2))(
        weights[0]
    ).value
    assert (weights[0] - 0.1 * gradient).shape == weights[0].shape
    with pytest.raises(ValueError, match="broadcast"):
        weights[1] - 0.1 * gradient


def test_001_the_total_derivative():
    # z = x² + sin(xy), x = t², y = eᵗ. The notes write 2x where y's factor is 2t; at t = 1 the two
    # agree, so the test stands at 0.5
    z = lambda t: (t**2) ** 2 + ops.sin(t**2 * ops.exp(t))
    t = 0.5
    x, y = t**2, np.exp(t)
    right = 2 * x * 2 * t + np.cos(x * y) * (y * 2 * t + x * np.exp(t))
    slip = 2 * x * 2 * t + np.cos(x * y) * (y * 2 * x + x * np.exp(t))
    assert bpl.grad(z)(t).item() == pytest.approx(right, rel=1e-14)
    assert right == pytest.approx(2.3883001501507775, rel=1e-14)
    assert slip == pytest.approx(1.6329800900904667, rel=1e-14)
    assert bpl.grad(z)(1.0).item() == pytest.approx(-3.4350491988657046, rel=1e-13)


def test_001_the_weight_gradient_is_delta_times_a_transposed():
    # section 7 of the notes has a δᵀ: of another shape where widths differ
    w, a = np.ones((2, 3)), np.array([1.0, 2, 3])
    gradient = bpl.grad(lambda w: ops.sum(ops.matmul(w, a) ** 2))(w).value
    delta = 2 * w @ a
    np.testing.assert_allclose(gradient, np.outer(delta, a))
    assert np.outer(a, delta).shape != w.shape


def test_001_the_code_s_elementwise_product_is_an_outer_one():
    delta, a = np.array([0.5, -1.0]), np.array([1.0, 2, 3])
    with pytest.raises(ValueError, match="broadcast"):
        delta * a.T  # what the notes' code does; right only for layers of one unit
    assert np.outer(delta, a).shape == (2, 3)


def test_000_a_numeric_gradient_in_whole_numbers():
    def lecture(f, params, h=1e-4):
        gradient = np.zeros_like(params)  # of whole numbers for whole numbers
        for i in range(len(params)):
            moved = np.array(params)
            moved[i] += h
            moved_down = np.array(params)
            moved_down[i] -= h
            gradient[i] = (f(moved) - f(moved_down)) / (2 * h)
        return gradient

    f = lambda p: p[0] ** 2 + p[0] * p[1] + p[1]
    right = bpl.grad(f)(np.array([2, 1])).value
    np.testing.assert_array_equal(right, [5, 3])
    np.testing.assert_allclose(lecture(f, np.array([2.0, 1.0])), right, rtol=1e-9)
    assert np.abs(lecture(f, np.array([2, 1])) - right).max() > 1000  # steps of 1e-4 are cut off


def test_000_underflow_needs_very_negative_scores_not_small_ones():
    small = ops.softmax(1e-9 * np.array([1.0, 2, 3])).value
    np.testing.assert_allclose(small, 1 / 3, rtol=1e-8)
    with np.errstate(invalid="ignore", over="ignore"):
        naive = lambda s: np.exp(s) / np.exp(s).sum()
        assert naive(np.array([-1000.0, -10, -8]))[0] == 0
        assert np.isnan(naive(np.array([-1000.0, -1000]))).all()
    np.testing.assert_allclose(ops.softmax(np.array([-1000.0, -1000])).value, 0.5)


def test_000_clipping_the_probability_kills_the_gradient():
    # clip(p, 1e-4) caps the loss at 9.21034 and leaves a confidently wrong example no gradient
    z = np.array([[20.0, 0.0]])
    clipped = lambda z: -ops.log(ops.clip(ops.softmax(z), 1e-4, 1 - 1e-4))[0, 1]
    fused = lambda z: ops.sum(ops.softmax_cross_entropy(z, np.array([1])))
    value, gradient = bpl.value_and_grad(clipped)(z)
    assert value.item() == pytest.approx(9.210340371976182)
    np.testing.assert_array_equal(gradient.value, 0)
    value, gradient = bpl.value_and_grad(fused)(z)
    assert value.item() == pytest.approx(20.0)
    np.testing.assert_allclose(gradient.value, [[1, -1]], rtol=1e-8)


def test_000_numbers_on_the_slides_to_their_last_digit():
    assert np.exp(-10) == pytest.approx(4.5399929762484854e-05, rel=1e-15)
    np.testing.assert_allclose(
        ops.softmax(np.array([-1000.0, -10, -8])).value,
        [0, 0.11920292202211755, 0.8807970779778823],
        atol=1e-15,
    )


def test_the_gradient_of_the_input():
    # anchors/learners.md section 16: FGSM on digits drops accuracy, random signs do not
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x / 16, y, test_size=0.2, random_state=0, stratify=y
    )
    model = LogisticRegression(C=1, max_iter=5000).fit(x_train, y_train)
    logits = lambda x: ops.matmul(x, model.coef_.T) + model.intercept_
    loss = lambda x: ops.mean(ops.softmax_cross_entropy(logits(x), y_test))
    accuracy = lambda x: np.mean(np.argmax(logits(x).value, axis=1) == y_test)
    gradient = bpl.grad(loss)(x_test).value
    bpl.gradcheck(
        lambda x: ops.softmax_cross_entropy(logits(x), y_test[:3]), x_test[:3], order=1, rtol=1e-7
    )
    fooled = accuracy(x_test + 0.1 * np.sign(gradient))
    noisy = accuracy(x_test + 0.1 * np.random.default_rng(0).choice([-1, 1], x_test.shape))
    assert accuracy(x_test) == pytest.approx(0.9667, abs=0.005)
    assert accuracy(x_test) - fooled >= 0.20
    assert accuracy(x_test) - noisy <= 0.03
