"""Real TensorBoards; the registry in the temporary folder is this test's own (conftest)."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from backproplab.errors import DamageError, MachineError, RefusedError
from backproplab.files import DiskFolder
from backproplab.journal.events import EventWriter
from backproplab.runs import (
    Board,
    clean,
    create_session,
    find,
    find_all,
    find_inside,
    linked,
    open_log_root,
    plan_cleaning,
    start,
    stop,
    url,
)
from backproplab.runs.board import LOG, RECORD
from backproplab.runs.link import pinned
from backproplab.runs.server import answer, born, trouble


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls itself tensorboard and is none."""
    with subprocess.Popen(["tensorboard", "600"], executable="/bin/sleep") as process:
        try:
            yield process
            assert process.poll() is None, "a stranger was ended"
        finally:
            process.kill()


@pytest.fixture
def started() -> Iterator[Callable[..., Board]]:
    """``start``, and an end for what a failed test leaves running."""
    with ExitStack() as stack:

        def start_one(root: Path, port: int | None = None) -> Board:
            board = start(root, port)
            stack.callback(stop, board)
            return board

        yield start_one


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _by_hand(
    logdir: str | Path, *options: str, cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A TensorBoard as a user starts it, answering and registered."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("tensorboard")), "--logdir", str(logdir)]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(" at http://" in line for line in process.stderr)
            prefix = (
                options[options.index("--path_prefix") + 1] if "--path_prefix" in options else ""
            )
            assert answer(port, prefix)  # it registers itself before its first answer
            yield process
        finally:
            process.kill()


def _plant(pid: int, logdir: Path, port: int) -> None:
    """An entry in TensorBoard's registry, as a process of anyone could write it."""
    from tensorboard import manager, version

    key = manager.cache_key("/", ["--logdir", str(logdir)], {})
    info = manager.TensorBoardInfo(version.VERSION, 0, pid, port, "", str(logdir), "", key)
    folder = Path(tempfile.gettempdir(), ".tensorboard-info")
    folder.mkdir(exist_ok=True)
    (folder / f"pid-{pid}.info").write_text(manager._info_to_string(info))


def _record(root: Path, **record: object) -> None:
    (root / RECORD).write_text(json.dumps(record))


def test_a_quiet_root_has_no_board(root: Path) -> None:
    assert find(root) is None
    assert find_all(root / "missing") == ()


def test_the_link_of_ours_is_short(root: Path) -> None:
    assert url(Board(root, 1, 6006, str(root), "", ours=True)) == "http://127.0.0.1:6006/s"


def test_the_link_of_one_started_by_hand_says_all(root: Path) -> None:
    parts = urlsplit(url(Board(root, 1, 6007, "runs", "", ours=False, prefix="/tb")))
    assert (parts.netloc, parts.path) == ("127.0.0.1:6007", "/tb/")
    assert parts.fragment == "timeseries&_smoothingWeight=0"
    query = parse_qs(parts.query)
    assert query["smoothing"] == ["0"]
    (runs,) = query["runFilter"]
    assert re.search(runs, "validation")
    assert re.search(runs, "20191003-153452/exp1/train")
    assert not re.search(runs, "20191003-153452/.hparams/success/lr-1")
    cards = json.loads(query["pinnedCards"][0])
    assert cards == [{"plugin": "scalars", "tag": tag} for tag in ("epoch_loss", "epoch_accuracy")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("loss,accuracy,f1", ["loss", "accuracy"]),
        ("accuracy,loss", ["loss", "accuracy"]),
        ("loss,mae,r2", ["loss", "mae"]),
        ("perplexity", ["perplexity"]),
        ("", ["loss", "accuracy"]),
    ],
)
@pytest.mark.parametrize("place", ["", "exp1", "session/exp1"])
def test_what_was_measured_is_pinned(
    tmp_path: Path, columns: str, expected: list[str], place: str
) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "metrics.csv").write_text(f"epoch,step,split,{columns}".rstrip(","))
    assert pinned(tmp_path) == expected


@pytest.mark.parametrize("right_time", [True, False])
def test_a_process_id_that_came_back_is_not_our_board(
    root: Path, sleeper: subprocess.Popen[bytes], right_time: bool
) -> None:
    time = born(sleeper.pid) if right_time else "1"
    _record(root, pid=sleeper.pid, port=6006, born=time)
    assert find(root) is None
    assert stop(Board(root, sleeper.pid, 6006, str(root), time, ours=True))
    assert _names(root) == {".backproplab"}  # the stale record is gone


