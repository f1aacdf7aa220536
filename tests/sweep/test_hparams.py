"""The HPARAMS and Text tabs, as a real TensorBoard answers: a row a trial, with the numbers of results.csv."""

import csv
import json
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from backproplab.cli import main
from backproplab.errors import DamageError
from backproplab.experiment import account
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.journal import Journal

BASE = """
data: {name: circle, samples: 60, noise: 0.2}
model: {hidden: [4]}
epochs: 3
tensorboard: {histograms: 0}
"""
SWEEP = """
base: base.yaml
seeds: 2
metric: val_accuracy
grid: {batch_size: [32]}
branches:
  - {optimizer: sgd, learning_rate: 0.5}
  - {optimizer: {name: adam, beta_1: 0.8}, learning_rate: 0.01, schedule: cosine}
  - {optimizer: sgd, learning_rate: 10000, model.activation: linear, loss: mse}
"""


def command(*words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["backproplab", *map(str, words)])
        try:
            main()
        except SystemExit as end:
            return end.code or 0
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A log root with a sweep, in which a trial diverges, and a session of three configs."""
    place = tmp_path_factory.mktemp("hparams")
    (place / "base.yaml").write_text(BASE)
    (place / "sweep.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert command("sweep", "sweep.yaml", "-j", 1, "--progress", "none") == 0
        (sweep,) = (place / "runs").glob("*/")
        for name, extra in (("a", "seed: 1"), ("b", "seed: 2"), ("c", "learning_rate: 0.02")):
            (place / f"{name}.yaml").write_text(f"{BASE}{extra}\n")
        assert command("train", "a.yaml", "b.yaml", "c.yaml", "--progress", "none") == 0
        assert command("train", "a.yaml", "--progress", "none") == 0
    several, alone = sorted(path for path in (place / "runs").glob("*/") if path != sweep)
    return place / "runs", sweep, several, alone


@pytest.fixture(scope="module")
def board(place, tmp_path_factory):
    """The port of a TensorBoard on the root."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(place[0]), "--port", "0"]
    info = {"TMPDIR": str(tmp_path_factory.mktemp("info"))}
    process = subprocess.Popen(
        command, env=info, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield next(p[1] for x in process.stderr if (p := re.search(r"http://[^:]+:(\d+)", x)))
    finally:
        process.terminate()
        process.communicate()


def ask(port, what, **question):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"http://127.0.0.1:{port}/data/plugin/{what}"
    headers = {"Content-Type": "application/json"}
    data = json.dumps(question).encode() if question else None
    with opener.open(urllib.request.Request(address, data, headers), timeout=20) as answer:
        return json.load(answer)


def rows(port):
    """{group: (columns, statuses, metrics)} as the tab shows them."""
    statuses = [f"STATUS_{word}" for word in ("SUCCESS", "FAILURE", "UNKNOWN", "RUNNING")]
    answer = ask(
        port, "hparams/session_groups", allowedStatuses=statuses, startIndex=0, sliceSize=10**6
    )
    found = {}
    for group in answer.get("sessionGroups", ()):
        ends = {session["status"].removeprefix("STATUS_") for session in group["sessions"]}
        metrics = {m["name"]["tag"]: m["value"] for m in group.get("metricValues", ())}
        found[group["name"]] = group["hparams"], len(group["sessions"]), ends, metrics
    return found


def until(question, seconds=30):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, "no such answer in time"
        time.sleep(0.2)
    return answer


def best(metrics):
    return {k.removeprefix("best/"): x for k, x in metrics.items() if k.startswith("best/")}


@pytest.mark.slow
def test_a_sweep_has_a_row_for_each_trial_with_the_numbers_of_results_csv(place, board):
    _, sweep, _, _ = place
    found = until(lambda: (r := rows(board)) and len(r) == 5 and r)
    with (sweep / "results.csv").open(newline="") as file:
        results = list(csv.DictReader(file))
    trials = {t["runs"][0]: t for t in json.loads((sweep / "sweep.json").read_text())["trials"]}
    trials |= {t["runs"][1]: t for t in trials.values()}
    assert len(results) == 3
    for row in results:
        trial = trials[row["run"]]
        columns, sessions, ends, metrics = found[
            f"{trial['number']:03} {trial['label']} {sweep.name}"
        ]
        assert sessions == 2
        assert columns.pop("data") == "circle"
        assert "batch_size" not in columns  # equal in all trials
        assert columns.keys() == trial["values"].keys() - {"batch_size"}
        assert columns["learning_rate"] == trial["values"]["learning_rate"]
        diverged = row["status"] == "diverged"
        assert ends == {"FAILURE" if diverged else "SUCCESS"}
        cells = {} if diverged else {k: float(row[k]) for k in ("val_accuracy", "val_loss", "loss")}
        assert best(metrics) == pytest.approx(cells, rel=1e-6)  # float32
    assert {row["status"] for row in results} == {"completed", "diverged"}


@pytest.mark.slow
def test_configs_that_differ_by_their_seeds_are_one_row(place, board):
    _, _, several, _ = place
    found = until(lambda: (r := rows(board)) and len(r) == 5 and r)
    assert found[f"a {several.name}"][:3] == (
        {"data": "circle", "learning_rate": 0.001}, 2, {"SUCCESS"},
    )  # fmt: skip
    assert found[f"c {several.name}"][:2] == ({"data": "circle", "learning_rate": 0.02}, 1)
    records = [json.loads((several / run / "run.json").read_text()) for run in "ab"]
    mean = sum(record["best"]["val_loss"] for record in records) / 2
    assert best(found[f"a {several.name}"][3])["val_loss"] == pytest.approx(mean)


@pytest.mark.slow
def test_the_first_metric_columns_are_the_best_values(place, board):
    until(lambda: len(rows(board)) == 5)
    experiment = ask(board, "hparams/experiment", hparamsLimit=100)
    tags = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert tags[:3] == ["best/loss", "best/val_accuracy", "best/val_loss"]
    columns = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert columns["learning_rate"] == "DATA_TYPE_FLOAT64"
    assert columns["optimizer"] == "DATA_TYPE_STRING"


@pytest.mark.slow
def test_every_run_shows_its_texts(place, board):
    root, _, _, alone = place
    runs = {p.parent.relative_to(root).as_posix() for p in root.glob("*/*/run.json")}
    tags = until(lambda: (t := ask(board, "text/tags")) and len(t) == 10 and t)
    assert {run.rpartition("/")[0] for run in tags} == runs
    written = {"run/config", "run/environment", "run/summary"}
    assert all({*found} - {"run/diagnosis"} == written for found in tags.values())
    run = f"{alone.name}/a/train"
    (config,) = ask(board, f"text/text?run={run}&tag=run/config")
    assert "name: circle" in config["text"]
    assert "<code" in config["text"]
    (summary,) = ask(board, f"text/text?run={run}&tag=run/summary")
    assert "<td>completed</td>" in summary["text"]
    (environment,) = ask(board, f"text/text?run={run}&tag=run/environment")
    assert "<td>numpy</td>" in environment["text"]


@pytest.mark.slow
def test_one_config_alone_has_no_row(place):
    *_, alone = place
    assert "hparams" not in json.loads((alone / "a" / "run.json").read_text())


@pytest.mark.parametrize(
    ("status", "end"),
    [("completed", True), ("pruned", True), ("diverged", False), ("failed", False),
     ("interrupted", None), ("paused", None), ("running", None)],
)  # fmt: skip
def test_the_end_is_written_of_runs_that_have_ended_for_good(status, end):
    """A TensorBoard that runs keeps the first end that it reads."""
    folder = MemoryFolder()
    folder.replace("metrics.csv", b"epoch,step,split,loss\n1,5,train,2.0\n2,9,train,1.5\n")
    journal = Journal(folder, (), (), {})
    record = {"status": status, "monitor": "val_loss", "epochs": 2, "metrics": {"loss": 1.5}}
    record |= {"best": {}, "started": "2026-11-22T15:34:52+01:00"}
    record |= account.HParams("row", {"lr": 0.1}, "loss").entry
    account.begin(journal, "name: exp1\n", record)
    before = len(folder.files[journal.aside.name])
    account.end(journal, record)
    written = folder.files[journal.aside.name][before:]
    assert (b"session_end_info" in written) == (end is not None)
    assert (b"best/loss" in written) == (end is True)


def test_a_damaged_row_is_named():
    with pytest.raises(DamageError, match="'hparams' is not of the right type"):
        account.HParams.read({"hparams": {"colour": "red"}})


def test_a_setting_is_a_number_or_a_short_text():
    assert account.setting(True) is True
    assert account.setting(0.1) == 0.1
    assert account.setting({"name": "adam", "beta_1": 0.8}) == "{name: adam, beta_1: 0.8}"
    assert account.setting([32, 16]) == "[32, 16]"
    assert len(account.setting("x" * 1000)) == account.LENGTH


def test_a_pruned_run_ends_where_it_is(tmp_path):
    journal = Journal(DiskFolder(tmp_path), (), (), {})
    record = {"status": "pruned", "monitor": "loss", "epochs": 1, "metrics": {"loss": 1.0}}
    account.end(journal, record | {"best": {"epoch": 1, "loss": 1.0}})
    journal.close()
    (written,) = (tmp_path / "train").iterdir()
    assert b"pruned" in written.read_bytes()
