"""Adding an op is one declaration: everything else follows from it."""

import ast
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab import ops
from backproplab.autograd import OPS, apply, primitive
from backproplab.autograd.engines import engine
from backproplab.autograd.lowering import lower, stepwise
from backproplab.autograd.primitive import FUNCTIONS
from backproplab.autograd.samples import reals

LIBRARY = Path(bpl.__file__).parent


@pytest.fixture
def bump():
    """exp(-x²), as a file of autograd/ops/ would declare it."""
    op = primitive(
        "bump",
        lambda x, out=None: np.exp(np.negative(np.square(x, out=out), out=out), out=out),
        vjp=[lambda g, y, x: g * (-2 * x * y)],
        samples=reals((3, 4)),
        doc="exp(-x²).",
    )
    yield op
    del OPS["bump"], FUNCTIONS["bump"]


def test_it_is_found_checked_differentiated_and_batched(bump):
    assert ops.bump is bump
    (x,) = bump.samples[0].draw(np.random.default_rng(0))
    bpl.gradcheck(ops.bump, x, order=3)
    h = bpl.hessian(lambda x: ops.sum(ops.bump(x)))(np.array([0.5])).item()
    assert h == pytest.approx((4 * 0.25 - 2) * np.exp(-0.25), rel=1e-13)
    _, along = bpl.jvp(ops.bump, [np.array([0.5])], [np.array([1.0])])
    assert along.item() == pytest.approx(-np.exp(-0.25), rel=1e-14)
    members = np.stack([x, 2 * x])
    np.testing.assert_array_equal(apply(bump, members).value[1], bump(2 * x).value)
    assert bump(x.astype(np.float32)).dtype == np.float32


def test_its_node_is_data(bump):
    """What a recorder needs: op, inputs and settings, by which the value can be computed again."""
    x = bpl.Tensor(np.array([0.5, 1.0]), None, True)
    y = ops.bump(x)
    out = np.empty(2)
    again = y.node.op.forward(*[i.value for i in y.node.inputs], out=out, **y.node.settings)
    assert again is out
    np.testing.assert_array_equal(out, y.value)


def test_it_is_lowered_to_one_call_without_a_rule(bump):
    x, out = np.array([0.5, 1.0]), np.empty(2)
    (call,) = lower(bump, [x], out, {})
    for _ in range(2):
        call()
        np.testing.assert_array_equal(out, bump(x).value)
        x += 1


def test_a_rule_of_its_own_is_part_of_the_declaration():
    def rule(x, out):
        return [partial(np.square, x, out), partial(np.add, out, 1, out)]

    op = primitive(
        "square_plus_one",
        stepwise(rule, np.empty_like),
        lowering=rule,
        vjp=[lambda g, y, x: 2 * g * x],
        samples=reals((3, 4)),
        doc="x² + 1.",
    )
    try:
        (x,) = op.samples[0].draw(np.random.default_rng(0))
        bpl.gradcheck(op, x)
        bound = engine("replay").bind(lambda x: [op(x)], [], [np.empty((3, 4))])
        for k in range(4):
            bound(x + k)
            np.testing.assert_array_equal(bound.into[0], np.square(x + k) + 1)
    finally:
        del OPS[op.name], FUNCTIONS[op.name]


def test_it_can_be_explained(bump):
    from backproplab import explain

    text = str(explain.of_expression("bump(x)", ["x=0.5"]))
    assert text


def test_no_op_is_named_outside_the_place_of_its_declaration():
    """The ops package lists none of them, and no file is called as an op: it would hide it."""
    init = ast.parse((LIBRARY / "autograd" / "ops" / "__init__.py").read_text())
    names = {node.id for node in ast.walk(init) if isinstance(node, ast.Name)}
    assert not names & OPS.keys()
    files = {path.stem for path in (LIBRARY / "autograd" / "ops").glob("*.py")}
    assert not files & FUNCTIONS.keys()