@pytest.mark.parametrize(
    "record", [{}, {"pid": "1"}, {"pid": -1, "port": 1, "born": ""}, {"pid": 10**30, "port": 1}]
)
def test_a_damaged_record_is_none(root: Path, record: dict[str, object]) -> None:
    _record(root, **record)
    assert find(root) is None


def test_a_planted_entry_ends_nobody(root: Path, sleeper: subprocess.Popen[bytes]) -> None:
    _plant(sleeper.pid, root, 6006)
    _plant(os.getpid(), root, 6006)
    _plant(2**22 + 1, root, 6006)
    Path(tempfile.gettempdir(), ".tensorboard-info", "pid-1.info").write_bytes(b"{\xff")
    assert find_all(root) == ()
    assert plan_cleaning(root).boards == ()


def test_another_program_on_the_same_directory_is_no_board(root: Path) -> None:
    command = ["train.py", "-c", "input()", "--logdir", str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, executable=sys.executable, stdin=pipe, stderr=pipe) as training:
        _plant(training.pid, root, 6006)
        _record(root, pid=training.pid, port=6006, born=born(training.pid))
        assert find_all(root) == ()


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_that_is_none_is_named(root: Path, port: int) -> None:
    with pytest.raises(MachineError, match=f"port {port}: not between 1 and 65535"):
        start(root, port)


def test_a_port_that_is_taken_is_named(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            MachineError, match=f"port {port}: address already in use — omit --port"
        ):
            start(root, port)
    assert trouble(port) == ""
    assert _names(root) == {".backproplab"}


def test_a_server_that_does_not_come_up_says_why(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "__init__.py").write_text("raise SystemExit('no luck today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MachineError, match="ended at once: no luck today — see ") as caught:
        start(root)
    assert "\n" not in str(caught.value)
    assert not (root / RECORD).exists()


def test_the_log_is_not_written_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("years of work")
    (root / LOG).symlink_to(tmp_path / "precious")
    with pytest.raises(DamageError, match="cannot write"):
        start(root)
    assert (tmp_path / "precious").read_text() == "years of work"


@pytest.mark.slow
def test_a_board_is_started_found_reused_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[..., Board]
) -> None:
    (tmp_path / "tensorboard.py").write_text("raise SystemExit('a file of the user')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    open_log_root(Path("my runs"))  # marked: its record is in it, and not in the user's cache
    board = started(Path("my runs"))
    root = tmp_path / "my runs"
    assert board.root == root
    assert answer(board.port) == str(root)
    assert stat.S_IMODE((root / RECORD).stat().st_mode) == 0o600
    assert find(Path("my runs")) == find(root) == board
    assert start(root) == start(root, board.port) == board
    with pytest.raises(
        RefusedError, match=f"already shows .* on port {board.port} — stop it first"
    ):
        start(root, 1)
    other = started(tmp_path / "other")
    assert other.port != board.port
    children = Path(f"/proc/{board.pid}/task/{board.pid}/children")
    data_servers = [os.pidfd_open(int(pid)) for pid in children.read_text().split()]
    assert stop(board)
    assert stop(board)
    assert born(board.pid) == ""
    for server in data_servers:  # readable once it has ended, by itself
        assert select.select([server], [], [], 30)[0] == [server]
        os.close(server)
    assert find(root) is None
    assert _names(root) == {".backproplab"}
    assert find(tmp_path / "other") == other


@pytest.mark.slow
def test_clean_stops_ours_only_and_deletes_ours_only(
    root: Path, tmp_path: Path, started: Callable[..., Board]
) -> None:
    session, notes = create_session(root), tmp_path / "notes"
    notes.mkdir()
    ours = started(root)
    (tmp_path / "link").symlink_to(root)
    with (
        _by_hand("runs", "--path_prefix", "/tb", cwd=tmp_path) as same,
        _by_hand(tmp_path) as above,
        _by_hand(session) as below,
        _by_hand(notes) as elsewhere,
    ):
        first, second = find_all(tmp_path / "link")
        assert first == ours
        assert (second.pid, second.ours, second.prefix) == (same.pid, False, "/tb")
        assert answer(second.port, second.prefix) == second.location == "runs"
        plan = plan_cleaning(root)
        assert plan.boards == (first, second)
        outcome = clean(plan)
        assert outcome.stopped == plan.boards
        assert outcome.cleared
        assert same.wait() == 0
        assert [above.poll(), below.poll(), elsewhere.poll()] == [None] * 3
    assert notes.is_dir()
    assert _names(root) == set()


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["true", "false"])
def test_links_show_just_these_runs_in_both_loaders(
    new_session: Callable[[], Path], loader: str
) -> None:
    """TensorBoard's two loaders: its native data server, and the one in Python."""
    sessions = new_session(), new_session(), new_session()
    for session in sessions:
        (session / "exp1" / "train").mkdir()
        _event(session / "exp1" / "train")
    linked_root = linked([session / "exp1" for session in sessions[:2]])
    wanted = {f"{session.name}/exp1/train" for session in sessions[:2]}
    with _by_hand(linked_root, "--load_fast", loader, "--reload_interval", "1"):
        board = find(linked_root)
        assert board
        end = time.monotonic() + 30
        while set(_ask(board.port, "data/runs")) != wanted:
            assert time.monotonic() < end


