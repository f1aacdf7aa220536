"""Loops for crews of small networks have NumPy's bits: few classes, narrow and turned factors."""

import numpy as np
import pytest

from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import building, passes, proof, tape
from backproplab.autograd.engines.replay import Replay
from backproplab.autograd.lowering import elementwise, logits

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)

DTYPES = [np.float32, np.float64]


def odd(shape, dtype, number=0):
    x = np.empty(shape, dtype)
    proof._fill(x, number, odd=True)
    return x


def played(calls):
    mine = tape.Tape(calls)
    mine()
    assert mine.refusals == []
    return mine


def made(calls):
    for call in calls:
        call()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 10, 15, 16])
@np.errstate(all="ignore")
def test_many_rows_of_few_classes(n, dtype):
    """In several blocks, the last of which is shorter; labels that begin anew within a block."""
    x, labels = odd((3, 700, n), dtype), np.arange(700) % n
    want, got, same = np.empty_like(x), np.empty_like(x), x.copy()
    made(logits.softmax(x, out=want, axis=(-1,)))
    played(logits.softmax(x, out=got, axis=(-1,)))
    assert len(played(logits.softmax(same, out=same, axis=(-1,)))._records) == 1
    assert want.tobytes() == got.tobytes() == same.tobytes()
    want, got = np.empty((2, 3, 700), dtype)
    for own in (labels, np.tile(labels, (3, 1))):
        made(logits.softmax_cross_entropy(x, own, out=want))
        assert len(played(logits.softmax_cross_entropy(x, own, out=got))._records) == 1
        assert want.tobytes() == got.tobytes()


# --- the gradients of tanh and sigmoid

ACTIVATIONS = {"tanh": ops.tanh, "sigmoid": ops.sigmoid}


def plan_of(step, x, results):
    """The plan of a step, and where its results go."""
    into = [np.empty(shape, x.dtype) for shape in results]
    replay = Replay(step, [], into)
    replay(x)
    (plan,) = replay.plans.values()
    np.copyto(plan.inputs[0], x)
    return plan, into


def layers(activation, also=()):
    """Two layers of an activation, and the gradient by what they get.

    also: "value" or "slope" if the step has them as results.
    """

    def step(x):
        x = Tensor(x.value, None, True)
        y = activation(activation(x) + x)
        more = {"value": y, "slope": 1 - y * y}
        return [*backward(y * x, ops.ones_like(y) * 0.3, [x]), *[more[k] for k in also]]

    return step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("also", [(), ("value",), ("slope",), ("value", "slope")], ids=str)
@np.errstate(all="ignore")
def test_a_gradient_in_one_pass_is_the_gradient_of_eager(name, also, dtype):
    x = odd((3, 40, 7), dtype)
    step = layers(ACTIVATIONS[name], also)
    want = [y.value.tobytes() for y in step(Tensor(x))]
    plan, into = plan_of(step, x, [x.shape] * (1 + len(also)))
    passes = [s for s in plan.program.instructions if s.op.name == f"{name}_gradient"]
    assert len(passes) == 2
    for run in (plan.play, played(plan.calls)):
        for y in into:
            y[...] = 7
        run()
        assert [y.tobytes() for y in into] == want


def test_a_gradient_whose_slope_is_used_elsewhere_is_left_as_it_is():
    def twice(x):
        y = ops.tanh(x)
        slope = 1 - y * y
        return [x * slope, slope]

    def of_two(x):
        y = ops.tanh(x)
        return [x * (2 - y * y)]

    def broadcast(x):
        y = ops.tanh(x[:1])
        return [x * (1 - y * y)]

    x = odd((4, 3), np.float64)
    for step in (twice, of_two, broadcast):
        plan, into = plan_of(step, x, [y.shape for y in step(Tensor(x))])
        assert "tanh_gradient" not in str(plan.program)
        plan.play()
        assert [y.value.tobytes() for y in step(Tensor(x))] == [y.tobytes() for y in into]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", [elementwise.tanh_gradient, elementwise.sigmoid_gradient])
@np.errstate(all="ignore")
def test_a_gradient_also_in_place_and_with_gaps(rule, dtype):
    for shape in ((50,), (4, 37), (2, 5, 3, 8)):
        y, g = odd(shape, dtype), odd((*shape[:-1], shape[-1] + 3), dtype, 5)[..., : shape[-1]]
        for own in (y, y.copy("F")):
            want, got, same, last = np.empty_like(y), np.empty_like(y), own.copy("K"), g.copy()
            made(rule(own, g, out=want))
            calls = rule(own, g, out=got), rule(same, g, out=same), rule(own, last, out=last)
            for call in calls:
                played(call)
            assert want.tobytes() == got.tobytes() == same.tobytes() == last.tobytes()


@pytest.mark.parametrize("rule", [elementwise.tanh_gradient, elementwise.sigmoid_gradient])
def test_a_gradient_that_fails_its_trial_is_made_call_by_call(rule, monkeypatch):
    monkeypatch.setattr(passes, "TRIED", {})
    monkeypatch.setattr(passes, "_is_equal", lambda *unused: False)
    y, g = odd((2, 6, 5), np.float32)
    want, got = np.empty((2, 6, 5), np.float32)
    made(rule(y, g, out=want))
    assert len(played(rule(y, g, out=got))._records) == 3
    assert want.tobytes() == got.tobytes()
