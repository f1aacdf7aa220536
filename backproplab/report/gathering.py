"""The runs to compare, read from their folders: config, run.json, sweep.json.

A damaged file becomes a warning, not an error. This file must not know what the runs are compared
by.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from backproplab.config.experiment import Experiment, added_defaults
from backproplab.config.scalars import plain
from backproplab.config.yaml_source import parse_yaml
from backproplab.diagnosis import Diagnosis, verdict
from backproplab.errors import ConfigError, Problem, RunError
from backproplab.files import read_regular, unusable
from backproplab.runs import RunInfo, find_run, list_runs
from backproplab.runs.folders import read_json
from backproplab.runs.sweep_file import read_sweep
from backproplab.status import Status

SMALL = 2**14  # bytes; a longer config is read as a whole
ENTRY = re.compile(r"^[a-z_]+:[^\r\n]*\n(?: [^\r\n]*\n)*", re.MULTILINE)  # a key and its value
WORD = re.compile(r"([a-z_]+): ([A-Za-z0-9][A-Za-z0-9._-]*)\n")  # an entry of one plain scalar
TrialKey = tuple[Path, int]


@dataclass(frozen=True)
class Record:
    """A run with its resolved config and its run.json, each empty if unreadable.

    For a sweep's run, trial: the session and the trial's number in it. sweep_position: that number
    and the run's index in the trial. asked: the trial's planned number of runs. closely: its
    diagnosis with its data and weights.
    """

    info: RunInfo
    config: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    trial: TrialKey | None = None
    sweep_position: tuple[int, int] = (0, 0)
    asked: int = 0
    closely: Diagnosis | None = None

    @property
    def seed(self) -> Any:
        return self.config.get("seed", self.details.get("seed"))

    @property
    def fold(self) -> int | None:
        """Which fold of a cross-validation is its test split; None without one."""
        data = self.config.get("data")
        fold = data.get("fold") if isinstance(data, dict) else None
        index = fold.get("index") if isinstance(fold, dict) else None
        return index if isinstance(index, int) else None

    @property
    def repeat(self) -> str:
        """What tells it from the other runs of its trial: ``0``, a seed, or ``0/2`` with a fold."""
        return str(self.seed) if self.fold is None else f"{self.seed}/{self.fold}"

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Hashes of data, init, batch_order, weights, as far as the run got."""
        found = self.details.get("hashes")
        entries = found.items() if isinstance(found, dict) else ()
        return {name: value for name, value in entries if isinstance(value, str)}

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What its files alone show, or a closer look has shown; None if they cannot be read."""
        if self.closely:
            return self.closely
        try:
            experiment = Experiment.model_validate(self.config)
        except (ValueError, RunError):  # RunError: a file that it imports has changed
            return None
        return verdict(self.info.folder, self.details, experiment)


def chosen_runs(root: Path, words: Sequence[str] = ()) -> list[RunInfo]:
    """The runs selected by ``words`` (runs, sessions or their paths), oldest first, each once.

    Without words: the newest session. Raises RunError if a word matches nothing or there are no
    runs.
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
    """The runs of the session at ``path``; empty if there is no session."""
    try:
        path = path.resolve(strict=True)
        if not path.is_dir() or (path / "run.json").exists():
            return []
    except (OSError, ValueError, RuntimeError):
        return []
    return [run for run in list_runs(path.parent) if run.folder == path / run.name]


def read_records(runs: Sequence[RunInfo]) -> tuple[list[Record], list[str]]:
    """The records of ``runs``, and a warning for every file that could not be read."""
    warnings: list[str] = []
    found: dict[Path, dict[str, Any]] = {}
    for session in dict.fromkeys(run.folder.parent for run in runs):
        found |= _sweep_fields(session, warnings)
        warnings += _unfinished(session)
    records = []
    parsed: dict[str, dict[str, Any]] = {}
    for run in runs:
        warnings += run.faults
        details = read_json(run.folder / "run.json")
        try:
            read = read_config(run.folder / "config.yaml", parsed)
            if not read:
                raise ConfigError("it has no keys")
            config = _filled(read)
        except ConfigError as error:
            warnings.append(f"{run.folder / 'config.yaml'}: {error.problems[0].what}")
            config = {}
        records.append(Record(run, config, details, **found.get(run.folder, {})))
    return records, warnings


