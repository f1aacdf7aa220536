"""Trials, their numbers and their ranks; which runs are meant; what was the same between them."""

import json
import shutil
import statistics

import pytest

from backproplab.errors import ConfigError, RunError
from backproplab.report import chosen_runs
from backproplab.report.sameness import sentence
from backproplab.report.trials import value_of
from backproplab.runs import create_session


def test_seeds_are_averaged(write_run, compare):
    values = [0.3, 0.5, 0.4]
    for seed, value in enumerate(values):
        write_run(f"a{seed}", value, seed=seed)
    write_run("b", 0.2, learning_rate=1.0)
    found, warnings = compare()
    assert (found.keys, warnings) == (("learning_rate",), [])
    assert [trial.values["learning_rate"] for trial in found.trials] == [1.0, 0.1]
    last = found.trials[1]
    assert last.mean("val_loss") == pytest.approx(statistics.mean(values))
    assert last.std("val_loss") == pytest.approx(statistics.stdev(values))
    assert last.best_record.info.name == "a0"
    assert found.trials[0].std("val_loss") is None


def test_each_run_is_a_row_when_seeds_are_not_grouped(write_run, compare):
    for seed in range(3):
        write_run(f"a{seed}", 0.1 + seed, seed=seed)
    found, _ = compare(group_seeds=False)
    assert found.keys == ("seed",)
    assert [trial.values["seed"] for trial in found.trials] == [0, 1, 2]


def test_name_tensorboard_and_engine_make_no_trial(write_run, compare):
    folder = write_run("a", 0.1, seed=1)
    write_run("b", 0.2)
    path = folder / "config.yaml"
    path.write_text(
        path.read_text()
        .replace("engine: auto", "engine: eager")
        .replace("histograms: 0", "histograms: 5")
    )
    found, _ = compare()
    assert (len(found.trials), found.keys) == (1, ())


def test_what_did_not_end_well_is_a_row_behind_what_did(write_run, compare):
    statuses = {
        "completed": 5.0,
        "diverged": None,
        "failed": None,
        "interrupted": 0.1,
        "running": None,
    }
    for rate, (status, value) in enumerate(statuses.items(), start=1):
        write_run(status, value, status=status, learning_rate=rate)
    for seed in range(5):  # better than all, but two of five diverged
        diverged = seed < 2
        write_run(
            f"s{seed}",
            None if diverged else 0.01,
            seed=seed,
            learning_rate=9,
            status="diverged" if diverged else "completed",
        )
    found, _ = compare()
    statuses = [trial.status for trial in found.trials]
    assert statuses[:2] == ["completed", "diverged 2/5"]
    assert statuses[2:] == [
        "interrupted",
        "diverged",
        "failed",
        "interrupted",
    ]  # nobody holds it: it was killed
    assert found.trials[1].numbers("val_loss") == [0.01] * 3


def test_an_unreadable_run_is_a_row_and_a_warning(write_run, compare):
    write_run("good", 0.1)
    (write_run("bad", 0.2, learning_rate=7) / "run.json").write_text("{")
    (write_run("worse", 0.3) / "config.yaml").write_text("a: [")
    found, warnings = compare()
    assert [trial.status for trial in found.trials] == ["completed", "completed", "unreadable"]
    assert found.keys == ("learning_rate",)
    assert len(warnings) == 2
    assert "bad/run.json: damaged" in warnings[1] + warnings[0]
    assert "worse/config.yaml" in warnings[1] + warnings[0]


def test_the_metric_and_its_goal(write_run, compare):
    write_run(
        "a",
        0.1,
        metrics={"val_accuracy": 0.5, "val_loss": 0.1, "test_r2": 0.9},
        best={"val_loss": 0.05, "epoch": 1},
    )
    assert (compare()[0].metric.name, compare()[0].metric.goal) == ("val_loss", "min")
    for name, goal in {"val_accuracy": "max", "test_r2": "max", "val_loss": "min"}.items():
        assert compare(metric=name)[0].metric.goal == goal
    assert compare(metric="val_loss", goal="max")[0].metric.goal == "max"
    record = compare()[0].records[0]
    assert value_of(record, "val_loss") == 0.05  # of the best epoch
    assert value_of(record, "val_loss", "last") == 0.1
    assert value_of(record, "test_r2") == 0.9  # measured once


