"""What joins the house from outside: a learner without a gradient, scalars, a metric, a key.

Everything here is defined in this file, as a user would, and no file of the library knows of it.
"""

import csv
import json
import math
import os
import signal
from concurrent.futures import Executor, Future
from typing import Annotated, ClassVar

import numpy as np
import pytest
import yaml
from pydantic.fields import FieldInfo
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import backproplab as bpl
from backproplab import report
from backproplab.autograd import Tensor
from backproplab.config import Experiment, Role, keys, to_yaml
from backproplab.errors import ConfigError, FinishedError, RunError
from backproplab.experiment import build
from backproplab.learners import COUNTERS, Advance, Learner, Learning, Passes
from backproplab.loop import Callback, Every
from backproplab.measures import MEASURES, POSITION, Measure, goal_of, measure
from backproplab.nn.metrics import METRICS, metric
from backproplab.optim.plateau import ReduceOnPlateau
from backproplab.report.page import render
from backproplab.runs import create_session, open_log_root
from backproplab.sweep.executors import Workers
from backproplab.sweep.library import opened
from backproplab.sweep.trials import key_of


class RandomSearch(Learner, name="random_search"):
    """Guess weights around the best ones so far, and keep what is better.

    spread: the standard deviation of a guess.
    """

    spread: float = 0.5

    unit = "guess"
    uses: ClassVar = frozenset({"model", "loss"})

    def begin(self, material):
        return Guessing(self, material)


class Guessing(Learning):
    """A random search at work."""

    def __init__(self, settings, material):
        self.settings, self.material, self.network = settings, material, material.network
        self.parameters = self.network.parameters(material.dtype)
        self.network.initialize(self.parameters, material.stream("init"))
        self.chance = material.stream("learner")
        self.least = math.inf

    @property
    def weights(self):
        return self.parameters.views

    def predict(self, inputs):
        return self.network(self.parameters.tensors(), Tensor(inputs)).value

    def loss(self):
        train = self.material.train
        losses = self.material.loss(Tensor(self.predict(train.inputs)), Tensor(train.encoded))
        return float(np.mean(losses.value, dtype=np.float64))

    def advance(self, span, wanted, brake):
        made, flat = Advance(), self.parameters.flat
        for step in range(span.start, span.start + span.steps):
            if made.done and brake.between_steps():
                break
            before = flat.copy()
            flat += self.settings.spread * self.chance.standard_normal(flat.shape, flat.dtype)
            loss = self.loss()
            made.report("guessed_loss", step + 1, loss)
            if loss < self.least:
                self.least = loss
            else:
                flat[...] = before
            made.done += 1
        return made

    def passes(self, steps, examples):
        return Passes.of(steps, steps * len(self.material.train), forward=1)

    def scalars(self, step):
        return {"least": self.least}

    def state(self):
        own = {"least": self.least.hex(), "chance": self.chance.bit_generator.state}
        return dict(self.weights), own

    def restore(self, arrays, state):
        for name, view in self.weights.items():
            view[...] = arrays[name]
        self.least = float.fromhex(state["least"])
        self.chance.bit_generator.state = state["chance"]


class Hits(Learner, name="hits"):
    """Has neither loss nor network, and a measure of its own: it counts up to ``top``, and down."""

    top: int = 4

    def measures(self, task):
        return (measure("hits", "max"),)

    def begin(self, material):
        return Counting(self, material)


class Counting(Learning):
    def __init__(self, settings, material):
        self.settings, self.material = settings, material
        self.count = np.zeros(1)

    @property
    def weights(self):
        return {"count": self.count}

    def advance(self, span, wanted, brake):
        self.count += span.steps
        return Advance(span.steps)

    def passes(self, steps, examples):
        return Passes()

    def measure(self, split, brake):
        count = float(self.count[0])
        return [{"hits": min(count, 2 * self.settings.top - count)}]

    def state(self):
        return dict(self.weights), {}

    def restore(self, arrays, state):
        self.count[...] = arrays["count"]


