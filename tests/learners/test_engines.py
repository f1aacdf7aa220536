"""Eager, replay and native are one engine in three speeds: the same bits, for all configs.

Whatever joins a family is trained here with all three; what needs a recipe (a layer that fits
no network by itself, a schedule with a field to fill in) and has none fails by its name.
"""

import csv
import gc
import json
import weakref

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from backproplab.autograd import Tensor, ops
from backproplab.autograd.engines import RecordingError
from backproplab.autograd.engines.replay import Replay
from backproplab.config import Experiment
from backproplab.data.batching import Order, batch_length
from backproplab.errors import BackpropLabError
from backproplab.experiment import run
from backproplab.files import MemoryFolder
from backproplab.journal import Journal
from backproplab.learners import Evaluation, GradientDescent, Material, Split
from backproplab.learners.backprop import BackpropSource
from backproplab.loop import Lane, Length, Loop
from backproplab.nn import Activation, Layer, Loss, Model
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.registry import families
from backproplab.streams import stream
from backproplab.task import Task

STEPS = 200
ROWS = 47  # a prime: every batch size leaves a short last batch
TASKS = {
    "regression": Task("regression", 2),
    "two classes": Task("classification", 2),
    "three classes": Task("classification", 3),
}
MODES = ["batch", "stochastic", "minibatch"]
DTYPES = ["float32", "float64"]
SMALL = ((5,), [])  # the last layer, which every network here gets
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
    engine, network=SMALL, task="three classes", loss="auto", optimizer="adam", rate=None,
    schedule="constant", clipping=None, mode="minibatch", size=8, tile=None, dtype="float32",
    steps=STEPS,
):  # fmt: skip
    """The lane of a run, trained for ``steps`` updates."""
    (shape, layers), goal = network, TASKS[task]
    loss, optimizer = Loss.parse(loss).resolve(goal), Optimizer.parse(optimizer)
    x, y = examples(shape, goal, dtype)
    model = Model(layers=[*layers, {"dense": loss.units(goal)}])
    net = model.network(shape, loss.units(goal))
    order = Order(mode, ROWS, batch_length(mode, ROWS, size), stream(3, "shuffle"))
    keys = {
        "optimizer": optimizer,
        "learning_rate": rate or optimizer.default_learning_rate,
        "schedule": Schedule.parse(schedule),
        "clipping": Clipping.parse(clipping) if clipping else None,
        "batch_size": tile,
        "accumulate": 2 if tile else 1,  # a tile of this length, exactly
    }
    dtype, learner = np.dtype(dtype), GradientDescent()
    splits = {"train": Split(x, y, loss.encode(y, goal, dtype))}
    of = goal, splits, net, loss, (), keys, 3, dtype, steps, engine
    journal = Journal(MemoryFolder(), ["loss"], ["train"], {})
    journal.open()
    length = Length(steps, order.batches, steps)
    lane = Lane(learner.begin(Material(*of)), order, [], journal, length)
    assert list(Loop(learner, [lane]).run()) == [lane]
    return lane


def left_behind(lane):
    """Every bit that training has touched: weights, statistics, slots, gradient, chance."""
    arrays, state = lane.learning.state()
    return {name: array.tobytes() for name, array in arrays.items()} | state


def parted(one, other):
    """The names of what differs between two trainings."""
    one, other = left_behind(one), left_behind(other)
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def assert_one_engine(**case):
    eager, replayed, native = (trained(e, **case) for e in ("eager", "replay", "native"))
    assert eager.progress.step == STEPS
    assert not parted(eager, replayed)
    assert not parted(eager, native)
    assert np.isfinite(eager.learning.parameters.flat).all()
    assert eager.learning.parameters.trainable.any()
    return native


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
    "adam": [{}, {"l1": 1e-3, "l2": 1e-3, "weight_decay": 0.01}],
    "rmsprop": [{}, {"centered": True, "momentum": 0.9}],
}


