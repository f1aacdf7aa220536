"""Lockstep: every member of a group is, to the last bit, the run that it would be alone."""

import json
import time
from contextlib import ExitStack

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.experiment import run
from backproplab.experiment.group import run_group, shape_of
from backproplab.experiment.parts import build
from backproplab.registry import families
from backproplab.train.callbacks import Slice
from backproplab.train.checkpoint import load
from backproplab.train.loop import Trainer
from backproplab.train.population import train_together

BASE = {
    "data": {"name": "spiral", "samples": 90, "validation_split": 0.2, "test_split": 0.1},
    "model": {"hidden": [6, 5], "activation": "tanh"},
    "optimizer": "momentum",
    "batch_size": 16,
    "epochs": 4,
    "tensorboard": {"histograms": 2},
}
REGRESSION = BASE | {"data": BASE["data"] | {"name": "plane"}}
UNEQUAL = {"started", "seconds", "argv"}


def members(base=BASE, **columns):
    """An experiment for each position of the columns: ``optimizer__momentum=[0.1, 0.9]``."""
    found = []
    for values in zip(*columns.values(), strict=True):
        tree = json.loads(json.dumps(base))
        for path, value in zip(columns, values, strict=True):
            *parents, last = path.split("__")
            node = tree
            for key in parents:
                node = node[key]
            node[last] = value
        found.append(Experiment.model_validate(tree))
    return found


def written(folder):
    """All that a run has written, without its times."""
    record = json.loads((folder / "run.json").read_text())
    kept = {key: value for key, value in record.items() if key not in UNEQUAL}
    places = {kind: folder / "checkpoints" / f"{kind}.safetensors" for kind in ("last", "best")}
    loaded = {kind: load(place) for kind, place in places.items() if place.exists()}
    arrays = {
        kind: ({n: a.tobytes() for n, a in found.arrays.items()}, found.state)
        for kind, found in loaded.items()
    }
    table = folder / "metrics.csv"
    texts = [table.read_text() if table.exists() else "", (folder / "config.yaml").read_text()]
    return kept, arrays, texts


def assert_as_alone(tmp_path, experiments, slices=None):
    assert len({shape_of(e) for e in experiments}) == 1
    together = [tmp_path / f"together{n}" for n in range(len(experiments))]
    ends = run_group(experiments, together, slices or [None] * len(experiments))
    statuses = []
    for number, (experiment, folder, end) in enumerate(
        zip(experiments, together, ends, strict=True)
    ):
        alone = tmp_path / f"alone{number}"
        own = run(experiment, alone)
        assert not isinstance(end, Exception), end
        assert (end.status, end.metrics, end.message) == (own.status, own.metrics, own.message)
        for one, other in zip(written(folder), written(alone), strict=True):
            assert one == other
        statuses.append(end.status)
    return statuses


def of_optimizer(name, flavor):
    """Two settings of an optimizer that differ in every number that it has."""
    member = families()["optimizer"][name]
    default = member.model_validate({"flavor": flavor})
    numbers = [n for n, f in member.model_fields.items() if f.annotation is float]
    assert numbers
    less = {n: getattr(default, n) * 0.7 or 0.001 for n in numbers}
    more = {n: getattr(default, n) * 0.9 or 0.002 for n in numbers}
    return [{"name": name, "flavor": flavor, **values} for values in (less, more)]


@pytest.mark.parametrize("flavor", ["keras", "torch"])
@pytest.mark.parametrize("name", families()["optimizer"])
def test_every_number_of_every_optimizer_may_differ(tmp_path, name, flavor):
    batch = {"batch_mode": "batch"} if name == "lbfgs" else {}
    rates = {"learning_rate": [0.02, 0.05, 0.03]} if name != "lbfgs" else {}
    settings = of_optimizer(name, flavor)
    group = members(BASE | batch, optimizer=[*settings, settings[0]], seed=[1, 1, 2], **rates)
    assert_as_alone(tmp_path, group)


