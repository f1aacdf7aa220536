"""Eager and replay are one engine in two speeds: the same bits, for all that a config can name.

Whatever joins a family is trained here with both engines; what needs a recipe (a layer that fits
no network by itself, a schedule with a field to fill in) and has none fails by its name.
"""

import csv
import json

import numpy as np
import pytest

from backproplab.autograd import Tensor
from backproplab.autograd.replay import RecordingError
from backproplab.config import Experiment
from backproplab.data.batching import batch_length, epoch_order
from backproplab.errors import BackpropLabError
from backproplab.experiment import run
from backproplab.learners import Backprop
from backproplab.nn import Activation, Layer, Loss, Model
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.registry import families
from backproplab.streams import stream
from backproplab.task import Task
from backproplab.train.loop import Split, Trainer

STEPS = 200
ROWS = 23  # a prime: every batch size leaves a short last batch
TASKS = {
    "three classes": Task("classification", 3),
    "two classes": Task("classification", 2),
    "regression": Task("regression", 2),
}
MODES = ["batch", "stochastic", "minibatch"]
DTYPES = ["float32", "float64"]
PLAIN = ((5,), [{"dense": {"units": 6, "activation": "tanh"}}])
BUSY = ((5,), [{"dense": 6}, "batch_norm", "relu", {"dropout": 0.3}, {"dense": 6}, "layer_norm"])


def examples(shape, task, dtype):
    """Inputs that are whole numbers from 0 to 6, so that an embedding takes them too."""
    generator = np.random.default_rng(7)
    x = generator.integers(0, 7, (ROWS, *shape)).astype(dtype)
    if task.kind == "regression":
        return x, generator.standard_normal((ROWS, task.outputs))
    return x, generator.integers(0, task.outputs, ROWS)


def trained(
    engine, network=PLAIN, task="three classes", loss="auto", optimizer="adam", rate=None,
    schedule="constant", clipping=None, mode="minibatch", size=8, tile=None, dtype="float32",
):  # fmt: skip
    """A Trainer after 200 steps of ``fit``."""
    (shape, layers), goal = network, TASKS[task]
    loss, optimizer = Loss.parse(loss).resolve(goal), Optimizer.parse(optimizer)
    x, y = examples(shape, goal, dtype)
    model = Model(layers=[*layers, {"dense": loss.units(goal)}])
    net = model.network(shape, loss.units(goal))
    parameters = net.parameters(np.dtype(dtype))
    net.initialize(parameters, stream(3, "init"))
    shuffle, length = stream(3, "shuffle"), batch_length(mode, ROWS, size)

    def order():
        rows = epoch_order(mode, ROWS, shuffle)
        return (rows[start : start + length] for start in range(0, ROWS, length))

    trainer = Trainer(
        Backprop(net, loss, parameters, stream(3, "dropout"), engine, tile),
        optimizer,
        Schedule.parse(schedule).begin(rate or optimizer.default_learning_rate, STEPS),
        order,
        Split(x, y, loss.encode(y, goal, np.dtype(dtype))),
        None,
        (),
        epochs=STEPS,
        steps=STEPS,
        clipping=Clipping.parse(clipping) if clipping else None,
    )
    trainer.fit()
    return trainer


def left_behind(trainer):
    """Every bit that 200 steps have touched: weights, statistics, slots, gradient, chance."""
    assert trainer.state.step == STEPS
    vectors = {"weights": trainer.parameters, "gradient": trainer.gradient, **trainer.slots}
    bits = {f"{kind} {n}": v.tobytes() for kind, p in vectors.items() for n, v in p.views.items()}
    return bits | {"chance": trainer.learner.generator.bit_generator.state}


def parted(one, other):
    """The names of what differs between two trainings."""
    one, other = left_behind(one), left_behind(other)
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def assert_one_engine(**case):
    eager, replayed = trained("eager", **case), trained("replay", **case)
    assert not parted(eager, replayed)
    assert np.isfinite(eager.parameters.flat).all()
    assert eager.parameters.trainable.any()


def recipes(family, own):
    """(member, fields) for each member: its own recipes; its defaults if it needs no field."""
    for name, member in families()[family].items():
        needs = any(field.is_required() for field in member.model_fields.values())
        for fields in own.get(name, [None if needs else {}]):
            yield pytest.param(name, fields, id=name if not fields else f"{name}-{fields}")


def filled_in(name, fields):
    assert fields is not None, f"{name} has no recipe in this file: it has fields to fill in"
    return {"name": name, **fields}


# --- every optimizer

OPTIMIZERS = {
    "adam": [{}, {"l1": 1e-3, "l2": 1e-3}, {"weight_decay": 0.01}],
    "sgd": [{}, {"l1": 1e-3}, {"weight_decay": 0.01}],
    "rmsprop": [{}, {"centered": True, "momentum": 0.9}],
    "lbfgs": [{}, {"history": 3}],
}


