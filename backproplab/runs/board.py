"""TensorBoard's process: find, start and stop the one that shows a log root.

A server is identified by its process (owner, command line, start time), never by a name, a port
or a file alone: several TensorBoards may run on the machine, and process ids are reused. Without
/proc the server itself is queried for its directory. This file must not know what is logged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import MachineError, RefusedError
from backproplab.files import machine_limits, open_regular, read_regular, write_atomic
from backproplab.files.places import private, state_folders
from backproplab.runs import link, links, server
from backproplab.runs.folders import is_marked, read_json, read_marker

RECORD = ".backproplab-tensorboard.json"
LOG = ".backproplab-tensorboard.log"
REGISTRY = ".tensorboard-info"  # a directory of the temporary one, where TensorBoards sign in
PORTS = range(6006, 6106)
PATIENCE = 60.0  # seconds from the start to the first response; usually 1.4


@dataclass(frozen=True)
class Board:
    """A live TensorBoard that shows ``root``.

    location: the log directory as on its command line. born: the start time of its process, in
    clock ticks since boot ("" without /proc). ours: whether we started it.
    """

    root: Path
    pid: int
    port: int
    location: str
    born: str
    ours: bool
    prefix: str = ""


def find(root: Path) -> Board | None:
    """The TensorBoard that shows ``root``: ours, or one that the user started by hand."""
    return next(iter(find_all(root)), None)


def find_all(root: Path) -> tuple[Board, ...]:
    """Every TensorBoard of this user that shows exactly ``root``, ours first."""
    boards: dict[int, Board] = {}
    for board in (*_recorded(root.resolve()), *_registered(root.resolve())):
        if _is_live(board):
            boards.setdefault(board.pid, board)
    return tuple(boards.values())


def start(root: Path, port: int | None = None) -> Board:
    """A TensorBoard for ``root`` that responds: the running one, or a new one on 127.0.0.1.

    root: a log root, a session, or a folder of ``links``.

    Its record and its log are in ``root`` only if that is a log root of ours that can be written.

    port: None for the first free one of 6006 to 6105. Raises MachineError if the port is taken or
    the server does not start, RefusedError if one already runs on another port.
    """
    root = root.resolve()
    if board := find(root):
        if port in (None, board.port):
            return board
        raise RefusedError(f"TensorBoard already shows {root} on port {board.port} — stop it first")
    for candidate in PORTS if port is None else (port,):
        if not (trouble := server.trouble(candidate)):
            try:
                return _launch(root, candidate)
            except MachineError:
                if port is not None or not server.trouble(candidate):
                    raise  # else another process took this port in the meantime
    if port is None:
        raise MachineError(f"no free port from {PORTS[0]} to {PORTS[-1]} — give one with --port")
    raise MachineError(f"port {port}: {trouble} — omit --port to get a free one")


def stop(board: Board, patience: float = 5.0) -> bool:
    """Send SIGTERM to the server and wait up to ``patience`` seconds; True if it has ended.

    Does nothing to a process that is not (or no longer) the TensorBoard of ``board.root``.
    """
    deadline = time.monotonic() + patience
    waiting = _terminate(board)
    while waiting and _remains(board):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    for path, log in _places(board.root):
        record = read_json(path)
        if (record.get("pid"), record.get("born")) == (board.pid, board.born):
            with machine_limits(path):
                path.unlink(missing_ok=True)
                log.unlink(missing_ok=True)
    links.remove(board.root)
    return True


def url(board: Board) -> str:
    """A link to the Time Series page; short where the server is ours, see ``launcher``."""
    place = f"http://{server.HOST}:{board.port}{board.prefix}"
    return f"{place}{link.SHORT}" if board.ours else f"{place}/{link.query(board.root)}"


def find_inside(root: Path, apart_from: Collection[str] = ()) -> tuple[Board, ...]:
    """Our boards that show sessions of the log root ``root``, or runs in it, and nothing else.

    apart_from: names of sessions; no board that shows one of them.
    """
    root, found = root.resolve(), []
    records = [path for folder in state_folders() for path in folder.glob("*.json")]
    for place in {Path(str(read_json(path).get("root", ""))) for path in records}:
        shown = links.shown(place)
        inside = [path.relative_to(root).parts for path in shown if root in path.parents]
        if len(inside) == len(shown) and not {parts[0] for parts in inside} & set(apart_from):
            found += [board for board in _recorded(place) if _is_live(board)]
    return tuple(found)


def _recorded(root: Path) -> Iterator[Board]:
    """The boards in our record files, unless a process id was reused (another start time)."""
    for path, _ in _places(root):
        record = read_json(path)
        pid, port, born = record.get("pid"), record.get("port"), record.get("born")
        if isinstance(pid, int) and isinstance(port, int) and pid > 0 and born == server.born(pid):
            yield Board(root, pid, port, str(root), born, ours=True)


def _places(root: Path) -> list[tuple[Path, Path]]:
    """Where the record and the log of a board may be: in our log root, or else outside of it."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    elsewhere = [(f / f"{name}.json", f / f"{name}.log") for f in state_folders()]
    return [(root / RECORD, root / LOG), *elsewhere]