LAYERS = {
    "layer_norm": ["layer_norm"],
    "batch_norm": ["batch_norm"],
    "batch_norm_torch": [{"batch_norm": {"flavor": "torch"}}],
    "dropout": [{"dropout": 0.3}],
    "no_bias": [{"dense": {"units": 4, "bias": False}}],
    "reshape": [{"reshape": [2, 3, 1]}, "flatten"],
    "conv2d": [{"reshape": [2, 3, 1]}, {"conv2d": {"filters": 2, "kernel": 2}}, "flatten"],
    "pools": [{"reshape": [2, 3, 1]}, "max_pool", "flatten"],
    "residual": [{"residual": [{"dense": {"units": 6, "activation": "relu"}}]}],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(tmp_path, name):
    model = {"layers": [{"dense": {"units": 6, "activation": "tanh"}}, *LAYERS[name], {"dense": 1}]}
    group = members(BASE | {"model": model}, seed=[1, 2, 3], learning_rate=[0.1, 0.01, 0.05])
    assert_as_alone(tmp_path, group)


@pytest.mark.parametrize("name", families()["activation"])
def test_activations(tmp_path, name):
    model = {"hidden": [5, 4], "activation": name}
    group = members(BASE | {"model": model}, seed=[1, 2], learning_rate=[0.1, 0.01])
    assert_as_alone(tmp_path, group)


@pytest.mark.parametrize("data", ["spiral", "plane", "iris", "sine"])
@pytest.mark.parametrize("mode", ["batch", "stochastic", "minibatch"])
def test_tasks_and_batch_modes(tmp_path, data, mode):
    data = {"name": data, "validation_split": 0.3} | ({"samples": 70} if data != "iris" else {})
    base = BASE | {"batch_mode": mode, "data": data}
    assert_as_alone(tmp_path, members(base, seed=[1, 2, 3], learning_rate=[0.1, 0.1, 0.01]))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_of_regression(tmp_path, loss):
    assert_as_alone(tmp_path, members(REGRESSION | {"loss": loss}, seed=[1, 2]))


CASES = {
    "one_data_set": ({}, {"learning_rate": [0.1, 0.2, 0.3]}),
    "dropout_rates": (
        {"model": {"layers": [{"dense": 8}, {"dropout": 0.5}, {"dense": 1}]}},
        {"model__layers": [[{"dense": 8}, {"dropout": r}, {"dense": 1}] for r in (0, 0.2, 0.5)]},
    ),
    "dropout_after_none": (  # a rate of 0 draws too, or the second layer would draw other numbers
        {"model": {"layers": [{"dense": 1}]}},
        {
            "model__layers": [
                [{"dense": 8}, {"dropout": r}, {"dense": 6}, {"dropout": 0.5}, {"dense": 1}]
                for r in (0, 0.3)
            ]
        },
    ),
    "some_without_decay": (
        {"model": {"hidden": [6, 5], "activation": "relu"}, "optimizer": "adamw"},
        {"optimizer": [{"adamw": {"weight_decay": d, "l1": l}} for d, l in ((0, 0), (0.1, 0.01))]},
    ),
    "some_without_momentum": (
        {"model": {"hidden": [6, 5], "activation": "relu"}},
        {"optimizer": [{"momentum": {"momentum": m}} for m in (0, 0.9)]},
    ),
    "initializers": ({}, {"model__initializer": ["glorot_uniform", "he_normal", "zeros"]}),
    "schedules": (
        {"learning_rate": 0.1},
        {"schedule": ["constant", "cosine", {"reduce_on_plateau": {"patience": 1}}]},
    ),
    "clipping": ({"clipping": {"norm": 0.05}}, {"seed": [1, 2]}),
    "global_clipping": ({"clipping": {"global_norm": 0.05}}, {"seed": [1, 2]}),
    "accumulate": ({"accumulate": 2, "batch_size": 8}, {"seed": [1, 2]}),
    "eager": ({"engine": "eager"}, {"seed": [1, 2]}),
    "float64": ({"dtype": "float64", "optimizer": "adam"}, {"seed": [1, 2]}),
    "steps": ({"steps": 9}, {"seed": [1, 2]}),
    "epochs": ({}, {"epochs": [1, 5, 3]}),
    "early_stopping": (
        {"epochs": 30, "learning_rate": 0.3},
        {
            "early_stopping": [
                {"patience": p, "min_delta": 0.01, "restore_best_weights": True} for p in (0, 1, 3)
            ]
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(tmp_path, name):
    fields, columns = CASES[name]
    assert_as_alone(tmp_path, members(BASE | fields, **columns))


@pytest.mark.parametrize("seeds", [[1, 2, 3, 4, 5, 6], [1, 2, 3, 1, 2, 3], [1, 1, 1, 2, 2, 2]])
def test_members_that_diverge_leave_the_others_alone(tmp_path, seeds):
    """Members of one seed take their batches from one order, whoever of them leaves."""
    base = REGRESSION | {"model": {"hidden": [6, 5], "activation": "relu"}, "epochs": 8}
    group = members(base, learning_rate=[0.01, 1000, 5, 0.02, 8, 0.03], seed=seeds)
    statuses = assert_as_alone(tmp_path, group)
    assert (statuses.count("diverged"), statuses.count("completed")) == (3, 3), statuses


def test_a_member_that_diverges_leaves_its_dropout_where_it_would_alone(tmp_path):
    layers = [{"dense": 8}, {"dropout": 0.3}, {"dense": 1}]
    base = REGRESSION | {"model": {"layers": layers}}
    group = members(base, learning_rate=[0.01, 10000, 0.02], seed=[1, 2, 3])
    assert assert_as_alone(tmp_path, group).count("diverged") == 1


def test_a_member_that_has_ended_stands_where_it_ended():
    """Though those of its seed have taken further batches."""
    group = members(seed=[1, 1, 1], epochs=[2, 4, 6])
    trainers = [trainer_of(build(experiment)) for experiment in group]
    with ExitStack() as around:
        for trainer in trainers:
            around.enter_context(trainer.training())
        ended = [trainer for trainer, _ in train_together(trainers)]
    assert ended == trainers
    for experiment, trainer in zip(group, trainers, strict=True):
        alone = trainer_of(build(experiment))
        alone.fit()
        assert trainer.order.place == alone.order.place


def trainer_of(parts):
    """Of the parts, without callbacks."""
    e, splits = parts.experiment, parts.splits
    train, validation = parts.split(splits.train), parts.split(splits.validation)
    learned = parts.learner(), e.optimizer, parts.rate(), parts.order()
    return Trainer(*learned, train, validation, parts.metrics, e.epochs)


@pytest.mark.parametrize("seeds", [[1, 2, 3], [1, 2, 1], [1, 1, 1]])
def test_slices_of_a_group(tmp_path, seeds):
    """Members pause, and go on in other groups."""
    group = members(seed=seeds, learning_rate=[0.1, 0.2, 0.3])
    folders = [tmp_path / f"slices{n}" for n in range(3)]
    ends = run_group(group, folders, [Slice(until=2)] * 3)
    assert {end.status for end in ends} == {"paused"}
    run_group(group[:2], folders[:2], [None] * 2)
    run(group[2], folders[2])
    for experiment, folder in zip(group, folders, strict=True):
        run(experiment, tmp_path / "alone" / folder.name)
        assert written(folder) == written(tmp_path / "alone" / folder.name)


def test_tensorboard_reads_the_same(tmp_path):
    group = members(seed=[1, 2])
    run_group(group, [tmp_path / "0", tmp_path / "1"], [None] * 2)
    run(group[1], tmp_path / "alone")
    read = []
    for folder in ("1", "alone"):
        events = EventAccumulator(str(tmp_path / folder / "train")).Reload()
        tags = events.Tags()
        scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        histograms = {
            tag: [(e.step, e.histogram_value) for e in events.Histograms(tag)]
            for tag in tags["histograms"]
        }
        read.append((scalars, histograms))
    assert read[0] == read[1]


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"hidden": [6, 4], "activation": "tanh"}},
        {"model": {"hidden": [6, 5], "activation": "relu"}},
        {"optimizer": "adam"},
        {"optimizer": {"momentum": {"flavor": "torch"}}},
        {"batch_size": 8},
        {"batch_mode": "batch"},
        {"data": BASE["data"] | {"samples": 91}},
        {"dtype": "float64"},
        {"clipping": {"norm": 1}},
        {"steps": 7},
        {"threads": 2},
    ],
)
def test_what_cannot_train_together(other):
    one, two = (Experiment.model_validate(BASE | fields) for fields in ({}, other))
    assert shape_of(one) != shape_of(two)


