"""A run in slices is the run in one: another process may go on from where one has paused."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.errors import RunError
from backproplab.experiment import run
from backproplab.experiment.crew import train_slice
from backproplab.files import DiskFolder
from backproplab.loop import Pace


def experiment(**fields):
    data = {"name": "circle", "samples": 100, "validation_split": 0.2, "test_split": 0.1}
    base = {"data": data, "model": {"hidden": [5]}, "epochs": 7, "batch_size": 16, "trajectory": 2}
    return Experiment.model_validate(base | fields)


def slice_of(case, folder, pause=None, **limits):
    """Train in the folder from where the run stands; what came of it."""
    (result,) = train_slice([case], [DiskFolder(folder)], [pause], Pace(**limits))
    return result


def sliced(case, folder, length=2):
    """Train ``length`` epochs at a time, or an update, each slice built anew.

    The number of slices, and the end.
    """
    limits = {"seconds": 0} if length == "update" else {}
    for slices in range(1, 300):
        pause = None if limits else slices * length
        result = slice_of(case, folder, pause, **limits)
        assert not isinstance(result, Exception), result
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
@pytest.mark.parametrize("length", [1, 3, "update"])
def test_a_run_in_slices_is_the_run_in_one(tmp_path, saved, name, length):
    case = experiment(**CASES[name])
    whole = slice_of(case, tmp_path / "whole")
    slices, parts = sliced(case, tmp_path / "parts", length)
    if length == "update":
        assert slices >= whole.progress.step
    else:
        expected = max(-(-whole.progress.epoch // length), 1)
        assert slices == expected or whole.status == "diverged"
    assert (parts.status, parts.metrics, parts.message) == (
        whole.status,
        whole.metrics,
        whole.message,
    )
    for file in ("metrics.csv", "trajectory.bin", "config.yaml"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    records = [json.loads((tmp_path / d / "run.json").read_text()) for d in ("whole", "parts")]
    for record in records:
        del record["id"], record["started"], record["seconds"]
    assert records[0] == records[1]
    assert saved(tmp_path / "whole") == saved(tmp_path / "parts")


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
    with pytest.raises(RunError, match="is not empty"):
        run(experiment(), tmp_path)


def test_a_paused_run_of_another_config_is_refused(tmp_path):
    slice_of(experiment(), tmp_path, 2)
    refused = slice_of(experiment(seed=7), tmp_path)
    assert isinstance(refused, RunError)
    assert "the config has changed since the checkpoint was written" in str(refused)
    assert slice_of(experiment(), tmp_path).status == "completed"
