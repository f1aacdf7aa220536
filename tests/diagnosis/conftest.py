"""Runs for the diagnosis: real ones, trained once a session, and folders made by hand."""

import csv
import json

import pytest

from backproplab.config import Experiment, to_yaml
from backproplab.experiment import run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """trained(config): the folder of its run; each config is trained once."""
    known = {}

    def trained(config):
        key = json.dumps(config, sort_keys=True)
        if key not in known:
            quiet = {"tensorboard": {"histograms": 0}}
            folder = tmp_path_factory.mktemp("run") / "run"
            known[key] = run(Experiment.model_validate(config | quiet), folder).folder
        return known[key]

    return trained


def layer(name, **other):
    plain = {"name": name, "activation": "relu", "units": 64, "distinct": 64}
    return plain | {"signal": 1e-3, "spread": 0.5, "slope": None} | other


START = {
    "loss": 2.4,
    "chance": 2.0,
    "majority": 0.2,
    "examples": {"train": 1000, "validation": 1000, "test": 1000},
    "inputs": 1.0,
    "targets": 0.0,
    "layers": [layer("dense_1"), layer("dense_2")],
    "steps": [{"kernel": "dense_2/kernel", "size": 4096, "ratio": 0.01}],
    "updates": 20,
    "after": 0,
}
FALLING = [2.0 * 0.7**epoch for epoch in range(20)]


@pytest.fixture
def made(tmp_path):
    """made(…): a run's folder with these curves, as if it had been trained."""

    def made(
        loss=FALLING, val=None, accuracy=0.9, val_accuracy=0.9, test_accuracy=None,
        config=None, start=None, record=None,
    ):  # fmt: skip
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        experiment = {
            "data": "digits", "model": {"hidden": [64, 64]}, "optimizer": "sgd",
            "learning_rate": 0.1, "epochs": len(loss) or 10, "batch_size": 20, **(config or {}),
        }  # fmt: skip
        (folder / "config.yaml").write_text(to_yaml(Experiment.model_validate(experiment)))
        own = {"format": 2, "status": "completed", "stop_reason": "max_epochs", "steps": 1000}
        own |= {"start": START | (start or {})} | (record or {})
        (folder / "run.json").write_text(json.dumps(own))
        with (folder / "metrics.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["epoch", "step", "split", "loss", "accuracy"])
            for epoch, value in enumerate(loss, start=1):
                table.writerow([epoch, 50 * epoch, "train", value, accuracy])
                if val is not None:
                    of_epoch = [epoch, 50 * epoch, "validation", val[epoch - 1], val_accuracy]
                    table.writerow(of_epoch)
            if test_accuracy is not None:
                table.writerow([len(loss), 50 * len(loss), "test", 0.1, test_accuracy])
        return folder

    return made
