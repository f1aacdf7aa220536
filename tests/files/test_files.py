"""Folders and logs: the same on the disk and in a worker's memory; whole files or none."""

import os

import pytest

from backproplab.errors import MachineError, RunError
from backproplab.files import (
    DiskFolder,
    MemoryFolder,
    exclusive_folder,
    parse_object,
    write_atomic,
)


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    return MemoryFolder() if request.param == "memory" else DiskFolder(tmp_path / "run")


@pytest.fixture
def log_of(request):
    """log_of(folder, name): a log that is closed when the test is over."""

    def log_of(folder, name):
        log = folder.log(name)
        request.addfinalizer(log.close)
        return log

    return log_of


def test_what_is_written_is_read(folder):
    folder.replace("a", b"old")
    folder.replace("deep/down/b", b"other")
    folder.replace("a", b"new")
    assert folder.read("a") == b"new"
    assert folder.size("a") == 3
    assert sorted(folder.names()) == ["a", "deep/down/b"]
    assert folder.names("deep") == ["deep/down/b"]
    folder.remove("a")
    folder.remove("a")
    assert folder.names() == ["deep/down/b"]


def test_what_is_missing_is_told(folder):
    folder.replace("a", b"")
    assert folder.names() == ["a"]
    assert folder.names("nowhere") == []
    with pytest.raises(FileNotFoundError):
        folder.read("b")


def test_a_log_grows_is_cut_and_is_continued(folder, log_of):
    log = log_of(folder, "deep/log")
    for text in (b"one\n", b"two\n"):
        log.append(text)
        assert folder.read("deep/log").endswith(text)
        log.sync()
    folder.sync()
    assert log.length == folder.size("deep/log") == 8
    log.cut(4)
    log.append(b"three\n")
    assert folder.read("deep/log") == b"one\nthree\n"
    log.close()
    again = log_of(folder, "deep/log")
    assert again.length == 10
    again.append(b"four\n")
    assert folder.read("deep/log") == b"one\nthree\nfour\n"


def test_an_alias_keeps_what_is_replaced_later(folder):
    folder.replace("at/last", b"1")
    folder.alias("at/last", "at/previous")
    folder.replace("at/last", b"2")
    assert folder.read("at/previous") == b"1"
    folder.alias("at/last", "at/previous")
    folder.replace("at/last", b"3")
    assert [folder.read(f"at/{name}") for name in ("last", "previous")] == [b"3", b"2"]
    assert sorted(folder.names()) == ["at/last", "at/previous"]


def test_a_file_system_without_links_keeps_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    folder = DiskFolder(tmp_path)
    folder.replace("last", b"1")
    monkeypatch.setattr(os, "link", refuse)
    folder.alias("last", "previous")
    folder.replace("last", b"2")
    assert folder.read("previous") == b"1"


def test_a_folder_is_created_with_its_files_or_refused(folder):
    folder.create({"config.yaml": b"a", "run.json": b"{}"})
    assert sorted(folder.names()) == ["config.yaml", "run.json"]
    with pytest.raises(RunError, match="not empty; give each run a folder of its own"):
        folder.create({"config.yaml": b"b"})
    assert folder.read("config.yaml") == b"a"


def test_a_log_that_was_deleted_is_noticed_and_closed(tmp_path, log_of):
    log = log_of(DiskFolder(tmp_path), "log")
    (tmp_path / "log").unlink()
    with pytest.raises(MachineError, match="log: cannot write: "):
        log.append(b"x")
    with pytest.raises(MachineError, match="the file was closed after an error"):
        log.append(b"x")


def test_memory_begins_with_what_is_given_and_gives_what_is_left(log_of):
    given = {"metrics.csv": b"one\n"}
    folder = MemoryFolder(given)
    log_of(folder, "metrics.csv").append(b"two\n")
    folder.replace("run.json", b"{}")
    assert folder.files == {"metrics.csv": b"one\ntwo\n", "run.json": b"{}"}
    assert given == {"metrics.csv": b"one\n"}


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_an_exclusive_folder_appears_whole(tmp_path, there):
    place = tmp_path / "session" / "run"
    if there:
        place.mkdir(parents=True)
    exclusive_folder(place, {"a": b"1", "b": b"2"})
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"a": b"1", "b": b"2"}
    assert [path.name for path in place.parent.iterdir()] == ["run"]


def test_what_a_killed_process_left_of_one_is_replaced(tmp_path):
    (tmp_path / ".run.new").mkdir()
    (tmp_path / ".run.new" / "a").write_text("half")
    exclusive_folder(tmp_path / "run", {"a": b"whole"})
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "a").read_bytes() == b"whole"


def test_an_exclusive_folder_that_cannot_be_written_is_not_there(tmp_path):
    with pytest.raises(MachineError, match="cannot write: the path is too long"):
        exclusive_folder(tmp_path / "run", {"a" * 300: b""})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="a parent of it is a file"):
        exclusive_folder(tmp_path / "file" / "deep" / "run", {})


def test_only_our_half_written_files_are_removed(tmp_path):
    folder = DiskFolder(tmp_path)
    for name in (".last.0123abcd.tmp", "checkpoints/.last.00000000.tmp", ".hidden", "own.tmp"):
        folder.replace(name, b"")
    folder.remove_temporaries()
    assert sorted(folder.names()) == [".hidden", "own.tmp"]


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a", "old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(MachineError, match="a: cannot write: the disk is full"):
        write_atomic(tmp_path / "a", b"new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(("levels", "deep"), [(63, False), (64, True), (10_000, True)])
@pytest.mark.parametrize("beside", [0, 100])
def test_json_is_nested_at_most_so_deep(levels, deep, beside):
    text = b'{"a": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b', "b": [' + b"[]," * beside
    text += b"0]}"
    if deep:
        with pytest.raises(ValueError, match=r"deeper than 64|not JSON"):
            parse_object(text)
    else:
        assert len(parse_object(text)["b"]) == beside + 1
