"""Which runs are asked about, and what their folders hold: config, run.json, sweep.json.

What is read may be damaged: it then becomes a warning, never the end. This file must not know
what the runs are compared by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from backproplab.config.experiment import added_defaults
from backproplab.config.scalars import plain
from backproplab.config.yaml_source import parse_yaml, read_yaml
from backproplab.errors import ConfigError, RunError
from backproplab.runs import RunInfo, find_run, list_runs
from backproplab.runs.folders import read_json, read_small
from backproplab.status import Status

LIMIT = 2**26  # bytes of a sweep.json that is read
SMALL = 2**14  # letters of a config, too few for what ``read_yaml`` refuses for its length
ENTRY = re.compile(r"^[a-z_]+:[^\r\n]*\n(?: [^\r\n]*\n)*", re.MULTILINE)  # a key and its value
WORD = re.compile(r"([a-z_]+): ([A-Za-z0-9][A-Za-z0-9._-]*)\n")  # an entry of one plain scalar
TrialKey = tuple[Path, int]


@dataclass(frozen=True)
class Record:
    """A run with its resolved config and its run.json; both are empty where unreadable.

    Where its session is a sweep's, trial: the session and the trial's number there. place: that
    number, and which of the trial's runs it is. asked: how many runs the trial was to have.
    """

    info: RunInfo
    config: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    trial: TrialKey | None = None
    place: tuple[int, int] = (0, 0)
    asked: int = 0

    @property
    def seed(self) -> Any:
        return self.config.get("seed", self.details.get("seed"))

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Of data, init, batch_order, weights; as far as the run got."""
        found = self.details.get("hashes")
        entries = found.items() if isinstance(found, dict) else ()
        return {name: value for name, value in entries if isinstance(value, str)}


def chosen_runs(root: Path, words: Sequence[str] = ()) -> list[RunInfo]:
    """The runs that ``words`` name, oldest first, each once: runs, sessions, or paths of either.

    None for the newest session. Raises RunError where a word means nothing, or nothing is there.
    """
    runs = list_runs(root)
    if not words:
        if not runs:
            raise RunError(f"{root}: there are no runs — train one first")
        words = [runs[0].session]
    found = {run.folder: run for word in words for run in _meant(root, runs, word)}
    return list(found.values())


def _meant(root: Path, runs: list[RunInfo], word: str) -> list[RunInfo]:
    session = [run for run in runs if run.session == word]
    if not session and word and word != "latest":
        session = _session_at(Path(word))
    return session[::-1] or [find_run(root, word)]


def _session_at(path: Path) -> list[RunInfo]:
    """The runs of the session at ``path``; none where there is no session."""
    try:
        path = path.resolve(strict=True)
        if not path.is_dir() or (path / "run.json").exists():
            return []
    except (OSError, ValueError, RuntimeError):
        return []
    return [run for run in list_runs(path.parent) if run.folder == path / run.name]


def read_records(runs: Sequence[RunInfo]) -> tuple[list[Record], list[str]]:
    """The records of ``runs``, and a warning for everything that could not be read."""
    warnings: list[str] = []
    places: dict[Path, dict[str, Any]] = {}
    for session in dict.fromkeys(run.folder.parent for run in runs):
        places |= _places(session, warnings)
        warnings += _unfinished(session)
    records = []
    parsed: dict[str, dict[str, Any]] = {}
    for run in runs:
        if run.status is Status.UNREADABLE:
            warnings.append(f"{run.selector}: run.json is missing or damaged")
        details = read_json(run.folder / "run.json")
        try:
            read = read_config(run.folder / "config.yaml", parsed)
            config = read and added_defaults() | read
        except ConfigError as error:
            warnings.append(f"{run.selector}: config.yaml: {error.problems[0].what}")
            config = {}
        records.append(Record(run, config, details, **places.get(run.folder, {})))
    return records, warnings


def _unfinished(session: Path) -> list[str]:
    """A warning, where runs of a sweep have not ended."""
    try:
        sweep = read_sweep(session)
        names = [name for trial in sweep.get("trials", ()) for name in trial["runs"]]
        asked = (sweep.get("sweep") or {}).get("num_trials")
        seeds = len(sweep["trials"][0]["runs"]) if names else 0
    except (ValueError, LookupError, TypeError, AttributeError):
        return []  # told by _places
    total = max(len(names), asked * seeds if isinstance(asked, int) else 0)
    statuses = [read_json(session / name / "run.json").get("status") for name in names]
    ended = sum(Status.read(status).has_ended for status in statuses)
    if ended == total:
        return []
    hint = "go on with the same 'backproplab sweep … --resume'"
    return [f"{session.name}: {total - ended} of {total} runs have not ended — {hint}"]


def read_config(path: Path, parsed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What ``read_yaml`` reads, quickly where many configs have most of their entries in common.

    parsed: the entries met so far, by their text; the trees share their values. What is not plainly
    one entry after another, or has a fault, is read as a whole. Raises ConfigError.
    """
    entries = _entries(path)
    try:
        parsed.update((entry, _parsed(entry)) for entry in entries if entry not in parsed)
    except ConfigError:
        entries = []
    if not entries:
        return read_yaml(path).tree
    return {key: value for entry in entries for key, value in parsed[entry].items()}


def _entries(path: Path) -> list[str]:
    """The text of a config, cut before each of its keys; nothing where other lines stand between.

    Each is then a document of its own: what is open at its end is a fault, not a longer entry.
    """
    try:
        text = read_small(path).decode()
    except UnicodeDecodeError:
        return []
    entries = ENTRY.findall(text) if len(text) < SMALL else []
    return entries if "".join(entries) == text else []


def _parsed(entry: str) -> dict[str, Any]:
    if word := WORD.fullmatch(entry):
        return {word[1]: plain(word[2])}
    return parse_yaml(entry, "config.yaml").tree


def read_sweep(session: Path) -> dict[str, Any]:
    """The object in the session's sweep.json; empty where there is none. ValueError: damaged."""
    path = session / "sweep.json"
    if not path.is_file() or path.is_symlink():
        return {}
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(LIMIT))
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _places(session: Path, warnings: list[str]) -> dict[Path, dict[str, Any]]:
    """What sweep.json says of each run of a sweep, by the run's folder: fields of ``Record``."""
    places: dict[Path, dict[str, Any]] = {}
    try:
        for trial in read_sweep(session).get("trials", ()):
            number, names = int(trial["number"]), trial["runs"]
            for at, name in enumerate(names):
                known = {"trial": (session, number), "place": (number, at), "asked": len(names)}
                places[session / name] = known
    except (ValueError, LookupError, TypeError) as error:
        warnings.append(f"{session.name}: sweep.json is damaged ({error}): grouped by config")
        return {}
    return places
