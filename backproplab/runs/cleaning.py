"""Deletion that cannot leave its log root: first a plan to look at, then the deed.

A session that ``safety`` lets go and that no process uses is locked, renamed to ``.trash-…`` and
emptied through descriptors that follow no link; its marker goes last, so a clean that was killed
is finished by the next one. This file must not know what is in a session.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import BackpropLabError, ConfigError, RunError, reason
from backproplab.files import machine_limits
from backproplab.runs.board import LOG, RECORD, Board, find_all, stop
from backproplab.runs.folders import MARKER, session_order
from backproplab.runs.locking import is_active, lock_session
from backproplab.runs.safety import TRASH, is_absent, names_in, not_ours, opened, opened_root

OURS = (MARKER, RECORD, LOG)  # the files that we keep in the root itself


@dataclass(frozen=True)
class Item:
    """A directory of ours in the log root. size: bytes of its files, by lstat. active: in use."""

    name: str
    inode: int
    runs: int
    size: int
    active: bool


@dataclass(frozen=True)
class Left:
    """An entry that stays, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What ``clean`` would do; sessions are newest first.

    leftovers: what a clean that was killed has left. kept: the newest, as asked. active: in use.
    foreign: not ours. boards: the TensorBoards to stop; none as long as a session stays.
    """

    root: Path
    sessions: tuple[Item, ...] = ()
    leftovers: tuple[Item, ...] = ()
    kept: tuple[Item, ...] = ()
    active: tuple[Item, ...] = ()
    foreign: tuple[Left, ...] = ()
    boards: tuple[Board, ...] = ()

    @property
    def doomed(self) -> tuple[Item, ...]:
        """All that would be deleted."""
        return self.sessions + self.leftovers


@dataclass(frozen=True)
class Outcome:
    """What ``clean`` did. left: planned, but not done. cleared: nothing is in the root any more."""

    deleted: tuple[Item, ...] = ()
    left: tuple[Left, ...] = ()
    stopped: tuple[Board, ...] = ()
    cleared: bool = False


def plan_cleaning(root: Path | str, keep: int = 0) -> Plan:
    """What a clean of ``root`` would delete, all but its ``keep`` newest sessions; deletes nothing.

    A root that does not exist has an empty plan. Raises RefusedError for a root that is a link or
    a place that holds more than runs, ConfigError for a negative ``keep``.
    """
    if keep < 0:
        raise ConfigError(f"keep must be 0 or more, not {keep}")
    if is_absent(root):
        return Plan(Path(root))
    with opened_root(root) as (folder, path):
        names = [name for name in names_in(folder) if not _is_own_file(folder, name)]
        found = {name: _inspect(folder, path / name) for name in names}
    items = [item for item in found.values() if isinstance(item, Item)]
    sessions = [item for item in items if not TRASH.fullmatch(item.name)]
    sessions.sort(key=lambda item: session_order(item.name), reverse=True)
    stay = [item for at, item in enumerate(sessions) if at < keep or item.active]
    return Plan(
        path,
        sessions=tuple(item for item in sessions if item not in stay),
        leftovers=tuple(item for item in items if item not in sessions),
        kept=tuple(item for item in stay if not item.active),
        active=tuple(item for item in stay if item.active),
        foreign=tuple(Left(name, why) for name, why in found.items() if isinstance(why, str)),
        boards=() if stay else find_all(path),
    )


def clean(plan: Plan) -> Outcome:
    """Do what ``plan`` says; everything is checked again, and what has changed since is left."""
    if is_absent(plan.root):
        return Outcome()
    with opened_root(plan.root) as (folder, path):
        stopped = tuple(board for board in plan.boards if stop(board))
        results = {item: _delete(folder, path / item.name, item) for item in plan.doomed}
        return Outcome(
            deleted=tuple(item for item, why in results.items() if not why),
            left=tuple(Left(item.name, why) for item, why in results.items() if why),
            stopped=stopped,
            cleared=stopped == plan.boards and _cleared(folder, path),
        )


def _inspect(root: int, path: Path) -> Item | str:
    """The item that ``path``, an entry of ``root``, is; or why it must stay."""
    try:
        kind = os.stat(path.name, dir_fd=root, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(kind):
            return "a symbolic link" if stat.S_ISLNK(kind) else "not a directory"
        with opened(root, path.name) as folder:
            if why := not_ours(root, path, folder):
                return why
            return Item(
                path.name, os.fstat(folder).st_ino, *_measured(folder), active=is_active(folder)
            )
    except (OSError, RecursionError) as error:
        return f"cannot be checked: {reason(error)}"


def _measured(folder: int) -> tuple[int, int]:
    """(runs, bytes) in a directory; OSError when part of it is on another file system."""
    size, device = 0, os.fstat(folder).st_dev
    with os.scandir(folder) as entries:
        runs = sum(_is_run(entry) for entry in entries)
    for _, _, files, inner in os.fwalk(".", dir_fd=folder):
        if os.fstat(inner).st_dev != device:
            raise OSError(errno.EXDEV, "another file system is mounted in it")
        for file in files:
            with suppress(FileNotFoundError):  # a run at work replaces its files
                size += os.stat(file, dir_fd=inner, follow_symlinks=False).st_size
    return runs, size


def _is_run(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _delete(root: int, path: Path, item: Item) -> str:
    """Delete ``item``, an entry of ``root``; "" or why it stays."""
    try:
        with opened(root, item.name) as folder:
            if os.fstat(folder).st_ino != item.inode:
                return "another directory has its name now"
            if why := not_ours(root, path, folder):
                return why
            if not names_in(folder):  # a leftover
                os.rmdir(item.name, dir_fd=root)
                return ""
            with lock_session(folder):
                trash = _moved_to_trash(root, item.name, folder)
                _empty(folder)
                os.rmdir(trash, dir_fd=root)
    except FileNotFoundError:
        return "gone already"
    except RunError:
        return "in use"
    except (OSError, RecursionError, BackpropLabError) as error:
        return f"cannot be deleted: {reason(error)}"
    return ""


def _moved_to_trash(root: int, name: str, folder: int) -> str:
    trash = name if TRASH.fullmatch(name) else f".trash-{secrets.token_hex(16)}"
    os.rename(name, trash, src_dir_fd=root, dst_dir_fd=root)
    if not os.path.samestat(os.stat(trash, dir_fd=root, follow_symlinks=False), os.fstat(folder)):
        os.rename(trash, name, src_dir_fd=root, dst_dir_fd=root)  # not what was checked: put back
        raise OSError(errno.EBUSY, "it was replaced meanwhile")
    return trash


def _empty(folder: int) -> None:
    """Delete what is in a directory, links as links, its marker last."""
    with os.scandir(folder) as entries:
        inside = [entry for entry in entries if entry.name != MARKER]
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.name, dir_fd=folder)
        else:
            os.unlink(entry.name, dir_fd=folder)
    os.unlink(MARKER, dir_fd=folder)


def _is_own_file(root: int, name: str) -> bool:
    """True for the files that we keep in the root itself."""
    try:
        kind = os.stat(name, dir_fd=root, follow_symlinks=False).st_mode
    except OSError:
        return False
    return name in OURS and stat.S_ISREG(kind)


def _cleared(root: int, path: Path) -> bool:
    """Delete our own files in the root when nothing else is there."""
    names = names_in(root)
    if not all(_is_own_file(root, name) for name in names):
        return False
    with machine_limits(path):
        for name in names:
            os.unlink(name, dir_fd=root)
    return True