COUNTS = [counter.name for counter in COUNTERS]
OURS = {"random_search": RandomSearch, "hits": Hits}
for _name in OURS:
    del Learner.members[_name]  # known while these tests run, and to no other file


@pytest.fixture(autouse=True, scope="module")
def _learners():
    Learner.members.update(OURS)
    yield
    for name in OURS:
        del Learner.members[name]


@pytest.fixture
def declare(request):
    """Declares a measure for as long as the test runs."""

    def declare(name, goal):
        measure(name, goal)
        request.addfinalizer(lambda: MEASURES.pop(name))

    return declare


# --- a learner without gradient

SEARCH = """name: guesses
data: {name: circle, samples: 60, validation_split: 0.2, test_split: 0.1}
model: {hidden: [4], activation: tanh}
learner: {random_search: {spread: 0.3}}
steps: 60
evaluate_every: 10
"""


class Interrupt(Callback):
    """Ctrl-C at every 23rd step, in the middle of an epoch, while ``armed``."""

    when = Every(23)

    def __init__(self, armed):
        self.armed = armed

    def look(self, lane):
        if self.armed:
            os.kill(os.getpid(), signal.SIGINT)


class Listener(Callback):
    """Keeps every fourth of the learner's scalars, also over an interruption."""

    hears: ClassVar = {"guessed_loss": 4}

    def __init__(self):
        self.heard = []

    def hear(self, lane, heard):
        ((steps, values),) = heard.values()
        self.heard += map(list, zip(steps.tolist(), values.tolist(), strict=True))

    def state(self):
        return {}, {"heard": self.heard}

    def restore(self, arrays, state):
        self.heard = state["heard"]


class AtSteps(Callback):
    """Reports at some steps within the epochs."""

    when = Every(5)

    def look(self, lane):
        norms = {name: float(np.linalg.norm(x)) for name, x in lane.learning.weights.items()}
        lane.report_at(lane.progress.step, {"norm_of_last_bias": list(norms.values())[-1]})


class AtEpochs(Callback):
    """Reports at every epoch; ``declares`` makes a column of what it names."""

    declares = (Measure("norm", None, "norm of the weights"),)

    def look(self, lane):
        lane.report({"norm": norm_of(lane.learning.weights)})
        lane.report({"epochs_squared": lane.progress.epoch**2})
        lane.report({"norm": 7.0}, "validation")


def norm_of(weights):
    return math.sqrt(sum(float(np.vdot(x, x)) for x in weights.values()))


def callbacks(armed):
    return [Interrupt(armed), AtSteps(), AtEpochs()]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The folders of a run in one go and of one that was stopped twice, and their results."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "c.yaml").write_text(SEARCH)
    experiment = bpl.load(folder / "c.yaml")
    whole = bpl.run(experiment, folder / "whole", callbacks(False))
    stops = [bpl.run(experiment, folder / "parts", callbacks(True))]
    for armed in (True, False):
        stops.append(bpl.resume(folder / "parts", callbacks=callbacks(armed)))
    return folder, whole, stops


def test_a_learner_without_gradient_learns(search):
    folder, result, _ = search
    assert (result.status, result.progress.stop_reason) == ("completed", "max_steps")
    assert (result.progress.step, result.progress.epoch) == (60, 6)
    table = rows(folder / "whole")
    assert [row["step"] for row in table if row["split"] == "train"] == [
        str(step) for step in range(10, 61, 10)
    ]
    assert [(row["epoch"], row["split"]) for row in table[-1:]] == [("6", "test")]
    losses = [float(row["loss"]) for row in table if row["split"] == "train"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]
    assert result.best["val_loss"] == min(
        float(row["loss"]) for row in table if row["split"] == "validation"
    )


def test_its_passes_are_those_that_it_says(search):
    """48 training examples, one forward pass a guess; also of the run that was stopped twice."""
    folder, *_ = search
    for name in ("whole", "parts"):
        table = [row for row in rows(folder / name) if row["split"] == "train"]
        assert [int(row["forward_passes"]) for row in table] == list(range(10, 61, 10))
        assert [int(row["forward_examples"]) for row in table] == list(range(420, 2521, 420))
        assert {row["backward_passes"] for row in table} == {"0"}
        assert record(folder / name)["forward_examples"] == 2520
    by_passes = points(folder / "whole", "validation")["passes/loss"]
    assert [step for step, _ in by_passes] == list(range(10, 61, 10))


