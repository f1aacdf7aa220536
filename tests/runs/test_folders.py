from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.errors import ConfigError, MachineError
from backproplab.files.reading import MIB
from backproplab.runs.folders import (
    create_session,
    created,
    experiment_folder,
    open_log_root,
    read_json,
    read_marker,
)

NOW = datetime(2019, 10, 3, 15, 34, 52)
RACE = """
import sys
from datetime import datetime
from pathlib import Path
from backproplab.runs import create_session
sys.stdin.readline()
print(create_session(Path(sys.argv[1]), now=datetime(2019, 10, 3, 15, 34, 52)).name)
"""
CREATE = """
import sys
from pathlib import Path
from backproplab.errors import MachineError
from backproplab.runs import create_session, open_log_root
try:
    create_session(open_log_root(Path(sys.argv[1])))
except MachineError as error:
    print(error)
print(sorted(p.name for p in Path(sys.argv[1]).glob("2*")))
"""
HAS_MOUNTS = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode
    == 0
)


def test_a_log_root_is_made_with_its_marker_and_nothing_else(tmp_path: Path) -> None:
    root = open_log_root(tmp_path / "a" / "runs")
    assert [entry.name for entry in root.iterdir()] == [".backproplab"]
    assert json.loads((root / ".backproplab").read_text()) == {"tool": "backproplab"}


def test_a_directory_in_use_becomes_a_log_root_and_keeps_all(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    (tmp_path / ".backproplab").write_text("as it was")
    open_log_root(open_log_root(tmp_path))
    assert (tmp_path / "thesis.tex").read_text() == "precious"
    assert (tmp_path / ".backproplab").read_text() == "as it was"


def test_a_session_is_no_log_root(root: Path) -> None:
    with pytest.raises(ConfigError, match=f"is a session, not a log root — give {root} instead"):
        open_log_root(create_session(root))


@pytest.mark.parametrize("name", ["file", "file/runs"])
def test_a_file_is_no_log_root(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match=r"file(/runs)?: cannot write"):
        open_log_root(tmp_path / name)


def test_a_session_is_named_by_the_second_and_then_numbered(root: Path) -> None:
    names = [create_session(root, now=NOW).name for _ in range(3)]
    assert names == ["20191003-153452", "20191003-153452-1", "20191003-153452-2"]


def test_the_marker_names_its_directory_and_inode(root: Path) -> None:
    session = create_session(root)
    marker = read_marker(session)
    assert marker is not None
    assert (marker.directory, marker.inode) == (session.name, session.stat().st_ino)
    assert marker.created == created(session) == pytest.approx(time.time(), abs=60)
    assert [entry.name for entry in session.iterdir()] == [".backproplab"]


def test_sixteen_processes_in_one_second_get_sixteen_sessions(root: Path) -> None:
    command = [sys.executable, "-c", RACE, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, **pipes) for _ in range(16)]  # type: ignore[call-overload]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    names = [racer.communicate()[0].strip() for racer in racers]
    assert len(set(names)) == 16
    assert all(read_marker(root / name) is not None for name in names)


