from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backproplab.errors import RunError
from backproplab.runs import create_session, find_run, list_runs, read_metrics, read_run

OLD, NEW = datetime(2019, 10, 3, 15, 34, 52), datetime(2020, 1, 1)
Write = Callable[..., Path]
TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def three(root: Path, write_run: Write) -> list[str]:
    """Two sessions, the older one with two runs; their selectors, newest first."""
    old, new = create_session(root, now=OLD), create_session(root, now=NEW)
    write_run(old, "exp1", started="2019-10-03T15:34:52+00:00")
    write_run(old, "exp2", started="2019-10-03T18:34:53+03:00")
    write_run(new, "exp1", started="2020-01-01T00:00:00")
    return ["20200101-000000/exp1", "20191003-153452/exp2", "20191003-153452/exp1"]


def test_runs_are_listed_newest_first(root: Path, three: list[str]) -> None:
    assert [run.selector for run in list_runs(root)] == three


def test_a_renamed_session_keeps_its_age(root: Path, three: list[str]) -> None:
    (root / "20200101-000000").rename(root / "1st-best")
    assert [run.selector for run in list_runs(root)] == ["1st-best/exp1", *three[1:]]


def test_no_root_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "missing") == []


def test_a_file_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot read: not a directory"):
        list_runs(tmp_path / "file")


def test_links_and_other_peoples_folders_are_not_runs(root: Path, three: list[str]) -> None:
    (root / "latest").symlink_to("20200101-000000")
    (root / "20200101-000000" / "best").symlink_to("exp1")
    (root / "notes" / "figures").mkdir(parents=True)
    (root / ".trash-00" / "exp1").mkdir(parents=True)
    os.mkdir(os.fsencode(root) + b"/odd\n\xff")  # noqa: PTH102
    assert [run.selector for run in list_runs(root)] == three


def test_all_fields_are_read(root: Path, write_run: Write) -> None:
    metrics = {"loss": 0.5, "val_loss": 1, "test_accuracy": math.nan, "none": None, "text": "x"}
    folder = write_run(
        create_session(root), stop_reason="max_epochs", epochs=10, seconds=1.5, metrics=metrics
    )
    run = read_run(folder)
    assert (run.folder, run.session, run.name) == (folder, folder.parent.name, "exp1")
    assert (run.status, run.stop_reason, run.epochs) == ("completed", "max_epochs", 10)
    assert run.seconds == 1.5
    assert list(run.metrics) == ["loss", "val_loss", "test_accuracy"]
    assert math.isnan(run.metrics["test_accuracy"])


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"\xff", b'{"format": 1}', b'{"format": 3, "status": "completed"}',
     b'{"format": 1, "status": "great"}', b'{"format": 1, "status": ["completed"]}', b"[" * 99999],
)  # fmt: skip
def test_a_damaged_run_is_unreadable(root: Path, write_run: Write, content: bytes | None) -> None:
    folder = write_run(create_session(root))
    (folder / "run.json").unlink()
    if content is not None:
        (folder / "run.json").write_bytes(content)
    assert [(run.folder, run.status) for run in list_runs(root)] == [(folder, "unreadable")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["epochs", "started", "seconds", "metrics"]), JSON))
def test_no_record_makes_listing_fail(root: Path, record: dict[str, Any]) -> None:
    folder = root / "s" / "exp1"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": 1, "status": "failed"} | record)
    (folder / "run.json").write_text(text)
    (run,) = list_runs(root)
    assert run.status == "failed"
    assert run.started.isprintable()
    assert all(isinstance(value, float) for value in run.metrics.values())


def test_a_run_is_running_while_its_session_is_held(
    root: Path, write_run: Write, holding: Callable[[Path], Any]
) -> None:
    session = create_session(root)
    folder = write_run(session, status="running")
    with holding(session):
        assert read_run(folder).status == "running"
    assert read_run(folder).status == "interrupted"


