"""An objective in place of data: its path is that of ``descend``, and it is a run like any other."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import backproplab as bpl
from backproplab.config import Experiment
from backproplab.descend.path import Setting, descend
from backproplab.diagnosis import verdict
from backproplab.errors import ConfigError, RunError
from backproplab.experiment.crew import shape_of, train_slice
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.formulas import NAMED, Objective
from backproplab.learners import Learner
from backproplab.loop import Pace
from backproplab.optim import Optimizer
from backproplab.optim.schedules import Cosine
from tests.stopping import StopAt

ROOT = Path(__file__).parent.parent / "configs" / "objectives"
STEPS = 20
ABLE = sorted(n for n, m in Learner.members.items() if {"model", "loss"} <= set(m().uses))
FIRST_ORDER = sorted(n for n, m in Optimizer.members.items() if not m.second_order and n != "lbfgs")


def experiment_of(function="rosenbrock", **more):
    objective = {"function": function, **more.pop("objective", {})}
    tree = {"objective": objective, "optimizer": "sgd", "learning_rate": 0.001, "steps": STEPS}
    tree |= {"tensorboard": "off"} if "tensorboard" in more and not more["tensorboard"] else {}
    return Experiment.model_validate(tree | more)


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def column(folder, name):
    return np.array([float(row[name]) for row in rows(folder)])


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_its_path_is_that_of_descend_to_the_last_bit(name, tmp_path):
    optimizer = Optimizer.parse(name)
    made = experiment_of(optimizer=optimizer, schedule="cosine")
    bpl.run(made, tmp_path)
    setting = Setting((-1.2, 1.0), optimizer, 0.001, Cosine())
    path = descend(Objective(NAMED["rosenbrock"].formula), setting, STEPS, 1e-9, [])
    assert np.array_equal(column(tmp_path, "x"), path.points[1:, 0])
    assert np.array_equal(column(tmp_path, "y"), path.points[1:, 1])
    assert np.array_equal(column(tmp_path, "f"), path.values[1:])
    assert column(tmp_path, "loss") == pytest.approx(path.values[1:], rel=1e-12)
    norms = np.linalg.norm(path.slopes[1:], axis=1)
    assert column(tmp_path, "gradient_norm") == pytest.approx(norms, rel=1e-15)


@pytest.mark.parametrize("name", ABLE)
def test_every_learner_that_needs_a_loss_only_descends_it_and_resumes_to_the_same_bytes(
    name, tmp_path, saved
):
    learner = Learner.members[name]()
    unused = {key: None for key in ("optimizer", "learning_rate") if key not in learner.uses}
    made = experiment_of("himmelblau", learner=learner, **unused)
    bpl.run(made, tmp_path / "whole", [StopAt(0)])
    losses = column(tmp_path / "whole", "loss")
    assert losses[-1] < 170  # f of the start
    stopped = bpl.run(made, tmp_path / "stopped", [StopAt(7)])
    assert stopped.progress.step == 7
    bpl.resume(tmp_path / "stopped", callbacks=[StopAt(0)])
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    assert saved(tmp_path / "stopped") == saved(tmp_path / "whole")


@pytest.mark.parametrize("name", sorted(Learner.members.keys() - set(ABLE)))
def test_a_learner_that_needs_examples_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs examples, an objective has none; one of"):
        experiment_of(learner=name, optimizer=None, learning_rate=None)


def test_numeric_gradients_take_the_same_path(tmp_path):
    bpl.run(experiment_of(), tmp_path / "exact")
    numeric = {"gradient_descent": {"gradient": "numeric"}}
    bpl.run(experiment_of(learner=numeric), tmp_path / "numeric")
    for name in ("x", "y", "f"):
        exact = column(tmp_path / "exact", name)
        assert column(tmp_path / "numeric", name) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize(("optimizer", "most"), [("newton", 10), ("lbfgs", 99)])
def test_second_order_needs_few_steps(optimizer, most, tmp_path):
    ended = bpl.run(experiment_of(optimizer=optimizer, learning_rate=1, steps=100), tmp_path)
    assert ended.progress.stop_reason == "converged"
    assert ended.progress.step <= most
    assert column(tmp_path, "x")[-1] == pytest.approx(1, abs=1e-6)


def test_it_ends_where_the_gradient_is_small(tmp_path):
    made = experiment_of("(x - 3)**2", objective={"start": {"x": 0}}, learning_rate=0.4, steps=100)
    ended = bpl.run(made, tmp_path)
    assert ended.progress.stop_reason == "converged"
    norms = column(tmp_path, "gradient_norm")
    assert norms == pytest.approx([6 * 0.2**n for n in range(1, len(norms) + 1)], rel=1e-6)
    assert norms[-1] <= 1e-6 < norms[-2]
    objective = {"start": {"x": 0}, "tolerance": "off"}
    config = tmp_path / "off.yaml"
    config.write_text(json.dumps({"objective": {"function": "(x - 3)**2", **objective},
                                  "optimizer": "sgd", "learning_rate": 0.4, "steps": 30}))  # fmt: skip
    assert bpl.run(bpl.load(config), tmp_path / "off").progress.step == 30


def test_what_is_maximized_climbs(tmp_path):
    objective = {"start": {"x": 3}, "maximize": True}
    bpl.run(experiment_of("5 - x**2", objective=objective, learning_rate=0.1), tmp_path)
    f = column(tmp_path, "f")
    assert all(a < b for a, b in pairwise(f))
    assert np.array_equal(f, -column(tmp_path, "loss"))


def test_variables_f_and_the_gradient_s_norm_are_scalars_of_tensorboard(tmp_path):
    bpl.run(experiment_of(), tmp_path)
    events = EventAccumulator(str(tmp_path / "train"), {"scalars": 0}).Reload()
    for name in ("x", "y", "f", "gradient_norm"):
        logged = [event.value for event in events.Scalars(f"epoch_{name}")]
        assert logged == pytest.approx(column(tmp_path, name), rel=1e-6)


def test_a_crew_s_members_are_what_they_would_be_alone(tmp_path):
    members = [experiment_of(learning_rate=rate) for rate in (0.001, 0.0005, 0.0001)]
    assert len({shape_of(member) for member in members}) == 1
    together = [MemoryFolder() for _ in members]
    train_slice(members, together, [None] * 3, Pace())
    for n, member in enumerate(members):
        train_slice([member], [DiskFolder(tmp_path / str(n))], [None], Pace())
        table = (tmp_path / str(n) / "metrics.csv").read_bytes()
        assert together[n].read("metrics.csv") == table


def test_float32_is_replayed_and_stays_float32(tmp_path):
    bpl.run(
        experiment_of("exp(2)*x**2 + 0.1", objective={"start": {"x": 1}}, dtype="float32"), tmp_path
    )
    record = json.loads((tmp_path / "run.json").read_text())
    assert not record["not_replayed"]
    assert np.float32(column(tmp_path, "x")[-1]) == column(tmp_path, "x")[-1]


def test_a_saved_config_gives_the_objective_back(tmp_path):
    made = experiment_of("x**2", objective={"start": {"x": 2}})
    bpl.run(made, tmp_path)
    again = bpl.load(tmp_path / "config.yaml")
    assert again.objective == made.objective
    assert "data" not in (tmp_path / "config.yaml").read_text()


WRONG = {
    "no start": ("x**2 + z", {"start": {"x": 1}}, "no start for z — add start: {z: 1}"),
    "misspelt": ("rosenbrok", {}, "did you mean 'rosenbrock'"),
    "spare": ("x**2", {"start": {"x": 1, "y": 1}}, "'y' is no variable of the function: x"),
    "vector": ("sum([x, y])", {"start": {"x": 1, "y": 1}}, "lists and functions of vectors"),
    "constant": ("1 + 1", {}, "is a constant: it has no variable to change"),
    "column": ("loss**2", {"start": {"loss": 1}}, "a variable cannot be called loss"),
    "split": ("val_x**2", {"start": {"val_x": 1}}, "a variable cannot be called val_x"),
    "hostile": ("__import__('os')", {}, "is not allowed"),
    "many": ("+".join(f"x{n}" for n in range(21)), {}, "21 variables, at most 20"),
    "tolerance": ("x**2", {"start": {"x": 1}, "tolerance": -1}, "greater than or equal to 0"),
    "infinite": ("x**2", {"start": {"x": np.inf}}, "finite number"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_fault_is_named(case):
    function, more, message = WRONG[case]
    with pytest.raises(ValueError, match="objective") as fault:
        experiment_of(function, objective=more)
    assert message in str(fault.value)


@pytest.mark.parametrize("key", ["data: circle", "model: {hidden: [3]}", "loss: mse"])
def test_what_it_replaces_is_refused_with_its_line(key, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(f"objective: {{function: rosenbrock}}\n{key}\n")
    with pytest.raises(ConfigError, match=rf"c\.yaml:2:\d: {key[:4]}.* — remove it") as fault:
        bpl.load(config)
    assert len(fault.value.problems) == 1
    assert bpl.load(config, f"{key.partition(':')[0]}=null").objective


def test_without_either_the_data_are_missing(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("objective: off\nepochs: 3\n")
    with pytest.raises(ConfigError, match="data is missing"):
        bpl.load(config)


@pytest.mark.slow
def test_reports_and_predictions_know_that_there_are_no_data(tmp_path, monkeypatch):
    from backproplab.cli import main  # as a user types it

    monkeypatch.chdir(tmp_path)
    sweep = bpl.sweep.read(ROOT / "two_minima.yaml", ["steps=300"])
    session = bpl.sweep.run(sweep, tmp_path / "runs", executor="local:1")
    monkeypatch.setattr("sys.argv", ["backproplab", "report", str(session)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    page = next(tmp_path.glob("report-*.html")).read_text()
    assert "5 runs on two_minima: 5 completed" in page
    assert "more epochs would help" not in page  # each ended where the gradient is small
    run = next(session.glob("*/run.json")).parent
    with pytest.raises(RunError, match="an objective predicts nothing"):
        bpl.model(run)
    assert verdict(run).word == "descended"
