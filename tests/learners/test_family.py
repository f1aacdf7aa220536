"""What every learner of the registry keeps, so that a new one is found by itself.

Twice with one seed, stopped anywhere, killed, and in whatever stretches its steps are done: the same
bytes. A key without use is refused with its line. A layer or a word that it needs is in NEEDS.
"""

import json
import math
import random
import shlex
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import backproplab as bpl
from backproplab.cli import render
from backproplab.config import Experiment
from backproplab.config.experiment import BATCHED, SOMETIMES
from backproplab.diagnosis import verdict
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.learners import Baseline, Learner, NoBrake, Span
from backproplab.registry import families
from backproplab.text import counted
from tests.stopping import StopAt

LEARNERS = {  # and none that another test has made
    name: learner()
    for name, learner in families()["learner"].items()
    if learner.__module__.startswith("backproplab.")
}
LEARNERS["kernel_regression_empirical"] = Learner.parse(
    {"kernel_regression": {"kernel": "empirical", "time": 40.0}}
)
STEPS = 23
BOLTZMANN = {"contrastive_divergence": {"hidden": 6, "k": 2, "persistent": True}}
# what a learner cannot do without, beside the data, the model and the steps
NEEDS = {
    "contrastive_divergence": {
        "data": {"name": "bars_and_stripes", "side": 5, "validation_split": 0.2},
        "learner": BOLTZMANN,
    },
    "gradient_flow": {"learner": {"gradient_flow": {"until": 1e4}}},
    "random_forest": {"learner": {"random_forest": {"trees": 3}}},
    "gradient_boosting": {"learner": {"gradient_boosting": {"iterations": 2}}},
}
# forward passes of all steps, of learners whose steps need none
LEAST_PASSES = {"kernel_regression": 0, "kernel_regression_empirical": 1}
LEAST_PASSES |= dict.fromkeys(Baseline.members, 0)
SEEDLESS = {"majority"}  # the shares of the classes are those of any stratified split
# examples of such a run, for one that takes no circle
LARGER = {"contrastive_divergence": {"name": "bars_and_stripes", "side": 9}}
# steps of a run that lasts a few seconds
LONG = {"random_guess": 100_000, "gradient_descent": 40_000, "score_matching": 40_000}
# a value of each key that only some learners use, in YAML
LINES = {
    "model": "{hidden: [3]}", "loss": "mse", "optimizer": "sgd", "learning_rate": "0.1",
    "schedule": "cosine", "clipping": "{value: 1}", "epochs": "3", "batch_mode": "batch",
    "batch_size": "8", "accumulate": "2", "metrics": "[accuracy]", "freeze": "[dense_1]",
    "init_from": json.dumps({"run": "/", "sha256": "0" * 64}), "trajectory": "2",
}  # fmt: skip


def tree(name, **more):
    """The config of a short run: a few evaluations, the last of a stretch of its own length."""
    learner = LEARNERS[name]
    found = {
        "name": name,
        "data": {"name": "circle", "samples": 60, "validation_split": 0.2},
        "learner": learner.describe(),
        "steps": STEPS,
        "threads": 1,
        "tensorboard": {"telemetry": False, "histograms": 0, "images": False},
    }
    found |= {"epochs": 100, "batch_size": 4} if learner.batches else {"evaluate_every": 5}
    found |= {"model": {"hidden": [4], "activation": "tanh"}} if "model" in learner.uses else {}
    return found | NEEDS.get(name, {}) | more


def experiment_of(name, **more):
    return Experiment.model_validate(tree(name, **more))


@pytest.fixture
def written(saved):
    """Everything that a run has left, without its times and its own names."""

    def written(folder):
        record = json.loads((folder / "run.json").read_text())
        own = ("id", "started", "seconds", "argv", "pid", "git", "resumed", "verdict")
        kept = {key: value for key, value in record.items() if key not in own}
        table = (folder / "metrics.csv").read_bytes()
        return kept, saved(folder), table, points(folder / "train"), points(folder / "validation")

    return written


def points(folder):
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture(scope="module", params=LEARNERS)
def whole(request, tmp_path_factory):
    """(name, folder) of a run in one go."""
    folder = tmp_path_factory.mktemp("family") / "whole"
    bpl.run(experiment_of(request.param), folder, [StopAt(0)])
    return request.param, folder