def test_stopped_and_resumed_it_leaves_the_same_bytes(search, saved):
    folder, whole, stops = search
    assert [stop.status for stop in stops] == ["interrupted", "interrupted", "completed"]
    assert [stop.progress.step for stop in stops[:2]] == [23, 46]
    assert stops[-1].metrics == whole.metrics
    for name in ("metrics.csv", "config.yaml"):
        assert (folder / "parts" / name).read_bytes() == (folder / "whole" / name).read_bytes()
    assert saved(folder / "parts") == saved(folder / "whole")
    records = [record(folder / name) for name in ("whole", "parts")]
    assert records[0]["hashes"] == records[1]["hashes"]
    for split in ("train", "validation"):
        assert points(folder / "parts", split) == points(folder / "whole", split)
    with pytest.raises(FinishedError, match="is finished"):
        bpl.resume(folder / "parts", callbacks=callbacks(False))


def test_without_a_gradient_tensorboard_gets_the_weights_alone(search):
    folder, _, _ = search
    tags = EventAccumulator(str(folder / "whole" / "train")).Reload().Tags()
    assert not any(tag.startswith("telemetry/") for tag in tags["scalars"])
    assert set(tags["histograms"]) == {
        f"weights/dense_{k}/{name}" for k in (1, 2) for name in ("kernel", "bias")
    }


@pytest.mark.parametrize(("key", "value"), [
    ("evaluate_every", "log"), ("tensorboard.update_freq", "batch"), ("tensorboard.update_freq", 5),
])  # fmt: skip
def test_what_is_written_of_batches_is_refused(tmp_path, key, value):
    (tmp_path / "c.yaml").write_text(SEARCH)
    with pytest.raises(ConfigError, match=rf"{key}: .*random_search has n"):
        build(bpl.load(tmp_path / "c.yaml", f"{key}={value}"))


def test_its_config_and_record_name_what_it_uses(search):
    folder, _, _ = search
    tree = yaml.safe_load((folder / "whole" / "config.yaml").read_text())
    assert tree["learner"] == {"name": "random_search", "spread": 0.3}
    assert (tree["steps"], tree["evaluate_every"]) == (60, 10)
    unused = {"optimizer", "learning_rate", "schedule", "clipping", "epochs", "batch_mode"}
    assert not unused & tree.keys()
    assert (
        bpl.load(folder / "whole" / "config.yaml") == build(bpl.load(folder / "c.yaml")).experiment
    )
    found = record(folder / "whole")
    assert (found["learner"], found["parameters"], found["monitor"]) == (
        "random_search", 17, "val_loss",
    )  # fmt: skip
    assert "batch_order" not in found["hashes"]


@pytest.mark.parametrize(("line", "key"), [
    ("optimizer: sgd", "optimizer"), ("learning_rate: 0.1", "learning_rate"),
    ("schedule: cosine", "schedule"), ("clipping: {value: 1}", "clipping"),
    ("epochs: 3", "epochs"), ("batch_size: 8", "batch_size"),
])  # fmt: skip
def test_a_key_that_it_has_no_use_for_is_refused_with_its_line(tmp_path, line, key):
    (tmp_path / "c.yaml").write_text(f"{SEARCH}{line}\n")
    with pytest.raises(ConfigError) as refused:
        bpl.load(tmp_path / "c.yaml")
    (problem,) = refused.value.problems
    assert problem.where.startswith(f"{tmp_path / 'c.yaml'}:7:")
    assert f"{key}: the learner random_search has no use for it" in problem.what
    assert problem.hint == f"remove it, or append {key}=null"