def test_without_validation_the_loss_ranks(write_run, compare):
    write_run("a", metrics={"loss": 0.2})
    assert compare()[0].metric.name == "loss"


def test_a_metric_that_was_not_measured(write_run, compare):
    write_run("a", 0.1)
    with pytest.raises(
        ConfigError,
        match="was not measured; one of loss, val_loss, val_accuracy — did you mean 'val_loss'",
    ):
        compare(metric="val_los")


def sweep(session, **more):
    trials = [{"number": 0, "label": "first", "values": {"learning_rate": 1}, "runs": ["a", "b"]}]
    text = json.dumps(
        {
            "name": "s",
            "metric": {"name": "val_accuracy", "goal": "maximize", "at": "last"},
            "trials": trials,
        }
        | more
    )
    (session / "sweep.json").write_text(text)


def test_a_sweep_says_its_trials_and_its_metric(session, write_run, compare):
    write_run("a", 0.1, learning_rate=1)
    write_run("b", 0.2, learning_rate=1, optimizer="adam")  # a trial by the word of the sweep
    sweep(session)
    found, warnings = compare()
    assert (len(found.trials), warnings) == (1, [])
    assert vars(found.metric) == {"name": "val_accuracy", "goal": "max", "at": "last"}


@pytest.mark.parametrize(
    "more",
    [
        {"trials": 5},
        {"trials": [{"number": 1}]},
        {"trials": [{"number": "x", "label": "", "runs": ["a"]}]},
    ],
)
def test_a_damaged_sweep_is_grouped_by_config(session, write_run, compare, more):
    write_run("a", 0.1)
    sweep(session, **more)
    found, warnings = compare()
    assert len(found.trials) == 1
    assert "sweep.json: damaged" in warnings[0]


def test_which_runs_are_meant(root, session, write_run):
    write_run("a", 0.1)
    write_run("b", 0.1, seed=1)
    newer = create_session(root)
    write_run("c", 0.1, session=newer)
    names = lambda *words: [run.name for run in chosen_runs(root, words)]
    assert names() == ["c"]
    assert names(session.name) == names(str(session)) == names(f"{session}/") == ["a", "b"]
    assert names("latest", "a", str(session / "a")) == ["c", "a"]
    assert names("1", newer.name) == ["c"]
    with pytest.raises(RunError, match="no run 'zzz'"):
        chosen_runs(root, ["zzz"])


def test_no_runs(root):
    with pytest.raises(RunError, match="there are no runs — train one first"):
        chosen_runs(root)


