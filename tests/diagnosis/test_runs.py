"""Real runs: the known faulty configs, the healthy ones, what each is told to try; odd runs."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import backproplab as bpl
from backproplab.config import Experiment, load
from backproplab.diagnosis import Case, diagnose
from backproplab.errors import ConfigError
from backproplab.experiment import build, run
from backproplab.learners import Learner, Learning

CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())
FAULTY = [case for case in CASES if case["expect"]]
HEALTHY = [case for case in CASES if not case["expect"]]
CONFIGS = Path(__file__).parents[2] / "configs"
OLD = Path(__file__).parents[1] / "reference" / "made_by_0.1" / "old"


def grave(diagnosis):
    return [x.rule for x in diagnosis.findings if x.level in ("alarm", "warning")]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 42])
@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case["case"])
def test_a_faulty_config_is_named(trained, case, seed):
    """All known faulty configs, two seeds; benchmarks.diagnosis known: five."""
    found = diagnose(Case(trained(case["config"] | {"seed": seed})))
    assert {x.rule for x in found.findings} & set(case["expect"])
    assert found.cause is None or found.cause.rule in case["expect"], "a false cause"


def test_all_22_faulty_configs_are_there_and_6_healthy_ones():
    assert [case["case"] for case in FAULTY] == [str(number) for number in range(1, 23)]
    assert [case["case"] for case in HEALTHY] == [f"H{number}" for number in range(1, 7)]


def test_config_18_is_refused_in_words_that_name_its_fault_and_its_cure():
    """One example at a time before a batch norm; what the refusal says to type is silent."""
    (case,) = (case for case in CASES if "refused" in case)
    config = {k: x for k, x in case["config"].items() if k != "batch_size"} | case["refused"]
    with pytest.raises(ConfigError) as refusal:
        build(Experiment.model_validate(config))
    (problem,) = refusal.value.problems
    assert problem.what == (
        "model.layers.1: with 1 example at a time batch_norm_1 normalizes a batch of one value "
        "per feature to 0"
    )
    assert problem.hint.startswith("set batch_mode=minibatch and a larger batch_size")


@pytest.mark.slow
@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case["case"])
def test_a_healthy_config_is_silent(trained, case):
    assert not grave(diagnose(Case(trained(case["config"]))))


# What a config demonstrates: what must be said of it, and nothing else.
DEMONSTRATED = {
    "playground/circle_linear": {"D1", "D10"},
    "playground/xor_linear": {"D1", "D10"},
    "diabetes_ols": {"D11"},  # targets in their own units, as least squares has them
    "linear_regression": {"D11"},
    "saturation": {"D6"},  # its output is saturated from the start, whatever the loss
}


@pytest.fixture(scope="module")
def fewer(tmp_path_factory):
    """Fashion-MNIST with 6 000 training images and 1 000 test images, for $BACKPROPLAB_DATA; the
    whole runs are measured by python -m benchmarks.diagnosis shipped."""
    raw = load(CONFIGS / "fashion_mnist.yaml").data.read(np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("data") / "fashion_mnist"
    folder.mkdir()
    for part, examples, count in (("train", raw.examples, 6000), ("t10k", raw.test, 1000)):
        images = examples.inputs[:count].reshape(-1, 28, 28)
        arrays = {"images-idx3": images, "labels-idx1": examples.targets[:count]}
        for name, array in arrays.items():
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKPROPLAB_DATA", str(folder.parent))
        yield


def shipped(sweeps=False):
    """The configs by their path in configs/: those of one run each, or all."""
    found = {
        str(p.relative_to(CONFIGS).with_suffix("")): p for p in sorted(CONFIGS.rglob("*.yaml"))
    }
    keys = {name: yaml.safe_load(path.read_text()).keys() for name, path in found.items()}
    return {name: path for name, path in found.items() if sweeps or "base" not in keys[name]}


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_a_shipped_config_is_silent_or_shows_its_fault(tmp_path, fewer, name):
    found = diagnose(Case(run(load(shipped()[name]), tmp_path / "run").folder))
    assert {*grave(found)} == DEMONSTRATED.get(name, set())


# What a sweep shows: what must be said of some of its runs, from their files alone.
SHOWN = {
    "hw3/depth_digits": {"D1"}, "hw3/initializers_digits": {"D1"}, "glorot/training": {"D1"},
    "hw3/learning_rates_digits": {"D2"}, "hw3/optimizers_digits": {"D3"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*shipped(True)} - {*shipped()}))
def test_the_best_trial_of_a_shipped_sweep_is_silent(tmp_path, fewer, name):
    """One seed. Its other trials show what the sweep is about."""
    sweep = bpl.sweep.read(shipped(True)[name], [], {"seeds": 1})
    session = bpl.sweep.run(sweep, tmp_path)
    comparison = bpl.sweep.conclude(session)
    best = diagnose(Case(comparison.trials[0].records[0].info.folder))
    assert {*grave(best)} == DEMONSTRATED.get(name, set())
    said = {rule for record in comparison.records for rule in grave(record.diagnosis)}
    assert said >= SHOWN.get(name, set())


@pytest.mark.slow
@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case["case"])
def test_what_it_says_to_try_mends_it(trained, case, tmp_path, monkeypatch):
    """Typed as it is printed, the command ends with 0, and what it was to mend is gone."""
    from backproplab.cli import main

    before = diagnose(Case(trained(case["config"])))
    told = before.cause or next(x for x in before.findings if x.rule in case["expect"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [*shlex.split(told.command), "--progress", "none"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, told.command
    (folder,) = (tmp_path / "runs").glob("*/experiment")
    after = diagnose(Case(folder))
    assert told.rule not in grave(after)
    if before.outcome.rule:
        assert after.outcome.rule != before.outcome.rule


SMALL = {"data": {"name": "circle", "samples": 80}, "model": {"hidden": [6]}, "epochs": 6}
UNHELD = {"name": "circle", "samples": 80, "validation_split": 0}
CONV = [{"reshape": [8, 8, 1]}, {"conv2d": 3}, "batch_norm", "relu", "flatten",
        {"residual": {"layers": [{"dense": 108}, "tanh"]}}, {"dropout": 0.2}, {"dense": 10}]  # fmt: skip
WORDS = [{"embedding": {"vocabulary": 40, "units": 3}}, "flatten", {"dense": 1}]
ODD = {
    "no validation split": {"data": UNHELD},
    "no hidden layer": {"model": {"hidden": []}},
    "one epoch": {"epochs": 1},
    "cut by steps": {"steps": 3},
    "stopped early": {"early_stopping": {"patience": 6, "min_delta": 5.0, "restore_best_weights": True},
                      "epochs": 60, "learning_rate": 0.1},
    "diverged at once": {"optimizer": "sgd", "learning_rate": 1e4, "data": "diabetes"},
    "L-BFGS": {"optimizer": "lbfgs", "batch_mode": "batch"},
    "regression": {"data": {"name": "sine", "samples": 80}, "loss": "huber"},
    "layers of every kind": {"data": "digits", "model": {"layers": CONV}, "epochs": 2},
    "an embedding": {"data": {"name": "bars_and_stripes", "side": 5, "validation_split": 0.2},
                     "epochs": 2, "model": {"layers": WORDS}},
    "a test split": {"data": {"name": "iris", "test_split": 0.2}},
    "float64, averaged batches": {"dtype": "float64", "accumulate": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_run_gets_a_sentence(trained, name):
    found = diagnose(Case(trained(SMALL | ODD[name])))
    assert found.outcome.sentence.endswith(".")
    assert json.dumps(found.tree(), allow_nan=False)
    judged = {x.rule for x in found.findings}
    assert not judged & found.unknown.keys()


def test_reasons_for_what_is_not_judged(trained):
    def unknown(name):
        return diagnose(Case(trained(SMALL | ODD[name]))).unknown

    assert unknown("no validation split")["D9"] == "there is no validation split"
    assert "two hidden layers" in unknown("no hidden layer")["D5"]
    assert "fewer than 5" in unknown("one epoch")["D3"]
    assert unknown("diverged at once")["D9"] == "the run has diverged"
    assert "L-BFGS" in unknown("L-BFGS")["D4b"]
    assert "early stopping" in unknown("stopped early")["D4"]


class Guess(Learner, name="guess_for_diagnosis"):
    """No gradient, no network: it draws a slope and keeps the best."""

    uses = frozenset({"loss"})

    def begin(self, material):
        return Guessing(material)


del Learner.members[Guess.name]  # known while its test runs, and to no other file


class Guessing(Learning):
    def __init__(self, material):
        import numpy as np

        self.material, self.slope = material, np.zeros(1)

    weights = property(lambda self: {"slope": self.slope})

    def advance(self, span, wanted, brake):
        from backproplab.learners import Advance

        self.slope += 0.01 * span.steps
        return Advance(done=span.steps)

    def passes(self, steps, examples):
        from backproplab.learners import Passes

        return Passes.of(steps, steps * len(self.material.train), forward=1)

    def state(self):
        return {"slope": self.slope}, {}

    def predict(self, inputs):
        return inputs * self.slope


def test_a_learner_without_a_gradient(tmp_path, monkeypatch):
    monkeypatch.setitem(Learner.members, Guess.name, Guess)
    config = {"data": {"name": "linear"}, "learner": "guess_for_diagnosis", "steps": 20}
    folder = run(Experiment.model_validate(config), tmp_path / "run").folder
    found = diagnose(Case(folder))
    assert found.outcome.sentence.startswith("Trained: R² is -")
    assert "has no network" in found.unknown["D5"]


def test_a_run_of_version_0_1(tmp_path):
    found = diagnose(Case(shutil.copytree(OLD, tmp_path / "old")))
    assert found.outcome.sentence
    assert not found.cause


def test_changed_data_are_named(trained, tmp_path):
    copy = shutil.copytree(trained(SMALL), tmp_path / "copy")
    record = json.loads((copy / "run.json").read_text())
    record["hashes"]["data"] = "another"
    (copy / "run.json").write_text(json.dumps(record))
    assert "data have changed" in diagnose(Case(copy)).unknown["D7"]


def test_a_checkpoint_that_is_gone_is_named(trained, tmp_path):
    copy = shutil.copytree(trained(SMALL), tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    assert "last weights cannot be read" in diagnose(Case(copy)).unknown["D7"]
