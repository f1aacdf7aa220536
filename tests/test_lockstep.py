"""Lockstep: every member of a crew is, to the last bit, the run that it would be alone."""

import json
import time
from typing import ClassVar

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from threadpoolctl import threadpool_limits

from backproplab.config import Experiment
from backproplab.errors import MachineError
from backproplab.experiment import build, run
from backproplab.experiment.course import Course
from backproplab.experiment.crew import shape_of, train_slice
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.learners import GradientDescent
from backproplab.loop import Callback, Every, Loop, Pace
from backproplab.registry import families
from backproplab.runs.run_folder import RunFolder

BASE = {
    "data": {"name": "spiral", "samples": 90, "validation_split": 0.2, "test_split": 0.1},
    "model": {"hidden": [6, 5], "activation": "tanh"},
    "optimizer": "momentum",
    "batch_size": 16,
    "epochs": 4,
    "trajectory": 2,
    "tensorboard": {"histograms": 2},
}
REGRESSION = BASE | {"data": BASE["data"] | {"name": "plane"}}
UNEQUAL = {"id", "started", "seconds", "argv"}


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


@pytest.fixture
def written(saved):
    """All that a run has written into a folder, without its times."""

    def written(folder):
        run_folder = RunFolder(folder)
        kept = {key: value for key, value in run_folder.record.items() if key not in UNEQUAL}
        logs = folder.read("metrics.csv"), folder.read("trajectory.bin")
        return kept, saved(folder), logs, run_folder.config

    return written


def in_lockstep(experiments, folders, pauses=None):
    return train_slice(experiments, folders, pauses or [None] * len(folders), Pace())


@pytest.fixture
def assert_as_alone(tmp_path, written):
    def assert_as_alone(experiments):
        assert len({shape_of(e) for e in experiments}) == 1
        together = [MemoryFolder() for _ in experiments]
        ends = in_lockstep(experiments, together)
        for number, (experiment, folder, end) in enumerate(
            zip(experiments, together, ends, strict=True)
        ):
            alone = tmp_path / f"alone{number}"
            (own,) = in_lockstep([experiment], [DiskFolder(alone)])
            assert not isinstance(end, Exception), end
            assert (end.status, end.metrics, end.message) == (own.status, own.metrics, own.message)
            for one, other in zip(written(folder), written(DiskFolder(alone)), strict=True):
                assert one == other
        return [end.status for end in ends]

    return assert_as_alone


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
def test_every_number_of_every_optimizer_may_differ(assert_as_alone, name, flavor):
    whole = not families()["optimizer"][name].blockwise  # it compares whole batches
    batch = {"batch_mode": "batch"} if whole else {}
    rates = {"learning_rate": [0.02, 0.05, 0.03]} if not whole else {}
    settings = of_optimizer(name, flavor)
    group = members(BASE | batch, optimizer=[*settings, settings[0]], seed=[1, 1, 2], **rates)
    assert_as_alone(group)


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
    "ode": [{"ode": {"layers": [{"dense": 6}, "tanh"], "steps": 2}}],
    "ode_adjoint": [{"ode": {"layers": [{"dense": 6}, "tanh"], "steps": 2, "gradient": "adjoint"}}],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(assert_as_alone, name):
    model = {"layers": [{"dense": {"units": 6, "activation": "tanh"}}, *LAYERS[name], {"dense": 1}]}
    group = members(BASE | {"model": model}, seed=[1, 2, 3], learning_rate=[0.1, 0.01, 0.05])
    assert_as_alone(group)


@pytest.mark.parametrize("name", families()["activation"])
def test_activations(assert_as_alone, name):
    model = {"hidden": [5, 4], "activation": name}
    group = members(BASE | {"model": model}, seed=[1, 2], learning_rate=[0.1, 0.01])
    assert_as_alone(group)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [n for n, g in families()["gradient"].items() if g.stacks])
def test_sources_of_gradients(assert_as_alone, name, dtype):
    own = {"learner": {"gradient_descent": {"gradient": name}}, "dtype": dtype}
    assert_as_alone(members(BASE | own, seed=[1, 2, 3], learning_rate=[0.1, 0.01, 0.05]))


