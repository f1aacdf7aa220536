"""Files of a run: the same on the disk and in a worker's memory."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from backproplab import files


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path, monkeypatch):
    """Where files go; in memory the disk stays empty."""
    monkeypatch.chdir(tmp_path)
    memory = request.param == "memory"
    with files.scratch_space({}) if memory else nullcontext():
        files.make_folder(Path("run"))
        yield Path("run")
    assert bool(list(tmp_path.iterdir())) != memory


def test_what_is_written_is_read(folder):
    files.write_atomic(folder / "a", "old")
    files.write_atomic(folder / "a", b"new")
    assert files.read_whole(folder / "a") == b"new"
    assert files.exists(folder / "a")
    assert files.names_in(folder) == ["a"]


def test_what_is_missing_is_told(folder):
    files.write_atomic(folder / "a", "")
    assert not files.exists(folder / "b")
    with pytest.raises(FileNotFoundError):
        files.read_whole(folder / "b")


def test_a_log_grows(folder):
    for text in (b"one\n", b"two\n"):
        with files.open_log(folder / "log", "ab") as log:
            files.append(log, text)
            assert files.read_whole(folder / "log").endswith(text)
            assert not files.is_deleted(log)
            files.sync(log)
    assert files.read_whole(folder / "log") == b"one\ntwo\n"


def test_a_new_log_takes_no_name_that_is_there(folder):
    files.open_log(folder / "log", "xb").close()
    with pytest.raises(FileExistsError):
        files.open_log(folder / "log", "xb")


def test_a_log_that_was_deleted_is_noticed(tmp_path):
    with files.open_log(tmp_path / "log", "ab") as log:
        (tmp_path / "log").unlink()
        assert files.is_deleted(log)


def test_scratch_space_begins_with_what_is_given_and_gives_what_is_left():
    with files.scratch_space({Path("0/metrics.csv"): b"one\n"}) as left:
        with files.open_log(Path("0/metrics.csv"), "ab") as log:
            files.append(log, b"two\n")
        files.write_atomic(Path("1/run.json"), "{}")
    assert left == {Path("0/metrics.csv"): b"one\ntwo\n", Path("1/run.json"): b"{}"}
    assert not files.exists(Path("0/metrics.csv"))