@pytest.mark.skipif(not HAS_MOUNTS, reason="needs unshare and mount")
@pytest.mark.parametrize(
    ("mount", "cause"),
    [
        ("mount -t tmpfs -o size=4k none $0; echo {} > $0/.backproplab", "the disk is full"),
        ("mount -t tmpfs -o ro none $0", "the file system is read-only"),
    ],
)
def test_a_machine_at_its_limit_is_named_and_nothing_is_left(
    tmp_path: Path, mount: str, cause: str
) -> None:
    script = f'{mount}; exec "$1" -c "$2" $0'
    command = ["unshare", "-Urm", "sh", "-c", script, tmp_path, sys.executable, CREATE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, left = done.stdout.splitlines()
    assert f"cannot write: {cause}" in message
    assert left == "[]"


def test_no_permission_is_named() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        Path(parent).chmod(0o555)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            if os.geteuid() == 0:  # whom no permission stops
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            try:
                create_session(open_log_root(Path(parent, "runs")))
            except MachineError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with open(reading) as said:  # noqa: PTH123
            assert said.read() == f"{parent}/runs: cannot write: no permission"
        Path(parent).chmod(0o755)


@pytest.mark.parametrize("name", ["exp1", "A", "0.1", "a" * 80, "x_y-z.0"])
def test_a_plain_name_is_a_folder(root: Path, name: str) -> None:
    """Which the run itself makes, with its config and record in it."""
    session = create_session(root)
    assert experiment_folder(session, name) == session / name
    assert [entry.name for entry in session.iterdir()] == [".backproplab"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a..b", "/etc", "a/b", "a b", "-a", ".a", "~", "a\n", "a\0", "e\u0301", "x\u202e",
     "a" * 81, "CON:", "a\\b"],
)  # fmt: skip
def test_another_name_is_refused(root: Path, name: str) -> None:
    session = create_session(root)
    with pytest.raises(ConfigError, match="cannot be a directory's name"):
        experiment_folder(session, name)
    assert [entry.name for entry in session.iterdir()] == [".backproplab"]


def test_two_experiments_cannot_share_a_name(root: Path) -> None:
    session = create_session(root)
    experiment_folder(session, "exp1").mkdir()
    with pytest.raises(ConfigError, match="two experiments are called 'exp1' — rename one"):
        experiment_folder(session, "exp1")


@given(st.text() | st.from_regex(r"[./A-Za-z0-9_\-\\]{1,90}", fullmatch=True))
def test_no_name_leaves_its_session(name: str) -> None:
    with tempfile.TemporaryDirectory() as session:
        try:
            folder = experiment_folder(Path(session), name)
        except ConfigError:
            assert os.listdir(session) == []  # noqa: PTH208
        else:
            folder.mkdir()
            assert [os.path.realpath(folder)] == [
                os.path.join(os.path.realpath(session), entry)  # noqa: PTH118
                for entry in os.listdir(session)  # noqa: PTH208
            ]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe\xff", b"[" * 100_000, b"9" * 5000, b'{"a": "\xff"}',
     b"{}" + b" " * MIB],
)  # fmt: skip
def test_damaged_json_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert read_json(tmp_path / "x.json") == {}


def test_json_is_read_from_plain_files_only(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text('{"a": 1}')
    (tmp_path / "link.json").symlink_to("real.json")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    found = {path.stem: read_json(path) for path in tmp_path.glob("*.json")}
    assert found == {"real": {"a": 1}, "link": {}, "folder": {}, "pipe": {}}
    assert read_json(tmp_path / "missing.json") == {}


@pytest.mark.parametrize(
    "marker",
    [
        {"tool": "backproplab"},
        {"tool": "other", "directory": "a", "inode": 1},
        {"tool": "backproplab", "directory": 1, "inode": 1},
        {"tool": "backproplab", "directory": "a", "inode": "1"},
    ],
)
def test_a_half_marker_is_none(tmp_path: Path, marker: dict[str, object]) -> None:
    (tmp_path / ".backproplab").write_text(json.dumps(marker))
    assert read_marker(tmp_path) is None


@pytest.mark.parametrize("value", ["x", None, True, [1], 3, math.nan, -math.inf, 10**400])
def test_a_session_whose_marker_has_no_time_counts_by_the_marker_s_own(
    root: Path, value: object
) -> None:
    session = create_session(root)
    found = json.loads((session / ".backproplab").read_text()) | {"created": value}
    (session / ".backproplab").write_text(json.dumps(found))
    os.utime(session / ".backproplab", (1.5, 1.5))
    assert created(session) == 1.5


def test_a_folder_without_a_marker_counts_by_its_own_time(tmp_path: Path) -> None:
    os.utime(tmp_path, (2.5, 2.5))
    assert created(tmp_path) == 2.5
    assert created(tmp_path / "missing") == 0
