"""gradcheck finds wrong rules, in the order in which they are wrong."""

import numpy as np
import pytest

from backproplab import gradcheck
from backproplab.autograd import GradcheckError, central_difference, ops
from backproplab.autograd.primitive import Op, apply

X = np.linspace(0.3, 1.7, 6).reshape(2, 3)


def wrong(rule):
    op = Op("wrong", np.sin, (rule,), (), "sin with a wrong rule")
    return lambda x: apply(op, x)


def test_a_right_function_passes():
    gradcheck(lambda x, y: ops.tanh(x) * ops.exp(y), X, X, order=3)
    gradcheck(lambda x: x**3, X, every_entry=True)


def test_a_wrong_rule_is_told_with_its_numbers():
    with pytest.raises(
        GradcheckError, match=r"reverse mode .* central difference gives .*relative"
    ):
        gradcheck(wrong(lambda g, y, x: g * 1.01), X)


def test_a_rule_that_loses_its_graph_fails_at_order_2_only():
    from backproplab.autograd import Tensor

    function = wrong(lambda g, y, x: g * Tensor(np.cos(x.value)))
    gradcheck(function, X, order=1)
    with pytest.raises(GradcheckError):
        gradcheck(function, X, order=2)


# anchors/learners.md section 1: d sin(x²)/dx at 3 with float64 central differences
@pytest.mark.parametrize(("h", "error"), [(1e-2, 5.6e-4), (1e-4, 5.6e-8), (1e-6, 1.4e-10)])
def test_the_error_falls_with_h_squared_until_rounding_takes_over(h, error):
    derivative = 6 * np.cos(9)
    measured = abs(central_difference(lambda t: np.sin((3 + t) ** 2), h) - derivative)
    assert measured / abs(derivative) <= 1.2 * error