@pytest.mark.parametrize(("name", "fields"), list(recipes("optimizer", OPTIMIZERS)))
@pytest.mark.parametrize("flavor", ["keras", "torch"])
def test_every_optimizer(name, fields, flavor):
    optimizer, dtype = filled_in(name, fields) | {"flavor": flavor}, DTYPES[flavor == "torch"]
    whole = not families()["optimizer"][name].blockwise  # it compares whole batches
    mode = {"mode": "batch", "rate": 0.1} if whole else {}
    native = assert_one_engine(optimizer=optimizer, dtype=dtype, **mode)
    assert native.learning.updates.leaps.tapes.keys() or whole


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
        [*IMAGES, {"conv2d": 2}, {"batch_norm": {"flavor": "torch"}}, "flatten"],
    ],
    "conv1d": [
        [*SEQUENCE, {"conv1d": {"filters": 4, "activation": "relu"}}, {"conv1d": {"filters": 2, "dilation": 2}}, "flatten"],
        [*SEQUENCE, {"conv1d": {"filters": 4, "stride": 2, "padding": "same", "bias": False}}, "flatten"],
    ],
    "conv2d": [
        [*IMAGES, {"conv2d": {"filters": 3, "activation": "relu"}}, {"conv2d": {"filters": 2, "kernel": 2}}, "flatten"],
        [*IMAGES, {"conv2d": {"filters": 4, "kernel": [3, 2], "stride": [2, 1], "padding": "same"}}, {"conv2d": {"filters": 2, "kernel": 2, "dilation": 2, "padding": 1, "bias": False}}, "flatten"],
    ],
    "dense": [[{"dense": {"units": 6, "activation": "relu"}}, {"dense": {"units": 6, "bias": False}}]],
    "dropout": [[{"dropout": 0.2}, {"dense": 6}, "relu", {"dropout": 0.5}]],
    "embedding": [[{"embedding": {"vocabulary": 7, "units": 3}}, {"conv1d": 2}, "flatten"]],
    "embed_columns": [[{"embed_columns": [[1, 7, 3], [4, 7, 2]]}, {"dense": 6}, "relu"]],
    "flatten": [["flatten"], [*IMAGES, "flatten", {"dense": 5}, "relu"]],
    "global_avg_pool": [
        [*IMAGES, {"conv2d": 4}, "relu", "global_avg_pool"],
        [*SEQUENCE, {"conv1d": 4}, "global_avg_pool"],
    ],
    "global_max_pool": [
        [*IMAGES, {"conv2d": 4}, "relu", "global_max_pool"],
        [*SEQUENCE, {"conv1d": 4}, "global_max_pool"],
    ],
    "layer_norm": [[{"dense": 6}, "layer_norm", "relu"], [*IMAGES, {"conv2d": 2}, "layer_norm", "flatten"]],
    "max_pool": [
        [*IMAGES, {"conv2d": {"filters": 2, "padding": "same"}}, "max_pool", "relu", "flatten"],
        [*SEQUENCE, {"max_pool": {"window": 3, "stride": 1, "padding": "same"}}, "flatten"],
    ],
    "reshape": [[{"dense": 6}, {"reshape": [3, 2]}, "tanh", {"reshape": [6]}]],
    "ode": [
        [{"dense": 6}, {"ode": {"layers": ["tanh", {"dense": 6}], "steps": 3}}],
        [{"dense": 6}, {"ode": {"layers": [{"dense": 6}, "batch_norm", {"dropout": 0.2}], "solver": "midpoint", "steps": 2}}],
    ],
    "residual": [
        [{"dense": 6}, {"residual": {"layers": [{"dense": 6}, "batch_norm", {"dropout": 0.2}], "activation": "relu"}}],
        [*IMAGES, {"residual": [{"conv2d": {"filters": 1, "padding": "same"}}, "relu"]}, "flatten"],
    ],
}  # fmt: skip


def layer_cases():
    """A layer has its networks in LAYERS; an activation goes into a dense layer and after one.

    Their types take turns; a network that is alone is trained in both.
    """
    for name, layer in families()["layer"].items():
        free = [[{"dense": {"units": 6, "activation": name}}], [{"dense": 5}, name]]
        networks = LAYERS.get(name, free if issubclass(layer, Activation) else [None])
        for k in range(max(len(networks), len(DTYPES))):
            dtype = DTYPES[k % len(DTYPES)]
            own = [pytest.mark.slow] if issubclass(layer, Activation) and k else []
            named = {"id": f"{name}-{k}-{dtype}", "marks": own}
            yield pytest.param(name, networks[k % len(networks)], dtype, **named)


@pytest.mark.parametrize(("name", "layers", "dtype"), list(layer_cases()))
def test_every_layer(name, layers, dtype):
    assert layers is not None, f"{name} has no recipe in this file: put it into a small network"
    assert_one_engine(network=(FIT, layers), dtype=dtype, optimizer="momentum", rate=1e-3)


# --- every loss, every batch mode


def task_of(loss):
    """The first task that it serves."""
    serves = [task for task in TASKS if not families()["loss"][loss]().problem(TASKS[task])]
    assert serves, f"{loss} serves no task of this file: add one"
    return serves[0]