def _filled(config: dict[str, Any]) -> dict[str, Any]:
    """The config with the keys, and a learner with the fields, that earlier versions did not write,
    as those versions meant them."""
    whole = added_defaults() | config
    for key, default in added_defaults().items():
        own = whole[key]
        if (
            isinstance(own, dict)
            and isinstance(default, dict)
            and own.get("name") == default.get("name")
        ):
            whole[key] = default | own
    return whole


def _unfinished(session: Path) -> list[str]:
    """A warning if runs of a sweep have not ended, in a list; else empty."""
    try:
        sweep = read_sweep(session)
        names = [name for trial in sweep.get("trials", ()) for name in trial["runs"]]
        asked = (sweep.get("sweep") or {}).get("num_trials")
        seeds = len(sweep["trials"][0]["runs"]) if names else 0
    except RunError:
        return []  # reported by _sweep_fields
    total = max(len(names), asked * seeds if isinstance(asked, int) else 0)
    statuses = [read_json(session / name / "run.json").get("status") for name in names]
    ended = sum(Status.read(status).has_ended for status in statuses)
    if ended == total:
        return []
    hint = "go on with the same 'backproplab sweep … --resume'"
    return [f"{session.name}: {total - ended} of {total} runs have not ended — {hint}"]


def read_config(path: Path, parsed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The tree of a config; fast if many configs share most of their entries.

    parsed: the entries read so far, by their text; the trees share their values. A file that is
    not a plain series of entries, or has a fault, is parsed as a whole. Raises ConfigError.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise ConfigError(Problem(str(path), unusable(error))) from error
    entries = _entries(content)
    try:
        parsed.update((entry, _parsed(entry)) for entry in entries if entry not in parsed)
    except ConfigError:
        entries = []
    if not entries:
        return parse_yaml(content, str(path)).tree
    return {key: value for entry in entries for key, value in parsed[entry].items()}


def _entries(content: bytes) -> list[str]:
    """The text of a config, split before each top-level key; empty if it has any other lines.

    Each entry is parsed as a separate document: a bracket open at its end is a fault.
    """
    try:
        text = content.decode() if len(content) < SMALL else ""
    except UnicodeDecodeError:
        return []
    entries = ENTRY.findall(text)
    return entries if "".join(entries) == text else []


def _parsed(entry: str) -> dict[str, Any]:
    if word := WORD.fullmatch(entry):
        return {word[1]: plain(word[2])}
    return parse_yaml(entry, "config.yaml").tree


def _sweep_fields(session: Path, warnings: list[str]) -> dict[Path, dict[str, Any]]:
    """Fields of ``Record`` from sweep.json, for each run of a sweep by the run's folder."""
    found: dict[Path, dict[str, Any]] = {}
    try:
        for trial in read_sweep(session).get("trials", ()):
            number, names = trial["number"], trial["runs"]
            for at, name in enumerate(names):
                position = {"trial": (session, number), "sweep_position": (number, at)}
                found[session / name] = position | {"asked": len(names)}
    except RunError as error:
        warnings.append(f"{error}: its runs are grouped by config")
        return {}
    return found


def unrepeated(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what tells a trial's runs apart: the seed, and which fold it is."""
    tree = {key: value for key, value in config.items() if key != "seed"}
    data = tree.get("data")
    if isinstance(data, dict) and isinstance(fold := data.get("fold"), dict):
        left = {key: value for key, value in fold.items() if key != "index"}
        tree["data"] = {**data, "fold": left}
    return tree