def test_it_needs_steps_and_can_be_dry_run(tmp_path):
    (tmp_path / "c.yaml").write_text(SEARCH.replace("steps: 60\n", ""))
    with pytest.raises(ConfigError, match=r"steps: random_search needs .* — add steps: 100"):
        build(bpl.load(tmp_path / "c.yaml"))
    (tmp_path / "d.yaml").write_text(SEARCH)
    assert build(bpl.load(tmp_path / "d.yaml")).length.epochs == 6
    with pytest.raises(
        ConfigError, match="learner: this is for gradient_descent, not for random_search"
    ):
        build(bpl.load(tmp_path / "d.yaml")).descent()


def test_another_stream_leaves_it_alone():
    """Its guesses hang on the seed and on the stream ``learner``, not on what others draw."""
    base = {"data": {"name": "circle", "samples": 60}, "learner": "random_search", "steps": 3}
    drawn = {}
    for name, fields in {
        "a": {},
        "b": {"model": {"initializer": "zeros"}},
        "c": {"seed": 1},
    }.items():
        learning = build(Experiment.model_validate(base | fields)).material
        drawn[name] = learning.stream("learner").random(4).tolist()
    assert drawn["a"] == drawn["b"] != drawn["c"]


def test_a_sweep_of_it_is_run_alone_and_ranked(tmp_path):
    (tmp_path / "c.yaml").write_text(SEARCH)
    (tmp_path / "s.yaml").write_text("base: c.yaml\ngrid: {learner.random_search.spread: [0.01, 1.0]}\nseeds: 2\n")  # fmt: skip
    session = swept(tmp_path)
    found = bpl.sweep.conclude(session)
    assert [len(trial.records) for trial in found.trials] == [2, 2]
    assert found.metric.name == "val_loss"


# --- scalars


def test_a_scalar_of_a_learner_lands_in_the_events(search):
    folder, _, _ = search
    found = points(folder / "whole", "train")
    steps, values = zip(*found["guessed_loss"], strict=True)
    assert steps == tuple(range(1, 61))
    least = [value for _, value in found["epoch_least"]]
    assert least == [min(values[: 10 * epoch]) for epoch in range(1, 7)]
    assert "least" not in rows(folder / "whole")[0]  # a column is declared


def test_scalars_of_a_callback_land_where_they_were_declared(search):
    folder, _, _ = search
    table, found = rows(folder / "whole"), points(folder / "whole", "train")
    assert list(table[0]) == [*POSITION, "loss", "accuracy", "norm", *COUNTS]
    norms = [float(row["norm"]) for row in table if row["split"] == "train"]
    assert [value for _, value in found["epoch_norm"]] == np.float32(norms).tolist()
    assert len(set(norms)) > 1
    assert {row["norm"] for row in table if row["split"] == "validation"} == {"7.0"}
    assert points(folder / "whole", "validation")["epoch_norm"] == [(e, 7.0) for e in range(6)]
    assert found["epoch_epochs_squared"] == [(e, (e + 1) ** 2) for e in range(6)]
    assert [step for step, _ in found["norm_of_last_bias"]] == list(range(5, 61, 5))


def test_a_callback_hears_what_it_asked_for(search, tmp_path):
    """At its own steps, over two interruptions, too."""
    folder, _, _ = search
    experiment, listener = bpl.load(folder / "c.yaml"), Listener()
    bpl.run(experiment, tmp_path / "run", [Interrupt(True), listener])
    for armed in (True, False):
        listener = Listener()
        bpl.resume(tmp_path / "run", callbacks=[Interrupt(armed), listener])
    known = points(folder / "whole", "train")["guessed_loss"]
    assert [step for step, _ in listener.heard] == list(range(4, 61, 4))
    heard = np.float32([value for _, value in listener.heard]).tolist()
    assert heard == [value for step, value in known if step % 4 == 0]


class Named(Callback):
    pass


@pytest.mark.parametrize("name", ["named", "best", "learner", "progress"])
def test_parts_of_a_run_have_names_of_their_own(tmp_path, name):
    (tmp_path / "c.yaml").write_text(SEARCH)
    twin = Named()
    twin.name = name
    with pytest.raises(ConfigError, match=f"2 parts of the run are called '{name}'"):
        bpl.run(bpl.load(tmp_path / "c.yaml"), tmp_path / "run", [Named(), twin])
    assert not (tmp_path / "run").exists()


