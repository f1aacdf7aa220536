"""The ODE layer: reference gradients, both ways to get them, and what a solver's own steps forbid.

Reference values: anchors/learners.md 5a, computed with SciPy and PyTorch.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import Tensor, backward
from backproplab.config import Experiment, read
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.experiment.crew import crew_size
from backproplab.loop import Callback
from backproplab.nn import Layer, Model, Pass
from backproplab.nn.flow import LOST
from backproplab.solvers import METHODS
from tests.stopping import StopAt

A = np.array([[-0.1, 2.0], [-2.0, -0.1]])
START = np.array([[2.0, 0.0]])
# y(1.5) of y' = y W, and of L = |y(1.5)|² / 2 the gradients by y(0) and by W
REFERENCES = {
    "linear": (  # there y' = A y, so that W is the transpose
        [], A.T, [-1.704188876849917, -0.24292623314059011], [1.4816364413634289, 0],
        [[2.1189566159418365, -0.014753288686971847], [-0.014753288686966652, 2.32595270814846]],
    ),
    "cubic": (
        [{"power": 3}], A, [1.2919915630840135, 0.9725860740878126],
        [3.482119366880398, 0.2647116529856238],
        [[9.642479577641575, 1.405901454989549], [-0.6059581397284786, 8.849348002839061]],
    ),
}  # fmt: skip
TIGHT = {
    "rk4": {"solver": "rk4", "steps": 300},
    "dopri5": {"solver": "dopri5", "rtol": 1e-9, "atol": 1e-11},
}


def ode(*layers, units=2, **fields):
    dense = {"dense": {"units": units, "bias": False}}
    return Layer.parse({"ode": {"layers": [*layers, dense], **fields}})


def solved(layer, kernel, start=START):
    """y at the end; of |y|² / 2 the gradients by y(0) and by the kernel, and the graph's root."""
    x, weights = Tensor(start, None, True), Tensor(np.asarray(kernel), None, True)
    y = layer.apply({"dense_1/kernel": weights}, x, Pass(start.shape[1:]))
    by_start, by_kernel = backward(y, Tensor(y.value), [x, weights])
    return y.value, by_start.value, by_kernel.value, y


