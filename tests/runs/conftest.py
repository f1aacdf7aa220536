"""Log roots on the real file system, and a registry of TensorBoards that no other test sees."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backproplab.runs import create_session, experiment_folder, open_log_root

HOLD = """
import sys
from pathlib import Path
from backproplab.runs import lock_session
with lock_session(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_registry(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    temporary = str(tmp_path_factory.mktemp("tmp"))
    monkeypatch.setenv("TMPDIR", temporary)  # for child processes
    monkeypatch.setattr(tempfile, "tempdir", temporary)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return open_log_root(tmp_path / "runs")


@pytest.fixture
def write_run() -> Callable[..., Path]:
    def write(session: Path, name: str = "exp1", **record: Any) -> Path:
        folder = experiment_folder(session, name)
        folder.mkdir()
        record = {"format": 1, "name": name, "status": "completed"} | record
        (folder / "run.json").write_text(json.dumps(record))
        return folder

    return write


@pytest.fixture
def new_session(root: Path, write_run: Callable[..., Path]) -> Callable[[], Path]:
    def make() -> Path:
        session = create_session(root)
        write_run(session)
        return session

    return make


@pytest.fixture
def holding() -> Callable[[Path], Any]:
    """A child process that holds a session until the block ends; it may be killed before."""

    @contextmanager
    def hold(session: Path) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-c", HOLD, str(session)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"held\n"
            yield child

    return hold