@pytest.mark.parametrize(("name", "fields"), list(recipes("optimizer", OPTIMIZERS)))
@pytest.mark.parametrize("flavor", ["keras", "torch"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_optimizer(name, fields, flavor, dtype):
    optimizer = filled_in(name, fields) | {"flavor": flavor}
    whole = not families()["optimizer"][name].blockwise  # it compares whole batches
    mode = {"mode": "batch", "rate": 0.1} if whole else {}
    assert_one_engine(optimizer=optimizer, dtype=dtype, **mode)


# --- every layer, put where it fits

IMAGES = [{"reshape": [6, 4, 1]}]
SEQUENCE = [{"reshape": [8, 3]}]
FIT = (24,)
LAYERS = {
    "avg_pool": [
        [*IMAGES, {"conv2d": 2}, "avg_pool", "flatten"],
        [*SEQUENCE, {"avg_pool": {"window": 3, "stride": 2, "padding": "same"}}, "flatten"],
    ],
    "batch_norm": [
        [{"dense": 6}, {"batch_norm": {"flavor": "keras", "momentum": 0.9}}, "relu"],
        [{"dense": 6}, {"batch_norm": {"flavor": "torch"}}, "relu"],
        [*IMAGES, {"conv2d": 2}, "batch_norm", "relu", "flatten"],
    ],
    "conv1d": [
        [*SEQUENCE, {"conv1d": {"filters": 4, "activation": "relu"}}, {"conv1d": 2}, "flatten"],
        [*SEQUENCE, {"conv1d": {"filters": 4, "stride": 2, "padding": "same"}}, "flatten"],
        [*SEQUENCE, {"conv1d": {"filters": 4, "dilation": 2, "bias": False}}, "flatten"],
    ],
    "conv2d": [
        [*IMAGES, {"conv2d": {"filters": 3, "activation": "relu"}}, {"conv2d": {"filters": 2, "kernel": 2}}, "flatten"],
        [*IMAGES, {"conv2d": {"filters": 3, "kernel": [3, 2], "stride": [2, 1], "padding": "same"}}, "flatten"],
        [*IMAGES, {"conv2d": {"filters": 3, "kernel": 2, "dilation": 2, "padding": 1, "bias": False}}, "flatten"],
    ],
    "dense": [[{"dense": {"units": 6, "activation": "relu"}}], [{"dense": {"units": 6, "bias": False}}, "tanh"]],
    "dropout": [[{"dropout": 0.2}, {"dense": 6}, "relu", {"dropout": 0.5}]],
    "embedding": [[{"embedding": {"vocabulary": 7, "units": 3}}, "flatten"], [{"embedding": {"vocabulary": 7, "units": 3}}, {"conv1d": 2}, "global_max_pool"]],
    "flatten": [["flatten"], [*IMAGES, "flatten", {"dense": 5}, "relu"]],
    "global_avg_pool": [[*IMAGES, {"conv2d": 4}, "relu", "global_avg_pool"], [*SEQUENCE, {"conv1d": 4}, "global_avg_pool"]],
    "global_max_pool": [[*IMAGES, {"conv2d": 4}, "relu", "global_max_pool"], [*SEQUENCE, {"conv1d": 4}, "global_max_pool"]],
    "layer_norm": [[{"dense": 6}, "layer_norm", "relu"], [*IMAGES, {"conv2d": 2}, "layer_norm", "flatten"]],
    "max_pool": [
        [*IMAGES, {"conv2d": {"filters": 2, "padding": "same"}}, "max_pool", "relu", "flatten"],
        [*IMAGES, {"max_pool": {"window": 3, "stride": 1, "padding": "same"}}, "flatten"],
        [*SEQUENCE, {"conv1d": 4}, "max_pool", "flatten"],
    ],
    "reshape": [[{"reshape": [4, 6]}, "flatten"], [{"dense": 6}, {"reshape": [3, 2]}, "tanh", {"reshape": [6]}]],
    "residual": [
        [{"dense": 6}, {"residual": {"layers": [{"dense": 6}, "batch_norm", "relu", {"dropout": 0.2}], "activation": "relu"}}],
        [*IMAGES, {"residual": [{"conv2d": {"filters": 1, "padding": "same"}}, "relu"]}, "flatten"],
    ],
}  # fmt: skip


def layer_cases():
    """A layer has its networks in LAYERS; an activation goes into a dense layer and after one."""
    for name, layer in families()["layer"].items():
        free = [[{"dense": {"units": 6, "activation": name}}, {"dense": 5}, name]]
        networks = LAYERS.get(name, free if issubclass(layer, Activation) else [None])
        for k, layers in enumerate(networks):
            yield pytest.param(name, layers, id=f"{name}-{k}")


@pytest.mark.parametrize(("name", "layers"), list(layer_cases()))
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layer(name, layers, dtype):
    assert layers is not None, f"{name} has no recipe in this file: put it into a small network"
    assert_one_engine(network=(FIT, layers), dtype=dtype, optimizer="momentum", rate=1e-3)


# --- every loss, every batch mode

LOSSES = [
    (loss, task)
    for loss, member in families()["loss"].items()
    for task in TASKS
    if not member().problem(TASKS[task])
]


@pytest.mark.parametrize(("loss", "task"), LOSSES)
@pytest.mark.parametrize("mode", MODES)
def test_every_loss_in_every_batch_mode(loss, task, mode):
    assert_one_engine(loss=loss, task=task, mode=mode)


def test_every_loss_serves_some_task():
    assert {loss for loss, _ in LOSSES} == families()["loss"].keys()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_and_chance_in_every_batch_mode(mode, dtype):
    assert_one_engine(network=BUSY, mode=mode, dtype=dtype)


@pytest.mark.parametrize("tile", [1, 3, 5, ROWS])
@pytest.mark.parametrize("mode", ["batch", "minibatch"])
@pytest.mark.parametrize("network", [PLAIN, BUSY], ids=["plain", "busy"])
def test_a_batch_in_tiles(tile, mode, network):
    assert_one_engine(network=network, tile=tile, mode=mode, size=16)


# --- every schedule, every clipping

SCHEDULES = {
    "cosine_restarts": [{"first_decay_steps": 30}],
    "exponential": [{"rate": 0.5}],
    "inverse_time": [{"rate": 2.0}],
    "piecewise": [{"boundaries": [50, 120], "factors": [1.0, 0.5, 0.1]}],
    "reduce_on_plateau": [{"monitor": "loss", "patience": 1, "min_delta": 0.05}],
    "step": [{"every": 40}],
}


@pytest.mark.parametrize(("name", "fields"), list(recipes("schedule", SCHEDULES)))
def test_every_schedule(name, fields):
    schedule = filled_in(name, fields) | {"warmup_steps": 20}
    assert_one_engine(network=BUSY, schedule=schedule, optimizer="momentum")


CLIPPING = {name: [{"limit": 0.05}] for name in ("global_norm", "norm", "value")}


@pytest.mark.parametrize(("name", "fields"), list(recipes("clipping", CLIPPING)))
@pytest.mark.parametrize("tile", [None, 3])
def test_every_clipping(name, fields, tile):
    clipping = filled_in(name, fields)
    assert_one_engine(clipping=clipping, optimizer="momentum", tile=tile)
    assert parted(trained("replay", clipping=clipping), trained("replay"))


# --- a whole run


def test_a_run_leaves_the_same_behind(tmp_path):
    layers = [{"dense": 8}, "batch_norm", "relu", {"dropout": 0.2}, {"dense": 1}]
    for engine in ("eager", "replay", "auto"):
        e = Experiment.model_validate({
            "data": {"name": "circle", "samples": 150}, "model": {"layers": layers}, "epochs": 10,
            "batch_size": 8, "accumulate": 4, "clipping": {"global_norm": 0.5}, "schedule": "cosine",
            "early_stopping": {"patience": 3, "restore_best_weights": True}, "engine": engine,
        })  # fmt: skip
        run(e, tmp_path / engine)
    eager, replay, auto = (outcome(tmp_path / engine) for engine in ("eager", "replay", "auto"))
    assert eager == replay == auto


def outcome(folder):
    with (folder / "metrics.csv").open() as file:
        return json.loads((folder / "run.json").read_text())["hashes"], list(csv.reader(file))


# --- what cannot be recorded


def behind(x):
    """x tanh x, the second one by NumPy."""
    return x * Tensor(np.tanh(x.value))


def peeking(x):
    """x over a number that comes from the data."""
    return x * (1 / (1 + float(np.max(np.abs(x.value)))))


@pytest.fixture(params=[behind, peeking])
def odd(request):
    """The name of an activation that cannot be replayed, known while the test runs."""

    class Odd(Activation, name="odd"):
        """Computed with NumPy, behind the recorder's back."""

        function = staticmethod(request.param)

    yield request.param
    for family in (Activation, Layer):
        del family.members["odd"]


REFUSALS = {behind: "multiply got an array of shape", peeking: "multiply got another number"}
ODD = ((5,), [{"dense": 6}, "batch_norm", "odd", {"dropout": 0.3}])


@pytest.mark.parametrize("tile", [None, 3])
def test_auto_computes_eagerly_what_it_cannot_replay(odd, tile):
    auto, eager = (trained(engine, network=ODD, tile=tile) for engine in ("auto", "eager"))
    assert REFUSALS[odd] in auto.learner.refusal
    assert not eager.learner.refusal
    assert not parted(auto, eager)


def test_auto_replays_what_it_can():
    learner = trained("auto", network=BUSY).learner
    assert not learner.refusal
    plans = [plan for replay in learner._replays.values() for plan in replay.plans.values()]
    assert sorted(plan.runs for plan in plans) == [66, 132]  # 8, 8, 7 of 23; the first is recorded


def test_the_engine_replay_says_in_one_line_why_it_cannot(odd):
    with pytest.raises(RecordingError, match=REFUSALS[odd]) as raised:
        trained("replay", network=ODD)
    assert isinstance(raised.value, BackpropLabError)
    assert "\n" not in str(raised.value)