def test_members_that_end_by_their_gradient_at_other_steps(assert_as_alone):
    """With dropout: the step that one of them does not take is undone for all."""
    layers = [{"dense": {"units": 4, "activation": "tanh"}}, {"dropout": 0.1}, {"dense": 1}]
    own = {"learner": {"gradient_descent": {"tolerance": 0.03}}, "batch_mode": "batch"}
    group = members(BASE | own | {"model": {"layers": layers}, "epochs": 30},
                    seed=[1, 2, 3], learning_rate=[0.5, 0.1, 0.02])  # fmt: skip
    assert assert_as_alone(group) == ["completed"] * 3
    ends = {end.progress.stop_reason for end in in_lockstep(group, [MemoryFolder() for _ in group])}
    assert ends == {"converged", "max_epochs"}


@pytest.mark.parametrize("output", ["score", "energy"])
def test_score_matching(assert_as_alone, output):
    """Each member has noise of its own."""
    own = {"learner": {"score_matching": {"output": output}}}
    assert_as_alone(members(BASE | own, seed=[1, 2, 3], learning_rate=[0.1, 0.01, 0.05]))


@pytest.mark.parametrize("data", ["spiral", "plane", "iris", "sine"])
@pytest.mark.parametrize("mode", ["batch", "stochastic", "minibatch"])
def test_tasks_and_batch_modes(assert_as_alone, data, mode):
    data = {"name": data, "validation_split": 0.3} | ({"samples": 70} if data != "iris" else {})
    base = BASE | {"batch_mode": mode, "data": data}
    assert_as_alone(members(base, seed=[1, 2, 3], learning_rate=[0.1, 0.1, 0.01]))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_of_regression(assert_as_alone, loss):
    assert_as_alone(members(REGRESSION | {"loss": loss}, seed=[1, 2]))


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
def test_cases(assert_as_alone, name):
    fields, columns = CASES[name]
    assert_as_alone(members(BASE | fields, **columns))


@pytest.mark.parametrize("seeds", [[1, 2, 3, 4, 5, 6], [1, 2, 3, 1, 2, 3], [1, 1, 1, 2, 2, 2]])
def test_members_that_diverge_leave_the_others_alone(assert_as_alone, seeds):
    """Members of one seed take their batches from one order, whoever of them leaves."""
    base = REGRESSION | {"model": {"hidden": [6, 5], "activation": "relu"}, "epochs": 8}
    group = members(base, learning_rate=[0.01, 1000, 5, 0.02, 8, 0.03], seed=seeds)
    statuses = assert_as_alone(group)
    assert (statuses.count("diverged"), statuses.count("completed")) == (3, 3), statuses


def test_a_member_that_diverges_leaves_its_dropout_where_it_would_alone(assert_as_alone):
    layers = [{"dense": 8}, {"dropout": 0.3}, {"dense": 1}]
    base = REGRESSION | {"model": {"layers": layers}}
    group = members(base, learning_rate=[0.01, 10000, 0.02], seed=[1, 2, 3])
    assert assert_as_alone(group).count("diverged") == 1


def lanes_of(experiments, callbacks=lambda: ()):
    """The lanes of runs that have begun, in memory."""
    courses = [Course(build(e), MemoryFolder(), callbacks()) for e in experiments]
    for course in courses:
        course.begin()
    return [course.lane for course in courses]


def trained(lanes):
    """Train the lanes in one loop; in the order in which they have ended."""
    with threadpool_limits(1):
        return list(Loop(GradientDescent(), lanes).run())


def test_a_member_that_has_ended_stands_where_it_ended():
    """Though those of its seed have taken further batches."""
    group = members(seed=[1, 1, 1], epochs=[2, 4, 6])
    lanes = lanes_of(group)
    assert trained(lanes) == lanes
    for experiment, lane in zip(group, lanes, strict=True):
        (alone,) = trained(lanes_of([experiment]))
        assert lane.order.place == alone.order.place


class Looks(Callback):
    """Keeps what there is to see at every third update, and every scalar that it hears."""

    when = Every(3)
    hears: ClassVar = {"learning_rate": 1, "gradient_norm": 2}

    def __init__(self):
        self.seen, self.heard = [], []

    def look(self, lane):
        arrays = {name: array.tobytes() for name, array in lane.learning.weights.items()}
        own, order = lane.learning.state(), lane.order.state()
        slots = {name: array.tobytes() for name, array in own[0].items()}
        self.seen.append((lane.progress.state(), arrays, slots, own[1], order))
        if lane.progress.step == 9 and lane.learning.material.seed == 3:
            lane.request_stop("seen enough")

    def hear(self, lane, heard):
        self.heard += [(n, *pair) for n, x in heard.items() for pair in zip(*x, strict=True)]

    def state(self):
        return {}, {"looks": len(self.seen)}


