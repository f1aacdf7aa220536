"""Where gradients come from: all sources agree, resume exactly, and refuse what they cannot do.

Whatever joins the family of gradients is trained here as a run, stopped and resumed.
"""

import json
import time

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import Tensor, vjp
from backproplab.config import Experiment
from backproplab.errors import ConfigError
from backproplab.experiment import build, resume, run
from backproplab.experiment.crew import crew_size
from backproplab.learners import Passes
from backproplab.learners.gradient import Gradient
from backproplab.learners.numeric import Copies, sizes
from backproplab.loop import Callback, Every
from backproplab.nn import Activation, Loss, Model
from backproplab.nn.losses import MeanSquaredError, SoftmaxCrossEntropy
from backproplab.registry import families
from backproplab.streams import stream
from backproplab.task import Task

SOURCES = list(families()["gradient"])
TASKS = {"classes": Task("classification", 3), "two": Task("classification", 2),
         "numbers": Task("regression", 2)}  # fmt: skip
FITTING = [
    (name, kind) for name in Loss.members for kind, task in TASKS.items()
    if name != "auto" and not Loss.parse(name).problem(task)
]  # fmt: skip
DROPPING = [{"dropout": 0.2}, {"dense": {"units": 5, "activation": "tanh"}}, {"dropout": 0.5},
            {"dense": 3}]  # fmt: skip
MIXING = [{"dense": 5}, {"batch_norm": {"momentum": 0.7}}, "tanh", {"dense": 3}]


def relative(a, b):
    """cs231n, neural-networks-3: |a - b| / max(1e-8, |a| + |b|)."""
    return np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))


def source(kind, model, units, outputs, loss, dtype=np.float64, seed=0, engine="auto"):
    network = Model(**model).network((units,), outputs)
    parameters = network.parameters(dtype)
    network.initialize(parameters, stream(seed, "init"))
    for name, view in parameters.views.items():
        if name.endswith("bias"):
            view[...] = 0.1
    parts = network, loss, parameters, stream(0, "dropout"), engine
    return Gradient.parse(kind).source(*parts)


def examples(loss, task, rows=13, units=4):
    generator = np.random.default_rng(1)
    x = generator.standard_normal((rows, units))
    if task.kind == "regression":
        return x, generator.standard_normal((rows, task.outputs))
    return x, loss.encode(generator.integers(0, task.outputs, rows), task, np.float64)


# --- slopes by hand


@pytest.mark.parametrize("name", Activation.members)
def test_the_slope_of_an_activation_is_its_derivative(name):
    z = np.array([-800.0, -30.0, -2.5, -0.3, -1e-9, 0.0, 1e-9, 0.4, 3.0, 40.0, 800.0])
    y, pullback = vjp(Activation.parse(name), z)
    slope = Activation.parse(name).slope(z, y.value)
    np.testing.assert_allclose(slope, pullback(np.ones_like(z))[0].value, rtol=1e-12, atol=1e-15)
    single = Activation.parse(name).slope(z.astype(np.float32), y.value.astype(np.float32))
    assert single.dtype == np.float32


@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_the_slope_of_a_loss_is_its_derivative(name, kind):
    loss, task = Loss.parse(name), TASKS[kind]
    _, t = examples(loss, task)
    z = np.random.default_rng(2).standard_normal((13, loss.units(task)))
    y, pullback = vjp(lambda z: loss(z, Tensor(t)), z)
    np.testing.assert_allclose(
        loss.slope(z, t), pullback(np.ones(y.shape))[0].value, rtol=1e-12, atol=1e-15
    )


# --- one gradient from all sources


