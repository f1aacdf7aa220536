"""A run in slices is the run in one: another process may go on from where one has paused."""

import json

import numpy as np
import pytest
from backproplab.train.callbacks import Slice
from backproplab.train.checkpoint import load
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.errors import RunError
from backproplab.experiment import run


def experiment(**fields):
    data = {"name": "circle", "samples": 100, "validation_split": 0.2, "test_split": 0.1}
    base = {"data": data, "model": {"hidden": [5]}, "epochs": 7, "batch_size": 16}
    return Experiment.model_validate(base | fields)


def sliced(case, folder, length=2):
    """Train so many epochs at a time, each slice built anew. The number of slices, and the end."""
    for slices in range(1, 100):
        result = run(case, folder, part=Slice(slices * length))
        if result.status != "paused":
            return slices, result


CASES = {
    "plain": {},
    "dropout": {"model": {"layers": [{"dense": 8}, {"dropout": 0.4}, {"dense": 1}]}},
    "statistics": {"model": {"layers": [{"dense": 8}, "batch_norm", "tanh", {"dense": 1}]}},
    "amsgrad": {"optimizer": "amsgrad", "clipping": {"global_norm": 0.1}},
    "lbfgs": {"optimizer": "lbfgs", "batch_mode": "batch"},
    "plateau": {"schedule": {"reduce_on_plateau": {"patience": 1, "min_delta": 1.0}}},
    "cosine": {"schedule": {"name": "cosine", "warmup_steps": 7}},
    "steps": {"steps": 22},
    "stopping": {
        "epochs": 40,
        "early_stopping": {"patience": 2, "min_delta": 0.02, "restore_best_weights": True},
    },
    "diverges": {"learning_rate": 0.2, "optimizer": "momentum", "loss": "mse", "epochs": 40},
    "eager": {"engine": "eager", "dtype": "float64"},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("length", [1, 3])
def test_a_run_in_slices_is_the_run_in_one(tmp_path, name, length):
    case = experiment(**CASES[name])
    whole = run(case, tmp_path / "whole")
    slices, parts = sliced(case, tmp_path / "parts", length)
    assert slices == max(-(-whole.state.epoch // length), 1) or whole.status == "diverged"
    assert (parts.status, parts.metrics, parts.message) == (
        whole.status,
        whole.metrics,
        whole.message,
    )
    for file in ("metrics.csv", "config.yaml"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    records = [json.loads((tmp_path / d / "run.json").read_text()) for d in ("whole", "parts")]
    for record in records:
        del record["started"], record["seconds"]
    assert records[0] == records[1]
    for kind in ("last", "best"):
        one, other = (
            load(tmp_path / d / "checkpoints" / f"{kind}.safetensors") for d in ("whole", "parts")
        )
        assert one.arrays.keys() == other.arrays.keys()
        for key, array in one.arrays.items():
            np.testing.assert_array_equal(array, other.arrays[key])


def test_tensorboard_reads_the_slices_as_one_run(tmp_path):
    case = experiment()
    run(case, tmp_path / "whole")
    sliced(case, tmp_path / "parts")
    curves = []
    for folder in ("whole", "parts"):
        events = EventAccumulator(str(tmp_path / folder / "validation")).Reload()
        curves.append([(e.step, e.value) for e in events.Scalars("epoch_loss")])
    assert curves[0] == curves[1]


def test_a_run_that_has_ended_cannot_be_gone_on_with(tmp_path):
    run(experiment(), tmp_path)
    with pytest.raises(RunError, match="holds a run already"):
        run(experiment(), tmp_path)


def test_a_paused_run_of_another_config_is_refused(tmp_path):
    run(experiment(), tmp_path, part=Slice(until=2))
    with pytest.raises(RunError, match="another config"):
        run(experiment(seed=7), tmp_path)
