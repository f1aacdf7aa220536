"""Deletion that cannot leave its log root: first a plan to look at, then the deed.

A session that ``safety`` lets go and that no process uses is locked, renamed to ``.trash-…`` and
rid of what ``contents`` knows as ours, through descriptors that follow no link; its marker goes
last, so a clean that was killed is finished by the next one. A session that holds files of the
user's, or cannot be deleted, gets its name back. This file must not know what is in a session.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import BackpropLabError, ConfigError, RunError, reason
from backproplab.files import machine_limits
from backproplab.files.atomic import TEMPORARY, remove_temporaries
from backproplab.runs.board import LOG, RECORD, Board, find_all, find_inside, stop
from backproplab.runs.contents import Contents
from backproplab.runs.folders import MARKER, created, read_marker, remove_unmade
from backproplab.runs.locking import is_active, lock_session
from backproplab.runs.safety import TRASH, is_absent, names_in, not_ours, opened, opened_root

OURS = (MARKER, RECORD, LOG)  # the files that we keep in the root itself


@dataclass(frozen=True)
class Item:
    """A directory of ours in the log root.

    size: bytes of our files, by lstat. active: in use. created: in seconds since the epoch.
    kept: what is in it and not ours, which stays.
    """

    name: str
    inode: int
    runs: int
    size: int
    active: bool
    created: float
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Left:
    """An entry that stays, and why. failed: because the system refused to delete it."""

    name: str
    reason: str
    failed: bool = False


@dataclass(frozen=True)
class CleaningPlan:
    """What ``clean`` would do; sessions are newest first.

    leftovers: what a clean that was killed has left. kept: the newest, as asked. active: in use.
    foreign: not ours. boards: the TensorBoards to stop: none that shows a session that stays.
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
class CleaningOutcome:
    """What ``clean`` did. left: planned, but not done. cleared: nothing is in the root any more.

    kept: files in deleted sessions that are not ours, with the session's name.
    """

    deleted: tuple[Item, ...] = ()
    kept: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    stopped: tuple[Board, ...] = ()
    cleared: bool = False


def plan_cleaning(root: Path | str, keep: int = 0) -> CleaningPlan:
    """What a clean of ``root`` would delete, all but its ``keep`` newest sessions; deletes nothing.

    A root that does not exist has an empty plan. Raises RefusedError for a root that is a link or
    a place that holds more than runs, ConfigError for a negative ``keep``.
    """
    if keep < 0:
        raise ConfigError(f"keep must be 0 or more, not {keep}")
    if is_absent(root):
        return CleaningPlan(Path(root))
    with opened_root(root) as (folder, path):
        names = [name for name in names_in(folder) if not _is_own_file(folder, name)]
        found = {name: _inspect(folder, path / name) for name in names}
    items = [item for item in found.values() if isinstance(item, Item)]
    sessions = [item for item in items if not TRASH.fullmatch(item.name)]
    sessions.sort(key=lambda item: (item.created, item.name), reverse=True)
    stay = [item for at, item in enumerate(sessions) if at < keep or item.active]
    return CleaningPlan(
        path,
        sessions=tuple(item for item in sessions if item not in stay),
        leftovers=tuple(item for item in items if item not in sessions),
        kept=tuple(item for item in stay if not item.active),
        active=tuple(item for item in stay if item.active),
        foreign=tuple(Left(name, why) for name, why in found.items() if isinstance(why, str)),
        boards=(
            *(() if stay else find_all(path)),
            *find_inside(path, [item.name for item in stay]),
        ),
    )