def _free_place(root: Path) -> tuple[Path, Path]:
    """Where to write them: a directory that is not ours, or read-only, is only looked at."""
    at_home, *elsewhere = _places(root)
    if is_marked(root) and not read_marker(root) and os.access(root, os.W_OK):
        return at_home
    usable = [place for place in elsewhere if private(place[0].parent)]
    if not usable:
        raise MachineError(f"{elsewhere[-1][0].parent}: cannot write: set BACKPROPLAB_CACHE")
    return usable[0]


def _registered(root: Path) -> Iterator[Board]:
    """Boards in TensorBoard's registry, unverified: anyone may write to that directory."""
    for path in Path(tempfile.gettempdir(), REGISTRY).glob("pid-*.info"):
        info = read_json(path)
        try:
            typed_in = json.loads(base64.b64decode(info["cache_key"]))["working_directory"]
            shown = server.directory(typed_in, info["logdir"])
            pid, port, prefix = int(info["pid"]), int(info["port"]), str(info["path_prefix"])
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
        if shown == root and pid > 0:
            yield Board(root, pid, port, info["logdir"], server.born(pid), False, prefix)


def _is_live(board: Board) -> bool:
    if not server.has_proc():
        return server.answer(board.port, board.prefix) == board.location
    return server.born(board.pid) == board.born and server.serves(board.pid) == board.root


def _remains(board: Board) -> bool:
    """Whether the process exists; a dying one loses its command line before its start time."""
    return server.born(board.pid) == board.born if server.has_proc() else _is_live(board)


def _launch(root: Path, port: int) -> Board:
    # -P: import nothing from the working directory; -W: a warning turned into an error would end it
    argv = [sys.executable, "-P", "-W", "ignore", "-m", server.LAUNCHER]
    argv += ["--logdir", str(root), "--host", server.HOST, "--port", str(port)]
    path, log = _free_place(root)
    process = _spawn(argv, log)
    try:
        _wait_for_answer(process, root, port, log)
        board = Board(root, process.pid, port, str(root), server.born(process.pid), ours=True)
        record = {"pid": board.pid, "born": board.born, "port": port, "argv": argv}
        record["root"] = str(root)
        write_atomic(path, json.dumps(record))
        path.chmod(0o600)
    except BaseException:
        process.kill()
        process.wait()
        raise
    threading.Thread(
        target=process.wait, daemon=True
    ).start()  # reaps the process if it ends before us
    return board


def _spawn(argv: list[str], log: Path) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    # -P hides a checkout that this process was started in, and our launcher with it
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), str(Path(__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with machine_limits(log), os.fdopen(open_regular(log, flags), "wb") as output:
        log.chmod(0o600)
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )


def _wait_for_answer(process: subprocess.Popen[bytes], root: Path, port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.answer(port) != str(root):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            lines = read_regular(log).decode(errors="replace").split("\n")
            last = "; ".join([line.strip() for line in lines if line.strip()][-3:])
            what = "ended at once" if ended else f"did not respond in {PATIENCE:.0f} s"
            raise MachineError(f"TensorBoard on port {port} {what}: {last} — see {log}")
        time.sleep(0.05)


def _terminate(board: Board) -> bool:
    """Send SIGTERM, if possible through a pidfd, which cannot refer to another process later.

    False if the board is not running.
    """
    try:
        handle = os.pidfd_open(board.pid) if hasattr(os, "pidfd_open") else None
    except OSError:
        handle = None
    try:
        if not _is_live(board):
            return False
        if handle is None:
            os.kill(board.pid, signal.SIGTERM)
        else:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return False
    finally:
        if handle is not None:
            os.close(handle)
    return True