@pytest.mark.parametrize("gradient", ["solver", "adjoint"])
@pytest.mark.parametrize("steps", TIGHT)
@pytest.mark.parametrize("name", REFERENCES)
def test_reference_gradients(name, steps, gradient):
    layers, kernel, end, by_start, by_kernel = REFERENCES[name]
    found = solved(ode(*layers, time=1.5, gradient=gradient, **TIGHT[steps]), kernel)
    for ours, theirs in zip(found[:3], ([end], [by_start], by_kernel), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_the_adjoint_approaches_backprop_in_the_fourth_order():
    """3.0e-2, 1.3e-3, 5.2e-5, 2.3e-6 for 30 to 240 steps of rk4 on the cubic field."""
    found = []
    for steps in (60, 120, 240):
        both = [
            solved(ode({"power": 3}, time=1.5, steps=steps, gradient=gradient), A)
            for gradient in ("solver", "adjoint")
        ]
        pairs = zip(*(each[1:3] for each in both), strict=True)
        found.append(max(np.max(np.abs(one - other)) for one, other in pairs))
    assert found[2] <= 1e-5
    assert 12 < found[0] / found[1] < 32
    assert 12 < found[1] / found[2] < 32


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("gradient", ["solver", "adjoint"])
def test_errors_follow_the_tolerance(rtol, gradient):
    """With the adjoint at 1e-3: 9.6e-3 in ∂L/∂W, and less at smaller ones."""
    _, _, end, by_start, by_kernel = REFERENCES["linear"]
    layer = ode(time=1.5, solver="dopri5", rtol=rtol, atol=rtol * 1e-2, gradient=gradient)
    found = solved(layer, A.T)
    assert np.max(np.abs(found[0] - end)) <= 10 * rtol
    assert np.max(np.abs(found[1] - by_start)) <= 10 * rtol
    assert np.max(np.abs(found[2] - by_kernel)) <= 20 * rtol


def kept(root):
    """The arrays that a graph keeps for its backward pass."""
    seen, stack = {}, [root]
    while stack:
        tensor = stack.pop()
        if id(tensor) not in seen:
            seen[id(tensor)] = tensor
            stack.extend(tensor.node.inputs if tensor.node else ())
    return len(seen)


@pytest.mark.parametrize("solver", ["euler", "midpoint", "rk4"])
def test_the_adjoint_keeps_as_many_states_whatever_the_steps(solver):
    counts = {
        gradient: [
            kept(solved(ode(solver=solver, steps=n, gradient=gradient), 0.1 * A)[3])
            for n in (10, 20)
        ]
        for gradient in ("solver", "adjoint")
    }
    assert counts["adjoint"][0] == counts["adjoint"][1] < 10
    assert counts["solver"][1] - counts["solver"][0] >= 10 * METHODS[solver].order


def test_a_stiff_field_cannot_be_followed_backward():
    """y' = -30 y at rtol 1e-3: y(0) = 1 comes back as 2.76e6."""
    with pytest.warns(RuntimeWarning, match="does not find back to") as found:
        solved(ode(units=1, solver="dopri5", gradient="adjoint"), [[-30.0]], np.ones((1, 1)))
    assert [str(each.message) for each in found] == [LOST]
    for k in (-1.0, -10.0):
        solved(ode(units=1, solver="dopri5", gradient="adjoint"), [[k]], np.ones((1, 1)))


def test_what_cannot_be_followed_is_nan():
    """y' = y² from 1 is infinite at t = 1."""
    layer = Layer.parse({"ode": {"layers": [{"power": 2}], "solver": "dopri5", "time": 2.0}})
    with np.errstate(all="ignore"):
        assert np.isnan(layer.apply({}, Tensor(np.ones((3, 1))), Pass((1,))).value).all()


# --- in a run


class Kept(Callback):
    """Keeps the learning of the run."""

    def finish(self, lane):
        self.learning = lane.learning


RUN = {
    "name": "x", "data": {"name": "circle", "samples": 60}, "epochs": 2, "batch_size": 16,
    "threads": 1, "tensorboard": {"images": False},
}  # fmt: skip
FIELD = [{"dense": {"units": 4, "activation": "tanh"}}, {"dense": 2}]
WAYS = {
    "rk4": {},
    "adjoint": {"solver": "midpoint", "gradient": "adjoint"},
    "dopri5": {"solver": "dopri5"},
    "dopri5 adjoint": {"solver": "dopri5", "gradient": "adjoint"},
}


def experiment(layers=FIELD, learner="gradient_descent", **fields):
    model = {"layers": [{"ode": {"layers": layers, **fields}}, {"dense": 1}]}
    base = {
        k: v
        for k, v in RUN.items()
        if learner == "gradient_descent" or k not in ("epochs", "batch_size")
    }
    steps = {} if learner == "gradient_descent" else {"steps": 4}
    return Experiment.model_validate(base | steps | {"model": model, "learner": learner})


@pytest.mark.parametrize("way", WAYS)
def test_stopped_and_resumed_it_leaves_the_same_bytes(way, tmp_path, saved):
    e = experiment(**WAYS[way])
    whole = bpl.run(e, tmp_path / "whole", [StopAt(0)])
    assert whole.status == "completed"
    bpl.run(e, tmp_path / "stopped", [StopAt(5)])
    bpl.resume(tmp_path / "stopped", callbacks=[StopAt(0)])
    assert saved(tmp_path / "stopped") == saved(tmp_path / "whole")


def test_steps_of_a_solver_s_own_are_for_one_network_and_its_whole_batch():
    equal, own = (build(experiment(solver=solver)) for solver in ("rk4", "dopri5"))
    assert own.network.mixes_examples
    assert not equal.network.mixes_examples
    assert (crew_size(equal.experiment) > 1, crew_size(own.experiment)) == (True, 1)
    learnings = [parts.descent() for parts in (equal, own)]
    for learning in learnings:
        train = learning.material.train
        learning.updates.source(train.inputs, train.encoded)
    refusals = [learning.updates.source.refusal for learning in learnings]
    assert refusals[0] == ""
    assert refusals[1].endswith("dopri5's step control computes with NumPy, not with ops")


@pytest.mark.parametrize("learner", ["genetic", {"gradient_descent": "numeric"}])
def test_what_computes_many_weights_at_once_takes_equal_steps(learner):
    build(experiment(learner=learner))
    with pytest.raises(ConfigError, match=r"ode_1's results depend on .* — use equal steps"):
        build(experiment(learner=learner, solver="dopri5"))


REFUSED = [
    ("solver: dopri5, steps: 5", "steps: dopri5 chooses the lengths of its steps"),
    ("rtol: 0.1", "rtol: rk4 takes equal steps — remove it, or set solver: dopri5"),
    ("solver: rk5", "'rk5' is not one of euler, midpoint, rk4, dopri5"),
    ("time: 0", "time: must be > 0"),
]


@pytest.mark.parametrize(("fields", "said"), REFUSED)
def test_faults_have_their_line(fields, said, tmp_path):
    (tmp_path / "c.yaml").write_text(
        f"data: circle\nmodel:\n  layers:\n  - ode: {{layers: [{{dense: 2}}], {fields}}}\n  - dense: 1\n"
    )
    with pytest.raises(ConfigError) as refused:
        bpl.load(tmp_path / "c.yaml")
    (problem,) = refused.value.problems
    assert problem.where.startswith(f"{tmp_path / 'c.yaml'}:4:")
    assert said in str(refused.value)


@pytest.mark.parametrize("fields", [{"solver": "dopri5"}, {"gradient": "adjoint"}])
@pytest.mark.parametrize("layer", ["batch_norm", {"dropout": 0.5}])
def test_a_field_that_changes_from_call_to_call_is_for_equal_steps(layer, fields):
    with pytest.raises(ValueError, match="computes something else at each call"):
        ode(layer, **fields)
    ode(layer)


def test_a_field_keeps_the_shape():
    said = r"model\.layers\.1: ode_1 takes as dy/dt \(3,\), which must be of the same shape, got \(2,\)"
    model = Model.model_validate({"layers": [{"dense": 2}, {"ode": [{"dense": 3}]}]})
    with pytest.raises(ConfigError, match=said):
        model.network((4,), 2)


@pytest.mark.slow
def test_a_neural_ode_learns_the_spiral(tmp_path):
    """The mean |error| of its path over the first 5 s, to a third: 1.346 to 0.335 in PyTorch."""
    e, _ = read(Path(__file__).parents[2] / "configs/learners/neural_ode.yaml")
    parts = build(e)
    until, points = 5.0, 201
    whole = parts.experiment.data.model_copy(update={"until": until, "samples": points})
    truth = whole.read(np.random.default_rng()).examples.inputs

    def error(learning):
        (place,) = learning.network.places
        step = {"time": until / (points - 1)}
        layer = place.layer.model_copy(update=step)
        weights = {n.partition("/")[2]: Tensor(w) for n, w in learning.weights.items()}
        path = [Tensor(truth[:1].astype(np.float32))]
        for _ in range(points - 1):
            path.append(layer.apply(weights, path[-1], Pass((2,))))
        return np.mean(np.abs(np.concatenate([y.value for y in path]) - truth))

    kept = Kept()
    bpl.run(e, tmp_path / "run", [kept])
    assert error(kept.learning) <= error(parts.descent()) / 3


def test_no_warning_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solved(ode(gradient="adjoint"), A)
