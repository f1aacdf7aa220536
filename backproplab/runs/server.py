"""Facts about a process or port, from the system, that identify a TensorBoard.

This file must not know records, log roots, or how servers are started and stopped.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from backproplab.errors import reason

HOST = "127.0.0.1"
LAUNCHER = "backproplab.runs.launcher"
PROGRAMS = ("tensorboard", "tensorboard.main", LAUNCHER)  # as a script, and after python -m


def has_proc() -> bool:
    """True on Linux; elsewhere ``born`` returns "" and ``serves`` None."""
    return Path("/proc/self/stat").exists()


def born(pid: int) -> str:
    """A process's start time in clock ticks since boot; "" if it is dead or without /proc."""
    try:
        # proc(5): the name in parentheses may hold anything; then state (3rd), …, starttime (22nd)
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] in "ZX" else stat[19]


def serves(pid: int) -> Path | None:
    """The directory that TensorBoard ``pid`` shows; None for another program or user's process."""
    process = Path("/proc", str(pid))
    try:
        if process.stat().st_uid != os.geteuid():
            return None
        words = [*os.fsdecode((process / "cmdline").read_bytes()).split("\0"), ""]
        working_directory = str((process / "cwd").readlink())
    except OSError:
        return None
    at = next((i for i, word in enumerate(words) if word.partition("=")[0] == "--logdir"), 0)
    if not any(Path(word).name in PROGRAMS for word in words[:at]):
        return None
    return directory(working_directory, words[at].partition("=")[2] or words[at + 1])


def answer(port: int, prefix: str = "") -> str:
    """The log directory that the server on ``port`` reports; "" if none responds with one."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", f"{prefix}/data/environment")
        return str(json.loads(connection.getresponse().read(2**20))["data_location"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return ""
    finally:
        connection.close()


def trouble(port: int) -> str:
    """Why a server cannot listen on ``port``; "" if it can."""
    if not 0 < port < 65536:
        return "not between 1 and 65535"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return reason(error)
    return ""


def directory(working_directory: str, typed: str) -> Path | None:
    """The absolute path of ``typed`` for a process in ``working_directory``; None if invalid."""
    try:
        return Path(working_directory, Path(typed).expanduser()).resolve() if typed else None
    except (OSError, RuntimeError):  # a loop of links, or the home of an unknown user
        return None
