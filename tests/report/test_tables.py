"""The ranked table in its formats, the long table, two runs compared."""

import csv
import io
import json

import pytest

from backproplab import report
from backproplab.errors import ConfigError


@pytest.fixture
def comparison(write_run, compare):
    write_run("a0", 0.3, seed=0)
    write_run("a1", 0.5, seed=1)
    write_run("b", 0.25, learning_rate=1.0, activation="'ta|nh'")
    write_run("c", status="diverged", learning_rate=1000)
    return compare()[0]


def test_aligned_text(comparison):
    assert report.formatted(comparison, "table", ["learning_rate", "val_loss", "status", "run"]).splitlines() == [
        "#  learning_rate       val_loss  status     run",
        "1  1              0.2500         completed  b",
        "2  0.1            0.40   ± 0.14  completed  a0",
        "–  1000                       –  diverged   c",
    ]  # fmt: skip


def test_the_columns_are_what_differs_and_what_was_measured(comparison):
    table = report.ranked_table(comparison, top=2)
    assert table.columns == (
        "#",
        "model.activation",
        "learning_rate",
        "val_loss",
        "val_accuracy",
        "loss",
        "seeds",
        "epochs",
        "best_epoch",
        "diagnosis",
        "status",
        "run",
    )
    assert len(table.rows) == 2


def test_markdown_keeps_its_columns(comparison):
    lines = report.formatted(comparison, "md").splitlines()
    assert lines[1].startswith("| --: | :-- | --: |")
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_csv_keeps_every_digit(comparison):
    rows = list(csv.DictReader(io.StringIO(report.formatted(comparison, "csv"))))
    assert float(rows[1]["val_loss"]) == (0.3 + 0.5) / 2
    assert float(rows[1]["val_loss_std"]) == pytest.approx(0.2 / 2**0.5)
    assert (rows[2]["val_loss"], rows[2]["status"], rows[2]["rank"]) == ("", "diverged", "3")


def test_json(comparison):
    found = json.loads(report.formatted(comparison, "json", top=2))
    assert found["metric"] == {"name": "val_loss", "goal": "min", "at": "best"}
    assert [trial["values"]["learning_rate"] for trial in found["trials"]] == [1.0, 0.1]
    assert found["trials"][1]["metrics"]["val_loss"]["n"] == 2


def test_any_key_or_metric_can_be_a_column(comparison):
    table = report.ranked_table(comparison, ["epochs", "data", "optimizer", "loss", "seconds"])
    assert table.rows[0] == ("1", "2", "circle", "sgd", "0.1250", "–")
    with pytest.raises(
        ConfigError, match="no column 'learning_rat' — did you mean 'learning_rate'"
    ):
        report.ranked_table(comparison, ["learning_rat"])


def test_the_long_table_holds_every_number(comparison):
    text, warnings = report.long_table(comparison)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert warnings == []
    assert len(rows) == 3 * 4
    assert list(rows[0])[1:] == [
        "model.activation",
        "learning_rate",
        "seed",
        "epoch",
        "split",
        "metric",
        "value",
    ]
    assert {row["value"] for row in rows if row["run"].endswith("/b")} == {"0.25", "0.5", "0.125"}


def test_a_damaged_table_of_metrics_is_left_out_with_a_warning(write_run, compare):
    write_run("a", 0.1)
    write_run("b", 0.1, seed=1, rows=["1,train"])
    text, warnings = report.long_table(compare()[0])
    assert text.count("\n") == 5
    assert "damaged" in warnings[0]


def pair(compare):
    records = sorted(compare()[0].records, key=lambda record: record.info.name)
    return report.pair(*records)


def test_two_runs_side_by_side(write_run, compare):
    write_run("a", 0.3)
    write_run(
        "b",
        0.4,
        learning_rate=0.10000001,
        rows=["1,train,0.3", "1,validation,0.6", "2,train,0.15", "2,validation,0.4"],
    )
    found = pair(compare)
    assert found.config == (("learning_rate", "0.1", "0.10000001"),)
    assert ("val_loss", "0.3000", "0.4000") in found.results
    assert found.parting == "metrics part at epoch 2: val_loss 0.3 and 0.4"


def test_two_equal_runs(write_run, compare):
    write_run("a", 0.3)
    write_run("b", 0.3)
    assert pair(compare).parting == "metrics are the same in 2 epochs, digit for digit"


def test_a_run_without_epochs_parts_nowhere(write_run, compare):
    write_run("a", 0.3)
    write_run("b", status="diverged")
    found = pair(compare)
    assert found.parting == "no epoch that both have measured"
    assert ("status", "completed", "diverged") in found.results


def test_a_key_that_is_called_as_a_metric_has_a_column_of_its_own(write_run, compare):
    for name, loss in [("a", "mse"), ("b", "mae")]:
        folder = write_run(name, 0.3)
        (folder / "config.yaml").write_text(f"name: {name}\nloss: {loss}\nepochs: 9\n")
    comparison = compare()[0]
    table = report.ranked_table(comparison)
    assert table.columns[:3] == ("#", "config.loss", "val_loss")
    assert sorted(row[1] for row in table.rows) == ["mae", "mse"]
    assert "loss" in table.columns
    text = report.formatted(comparison, "csv", ["config.loss", "config.epochs", "epochs"])
    assert sorted(text.splitlines()[1:]) == ["1,mse,9,2", "2,mae,9,2"]


def test_csv_keeps_long_values_whole(write_run, compare):
    for name, last in [("a", 4), ("b", 5)]:
        folder = write_run(name, 0.3)
        hidden = [4] * 99 + [last]
        (folder / "config.yaml").write_text(f"name: {name}\nmodel:\n  hidden: {hidden}\n")
    rows = list(csv.DictReader(io.StringIO(report.formatted(compare()[0], "csv"))))
    assert sorted(len(json.loads(row["model.hidden"])) for row in rows) == [100, 100]
    assert rows[0]["model.hidden"] != rows[1]["model.hidden"]


def test_where_learners_differ_what_follows_from_them_is_left_out(write_run, session, compare):
    """``optimizer`` is a key of gradient descent alone: it has one value, or none."""
    for name, learner in (("a", "genetic"), ("b", "gradient_descent")):
        counts = {"forward_passes": 40, "backward_passes": 0, "parameters": 9, "seconds": 1.0}
        folder = write_run(name, 0.1, **counts)
        text = (folder / "config.yaml").read_text()
        if learner == "genetic":
            text = "".join(x for x in text.splitlines(True) if "optimizer" not in x)
        (folder / "config.yaml").write_text(f"{text}learner: {{name: {learner}}}\n")
    found, _ = compare()
    assert set(found.keys) >= {"learner", "optimizer"}
    columns = report.ranked_table(found).columns
    assert "optimizer" not in columns
    assert {"learner", "parameters", "forward_passes", "backward_passes"} <= set(columns)
    head = report.formatted(found, "csv").splitlines()[0].split(",")
    assert {"optimizer", "forward_examples"} <= set(head)
