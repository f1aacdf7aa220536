from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backproplab.errors import RunError
from backproplab.runs import create_session, is_active, lock_session, locking


def test_a_held_session_is_active_until_its_process_ends(
    root: Path, holding: Callable[[Path], Any]
) -> None:
    session = create_session(root)
    assert not is_active(session)
    with holding(session):
        assert is_active(session)
        with (
            pytest.raises(RunError, match="another process uses this session"),
            lock_session(session),
        ):
            pass
    assert not is_active(session)


def test_the_kernel_frees_a_killed_process_s_session(
    root: Path, holding: Callable[[Path], Any]
) -> None:
    session = create_session(root)
    with holding(session) as child:
        child.kill()
        child.wait()
        assert not is_active(session)
        with lock_session(session):
            assert is_active(session)


def test_an_error_in_the_block_frees_it(root: Path) -> None:
    session = create_session(root)
    with pytest.raises(KeyError), lock_session(session):
        raise KeyError
    assert not is_active(session)


def test_a_forked_child_does_not_keep_it(root: Path) -> None:
    session = create_session(root)
    reading, writing = os.pipe()
    with lock_session(session):
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    active = is_active(session)
    os.close(writing)
    os.close(reading)
    os.waitpid(child, 0)
    assert not active


def test_asking_never_makes_locking_fail(root: Path) -> None:
    session = create_session(root)
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            is_active(session)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(100):
            with lock_session(session):
                pass
    finally:
        ended.set()
        asking.join()


def test_what_was_deleted_while_waiting_is_not_locked(root: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(locking, "PATIENCE", 60.0)
    session = create_session(root)
    errors: list[BaseException] = []
    opened = threading.Event()
    monkeypatch.setattr(locking, "_acquired", _announcing(locking._acquired, opened))

    def wait() -> None:
        try:
            with lock_session(session):
                pass
        except RunError as error:
            errors.append(error)

    with lock_session(session):
        opened.clear()
        waiting = threading.Thread(target=wait)
        waiting.start()
        opened.wait()
        session.rename(root / ".trash")
    waiting.join()
    assert [str(error) for error in errors] == [f"{session}/.backproplab: the session was deleted"]


def _announcing(acquired: Callable[[int], bool], opened: threading.Event) -> Callable[[int], bool]:
    def announce(descriptor: int) -> bool:
        opened.set()
        return acquired(descriptor)

    return announce


@pytest.mark.parametrize("name", ["missing", "file/below", "."])
def test_what_is_no_session_cannot_be_locked(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert not is_active(tmp_path / "missing")
    with pytest.raises(RunError, match="there is no session here"), lock_session(tmp_path / name):
        pass