def test_twice_with_one_seed_the_same_bytes_and_with_another_seed_others(whole, tmp_path, written):
    name, folder = whole
    bpl.run(experiment_of(name), tmp_path / "again", [StopAt(0)])
    assert written(tmp_path / "again") == written(folder)
    bpl.run(experiment_of(name, seed=1), tmp_path / "other")
    hashes = [
        json.loads((f / "run.json").read_text())["hashes"] for f in (folder, tmp_path / "other")
    ]
    assert name in SEEDLESS or hashes[0]["weights"] != hashes[1]["weights"]


def test_stopped_anywhere_and_resumed_it_leaves_the_same_bytes(whole, tmp_path, written):
    name, folder = whole
    for step in (1, 5, 12, 22):
        place = tmp_path / str(step)
        stopped = bpl.run(experiment_of(name), place, [StopAt(step)])
        assert (stopped.status, stopped.progress.step) == ("interrupted", step)
        bpl.resume(place, callbacks=[StopAt(0)])
        assert written(place) == written(folder)


def test_its_record_counts_steps_and_passes(whole):
    name, folder = whole
    record = json.loads((folder / "run.json").read_text())
    assert record["steps"] == STEPS
    assert record["unit"] == ("" if LEARNERS[name].batches else LEARNERS[name].unit)
    assert record["forward_passes"] >= LEAST_PASSES.get(name, STEPS)
    ends = [math.inf if value is None else value for value in record["metrics"].values()]
    assert name == "random_forest" or np.isfinite(ends).all()  # few trees are sure of a class
    columns = (folder / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {measure.name for measure in LEARNERS[name].declares} <= set(columns)


def test_what_its_diagnosis_says_to_try_is_a_config_of_it(whole):
    name, folder = whole
    found = verdict(folder)
    assert found.word
    for finding in found.findings:
        keys = [word for word in shlex.split(finding.command)[2:] if "=" in word]
        assert bpl.load(folder / "config.yaml", *keys).learner.name == LEARNERS[name].name


class Impatient(NoBrake):
    """Ends the step under way at the nth time that it is asked within one."""

    def __init__(self, asked):
        self.asked = asked

    def within_step(self):
        self.asked -= 1
        return self.asked < 0


def advanced(learning, parts, start, steps, brake):
    if not parts.experiment.learner.batches:
        return learning.advance(Span(start, steps), {}, brake)
    order = parts.order()
    rows = order.upcoming(12)[start * order.length :]
    return learning.advance(Span(start, steps, rows, order.length), {}, brake)


def position(learning):
    arrays, state = learning.state()
    return {name: x.tobytes() for name, x in arrays.items()}, json.dumps(state, allow_nan=False)


@pytest.mark.parametrize("name", LEARNERS)
def test_steps_do_not_depend_on_the_stretches_in_which_they_are_done(name):
    parts, found = build(experiment_of(name)), []
    for stretches in ([12], [1] * 12, [5, 7]):
        learning, start, scalars, passes = (
            parts.experiment.learner.begin(parts.material),
            0,
            {},
            None,
        )
        for steps in stretches:
            made = advanced(learning, parts, start, steps, NoBrake())
            took = learning.passes(made.done, 0)
            passes = took if passes is None else passes + took
            for tag, (at, values) in made.scalars.items():
                known = scalars.setdefault(tag, ([], []))
                known[0].extend(at)
                known[1].extend(values)
            start += made.done
        assert start == 12
        found.append((position(learning), scalars, passes))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_step_is_whole_or_did_not_happen(name):
    """A signal within a step: as if the step had not begun."""
    parts = build(experiment_of(name))
    for asked in range(4):
        learning = parts.experiment.learner.begin(parts.material)
        assert advanced(learning, parts, 0, 3, NoBrake()).done == 3
        before = position(learning)
        if advanced(learning, parts, 3, 1, Impatient(asked)).done:
            break  # it asks less often, or never
        assert position(learning) == before


@pytest.mark.parametrize("name", LEARNERS)
def test_what_moves_is_in_its_state(name):
    """Another Learning that is given it does the same steps."""
    parts = build(experiment_of(name))
    one, other = (parts.experiment.learner.begin(parts.material) for _ in range(2))
    advanced(one, parts, 0, 5, NoBrake())
    arrays, state = one.state()
    other.restore({n: x.copy() for n, x in arrays.items()}, json.loads(json.dumps(state)))
    for learning in (one, other):
        advanced(learning, parts, 5, 5, NoBrake())
    assert position(one) == position(other)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_key_that_it_has_no_use_for_is_refused_with_its_line(name, tmp_path):
    learner = LEARNERS[name]
    used = learner.uses | ({"trajectory"} if "model" in learner.uses else set())
    unused = sorted(SOMETIMES - used - (BATCHED if learner.batches else set()))
    base = "".join(f"{key}: {json.dumps(value)}\n" for key, value in tree(name).items())
    lines = [f"{key}: {LINES[key]}\n" for key in unused]
    (tmp_path / "c.yaml").write_text(base + "".join(lines))
    first = base.count("\n") + 1
    if not unused:
        bpl.load(tmp_path / "c.yaml")
        return
    with pytest.raises(ConfigError) as refused:
        bpl.load(tmp_path / "c.yaml")
    problems = refused.value.problems
    for at, (key, problem) in enumerate(zip(unused, problems, strict=True), start=first):
        assert problem.where.startswith(f"{tmp_path / 'c.yaml'}:{at}:")
        assert problem.what == f"{key}: the learner {learner.name} has no use for it"
    assert {problem.hint for problem in problems[:-1]} <= {"remove it"}
    unset = problems[-1].hint.removeprefix("remove it, or append ").split()
    assert sorted(unset) == [f"{key}=null" for key in unused]
    loaded = bpl.load(tmp_path / "c.yaml", *unset)
    assert loaded == experiment_of(name)
    for key in unused:
        bpl.load(tmp_path / "c.yaml", *unset, f"{key}=null")


@pytest.mark.parametrize("name", LEARNERS)
def test_lines_and_tables_count_in_its_unit(name, tmp_path, capsys):
    experiment = experiment_of(name)
    learner = experiment.learner
    result = bpl.run(experiment, tmp_path / "runs" / "session" / name)
    parts = build(experiment)
    place = parts.length.place(result.progress.epoch, STEPS)
    assert place == (
        f"epoch   2/{parts.length.epochs}" if learner.batches else f"{learner.unit} 23/23"
    )
    render.summary([result], [None], tmp_path, tmp_path, {})
    text = capsys.readouterr().out
    assert f"{learner.stretch}s 1 to {result.progress.epoch}" in text
    whole = f"{STEPS} of {counted(STEPS, learner.unit)} · "
    assert ("2 of 100 epochs (max steps) · " if learner.batches else whole) in text


@pytest.mark.parametrize("name", LEARNERS)
def test_its_unit_has_a_plural(name):
    word = LEARNERS[name].unit
    assert counted(1, word) == f"1 {word}"
    assert counted(2, word) in (f"2 {word}s", f"2 {word}es")
    assert not counted(2, word).endswith("sss")


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_killed_at_random_moments_and_resumed_it_leaves_the_same_bytes(name, tmp_path, written):
    """SIGKILL while the command trains, three times."""
    data = LARGER.get(name, {"name": "circle", "samples": 1000}) | {"validation_split": 0.2}
    long = {"data": data, "steps": LONG.get(name, 3000)}
    long |= {"epochs": 1000} if LEARNERS[name].batches else {"evaluate_every": 100}
    (tmp_path / "c.yaml").write_text(json.dumps(tree(name, **long)))
    bpl.run(bpl.load(tmp_path / "c.yaml"), tmp_path / "whole")
    chance, kills = random.Random(name), 0
    command = [sys.executable, "-m", "backproplab"]
    words = ["train", "c.yaml"]
    for _ in range(3):
        kills += killed([*command, *words, "--log-dir", "runs"], tmp_path, chance)
        words = ["resume", "latest"]
    again = [*command, *words, "--log-dir", "runs"]
    done = subprocess.run(again, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert kills
    (record,) = (tmp_path / "runs").glob("[!.]*/*/run.json")
    assert written(record.parent) == written(tmp_path / "whole")


def killed(command, folder, chance):
    """Run a command until its run has measured an epoch, and a little longer; whether that was
    before its end."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    sizes = lambda: sum(p.stat().st_size for p in folder.glob("runs/[!.]*/*/metrics.csv"))
    before = sizes()
    with subprocess.Popen(command, cwd=folder, **quiet) as process:
        while process.poll() is None and sizes() <= before:
            time.sleep(0.005)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 0.4))
        alive = process.poll() is None
        process.kill()
    return alive