def test_callbacks_that_the_run_did_not_begin_with_are_refused(tmp_path):
    (tmp_path / "c.yaml").write_text(SEARCH)
    bpl.run(bpl.load(tmp_path / "c.yaml"), tmp_path / "run", callbacks(True))
    before = record(tmp_path / "run")
    for others in ([], [*callbacks(False), Named()]):
        with pytest.raises(RunError, match="do not have the same parts: "):
            bpl.resume(tmp_path / "run", callbacks=others)
    assert record(tmp_path / "run") == before


# --- a metric with its goal


def misses(loss, outputs, targets):
    """Falls while the network learns."""
    return np.mean(loss.decide(outputs) != targets, axis=-1)


def hits(loss, outputs, targets):
    return 1 - misses(loss, outputs, targets)


METRIC = """data: {name: circle, samples: 80, validation_split: 0.25}
model: {hidden: [4]}
learning_rate: 0.05
epochs: 12
early_stopping: {monitor: val_added, patience: 3}
schedule: {reduce_on_plateau: {monitor: val_added, patience: 1}}
tensorboard: {histograms: 0}
"""


@pytest.mark.parametrize(("goal", "function"), [("max", hits), ("min", misses)])
def test_all_agree_on_the_goal_of_a_metric(tmp_path, request, goal, function):
    metric("added", goal, ["classification"], function, f"share of {goal}", standard=True)
    request.addfinalizer(lambda: (METRICS.pop("added"), MEASURES.pop("added")))
    (tmp_path / "base.yaml").write_text(METRIC)
    (tmp_path / "s.yaml").write_text(
        "base: base.yaml\ngrid: {learning_rate: [1e-5, 0.05]}\nmetric: val_added\n"
    )
    session = swept(tmp_path)
    comparison = bpl.sweep.conclude(session)
    better = min if goal == "min" else max

    for trial in comparison.trials:
        (folder,) = [session / run.info.name for run in trial.records]
        table, found = rows(folder), record(folder)
        values = [float(row["added"]) for row in table if row["split"] == "validation"]
        assert found["monitor"] == "val_added"
        assert found["best"]["val_added"] == better(values)
        assert found["best"]["epoch"] == values.index(better(values)) + 1
        for split in ("train", "validation"):
            own = [float(row["added"]) for row in table if row["split"] == split]
            shown = points(folder, split)["epoch_added"]
            assert shown == list(enumerate(np.float32(own).tolist()))
        assert len(values) == stops_after(values, goal, patience=3)
        rates = [rate for _, rate in points(folder, "train")["epoch_learning_rate"]]
        np.testing.assert_allclose(rates, by_plateau(values, rates[0], goal), rtol=1e-6)

    assert (comparison.metric.name, comparison.metric.goal) == ("val_added", goal)
    means = [trial.mean("val_added") for trial in comparison.trials]
    assert means[0] == better(means)
    assert comparison.trials[0].values["learning_rate"] == 0.05
    assert "val_added" in report.ranked_table(comparison).columns
    assert f"validation share of {goal}" in render(comparison)[0]


def stops_after(values, goal, patience):
    """The number of epochs of Keras' early stopping."""
    sign, best, wait = 1 if goal == "min" else -1, math.inf, 0
    for epoch, value in enumerate(values):
        best, wait = (sign * value, 0) if sign * value < best else (best, wait + 1)
        if wait >= patience and epoch > 0:
            return epoch + 1
    return 12


def by_plateau(values, rate, goal):
    """The rate of each epoch under Keras' rule, as our own schedule has it alone."""
    schedule = ReduceOnPlateau(monitor="val_added", patience=1).begin(rate, 10**6)
    rates = []
    for value in values:
        rates.append(schedule(0))
        schedule.epoch({"val_added": value})
    assert goal_of("val_added") == goal
    return rates