@pytest.mark.parametrize("loss", families()["loss"])
@pytest.mark.parametrize("mode", MODES)
def test_every_loss_in_every_batch_mode(loss, mode):
    assert_one_engine(loss=loss, task=task_of(loss), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_statistics_and_chance_in_every_batch_mode(mode):
    assert_one_engine(network=BUSY, mode=mode)


@pytest.mark.parametrize(("network", "mode"), [(PLAIN, "batch"), (BUSY, "minibatch")])
def test_a_batch_in_tiles(network, mode):
    assert_one_engine(network=network, mode=mode, size=16, tile=6)  # 16 as 5, 5, 6; 15 as 7, 8


def test_a_reshape_that_has_to_copy():
    """The smallest case of conv1d before global_avg_pool: rows that are no view of what was."""
    x, y = np.arange(6.0).reshape(2, 3), np.full(6, np.nan)
    replay = Replay(lambda x: [ops.reshape(ops.transpose(x), shape=6)], [], [y])
    for _ in range(4):
        replay(x)
        np.testing.assert_array_equal(y, x.T.ravel())
        y[...] = np.nan


WIDE = ((100,), [{"dense": {"units": 300, "activation": "relu"}}, {"dense": 257}, "tanh"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_products_that_blas_takes_apart(mode, threads):
    """Packed, split among threads, or of a vector alone: other ways through BLAS."""
    with threadpool_limits(threads):
        eager, *others = (
            trained(e, network=WIDE, mode=mode, size=16, steps=20)
            for e in ("eager", "replay", "native")
        )
    assert not any(parted(eager, other) for other in others)


def test_divergence_comes_at_the_same_step_in_the_same_words():
    ended = [
        trained(engine, task="regression", optimizer="sgd", rate=100.0)
        for engine in ("eager", "replay", "native")
    ]
    assert {lane.progress.status for lane in ended} == {"diverged"}
    assert len({lane.message for lane in ended}) == 1
    assert not parted(*ended[:2])
    assert not parted(*ended[1:])


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
    assert_one_engine(schedule=schedule, optimizer="momentum")


CLIPPING = {name: [{"limit": 0.05}] for name in ("global_norm", "norm", "value")}


@pytest.mark.parametrize(("name", "fields"), list(recipes("clipping", CLIPPING)))
def test_every_clipping(name, fields):
    clipping = filled_in(name, fields)
    assert_one_engine(clipping=clipping, optimizer="momentum")
    assert parted(trained("replay", clipping=clipping), trained("replay"))


# --- a whole run


def test_a_run_leaves_the_same_behind(tmp_path):
    layers = [{"dense": 8}, "batch_norm", "relu", {"dropout": 0.2}, {"dense": 1}]
    for engine in ("eager", "replay", "native", "auto"):
        e = Experiment.model_validate({
            "data": {"name": "circle", "samples": 150}, "model": {"layers": layers}, "epochs": 4,
            "batch_size": 8, "accumulate": 4, "clipping": {"global_norm": 0.5}, "schedule": "cosine",
            "early_stopping": {"patience": 3, "restore_best_weights": True}, "engine": engine,
        })  # fmt: skip
        run(e, tmp_path / engine)
    eager, *others = (outcome(tmp_path / e) for e in ("eager", "replay", "native", "auto"))
    assert all(other == eager for other in others)


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


@pytest.mark.parametrize("tile", [None, 4])
def test_auto_computes_eagerly_what_it_cannot_replay(odd, tile):
    auto, eager = (
        trained(engine, network=ODD, tile=tile, steps=12) for engine in ("auto", "eager")
    )
    assert REFUSALS[odd] in auto.learning.refusal
    assert not eager.learning.refusal
    assert not parted(auto, eager)


def test_auto_replays_what_it_can():
    source = trained("auto", network=BUSY).learning.updates.source
    assert not source.refusal
    plans = [plan for bound in source._bound.values() for plan in bound.replay.plans.values()]
    assert sorted(plan.runs for plan in plans) == [33, 167]


def test_the_engine_replay_says_in_one_line_why_it_cannot(odd):
    with pytest.raises(RecordingError, match=REFUSALS[odd]) as raised:
        trained("replay", network=ODD)
    assert isinstance(raised.value, BackpropLabError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("engine", ["auto", "eager", "replay"])
def test_a_learner_is_freed_without_the_cyclic_collector(engine):
    source = trained(engine, network=BUSY, steps=9).learning.updates.source
    x, y = examples((5,), TASKS["three classes"], "float32")
    network, parameters, loss = source.network, source.parameters, source.loss_function
    source = BackpropSource(network, loss, parameters, stream(3, "dropout"), engine)
    evaluation = Evaluation(network, parameters, loss, (), engine)
    for _ in range(4):
        source(x, y)
        evaluation(x, y, y)
    kept = [weakref.ref(source), weakref.ref(evaluation)]
    gc.collect()
    gc.disable()
    try:
        del source, evaluation
        assert [known() for known in kept] == [None, None]
    finally:
        gc.enable()
