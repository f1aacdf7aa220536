"""Sessions of finished runs, written by hand: what a comparison says can be worked out on paper."""

import json

import pytest

from backproplab import report
from backproplab.runs import create_session, experiment_folder, open_log_root

CONFIG = """name: {name}
seed: {seed}
data:
  name: circle
model:
  hidden: [4]
  activation: {activation}
optimizer: {optimizer}
learning_rate: {learning_rate}
epochs: 2
engine: auto
tensorboard:
  histograms: 0
"""
HASHES = {"data": "d", "init": "i", "batch_order": "o"}


@pytest.fixture
def root(tmp_path):
    return open_log_root(tmp_path / "runs")


@pytest.fixture
def session(root):
    return create_session(root)


@pytest.fixture
def write_run(session):
    def write(
        name,
        val_loss=None,
        *,
        session=session,
        status="completed",
        seed=0,
        rows=None,
        activation="relu",
        optimizer="sgd",
        learning_rate=0.1,
        **record,
    ):
        folder = experiment_folder(session, name)
        folder.mkdir()
        words = {
            "name": name,
            "seed": seed,
            "activation": activation,
            "optimizer": optimizer,
            "learning_rate": learning_rate,
        }
        (folder / "config.yaml").write_text(CONFIG.format(**words))
        last = (
            {}
            if val_loss is None
            else {"loss": val_loss / 2, "val_loss": val_loss, "val_accuracy": 0.5}
        )
        record = {
            "format": 1,
            "status": status,
            "epochs": 2,
            "seed": seed,
            "hashes": HASHES,
            "started": f"2026-01-01T00:00:0{seed % 10}+00:00",
            "metrics": last,
            "best": last and last | {"epoch": 2},
        } | record
        (folder / "run.json").write_text(json.dumps(record))
        if rows is None and val_loss is not None:
            rows = [
                f"1,train,{val_loss}",
                f"1,validation,{val_loss * 2}",
                f"2,train,{val_loss / 2}",
                f"2,validation,{val_loss}",
            ]
        if rows:
            (folder / "metrics.csv").write_text("\n".join(["epoch,split,loss", *rows, ""]))
        return folder

    return write


@pytest.fixture
def compare(root):
    """The comparison of the runs in the root, and the warnings."""

    def compare(*words, **options):
        records, warnings = report.read_records(report.chosen_runs(root, words))
        return report.compare(records, **options), warnings

    return compare