@pytest.mark.slow
def test_clean_stops_the_boards_of_what_it_deletes(
    root: Path, new_session: Callable[[], Path], started: Callable[..., Board]
) -> None:
    doomed, kept = new_session(), new_session()
    ours = started(doomed)
    links = started(linked([doomed / "exp1"]))
    both = started(linked([doomed / "exp1", kept / "exp1"]))
    stays = started(kept)
    assert find_all(root) == ()
    assert len({board.pid for board in (ours, links, both, stays)}) == 4
    assert [path.name for path in doomed.iterdir() if "tensorboard" in path.name] == []
    found = find_inside(root)
    assert {board.pid for board in found} == {ours.pid, links.pid, both.pid, stays.pid}
    plan = plan_cleaning(root, keep=1)
    assert {item.name for item in plan.kept} == {kept.name}
    assert {board.pid for board in plan.boards} == {ours.pid, links.pid}
    assert set(clean(plan).stopped) == set(plan.boards)
    assert not links.root.exists()
    assert {board.pid for board in find_inside(root)} == {both.pid, stays.pid}
    assert clean(plan_cleaning(root)).cleared
    assert find_inside(root) == ()
    assert not both.root.exists()


@pytest.mark.slow
def test_a_board_on_kept_sessions_stays(root: Path, started: Callable[..., Board]) -> None:
    create_session(root)
    board = started(root)
    assert plan_cleaning(root, keep=1).boards == ()
    clean(plan_cleaning(root, keep=1))
    assert find(root) == board


@pytest.mark.slow
def test_a_board_that_does_not_want_to_end_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[..., Board]
) -> None:
    monkeypatch.setattr("backproplab.runs.cleaning.stop", lambda board: stop(board, 0.1))
    board = started(root)
    os.kill(board.pid, signal.SIGSTOP)
    try:
        assert not stop(board, patience=0.1)
        assert find(root) == board
        outcome = clean(plan_cleaning(root))
        assert (outcome.stopped, outcome.cleared) == ((), False)
        assert (root / RECORD).exists()
    finally:
        os.kill(board.pid, signal.SIGCONT)
    assert stop(board)
    assert clean(plan_cleaning(root)).cleared


@pytest.mark.slow
def test_a_record_with_another_start_time_is_not_believed(
    root: Path, started: Callable[..., Board]
) -> None:
    board = started(root)
    stale = replace(board, born="1")
    assert stop(stale)  # nothing to end: the process that is meant is gone
    assert find(root) == board
    _record(root, pid=board.pid, port=1, born="1")
    assert find(root) == replace(board, ours=False)  # by TensorBoard's registry


@pytest.mark.slow
def test_a_killed_board_is_gone(root: Path, started: Callable[..., Board]) -> None:
    board = started(root)
    os.kill(board.pid, signal.SIGKILL)
    assert stop(board)
    assert find(root) is None


@pytest.mark.slow
def test_without_proc_the_server_is_asked(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[..., Board]
) -> None:
    """As on macOS: no start times, no command lines, no pidfd."""
    monkeypatch.setattr("backproplab.runs.server.has_proc", lambda: False)
    monkeypatch.setattr("backproplab.runs.server.born", lambda pid: "")
    monkeypatch.delattr(os, "pidfd_open")
    board = started(root)
    assert find(root) == replace(board, born="")
    other = open_log_root(tmp_path / "other")
    _record(other, pid=board.pid, port=board.port, born="")
    assert find(other) is None
    with _by_hand("other", cwd=tmp_path) as by_hand:
        found = find(other)
        assert found is not None
        assert found.pid == by_hand.pid
    assert stop(board)
    assert find(root) is None


def _ask(port: int, path: str) -> Any:
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return json.load(answer)


def _event(folder: Path) -> None:
    """An event file with one scalar."""
    writer = EventWriter(DiskFolder(folder), ".")
    writer.scalars(0, {"epoch_loss": 1.0})
    writer.log.close()


def _names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}