# (seed, hashes, more) of each run, what is said
SAME = {
    "all": ([(0, "dio", {}), (0, "dio", {})], "same data ✓, same initial weights ✓, same batch order ✓"),
    "per seed": (
        [(0, "dio", {}), (0, "dio", {}), (1, "dab", {}), (1, "dab", {})],
        "same data ✓, same initial weights per seed ✓, same batch order per seed ✓",
    ),
    "other seeds prove nothing": (
        [(0, "dio", {}), (1, "dab", {})],
        "same data ✓, different initial weights (other seeds), different batch order (other seeds)",
    ),
    "different": ([(0, "dio", {}), (0, "eix", {})], "different data ✗, same initial weights ✓, different batch order ✗"),
    "what must differ is no fault": (
        [(0, "dio", {}), (0, "dxo", {"activation": "tanh"})],
        "same data ✓, different initial weights (other model), same batch order ✓",
    ),
    "other lengths": (
        [(0, "dio", {"epochs": 1}), (0, "dix", {})],
        "same data ✓, same initial weights ✓, batch order not comparable (other numbers of epochs)",
    ),
    "unfinished": ([(0, "dio", {"status": "diverged"}), (0, "dix", {})], "same data ✓, same initial weights ✓, batch order unknown"),
    "unknown": ([(0, "", {}), (0, "", {})], "data unknown, initial weights unknown, batch order unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_what_was_the_same(write_run, compare, case):
    runs, text = SAME[case]
    for number, (seed, hashes, more) in enumerate(runs):
        named = dict(zip(("data", "init", "batch_order"), hashes, strict=False))
        write_run(f"r{number}", 0.1, seed=seed, hashes=named, **more)
    assert sentence(compare()[0].records) == text


def test_trials_of_which_runs_are_missing_come_after_the_whole_ones(session, write_run, compare):
    """One lucky seed of two is no better than two."""
    for name, loss, rate in [("a0", 0.1, 1), ("b0", 0.2, 2), ("b1", 0.3, 2)]:
        write_run(name, loss, learning_rate=rate, seed=int(name[1]))
    trials = [
        {
            "number": at,
            "label": name,
            "values": {"learning_rate": 1},
            "runs": [f"{name}0", f"{name}1"],
        }
        for at, name in enumerate("ab")
    ]
    sweep(session, trials=trials, metric={})
    found, _ = compare()
    assert [(t.records[0].info.name, t.status) for t in found.trials] == [
        ("b0", "completed"),
        ("a0", "missing 1/2"),
    ]


def test_a_trial_one_of_whose_runs_was_pruned_is_judged_by_all_as_the_pruner_did(
    write_run, compare
):
    write_run("a0", 0.1, seed=0, epochs=2)
    write_run("a1", 0.9, seed=1, status="pruned")
    write_run("b0", 0.3, seed=0, learning_rate=2, status="pruned")
    write_run("b1", 0.3, seed=1, learning_rate=2, status="pruned")
    found, _ = compare()
    assert [(t.mean("val_loss"), t.status) for t in found.trials] == [
        (0.3, "pruned"),
        (0.5, "pruned 1/2"),
    ]


def test_equal_trials_stand_in_the_order_of_the_sweep_not_of_the_clock(session, write_run, compare):
    trials = []
    for number in (2, 0, 1):  # as they happened to end
        for seed in (1, 0):
            write_run(f"r{number}-{seed}", 0.5, learning_rate=number + 1, seed=seed)
    for number in (0, 1, 2):
        runs = [f"r{number}-0", f"r{number}-1"]
        trials.append({"number": number, "label": "", "values": {}, "runs": runs})
    sweep(session, trials=trials, metric={})
    found, _ = compare()
    assert [trial.best_record.info.name for trial in found.trials] == ["r0-0", "r1-0", "r2-0"]


def test_the_best_epoch_is_that_of_the_metric(write_run, compare):
    rows = ["1,train,9", "1,validation,1", "2,train,5", "2,validation,3"]
    write_run("a", 1.0, rows=rows, monitor="val_loss", best={"epoch": 1, "loss": 9, "val_loss": 1})
    write_run("b", 1.0, learning_rate=2)
    assert compare(metric="val_loss")[0].trials[0].mean("loss") == 9
    found = compare(metric="loss")[0]
    (trial,) = (t for t in found.trials if t.records[0].info.name == "a")
    assert trial.mean("loss") == 5


def test_one_config_in_sessions_of_one_name_in_two_roots_is_one_trial(
    root, session, write_run, compare, tmp_path
):
    write_run("a", 0.1)
    sweep(session, metric={})
    other = tmp_path / "other" / session.name
    shutil.copytree(session, other)
    found, _ = compare(str(session), str(other))
    assert [len(trial.records) for trial in found.trials] == [2]
    assert len(found.trials[0].counted) == 1  # the same seed twice is one sample
