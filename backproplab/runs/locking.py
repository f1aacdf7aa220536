"""A session's lock, on its marker file; the kernel releases it even after kill -9.

This file must not know what is done under the lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backproplab.errors import RunError
from backproplab.files import UnusableFile, machine_limits, open_regular
from backproplab.files.atomic import HIDDEN, remove_temporaries
from backproplab.runs.folders import Folder, marker_path

PATIENCE = 1.0  # seconds; ``is_active`` holds the lock for microseconds


@contextmanager
def lock_session(session: Folder) -> Iterator[None]:
    """Hold the session while the block runs: no other process can lock or ``clean`` it.

    Raises RunError if another process holds it or it is not (or no longer) a session, DamageError
    if its marker is not a regular file, MachineError if the file system does not support locks.
    """
    path, directory = marker_path(session)
    with machine_limits(path):
        try:
            descriptor = open_regular(path, os.O_RDWR, directory)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{path}: there is no session here") from None
    try:
        with machine_limits(path):
            if not _acquired(descriptor):
                raise RunError(f"{path}: another process uses this session — wait until it ends")
        if not _still_there(session, descriptor):
            raise RunError(f"{path}: the session was deleted")
        if isinstance(session, Path):
            _remove_half_written(session)
        yield
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # also releases the copies that forked children hold
    finally:
        os.close(descriptor)


def _remove_half_written(session: Path) -> None:
    """Delete what killed processes left: files and folders under names that they did not keep."""
    remove_temporaries(session)
    with suppress(OSError):
        for path in session.iterdir():
            if HIDDEN.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def is_active(session: Folder) -> bool:
    """True if a process holds the session, or if that cannot be determined."""
    path, directory = marker_path(session)
    try:
        descriptor = open_regular(path, directory=directory)
    except (FileNotFoundError, UnusableFile):  # what is no marker cannot be locked
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _acquired(descriptor: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _still_there(session: Folder, descriptor: int) -> bool:
    """False if ``clean`` deleted the session between our opening and locking it."""
    path, directory = marker_path(session)
    try:
        found = os.stat(path, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