def test_what_a_callback_sees_and_hears_is_what_it_would_alone():
    """Also where a member ends in the middle of an epoch, and the others continue without it."""
    layers = [{"dense": 6}, "batch_norm", "tanh", {"dropout": 0.3}, {"dense": 1}]
    base = BASE | {"model": {"layers": layers}, "clipping": {"norm": 0.5}, "schedule": "cosine"}
    group = members(base, seed=[1, 3, 1, 2], learning_rate=[0.1, 0.2, 0.3, 0.1])
    together = lanes_of(group, lambda: [Looks()])
    assert trained(together)[0] is together[1]
    for experiment, lane in zip(group, together, strict=True):
        (alone,) = trained(lanes_of([experiment], lambda: [Looks()]))
        one, other = (x.callbacks[1] for x in (lane, alone))
        assert one.seen == other.seen
        assert sorted(one.heard) == sorted(other.heard)
        assert lane.progress.state() == alone.progress.state()
        assert lane.progress.stop_reason == (
            "seen enough" if experiment.seed == 3 else "max_epochs"
        )
    steps = 4 * 4
    assert len(together[0].callbacks[1].seen) == steps // 3
    assert len(together[0].callbacks[1].heard) == steps + steps // 2


@pytest.mark.parametrize("seeds", [[1, 2, 3], [1, 2, 1], [1, 1, 1]])
def test_slices_of_a_group(tmp_path, written, seeds):
    """Members pause, and go on in other groups."""
    group = members(seed=seeds, learning_rate=[0.1, 0.2, 0.3])
    folders = [DiskFolder(tmp_path / f"slices{n}") for n in range(3)]
    ends = in_lockstep(group, folders, [2] * 3)
    assert {end.status for end in ends} == {"paused"}
    in_lockstep(group[:2], folders[:2])
    in_lockstep(group[2:], folders[2:])
    for number, (experiment, folder) in enumerate(zip(group, folders, strict=True)):
        alone = DiskFolder(tmp_path / "alone" / str(number))
        in_lockstep([experiment], [alone])
        assert written(folder) == written(alone)


def test_tensorboard_reads_the_same(tmp_path):
    group = members(seed=[1, 2])
    in_lockstep(group, [DiskFolder(tmp_path / "0"), DiskFolder(tmp_path / "1")])
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
    assert read[0][1]
    assert any(tag.startswith("telemetry/") for tag in read[0][0])


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


class Full(MemoryFolder):
    """No file whose name holds ``what`` can be written to it."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def replace(self, name, content):
        self._refuse(name)
        super().replace(name, content)

    def log(self, name):
        self._refuse(name)
        return super().log(name)

    def _refuse(self, name):
        if self.what in name:
            raise MachineError(f"{name}: cannot write: the disk is full")


def test_a_member_that_cannot_be_ended_takes_nobody_along():
    """Its checkpoints cannot be written: it fails, the others are what they would be."""
    folders = [Full("checkpoints"), MemoryFolder(), MemoryFolder()]
    ends = in_lockstep(members(seed=[1, 2, 3]), folders)
    assert "checkpoints" in str(ends[0])
    assert RunFolder(folders[0]).record["status"] == "failed"
    assert [end.status for end in ends[1:]] == ["completed"] * 2
    assert [RunFolder(folder).record["status"] for folder in folders[1:]] == ["completed"] * 2


def test_a_member_that_cannot_start_is_a_failed_run():
    folders = [Full("train"), MemoryFolder()]
    ends = in_lockstep(members(seed=[1, 2]), folders)
    assert "train" in str(ends[0])
    assert RunFolder(folders[0]).record["status"] == "failed"
    assert ends[1].status == "completed"


def test_members_share_their_time():
    start = time.perf_counter()
    ends = in_lockstep(members(seed=[1, 2, 3, 4]), [MemoryFolder() for _ in range(4)])
    assert 0 < sum(end.progress.seconds for end in ends) < time.perf_counter() - start


def test_a_member_that_cannot_be_built_fails_alone(tmp_path):
    group = members(epochs=[1, 2, 3])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "notes.txt").write_text("mine")
    ends = in_lockstep(group, [DiskFolder(tmp_path / str(n)) for n in range(3)])
    assert "is not empty; give each run a folder of its own" in str(ends[1])
    assert [ends[0].status, ends[2].status] == ["completed"] * 2
