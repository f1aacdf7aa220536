"""What is said before training: lengths that are never reached, undefined metrics, classes without
examples, networks in which nothing is learned."""

from itertools import product

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.data import Dataset
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.experiment.cautions import cautions
from backproplab.learners import Learner
from backproplab.loop import EarlyStopping
from backproplab.nn import Loss
from backproplab.nn.initializers import Initializer
from backproplab.nn.metrics import METRICS
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.spec import Lasts

IRIS = {"data": "iris", "batch_size": 20, "epochs": 4}  # 6 batches an epoch, 24 updates


def said(fields):
    return [problem.what for problem in cautions(build(Experiment.model_validate(fields)))]


def specs():
    families = (Schedule, Optimizer, Clipping, Learner, Dataset, Loss)
    members = [m for family in families for m in family.members.values()]
    return [Experiment, EarlyStopping, Experiment.model_fields["tensorboard"].annotation, *members]


NO_LENGTHS = {  # whole numbers that are no length of a run
    *("seed", "epochs", "batch_size"),  # what the run is made of; a batch too large is refused
    *(
        "samples",
        "train_samples",
        "side",
        "history",
        "population",
        "parents",
        "elites",
        "hidden",
        "k",
        "trees",
        "size",  # of images
        "iterations",  # of a fit, which is one step
    ),
}


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.__name__)
def test_every_whole_number_is_a_marked_length_or_known_to_be_none(spec):
    for name, field in spec.model_fields.items():
        if (
            "int" in str(field.annotation)
            and "Literal" not in str(field.annotation)
            and name not in NO_LENGTHS
        ):
            assert any(isinstance(mark, Lasts) for mark in field.metadata), name


# key -> (the longest that still has an effect, how a config has it)
LENGTHS = {
    "schedule.warmup_steps": (23, lambda n: {"schedule": {"name": "cosine", "warmup_steps": n}}),
    "schedule.decay_steps": (24, lambda n: {"schedule": {"name": "cosine", "decay_steps": n}}),
    "schedule.every": (23, lambda n: {"schedule": {"name": "step", "every": n}}),
    "schedule.first_decay_steps": (23, lambda n: {"schedule": {"name": "cosine_restarts", "first_decay_steps": n}}),
    "schedule.boundaries.0": (22, lambda n: {"schedule": {"name": "piecewise", "boundaries": [n], "factors": [1, 0.1]}}),
    "schedule.patience": (2, lambda n: {"schedule": {"name": "reduce_on_plateau", "patience": n}}),
    "schedule.cooldown": (3, lambda n: {"schedule": {"name": "reduce_on_plateau", "patience": 1, "cooldown": n}}),
    "early_stopping.patience": (3, lambda n: {"early_stopping": {"patience": n}}),
    "early_stopping.start_from_epoch": (3, lambda n: {"early_stopping": {"start_from_epoch": n}}),
    "tensorboard.update_freq": (24, lambda n: {"tensorboard": {"update_freq": n}}),
    "evaluate_every": (24, lambda n: {"evaluate_every": n}),
    "tensorboard.histograms": (3, lambda n: {"tensorboard": {"histograms": n}}),
    "accumulate": (6, lambda n: {"accumulate": n, "epochs": 24}),
    "trajectory": (4, lambda n: {"trajectory": n}),
    "steps": (24, lambda n: {"steps": n}),
}  # fmt: skip


@pytest.mark.parametrize("key", LENGTHS)
def test_a_length_that_is_never_reached_is_said(key):
    longest, fields = LENGTHS[key]
    assert not said(IRIS | fields(longest))
    for n in (longest + 1, 1000):
        (caution,) = said(IRIS | fields(n))
        assert caution.startswith(f"{key}: {n:,} ")


def test_the_table_has_every_length():
    def marked(spec):
        return {
            n for n, f in spec.model_fields.items() if any(isinstance(m, Lasts) for m in f.metadata)
        }

    tested = {part for key in LENGTHS for part in key.split(".")}
    assert set().union(*map(marked, specs())) <= tested


@pytest.mark.parametrize("name", Schedule.members)
def test_a_length_counts_after_the_warm_up(name):
    fields = {"decay_steps": 15} if "decay_steps" in Schedule.members[name].model_fields else None
    if fields is None:
        pytest.skip("has no decay")
    rate = {"rate": 0.5} if "rate" in Schedule.members[name].model_fields else {}
    schedule = {"name": name, "warmup_steps": 10, **fields, **rate}
    assert said(IRIS | {"schedule": schedule}) == [
        "schedule.decay_steps: 15 updates, the run has 14 updates after the first 10: the decay does not end"
    ]


def test_a_schedule_that_moves_nothing_is_said_whatever_it_is():
    schedule = {"name": "exponential", "rate": 0.1, "staircase": True}
    (caution,) = said(IRIS | {"schedule": schedule})
    assert caution == "schedule: exponential: the learning rate stays at 0.001 in all 24 updates"
    zero = {"name": "piecewise", "boundaries": [3], "values": [0, 0]}
    assert said(IRIS | {"schedule": zero}) == ["schedule: the learning rate is 0 in every update"]


@pytest.mark.parametrize("mode", ["batch", "stochastic"])
def test_a_batch_size_that_no_mode_reads(mode):
    assert said(IRIS | {"batch_mode": mode}) == [f"batch_size: not used, batch_mode is {mode}"]


