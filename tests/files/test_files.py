"""Files of a run: the same on the disk and in a worker's memory."""

from contextlib import nullcontext

import pytest

from backproplab import files


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    memory = request.param == "memory"
    with files.files_in_memory({}) if memory else nullcontext():
        place = (files.MEMORY if memory else tmp_path) / "run"
        files.make_folder(place)
        yield place


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


def test_memory_begins_with_what_is_given_and_gives_what_is_left():
    table, record = files.MEMORY / "0" / "metrics.csv", files.MEMORY / "1" / "run.json"
    with files.files_in_memory({table: b"one\n"}) as left:
        with files.open_log(table, "ab") as log:
            files.append(log, b"two\n")
        files.write_atomic(record, "{}")
    assert left == {table: b"one\ntwo\n", record: b"{}"}
    assert not files.exists(table)


def test_what_is_elsewhere_is_on_the_disk(tmp_path):
    with files.files_in_memory({}) as left:
        files.write_atomic(tmp_path / "cache", "kept")
        assert files.read_whole(tmp_path / "cache") == b"kept"
    assert left == {}
    assert (tmp_path / "cache").read_text() == "kept"
