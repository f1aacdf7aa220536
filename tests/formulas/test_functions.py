"""The functions that an expression may call are found by trying them, so a new op is known."""

import numpy as np
import pytest

from backproplab.autograd.primitive import FUNCTIONS, Op
from backproplab.explain.trace import trace
from backproplab.explain.values import read_point
from backproplab.formulas import functions
from backproplab.formulas.parse import parse


@pytest.mark.parametrize(
    "name",
    ["sin", "cos", "tan", "arcsin", "tanh", "exp", "log", "log1p", "sqrt", "cbrt", "sigmoid", "relu", "softplus", "gelu", "silu", "erf", "absolute", "abs", "ln", "square", "reciprocal", "sinc"],
)  # fmt: skip
def test_functions_of_one_number(name):
    assert functions.arity(functions.find(name)) == 1


@pytest.mark.parametrize(
    "name", ["maximum", "minimum", "hypot", "arctan2", "power", "logaddexp", "add"]
)
def test_functions_of_two_numbers(name):
    assert functions.arity(functions.find(name)) == 2


@pytest.mark.parametrize(
    "name",
    ["dot", "prod", "cumsum", "sort", "transpose", "reshape", "matmul", "einsum", "where", "clip", "concatenate", "sign", "floor", "greater", "leaf", "stop_gradient", "dropout_mask", "one_hot", "nothing", "__import__", "eval"],
)  # fmt: skip
def test_what_mixes_entries_or_has_no_derivative_is_no_function_here(name):
    assert functions.find(name) is None


def test_trying_the_functions_changes_nothing_and_warns_of_nothing():
    assert functions.known() == functions.known()
    assert {"sin", "ln", "relu"} <= set(functions.known())


def test_a_new_op_is_explained_as_soon_as_it_is_declared(monkeypatch):
    cubed = Op(
        "cubed", lambda x, out=None: np.power(x, 3), (lambda g, y, x: g * 3 * x * x,), (), "x³."
    )
    monkeypatch.setitem(FUNCTIONS, "cubed", cubed)
    seen = trace(parse("cubed(x) + 1"), {"x": 2.0})
    assert seen.result.value == 9
    assert seen.nodes[0].gradient == 12
    (edge,) = (e for e in seen.edges if e.rule == "chain: cubed'")
    assert edge.formula == "3 * x * x"


def test_a_step_may_have_no_derivative_by_one_of_its_inputs(monkeypatch):
    scaled = Op("scaled", np.multiply, (lambda g, y, a, b: g * b, None), (), "a b, b is data.")
    monkeypatch.setitem(FUNCTIONS, "scaled", scaled)
    seen = trace(parse("scaled(a, b)"), {"a": 2.0, "b": 3.0})
    assert [node.gradient for node in seen.nodes] == [3, 0, 1]


@pytest.mark.parametrize("name", functions.VECTORS)
def test_functions_of_vectors(name):
    wanted = functions.arguments(name)
    words = ["z=[1, 2, 3]", "t=[0, 0, 1]"][:wanted]
    seen = trace(*read_point(f"{name}({'z, t' if wanted == 2 else 'z'})", words))
    assert seen.nodes[0].gradient.shape == (3,)
