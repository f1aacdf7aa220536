"""Sync: wait until what has been written is on the disk, name by name or all at once.

This file must not know what is written, nor what a message calls it.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

AT_A_TIME = 16  # files on their way to the disk: more are no faster
MANY = 64  # files and folders from which one call for the whole file system is quicker
LITTLE = 2**16  # most KiB that all programs have written and the disk has not: all are waited for
SURE = (5, 8)  # the first Linux whose syncfs reports that a write failed
LOCAL = {"ext2", "ext3", "ext4", "xfs"}  # whose syncfs waits for the disk as fsync does
WAITING = re.compile(r"^(?:Dirty|Writeback):\s+(\d+) kB$", re.MULTILINE)


def sync(path: Path | str) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(root: str, names: Sequence[str], each: Callable[[Sequence[str]], None]) -> None:
    """Wait until these files and folders below ``root`` are on the disk.

    each: waits for some of them, one after the other; it is called in several threads, so that
    they share a commit of the file system. Where one call is as sure, it waits for all of them.
    Raises OSError, or what ``each`` does.
    """
    whole = len(names) >= MANY and _is_local(Path(root).stat().st_dev)
    if whole and _kibibytes_waiting() <= LITTLE:
        _sync_file_system(root)
        return
    shares = [names[first::AT_A_TIME] for first in range(min(AT_A_TIME, len(names)))]
    with ThreadPoolExecutor(AT_A_TIME, "sync") as threads:
        list(threads.map(each, shares))


def _sync_file_system(root: str) -> None:
    """``syncfs``, which Python does not have. Raises OSError."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


@cache
def _is_local(device: int) -> bool:
    """Whether one call syncs the device's file system as surely as a call for each file."""
    system = os.uname()
    version = tuple(map(int, re.findall(r"\d+", system.release)[:2]))
    if system.sysname != "Linux" or version < SURE:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            mount, _, kind = line.partition(" - ")  # see proc(5)
            if mount.split()[2] == wanted:
                return kind.split()[0] in LOCAL
    return False


def _kibibytes_waiting() -> float:
    """What programs have written and the disk has not; infinity if the system does not say."""
    with suppress(OSError):
        found = WAITING.findall(Path("/proc/meminfo").read_text())
        return sum(map(int, found)) if found else float("inf")
    return float("inf")
