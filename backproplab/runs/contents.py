"""What in a session is ours, by its name and kind; everything else is the user's, and stays.

A file is ours if a run or a sweep writes one of this name at this place, a folder if such files
are in it. A run's folder is named by the session's marker or its sweep.json, or holds a run.json.
This file must not delete anything.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from backproplab.files import PREPARATION, parse_object, read_regular
from backproplab.files.atomic import TEMPORARY
from backproplab.runs.folders import MARKER, read_json, read_marker
from backproplab.runs.run_folder import CONFIG, READS, RECORD, TRACEBACK
from backproplab.runs.safety import names_in, opened
from backproplab.runs.sweep_file import LIMIT, NAME

EVENTS = r"events\.out\.tfevents\.[^/]+"
PROJECTOR = r"projector_config\.pbtxt|embedding\.tsv|labels\.tsv|sprite\.png"
OF_SWEEP = (re.escape(NAME), r"results\.csv", r"study\.db(-wal|-shm|-journal)?")
HPARAMS = r"\.(partial-)?hparams"
OF_RUN = (
    re.escape(CONFIG),
    re.escape(RECORD),
    re.escape(TRACEBACK),
    re.escape(PREPARATION),
    r"imported-[0-9a-f]{12}\.py",
    r"metrics\.csv",
    r"trajectory\.bin",
    r"checkpoints/(last|previous|best|best-\d+)\.safetensors",
    rf"(train|validation)/({EVENTS}|{PROJECTOR})",
)
SESSION_FILE = re.compile("|".join((re.escape(MARKER), *OF_SWEEP)))
SESSION_FOLDER = re.compile(rf"{HPARAMS}(/[^/]+){{0,2}}")
HPARAMS_FILE = re.compile(rf"{HPARAMS}/[^/]+/[^/]+/{EVENTS}")
RUN_FILE = re.compile("|".join(OF_RUN))
RUN_FOLDER = re.compile("checkpoints|train|validation")
HALF_WRITTEN = re.compile(r"\.(partial-|before-)(?P<kept>.+)|\.(?P<new>.+)\.new", re.DOTALL)


class Contents:
    """The names in the session that is open as ``folder``."""

    def __init__(self, folder: int) -> None:
        marker = read_marker(folder)
        self.runs = {*(marker.runs if marker else ()), *_swept(folder)}
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        self.runs |= {name for name in names if HALF_WRITTEN.fullmatch(name)}
        self.runs |= {name for name in names if _is_run(folder, name)}
        self.runs -= {name for name in self.runs if SESSION_FOLDER.fullmatch(name)}

    def is_ours(self, path: str, is_folder: bool) -> bool:
        """Whether a regular file or a folder at ``path``, relative to the session, is ours."""
        above, slash, name = path.rpartition("/")
        if not is_folder and (temporary := TEMPORARY.fullmatch(name)):
            path = f"{above}{slash}{temporary[1]}"
        run, _, inside = path.partition("/")
        if is_folder and not inside:
            return run in self.runs or bool(SESSION_FOLDER.fullmatch(run))
        if run in self.runs:
            return bool((RUN_FOLDER if is_folder else RUN_FILE).fullmatch(inside))
        if is_folder:
            return bool(SESSION_FOLDER.fullmatch(path))
        return bool((HPARAMS_FILE if inside else SESSION_FILE).fullmatch(path))

    def walk(self, folder: int, below: str = "") -> Iterator[tuple[str, int, str, bool | None]]:
        """(path, open parent, name, whether it is ours and a folder) of each entry.

        None for what is not ours, which is not entered. What is in a folder comes before it, a
        record or a marker after what it describes. Raises OSError.
        """
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: (_rank(entry.name), entry.name))
        for entry in found:
            path = f"{below}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            known = is_folder or entry.is_file(follow_symlinks=False)
            if not (known and self.is_ours(path, is_folder)):
                yield path, folder, entry.name, None
                continue
            if is_folder:
                try:
                    with opened(folder, entry.name) as inner:
                        _check_device(folder, inner)
                        yield from self.walk(inner, f"{path}/")
                except FileNotFoundError:  # a sweep at work replaces its folders
                    continue
            yield path, folder, entry.name, is_folder


def _check_device(parent: int, folder: int) -> None:
    if os.fstat(parent).st_dev != os.fstat(folder).st_dev:
        raise OSError(errno.EXDEV, "another file system is mounted in it")


def _rank(name: str) -> int:
    return {RECORD: 1, NAME: 2, MARKER: 3}.get(name, 0)


def _swept(folder: int) -> list[str]:
    """The runs that sweep.json names."""
    try:
        trials = parse_object(read_regular(NAME, LIMIT, folder)).get("trials", [])
        return [name for trial in trials for name in trial["runs"] if isinstance(name, str)]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _is_run(session: int, name: str) -> bool:
    """Whether the folder holds a record; an empty one may be a run that was half deleted."""
    try:
        with opened(session, name) as folder:
            return not names_in(folder) or read_json(RECORD, folder).get("format") in READS
    except OSError:
        return False