def test_a_learner_monitors_what_it_measures(tmp_path, declare):
    """Without a loss: its first measure is the one by which an epoch is the best."""
    declare("hits", "max")
    (tmp_path / "c.yaml").write_text(
        "data: {name: circle, samples: 20}\nlearner: hits\nsteps: 8\nevaluate_every: 1\n"
        "early_stopping: {monitor: val_hits, patience: 2, restore_best_weights: true}\n"
    )
    result = bpl.run(bpl.load(tmp_path / "c.yaml"), tmp_path / "run")
    assert result.progress.stop_reason == "patience_exhausted"
    assert (result.best["epoch"], result.restored_epoch) == (4, 4)
    assert (result.progress.epoch, result.metrics["val_hits"]) == (6, 4.0)
    assert list(rows(tmp_path / "run")[0]) == [*POSITION, "hits", *COUNTS]
    assert points(tmp_path / "run", "validation")["epoch_hits"][-1] == (5, 2.0)
    (tmp_path / "d.yaml").write_text(
        (tmp_path / "c.yaml").read_text().replace("val_hits", "val_loss")
    )
    with pytest.raises(ConfigError, match="'val_loss' is not measured; one of hits, val_hits"):
        build(bpl.load(tmp_path / "d.yaml"))


# --- a key that changes no number


@pytest.fixture
def note():
    """``note``, one more field of Experiment, as one more line of its class would make it."""
    kind = Annotated[str, Role.NO_NUMBER]
    Experiment.model_fields["note"] = FieldInfo.from_annotated_attribute(kind, "")
    Experiment.model_rebuild(force=True)
    yield
    del Experiment.model_fields["note"]
    Experiment.model_rebuild(force=True)


def test_a_key_that_changes_no_number(tmp_path, note):
    """Its role is all that is said of it. What follows:

    its config is saved and read with it; a trial's key and a report leave it out, so that runs
    which differ in it alone are one trial, and it makes no column; the numbers are the same.
    """
    assert "note" in keys(Role.NO_NUMBER)
    assert not {"note"} & (keys(Role.OWN) | keys(Role.LENGTH))
    (tmp_path / "c.yaml").write_text(
        "data: {name: circle, samples: 40}\nmodel: {hidden: [2]}\nepochs: 2\nnote: first\n"
    )
    root = create_session(open_log_root(tmp_path / "runs"))
    runs = {}
    for text, seed in (("first", 1), ("second", 1), ("third", 2)):
        runs[text] = bpl.load(tmp_path / "c.yaml", f"note={text}", f"seed={seed}", f"name={text}")
        bpl.run(runs[text], root / text)
    assert bpl.load(root / "second" / "config.yaml").note == "second"
    assert "note: second\n" in to_yaml(runs["second"])
    assert len({key_of(experiment) for experiment in runs.values()}) == 1
    hashes = {name: record(root / name)["hashes"] for name in runs}
    assert hashes["first"] == hashes["second"] != hashes["third"]

    records, _ = report.read_records(report.chosen_runs(root.parent))
    comparison = report.compare(records)
    (trial,) = comparison.trials
    assert sorted(run.info.name for run in trial.records) == ["first", "second", "third"]
    assert "note" not in report.ranked_table(comparison).columns


def test_without_the_field_the_key_is_unknown(tmp_path):
    (tmp_path / "c.yaml").write_text("data: circle\nnote: first\n")
    with pytest.raises(ConfigError, match="note"):
        bpl.load(tmp_path / "c.yaml")


# --- helpers


class Here(Executor):
    """Runs a job at once, in this process: another one would not know what this file defines."""

    def submit(self, job, *arguments):
        future = Future()
        future.set_result(job(*arguments))
        return future


def swept(folder):
    """The session of the sweep s.yaml in this folder, run in this process."""
    sweep = bpl.sweep.read(folder / "s.yaml")
    workers = Workers(Here(), lambda: 1, (), "here")
    with opened(sweep, folder / "runs", workers) as driver:
        for _ in driver.run():
            pass
    driver.raise_errors()
    return driver.folder.path


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def record(folder):
    return json.loads((folder / "run.json").read_text())


def points(folder, split):
    """(step, value) of every scalar, by tag, as TensorBoard reads them."""
    events = EventAccumulator(str(folder / split), {"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
