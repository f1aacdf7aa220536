"""The HParams tab of a sweep, as a real TensorBoard answers: a row a trial, means over its seeds."""

import json
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from backproplab import runs
from backproplab.sweep.hparams import FOLDER, write_hparams

SPEC = {"name": "adam", "beta_1": 0.8}
# values of a trial, (status, best val_loss) of its seeds
TRIALS = [
    ({"learning_rate": 0.1, "shuffle": True, "optimizer": "sgd"}, [("completed", 0.5), ("completed", 0.7)]),
    ({"learning_rate": 1, "shuffle": False, "optimizer": SPEC}, [("completed", 0.4), ("diverged", None)]),
    ({"learning_rate": 10.0, "model.hidden": [32, 16], "shuffle": None}, [("failed", None), ("failed", None)]),
    ({"learning_rate": 0.01}, [("completed", 0.2), ("interrupted", 0.1)]),
    ({"learning_rate": 0.02}, [(None, None), (None, None)]),  # not begun
]  # fmt: skip
ROWS = {  # trial: (columns, status, mean of the sweep's metric at each run's best epoch)
    0: ({"learning_rate": 0.1, "shuffle": True, "optimizer": "sgd"}, "SUCCESS", 0.6),
    1: ({"learning_rate": 1.0, "shuffle": False, "optimizer": "{name: adam, beta_1: 0.8}"}, "FAILURE", 0.4),
    2: ({"learning_rate": 10.0, "model.hidden": "[32, 16]"}, "FAILURE", None),
    3: ({"learning_rate": 0.01}, "UNKNOWN", 0.2),
    4: ({"learning_rate": 0.02}, "UNKNOWN", None),
}  # fmt: skip


def write_run(session, name, status, value):
    if status is None:
        return
    (session / name).mkdir(exist_ok=True)
    best = {} if value is None else {"epoch": 3, "val_loss": value, "loss": 0.1}
    last = {} if value is None else {"val_loss": 9.0, "loss": 0.0, "test_loss": value + 1}
    record = {"format": 1, "status": status, "epochs": 5, "metrics": last, "best": best}
    (session / name / "run.json").write_text(json.dumps(record))


def write_sweep(root, trials=TRIALS, at="best"):
    session = runs.create_session(root)
    found = []
    for number, (values, ends) in enumerate(trials):
        names = [f"t{number}_seed-{seed}" for seed in range(len(ends))]
        found.append({"number": number, "key": "", "label": f"t{number}", "values": values, "runs": names})  # fmt: skip
        for name, end in zip(names, ends, strict=True):
            write_run(session, name, *end)
    metric = {"name": "val_loss", "goal": "auto", "at": at}
    (session / "sweep.json").write_text(json.dumps({"metric": metric, "trials": found}))
    return session


@pytest.fixture
def root(tmp_path):
    return runs.open_log_root(tmp_path / "runs")


@pytest.fixture
def board(root, tmp_path):
    """The port of a TensorBoard on the root."""
    (tmp_path / "info").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(root), "--port", "0", "--reload_interval", "1"],
        env={"TMPDIR": str(tmp_path / "info")}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield next(p[1] for x in process.stderr if (p := re.search(r"http://[^:]+:(\d+)", x)))
    finally:
        process.terminate()
        process.communicate()


def ask(port, what, **question):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"http://127.0.0.1:{port}/data/plugin/hparams/{what}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(question).encode(), headers)
    with opener.open(request, timeout=20) as answer:
        return json.load(answer)


def rows(port):
    """{(sweep, group): (columns without sweep, status, metrics)} as the tab shows them."""
    statuses = [f"STATUS_{word}" for word in ("SUCCESS", "FAILURE", "UNKNOWN", "RUNNING")]
    answer = ask(port, "session_groups", allowedStatuses=statuses, startIndex=0, sliceSize=10**6)
    found = {}
    for group in answer.get("sessionGroups", ()):
        columns = dict(group["hparams"])
        (session,) = group["sessions"]  # one session a row: the means are ours
        metrics = {m["name"]["tag"]: m["value"] for m in group.get("metricValues", ())}
        status = session["status"].removeprefix("STATUS_")
        found[columns.pop("sweep"), group["name"]] = columns, status, metrics
    return found


def until(question, seconds=30):
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "no such answer in time"
        time.sleep(0.2)


@pytest.mark.slow
def test_the_tab_has_a_row_for_each_trial(root, board):
    session = write_sweep(root)
    write_hparams(session)
    until(lambda: len(rows(board)) == len(TRIALS))
    found = rows(board)
    for number, (columns, status, mean) in ROWS.items():
        row = found[session.name, f"trial {number:04} of {session.name}"]
        assert row[:2] == (columns, status)
        assert row[2].get("metric/val_loss") == (mean if mean is None else pytest.approx(mean))
    first = found[session.name, f"trial 0000 of {session.name}"][2]
    assert first == pytest.approx(
        {"metric/val_loss": 0.6, "other/loss": 0.1, "other/epoch": 3, "other/test_loss": 1.6}
    )
    experiment = ask(board, "experiment")
    kinds = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert kinds["learning_rate"] == "DATA_TYPE_FLOAT64"
    assert kinds["shuffle"] == "DATA_TYPE_BOOL"
    assert kinds["optimizer"] == "DATA_TYPE_STRING"
    tags = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert tags[0] == "metric/val_loss"  # the first column, of which five are shown


@pytest.mark.slow
def test_a_tensorboard_that_runs_sees_a_resumed_sweep(root, board):
    session, other = write_sweep(root), write_sweep(root, TRIALS[:1])
    write_hparams(session)
    write_hparams(other)  # the same labels: rows of their own
    until(lambda: len(rows(board)) == len(TRIALS) + 1)
    for name in ("t2_seed-0", "t2_seed-1"):
        write_run(session, name, "completed", 0.3)
    write_run(session, "t3_seed-1", "completed", 0.4)
    write_hparams(session)

    def statuses():
        return [status for _, status, _ in rows(board).values()]

    until(lambda: sorted(statuses()) == ["FAILURE", *["SUCCESS"] * 4, "UNKNOWN"])
    row = rows(board)[session.name, f"trial 0003 of {session.name}"]
    assert row[2]["metric/val_loss"] == pytest.approx(0.3)


def test_the_last_epoch_where_the_sweep_asks_for_it(root):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    session = write_sweep(root, TRIALS[:1], at="last")
    write_hparams(session)
    log = EventAccumulator(str(session / FOLDER / "success" / "t0")).Reload()
    found = {tag: log.Scalars(tag)[0].value for tag in log.Tags()["scalars"]}
    assert found == pytest.approx(
        {"metric/val_loss": 9.0, "other/loss": 0.0, "other/test_loss": 1.6}
    )


def test_writing_again_leaves_one_file_a_trial(root):
    session = write_sweep(root)
    for _ in range(2):
        write_hparams(session)
        files = [p for p in (session / FOLDER).rglob("*") if p.is_file()]
        assert sorted(p.parent.name for p in files) == [f"t{n}" for n in range(len(TRIALS))]
    assert [p.name for p in session.iterdir() if p.name.startswith(".partial")] == []


def test_the_rows_are_no_runs(root):
    session = write_sweep(root)
    before = runs.list_runs(root)
    write_hparams(session)
    assert runs.list_runs(root) == before
    (item,) = runs.plan_cleaning(root).sessions
    assert item.runs == len(before)
    assert runs.clean(runs.plan_cleaning(root)).cleared
    assert not session.exists()