@pytest.mark.parametrize(("name", "kind"), FITTING)
@pytest.mark.parametrize("activation", Activation.members)
def test_analytic_and_numeric_are_backprop(name, kind, activation):
    loss, task = Loss.parse(name), TASKS[kind]
    x, t = examples(loss, task)
    model = {"layers": [{"dense": {"units": 5, "activation": activation}}, {"dense": 3}, activation,
             {"dense": {"units": loss.units(task), "activation": "tanh"}}]}  # fmt: skip
    found = {}
    for one in ("backprop", "analytic", "numeric"):
        at = source(one, model, 4, loss.units(task), loss)
        assert at(x, t)
        found[one] = at.gradient.flat.copy()
    assert np.abs(found["backprop"]).max() > 1e-3
    np.testing.assert_allclose(found["analytic"], found["backprop"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["numeric"], found["backprop"], rtol=1e-6, atol=1e-8)


def test_a_slip_of_a_layer_would_be_seen():
    """Nets of unequal widths: δ of layer l takes σ' at its own z, not at the last one's."""
    x, t = examples(MeanSquaredError(), TASKS["numbers"])
    model = {"hidden": (7, 3), "activation": "sigmoid"}
    a, b = (source(one, model, 4, 2, MeanSquaredError()) for one in ("analytic", "backprop"))
    a(x, t), b(x, t)
    np.testing.assert_allclose(a.gradient.flat, b.gradient.flat, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("scheme", ["central", "forward"])
@pytest.mark.parametrize("layers", [DROPPING, MIXING], ids=["dropout", "batch_norm"])
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_copies_share_one_mask_and_leave_one_trace(scheme, layers, engine):
    """As many numbers drawn, and running statistics moved, as by one pass of backprop."""
    loss, model = SoftmaxCrossEntropy(), {"layers": layers}
    x, t = examples(loss, TASKS["classes"], rows=40)
    numeric = source({"numeric": {"scheme": scheme}}, model, 4, 3, loss, engine=engine)
    backprop = source("backprop", model, 4, 3, loss)
    for _ in range(3):
        numeric(x, t), backprop(x, t)
        np.testing.assert_allclose(numeric.gradient.flat, backprop.gradient.flat, atol=1e-6)
        assert (numeric.parameters.flat == backprop.parameters.flat).all()
    assert numeric.generator.random() == backprop.generator.random()


def test_float32_weights_have_derivatives_of_float64_losses():
    """Differences of float32 losses with this step are wrong by their own size."""
    loss = SoftmaxCrossEntropy()
    x, t = examples(loss, TASKS["classes"])
    single, double = (
        source({"numeric": {"step": 1e-4}}, {"hidden": (5,), "activation": "tanh"}, 4, 3, loss, d)
        for d in (np.float32, np.float64)
    )
    double.parameters.flat[...] = single.parameters.flat
    single(x.astype(np.float32), t), double(x.astype(np.float32).astype(float), t)
    assert (single.gradient.flat == double.gradient.flat.astype(np.float32)).all()


def test_a_batch_that_outgrows_the_cache_is_walked_in_tiles():
    loss = SoftmaxCrossEntropy()
    x, t = examples(loss, TASKS["classes"], rows=3001, units=40)
    layers = [{"dropout": 0.3}, {"dense": {"units": 2, "activation": "tanh"}}, {"dense": 3}]
    numeric = source("numeric", {"layers": layers}, 40, 3, loss)
    assert sizes(numeric.network, 3001).examples < 3001
    numeric(x, t)
    plain = source("backprop", {"layers": layers}, 40, 3, loss)
    plain.tile = sizes(numeric.network, 3001).examples  # dropout draws tile by tile
    plain.exact_tile = plain.tile
    plain(x, t)
    np.testing.assert_allclose(numeric.gradient.flat, plain.gradient.flat, atol=1e-8)


@pytest.mark.parametrize("layers", [DROPPING, MIXING], ids=["dropout", "batch_norm"])
def test_batches_that_accumulate_are_normalized_one_by_one(layers):
    """As backprop does, with a tile for each batch: masks, moments and running statistics."""
    loss = SoftmaxCrossEntropy()
    x, t = examples(loss, TASKS["classes"], rows=20)
    numeric, backprop = (source(k, {"layers": layers}, 4, 3, loss) for k in ("numeric", "backprop"))
    numeric.exact_tile = backprop.tile = backprop.exact_tile = 8
    found = np.empty((20, 3)), np.empty((20, 3))
    numeric(x, t, outputs=found[0]), backprop(x, t, outputs=found[1])
    np.testing.assert_allclose(numeric.gradient.flat, backprop.gradient.flat, atol=1e-8)
    assert (numeric.parameters.flat == backprop.parameters.flat).all()
    assert (found[0] == found[1]).all()
    assert numeric.generator.random() == backprop.generator.random()


@pytest.mark.parametrize("name", SOURCES)
def test_the_brake_undoes_a_step(name):
    class Pressed:
        def within_step(self):
            return True

    loss = SoftmaxCrossEntropy()
    x, t = examples(loss, TASKS["classes"], rows=60)
    layers = [{"dense": 3}] if name == "analytic" else DROPPING
    at = source(name, {"layers": layers}, 4, 3, loss)
    if name != "numeric":
        at.exact_tile = at.tile = 16
    before = at.parameters.flat.copy(), at.generator.bit_generator.state
    assert at(x, t, None, Pressed()) is False
    assert (at.parameters.flat == before[0]).all()
    assert at.generator.bit_generator.state == before[1]
    assert at(x, t)


def test_the_outputs_of_a_step_are_those_in_training():
    loss = SoftmaxCrossEntropy()
    x, t = examples(loss, TASKS["classes"])
    found = []
    for name in ("numeric", "backprop"):
        found.append(np.empty((13, 3)))
        source(name, {"layers": DROPPING}, 4, 3, loss)(x, t, outputs=found[-1])
    assert (found[0] == found[1]).all()


def test_copies_are_evaluated_in_equal_chunks_of_bounded_size():
    network = Model(hidden=(333,), activation="tanh").network((1,), 1)
    lengths = sizes(network, 32)
    assert lengths.examples == 32
    parameters = network.parameters(np.float64)
    copies = Copies(
        network, MeanSquaredError(), parameters, stream(0, "dropout"),
        source("numeric", {"hidden": (2,)}, 1, 1, MeanSquaredError()).engine, lengths,
    )  # fmt: skip
    counts = [part.stop - part.start for part in copies.parts]
    assert sum(counts) == 1000
    assert max(counts) == lengths.copies < 200


# --- as a run

CONFIG = {
    "data": {"name": "circle", "samples": 50, "validation_split": 0.2},
    "model": {"hidden": [4], "activation": "tanh"},
    "optimizer": "momentum",
    "batch_size": 16,
    "epochs": 4,
    "threads": 1,
    "tensorboard": {"histograms": 2, "update_freq": 1},
}


class Stop(Callback):
    """Asks for the end at one step, as a user's callback that gives up for now."""

    name = "stop"

    def __init__(self, step):
        self.when = Every(step)
        self.armed = True

    def look(self, lane):
        if self.armed:
            import signal

            signal.raise_signal(signal.SIGINT)


def experiment(name, **fields):
    return Experiment.model_validate(
        CONFIG | {"learner": {"gradient_descent": {"gradient": name}}} | fields
    )


@pytest.mark.parametrize("name", SOURCES)
def test_stopped_and_resumed_it_leaves_the_same_bytes(tmp_path, name, saved):
    from backproplab.files import DiskFolder

    stop = Stop(5)
    run(experiment(name), tmp_path / "parts", [stop])
    stop.armed = False
    resume(tmp_path / "parts", callbacks=[stop])
    run(experiment(name), tmp_path / "whole", [stop])
    parts, whole = (DiskFolder(tmp_path / at) for at in ("parts", "whole"))
    assert saved(parts) == saved(whole)
    assert parts.read("metrics.csv") == whole.read("metrics.csv")


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_stacks_or_trains_alone(name):
    member = Gradient.parse(name)
    size = crew_size(experiment(name))
    assert (size > 1) == member.stacks


@pytest.mark.parametrize("name", SOURCES)
def test_its_counts(tmp_path, name):
    run(experiment(name, batch_mode="batch", batch_size=None), tmp_path / "run")
    weights, rows, epochs = 2 * 4 + 4 + 4 + 1, 40, 4
    expected = {"numeric": (2 * weights, 0)}.get(name, (1, 1))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    counted = Passes(*(record[field] for field in Passes().row))
    assert counted == Passes.of(epochs, rows * epochs, *expected)


@pytest.mark.parametrize(("scheme", "layers", "forward"), [
    ("central", [{"dense": 1}], 2 * 3), ("forward", [{"dense": 1}], 3 + 1),
    ("central", ["batch_norm", {"dense": 1}], 2 * 7 + 1),  # one to move the statistics
    ("forward", ["batch_norm", {"dense": 1}], 7 + 1 + 1),
])  # fmt: skip
def test_forward_passes_of_numeric_gradients(scheme, layers, forward):
    network = Model(layers=layers).network((2,), 1)
    assert Gradient.parse({"numeric": {"scheme": scheme}}).passes(network) == (forward, 0)


def test_the_short_form_is_the_long_one():
    fields = {"scheme": "central", "step": "auto"}
    short = Experiment.model_validate(CONFIG | {"learner": {"gradient_descent": "numeric"}})
    assert short.learner == experiment({"numeric": fields}).learner


# --- the course's comparison: anchors/learners.md section 1


def slide_net(kind):
    """1-333-1 tanh, exactly 1000 weights: the slide's "tiny network"."""
    at = source(kind, {"hidden": (333,), "activation": "tanh"}, 1, 1, MeanSquaredError())
    x = np.random.default_rng(1).uniform(-3, 3, (32, 1))
    assert len(at.parameters) == 1000
    return at, x, np.sin(x)


def test_three_sources_give_the_slide_s_gradient():
    """Accept (b): numeric 1e-6, measured 6.6e-8; analytic 1e-12."""
    found = {}
    for kind in ("backprop", "analytic", "numeric"):
        at, x, t = slide_net(kind)
        at(x, t)
        found[kind] = at.gradient.flat.copy()
    assert relative(found["numeric"], found["backprop"]) <= 1e-6
    assert relative(found["numeric"], found["analytic"]) <= 1e-6
    assert relative(found["analytic"], found["backprop"]) <= 1e-12


def test_passes_of_the_slide_s_network():
    """Accept (a): 2N, N + 1, and one each way."""
    network = slide_net("backprop")[0].network
    kinds = ["numeric", {"numeric": {"scheme": "forward"}}, "analytic", "backprop"]
    found = [Gradient.parse(kind).passes(network) for kind in kinds]
    assert found == [(2000, 0), (1001, 0), (1, 1), (1, 1)]


@pytest.mark.slow
def test_numeric_takes_the_cpu_for_at_least_fifty_times_as_long():
    """Accept (c): measured 556 times in NumPy by hand; ours about 700 times."""
    seconds = {}
    for kind, times in (("numeric", 3), ("backprop", 300)):
        at, x, t = slide_net(kind)
        for _ in range(3):
            at(x, t)
        start = time.process_time()
        for _ in range(times):
            at(x, t)
        seconds[kind] = (time.process_time() - start) / times
    assert seconds["numeric"] >= 50 * seconds["backprop"]


@pytest.mark.parametrize(("size", "step", "error"), [
    ("central", 1e-2, 5.6e-4), ("central", 1e-4, 5.6e-8), ("central", 1e-6, 1.4e-10),
    ("central", 1e-8, 6e-9), ("central", 1e-12, 8.9e-5), ("forward", 1e-4, 1.5e-4),
    ("forward", 1e-8, 8e-9),
])  # fmt: skip
def test_the_step_s_size_makes_a_valley(size, step, error):
    """d sin(x²)/dx at 3: [run] of the anchor, to an order of magnitude at the noisy end."""
    x, slope = 3.0, 2 * 3 * np.cos(9.0)
    high, low = x + step, x - step if size == "central" else x
    found = (np.sin(high**2) - np.sin(low**2)) / (high - low)
    assert abs(found - slope) / abs(slope) < 10 * error


def test_seed_000_s_gradient():
    """Accept (e): f = (a + b)(b + 1) at the whole numbers a = 2, b = 1 has the gradient (2, 5)."""

    def f(w):
        return (w[0] + w[1]) * (w[1] + 1)

    at, h = np.array([2, 1]).astype(float), 1e-4
    numeric = [(f(at + h * e) - f(at - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(numeric, [2, 5], rtol=0, atol=1e-8)
    assert bpl.grad(f)(at).value.tolist() == [2, 5]


def test_unknown_sources_and_fields_are_refused():
    for learner, what in [
        ({"gradient_descent": "guess"}, "not known"),
        ({"gradient_descent": {"gradient": {"numeric": {"step": 0}}}}, "a number above 0"),
        ({"gradient_descent": {"gradient": {"numeric": {"scheme": "up"}}}}, "central"),
        ({"gradient_descent": {"gradient": {"analytic": {"step": 1}}}}, "not permitted"),
    ]:
        with pytest.raises(ValueError, match=what):
            Experiment.model_validate(CONFIG | {"learner": learner})


def test_analytic_in_python():
    e = experiment("analytic", model={"layers": ["batch_norm", {"dense": 1}]})
    with pytest.raises(ConfigError, match="not for batch_norm"):
        build(e)