def clean(plan: CleaningPlan) -> CleaningOutcome:
    """Do what ``plan`` says; everything is checked again, and what has changed since is left."""
    if is_absent(plan.root):
        return CleaningOutcome()
    with opened_root(plan.root) as (folder, path):
        stopped = tuple(board for board in plan.boards if stop(board))
        alive = [board for board in plan.boards if board not in stopped]
        results = {item: _delete(folder, path / item.name, item) for item in plan.doomed}
        remove_unmade(path)
        for name in OURS:
            remove_temporaries(path, name)
        return CleaningOutcome(
            deleted=tuple(item for item, why in results.items() if not isinstance(why, Left)),
            kept=tuple(n for why in results.values() if not isinstance(why, Left) for n in why),
            left=(
                *(why for why in results.values() if isinstance(why, Left)),
                *(Left(f"TensorBoard pid {b.pid}", "still ending", failed=True) for b in alive),
            ),
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
            inode, (runs, size, kept) = os.fstat(folder).st_ino, _measured(folder)
            return Item(path.name, inode, runs, size, is_active(folder), created(folder), kept)
    except (OSError, RecursionError) as error:
        return f"cannot be checked: {reason(error)}"


def _measured(folder: int) -> tuple[int, int, tuple[str, ...]]:
    """(runs, bytes, what is not ours) in a session. Raises OSError if it holds a file system."""
    runs, size, kept = 0, 0, []
    for path, parent, name, is_folder in Contents(folder).walk(folder):
        if is_folder is None:
            kept.append(path)
        elif is_folder:
            runs += not ("/" in path or path.startswith("."))
        else:
            with suppress(FileNotFoundError):  # a run at work replaces its files
                size += os.stat(name, dir_fd=parent, follow_symlinks=False).st_size
    return runs, size, tuple(kept)


def _delete(root: int, path: Path, item: Item) -> Left | list[str]:
    """Delete ``item``, an entry of ``root``; what stays of it because it is not ours, or why it
    stays as a whole."""
    try:
        with opened(root, item.name) as folder:
            if os.fstat(folder).st_ino != item.inode:
                return Left(item.name, "another directory has its name now")
            if why := not_ours(root, path, folder):
                return Left(item.name, why)
            if not names_in(folder):  # a leftover
                os.rmdir(item.name, dir_fd=root)
                return []
            with lock_session(folder):
                return _delete_locked(root, item.name, folder)
    except FileNotFoundError:
        return Left(item.name, "gone already")
    except RunError:
        return Left(item.name, "in use")
    except (OSError, RecursionError, BackpropLabError) as error:
        return Left(item.name, f"cannot be deleted: {reason(error)}", failed=True)


def _delete_locked(root: int, name: str, folder: int) -> Left | list[str]:
    marker = read_marker(folder)
    home = marker.directory if marker and TRASH.fullmatch(name) else name
    trash = _moved_to_trash(root, name, folder)
    kept: list[str] = []
    try:
        for path, parent, entry, is_folder in Contents(folder).walk(folder):
            if is_folder is None:
                kept.append(path)
            elif not is_folder and path != MARKER:
                os.unlink(entry, dir_fd=parent)
            elif is_folder and not any(name.startswith(f"{path}/") for name in kept):
                os.rmdir(entry, dir_fd=parent)
        if kept:
            os.rename(trash, home, src_dir_fd=root, dst_dir_fd=root)
        os.unlink(MARKER, dir_fd=folder)
        if not kept:
            os.rmdir(trash, dir_fd=root)
    except (OSError, RecursionError) as error:
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        rest = _put_back(root, trash, home)
        return Left(home, f"cannot be deleted: {where}{reason(error)}{rest}", failed=True)
    return [f"{home}/{path}" for path in kept]


def _put_back(root: int, trash: str, home: str) -> str:
    """Give the session its name back; where it is, if that fails."""
    try:
        os.rename(trash, home, src_dir_fd=root, dst_dir_fd=root)
    except FileNotFoundError:  # it has its name back, or is gone
        return ""
    except OSError:
        return f"; what is left of it is in {trash}"
    return ""


def _moved_to_trash(root: int, name: str, folder: int) -> str:
    trash = name if TRASH.fullmatch(name) else f".trash-{secrets.token_hex(16)}"
    os.rename(name, trash, src_dir_fd=root, dst_dir_fd=root)
    if not os.path.samestat(os.stat(trash, dir_fd=root, follow_symlinks=False), os.fstat(folder)):
        os.rename(trash, name, src_dir_fd=root, dst_dir_fd=root)  # not what was checked: put back
        raise OSError(errno.EBUSY, "it was replaced meanwhile")
    return trash


def _is_own_file(root: int, name: str) -> bool:
    """True for the files that we keep in the root itself, and for half-written ones of them."""
    try:
        kind = os.stat(name, dir_fd=root, follow_symlinks=False).st_mode
    except OSError:
        return False
    temporary = TEMPORARY.fullmatch(name)
    return (temporary[1] if temporary else name) in OURS and stat.S_ISREG(kind)


def _cleared(root: int, path: Path) -> bool:
    """Delete our own files in the root when nothing else is there."""
    names = names_in(root)
    if not all(_is_own_file(root, name) for name in names):
        return False
    with machine_limits(path):
        for name in names:
            os.unlink(name, dir_fd=root)
    return True
