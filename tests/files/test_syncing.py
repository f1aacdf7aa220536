"""Many files are waited for in one call where that is sure, else one by one; an error is raised."""

import os

import pytest

from backproplab.errors import MachineError
from backproplab.files import syncing, write_together

FILES = {f"{number % 7}/{number}": b"1" for number in range(100)}


@pytest.fixture
def calls(monkeypatch):
    """What has been waited for: the paths of files and folders, and file systems as ``/``."""
    found = []
    one, whole = syncing.sync, syncing._sync_file_system
    monkeypatch.setattr("backproplab.files.atomic.sync", lambda p: (found.append(str(p)), one(p)))
    monkeypatch.setattr(syncing, "_sync_file_system", lambda p: (found.append("/"), whole(p)))
    return found


@pytest.mark.parametrize("missing", ["", "a file system that is sure", "a disk with little to do"])
def test_everything_is_waited_for_in_one_call_or_one_by_one(tmp_path, monkeypatch, calls, missing):
    monkeypatch.setattr(syncing, "_is_local", lambda device: "sure" not in missing)
    waiting = syncing.LITTLE + ("little" in missing)
    monkeypatch.setattr(syncing, "_kibibytes_waiting", lambda: waiting)
    write_together(tmp_path, FILES)
    names = [*FILES, ".", *map(str, range(7))]
    assert sorted(calls) == (sorted(f"{tmp_path}/{name}" for name in names) if missing else ["/"])


def test_few_files_are_waited_for_one_by_one(tmp_path, calls):
    write_together(tmp_path, {"a": b"1"})
    assert sorted(calls) == [f"{tmp_path}/.", f"{tmp_path}/a"]


@pytest.mark.parametrize("sure", [True, False])
def test_a_disk_that_fails_is_reported(tmp_path, monkeypatch, sure):
    def fails(path):
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(syncing, "_is_local", lambda device: sure)
    monkeypatch.setattr(syncing, "_kibibytes_waiting", lambda: 0)
    monkeypatch.setattr(syncing, "_sync_file_system", fails)
    monkeypatch.setattr("backproplab.files.atomic.sync", fails)
    with pytest.raises(MachineError, match=f"{tmp_path}.*: cannot write: input/output error"):
        write_together(tmp_path, FILES)


def test_a_device_that_no_mount_names_is_not_sure():
    assert not syncing._is_local(os.makedev(4095, 1))
