"""The reverse sweep: sums over paths, one visit a node, depth without recursion, nesting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backproplab as bpl
from backproplab import grad, value_and_grad, vjp
from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.primitive import apply


def test_the_course_s_graph():
    # f = (a + b)(b + 1) at (2, 1): 6, and df/db = 2 + 3 is a sum over two paths
    value, (da, db) = value_and_grad(lambda a, b: (a + b) * (b + 1), (0, 1))(2.0, 1.0)
    assert (value.item(), da.item(), db.item()) == (6, 2, 5)


def test_micrograd_s_readme_example():
    # karpathy/micrograd README: a = -4, b = 2 -> g = 24.7041, dg/da = 138.8338, dg/db = 645.5773
    def g(a, b):
        c = a + b
        d = a * b + b**3
        c = c + c + 1
        c = c + 1 + c + (-a)
        d = d + d * 2 + ops.relu(b + a)
        d = d + 3 * d + ops.relu(b - a)
        e = c - d
        f = e**2
        return f / 2.0 + 10.0 / f

    value, (da, db) = value_and_grad(g, (0, 1))(-4.0, 2.0)
    assert value.item() == pytest.approx(24.70408163265306, abs=1e-13)
    assert da.item() == pytest.approx(138.83381924198252, abs=1e-12)
    assert db.item() == pytest.approx(645.5772594752186, abs=1e-12)


def test_sixty_doublings_are_exact_and_quick():
    def double(y):
        for _ in range(60):
            y = y + y
        return y

    assert grad(double)(1.0).item() == 2**60


def test_each_node_s_rule_runs_once():
    visits = []
    twice = ops.add

    def rule(g, y, a, b):
        visits.append(1)
        return g

    counted = type(twice)("counted", np.add, (rule, rule), (), "a + b, counted")

    def double(y):
        for _ in range(30):
            y = apply(counted, y, y)
        return y

    grad(double)(1.0)
    assert len(visits) == 60  # two arguments of thirty nodes, not 2³⁰ paths


def test_a_chain_of_50_000_ops_needs_no_recursion():
    def chain(x):
        for _ in range(50_000):
            x = x * 1.00001
        return x

    assert grad(chain)(1.0).item() == pytest.approx(1.00001**50_000, rel=1e-9)


def test_perturbations_are_not_confused():
    # Siskind and Pearlmutter 2005: d/dx (x · d/dy x) = 0, d/dx (d/dy xy) = 1
    assert grad(lambda x: x * grad(lambda y: x)(0.0))(3.0).item() == 0
    assert grad(lambda x: grad(lambda y: x * y)(1.0))(3.0).item() == 1
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).item() == 1


def test_any_order():
    # anchors/learners.md section 7: sin(x²) stands for it with exp here, d³/dx³ x⁵ = 60 x²
    derivative = lambda x: x**5
    for expected in (5 * 2**4, 20 * 2**3, 60 * 2**2, 120 * 2, 120):
        derivative = grad(derivative)
        assert derivative(2.0).item() == pytest.approx(expected, rel=1e-13)


def test_gradients_of_inner_tensors_too():
    x = Tensor(np.array(3.0), None, True)
    h = x * x
    y = h * x
    of_h, of_x = backward(y, Tensor(np.array(1.0)), [h, x])
    assert (of_h.value, of_x.value) == (3, 27)


def test_a_target_that_does_not_matter_gets_zeros():
    (g,) = vjp(lambda x, y: ops.sum(y), np.ones((2, 3)), np.ones(4))[1](1.0)[:1]
    np.testing.assert_array_equal(g.value, np.zeros((2, 3)))


def test_a_finished_gradient_holds_no_graph():
    g = grad(lambda x: x * x)(3.0)
    assert not g.tracked
    assert g.node is None


def test_numpy_functions_on_tracked_tensors_are_refused():
    with pytest.raises(Exception, match="would lose its graph"):
        grad(lambda x: np.asarray(x).sum())(1.0)


@st.composite
def broadcast_pairs(draw):
    shape = draw(st.lists(st.integers(1, 3), min_size=0, max_size=3))

    def thin():
        kept = [n if draw(st.booleans()) else 1 for n in shape]
        return tuple(kept[draw(st.integers(0, len(kept))) :])

    return thin(), thin()


@given(broadcast_pairs())
def test_broadcasting_is_undone_to_the_shape_of_the_input(shapes):
    a, b = (np.full(s, 2.0) for s in shapes)
    y, pullback = vjp(lambda a, b: a * b + a, a, b)
    da, db = pullback(np.ones(y.shape))
    assert (da.shape, db.shape) == shapes
    count = y.size
    np.testing.assert_allclose(da.value.sum(), 3.0 * count)
    np.testing.assert_allclose(db.value.sum(), 2.0 * count)


def test_a_gradient_has_the_type_of_its_input():
    a, b = np.ones(3, np.float32), np.ones(3, np.float64)
    y, pullback = vjp(lambda a, b: a * b, a, b)
    assert y.dtype == np.float64
    assert [g.dtype for g in pullback(np.ones(3))] == [np.float32, np.float64]


def test_an_inner_transform_leaves_nothing_behind():
    # its leaf is a constant to the outer transform, whose gradient is then free of any graph
    inner = {
        "grad": lambda x: grad(lambda y: x * x * y * y)(3.0),
        "vjp": lambda x: vjp(lambda y: x * x * y * y, 3.0)[1](1.0)[0],
        "hvp": lambda x: bpl.hvp(lambda y: x * x * y**3 / 3, 3.0, 1.0),
        "jacobian": lambda x: bpl.jacobian(lambda y: x * x * y * y)(3.0),
        "jvp": lambda x: bpl.jvp(lambda y: x * x * y * y, [3.0], [1.0])[1],
    }
    for name, function in inner.items():
        g = grad(function)(2.0)
        assert g.item() == pytest.approx(24.0), name
        assert not g.tracked, name