# metrics x degenerate splits


TARGETS = {
    "none": (0, lambda n: np.zeros((n, 1))),
    "one": (1, lambda n: np.full((n, 1), 0.1)),
    "equal": (3, lambda n: np.full((n, 1), 0.1)),
    "equal columns": (7, lambda n: np.tile([[0.1, 1 / 3]], (n, 1))),
    "float32": (9, lambda n: np.full((n, 1), 0.1, np.float32)),
    "two": (2, lambda n: np.arange(n, dtype=float)[:, None]),
}


@pytest.mark.parametrize(("name", "case"), list(product(METRICS, TARGETS)))
def test_a_metric_is_nan_exactly_where_it_is_undefined(name, case):
    metric = METRICS[name]
    count, make = TARGETS[case]
    targets = make(count)
    if "classification" in metric.tasks:
        targets = np.zeros(count, np.int64)
    outputs = np.ones((count, 3 if targets.ndim == 1 else targets.shape[1]))
    loss = Loss.parse("softmax_cross_entropy" if targets.ndim == 1 else "mse")
    for crew in ((), (2,)):
        value = metric.function(loss, np.broadcast_to(outputs, (*crew, *outputs.shape)), targets)
        assert np.shape(value) == crew
        assert np.isnan(value).all() == bool(metric.undefined(targets))
        assert np.isnan(value).all() or np.isfinite(value).all()


ONE = {"data": {"name": "diabetes", "validation_split": 0.003}, "epochs": 30}


@pytest.mark.parametrize("fields", [
    {"early_stopping": {"monitor": "val_r2"}},
    {"schedule": {"name": "reduce_on_plateau", "monitor": "val_r2"}},
])  # fmt: skip
def test_an_undefined_metric_is_not_monitored(fields):
    with pytest.raises(ConfigError, match="monitor: 'val_r2' is undefined: there is one example"):
        build(Experiment.model_validate(ONE | fields))


def test_an_undefined_metric_is_said():
    (caution,) = said(ONE)
    assert (
        caution
        == "data.validation_split: val_r2 is undefined: there is one example in the validation split"
    )


@pytest.mark.parametrize("key", ["validation_split", "test_split"])
def test_a_class_without_examples_is_said(key):
    data = {"name": "iris", "validation_split": 0.2, key: 0.01}
    (caution,) = said({"data": data})
    assert caution.startswith(f"data.{key}: the {key[:-6]} split (2 examples) has none of class ")


# networks in which nothing is learned

NORM = {
    "flat": ["batch_norm"],
    "nested": [{"residual": ["batch_norm"]}],
    "nested twice": [{"residual": [{"residual": [{"dense": 8}, "batch_norm"]}]}],
}
ALONE = {
    "stochastic": {"batch_mode": "stochastic"},
    "a size of 1": {"batch_size": 1},
    "accumulated": {"batch_size": 1, "accumulate": 8},
}


@pytest.mark.parametrize(("where", "how"), list(product(NORM, ALONE)))
def test_batch_norm_of_one_example_is_refused(where, how):
    layers = [{"dense": 8}, *NORM[where], "relu", {"dense": 3}]
    with pytest.raises(
        ConfigError, match=r"model\.layers\.1: with 1 example at a time .*batch_norm_1"
    ):
        build(
            Experiment.model_validate({"data": "iris", "model": {"layers": layers}, **ALONE[how]})
        )


@pytest.mark.parametrize("where", NORM)
def test_a_last_batch_of_one_is_said(where):
    layers = [{"dense": 8}, *NORM[where], "relu", {"dense": 3}]
    fields = {"data": "iris", "model": {"layers": layers}}
    (caution,) = said(fields | {"batch_size": 17})
    assert caution.startswith("batch_size: the last batch of each epoch has 1 example")
    assert not said(fields | {"batch_size": 16})
    assert not said(fields | {"batch_mode": "batch"})


def test_batch_norm_over_positions_takes_one_example():
    layers = [{"reshape": [8, 8, 1]}, {"conv2d": 2}, "batch_norm", "flatten", {"dense": 10}]
    build(
        Experiment.model_validate(
            {"data": "digits", "model": {"layers": layers}, "batch_mode": "stochastic"}
        )
    )


def test_dropout_that_keeps_nothing_is_refused():
    for rate, fine in ((0.999999, False), (0.9, True)):
        layers = [{"dense": 8}, {"dropout": rate}, {"dense": 3}]
        fields = {"data": "iris", "model": {"layers": layers}}
        if fine:
            assert not said(fields)
        else:
            with pytest.raises(ConfigError, match="dropout_1 keeps"):
                build(Experiment.model_validate(fields))


def test_a_network_without_weights_is_refused():
    fields = {"data": "circle", "loss": "softmax_cross_entropy", "model": {"layers": ["relu"]}}
    with pytest.raises(ConfigError, match="no layer has weights to train"):
        build(Experiment.model_validate(fields))


@pytest.mark.parametrize("name", Initializer.members)
def test_hidden_units_that_stay_equal_are_said(name):
    found = said({"data": "iris", "model": {"hidden": [4], "initializer": name}})
    drawn = Initializer.parse(name).draw(np.random.default_rng(0), (3, 4))
    assert bool(found) == (np.ptp(drawn) == 0)
    assert not said({"data": "iris", "model": {"hidden": [], "initializer": name}})