@pytest.mark.parametrize(
    ("selector", "index"),
    [
        ("latest", 0), ("1", 0), ("3", 2), ("20200101-000000", 0), ("20191003-153452/exp2", 1),
        ("2020", 0), ("20191003-153452/exp1", 2),
    ],
)  # fmt: skip
def test_a_run_is_found(root: Path, three: list[str], selector: str, index: int) -> None:
    assert find_run(root, selector).selector == three[index]


@pytest.mark.parametrize("path", ["20200101-000000", "20200101-000000/exp1"])
def test_a_run_is_found_by_path(
    root: Path, three: list[str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    for selector in (f"runs/{path}", f"./runs/{path}/", str(root / path)):
        assert find_run(root, selector).selector == three[0]
        assert find_run(root / "elsewhere", selector).selector == three[0]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (
            "20191003-153452",
            "means 2 runs — give one of 20191003-153452/exp2, 20191003-153452/exp1",
        ),
        ("2", "20191003-153452/exp2"),
        ("20", "means 3 runs"),
        ("expp1", "no run 'expp1' among the 3 in .* — newest: 20200101-000000/exp1, "),
        ("4", "no run '4' among the 3 in .* near"),
        ("zebra", "no run 'zebra' among the 3 in .* — newest: 20200101-000000/exp1, "),
        ("", "no run ''"),
        ("a\0b", "no run"),
        ("x" * 5000, "no run"),
        ("9" * 5000, "no run"),
        ("٣", "no run"),
    ],
)
def test_what_is_not_one_run_is_named(
    root: Path, three: list[str], selector: str, message: str
) -> None:
    if selector == "2":  # a number goes before a beginning
        assert find_run(root, selector).selector == message
        return
    with pytest.raises(RunError, match=message) as caught:
        find_run(root, selector)
    assert "\n" not in str(caught.value)


def test_a_name_means_its_newest_run(root: Path, three: list[str]) -> None:
    assert find_run(root, "exp1").selector == "20200101-000000/exp1"


def test_the_numbered_twin_of_a_session_is_another(root: Path, write_run: Write) -> None:
    for _ in range(2):
        write_run(create_session(root, now=OLD))
    assert find_run(root, "20191003-153452").session == "20191003-153452"
    assert find_run(root, "latest").session == "20191003-153452-1"


def test_an_empty_root_says_what_to_do(root: Path) -> None:
    with pytest.raises(RunError, match="there are no runs — train one first"):
        find_run(root, "latest")


def test_metrics_are_read_as_text(tmp_path: Path) -> None:
    text = 'epoch,split,loss\r\n0,train,0.5\r\n0,validation,"0.6"\r\n'
    (tmp_path / "metrics.csv").write_bytes(text.encode())
    assert read_metrics(tmp_path) == [
        {"epoch": "0", "split": "train", "loss": "0.5"},
        {"epoch": "0", "split": "validation", "loss": "0.6"},
    ]


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    whole = b"epoch,split,loss\n0,train,0.5\n"
    line = b"1,train,0.25\n"
    for end in range(len(line)):
        (tmp_path / "metrics.csv").write_bytes(whole + line[:end])
        assert [row["epoch"] for row in read_metrics(tmp_path)] == ["0"]


@pytest.mark.parametrize("content", [None, b"", b"epoch,split,loss\n", b"epoch,sp"])
def test_a_run_without_an_epoch_has_no_metrics(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "metrics.csv").write_bytes(content)
    assert read_metrics(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"epoch,split,loss\n0,train\n", "metrics.csv:2: damaged"),
        (b"epoch,split,loss\n0,train,1\n0,train,1,2\n", "metrics.csv:3: damaged"),
        (b"loss\n1\n", "metrics.csv:1: damaged: no columns"),
        (b'epoch,split\n0,"train"x\n', "metrics.csv:2: damaged"),
        (b'epoch,split\n0,"train\n', "metrics.csv:2: damaged"),
        (b"epoch,split\n0,\xff\n", "metrics.csv: damaged: not UTF-8"),
        (b"epoch,split\n0," + b"x" * 200_000 + b"\n", "metrics.csv:2: damaged"),
    ],
)
def test_damaged_metrics_say_where(tmp_path: Path, content: bytes, where: str) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=where):
        read_metrics(tmp_path)