def test_a_member_that_cannot_be_ended_takes_nobody_along(tmp_path):
    """Its checkpoints cannot be written: it fails, the others are what they would be."""
    group, folders = members(seed=[1, 2, 3]), [tmp_path / str(n) for n in range(3)]
    folders[0].mkdir()
    (folders[0] / "checkpoints").write_text("a file, where a folder has to be")
    ends = run_group(group, folders, [None] * 3)
    assert "checkpoints" in str(ends[0])
    assert [end.status for end in ends[1:]] == ["completed"] * 2


def test_a_member_that_cannot_start_is_a_failed_run(tmp_path):
    group, folders = members(seed=[1, 2]), [tmp_path / str(n) for n in range(2)]
    folders[0].mkdir()
    (folders[0] / "train").write_text("a file, where a folder has to be")
    ends = run_group(group, folders, [None] * 2)
    assert "train" in str(ends[0])
    assert json.loads((folders[0] / "run.json").read_text())["status"] == "failed"
    assert ends[1].status == "completed"


def test_members_share_their_time(tmp_path):
    group, folders = members(seed=[1, 2, 3, 4]), [tmp_path / str(n) for n in range(4)]
    start = time.perf_counter()
    ends = run_group(group, folders, [None] * 4)
    assert 0 < sum(end.state.seconds for end in ends) < time.perf_counter() - start


def test_a_member_that_cannot_be_built_fails_alone(tmp_path):
    group = members(epochs=[1, 2, 3])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "run.json").write_text('{"status": "completed"}')
    ends = run_group(group, [tmp_path / str(n) for n in range(3)], [None] * 3)
    assert "holds a run already" in str(ends[1])
    assert [ends[0].status, ends[2].status] == ["completed"] * 2
