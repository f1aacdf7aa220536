"""The best epoch by any metric, worked out on paper."""

import json

import pytest

from backproplab.runs import best_by, read_run

TABLE = """epoch,split,loss,accuracy
1,train,3,0.2
1,validation,3,0.5
2,train,2,0.4
2,validation,1,0.3
3,train,1,0.6
3,validation,2,0.5
3,test,9,0.9
"""


@pytest.fixture
def run(tmp_path):
    record = {"format": 1, "status": "completed", "monitor": "val_loss", "best": {"epoch": 7}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "metrics.csv").write_text(TABLE)
    return lambda: read_run(tmp_path)


def test_a_step_is_no_metric(run, tmp_path):
    before = best_by(run(), "val_accuracy", True)
    table = [line.split(",", 1) for line in TABLE.splitlines()]
    steps = ["step", *(str(9 * at) for at in range(1, len(table)))]
    rows = [",".join([epoch, s, rest]) for s, (epoch, rest) in zip(steps, table, strict=True)]
    (tmp_path / "metrics.csv").write_text("\n".join([*rows, ""]))
    assert best_by(run(), "val_accuracy", True) == before


@pytest.mark.parametrize(
    ("name", "minimizes", "epoch"),
    [
        ("val_accuracy", False, 1),  # the first of two that are equal
        ("val_accuracy", True, 2),
        ("loss", True, 3),
        ("accuracy", False, 3),
        ("val_loss", True, 7),  # what the run went by: its own answer
        ("test_accuracy", False, 7),  # measured once
        ("val_r2", False, 7),  # never measured
    ],
)
def test_the_best_epoch(run, name, minimizes, epoch):
    assert best_by(run(), name, minimizes)["epoch"] == epoch


def test_all_metrics_are_of_that_epoch(run):
    row = {"epoch": 2, "loss": 2, "accuracy": 0.4, "val_loss": 1, "val_accuracy": 0.3}
    assert best_by(run(), "val_accuracy", True) == row


@pytest.mark.parametrize("table", [TABLE.replace("0.3", "nan"), TABLE.replace("0.3", "")])
def test_what_is_not_finite_is_never_best(run, tmp_path, table):
    (tmp_path / "metrics.csv").write_text(table)
    assert best_by(run(), "val_accuracy", True)["epoch"] == 1


@pytest.mark.parametrize(
    "table", ["", "epoch,split\n1,nobody\n", "a,b\n1,2\n", TABLE.replace("0.3", "x")]
)
def test_a_damaged_table_leaves_the_run_its_own(run, tmp_path, table):
    (tmp_path / "metrics.csv").write_text(table)
    assert best_by(run(), "val_accuracy", True) == {"epoch": 7}
