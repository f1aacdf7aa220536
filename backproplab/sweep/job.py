"""The job of a sweep: one whole run, as a pure function from text to bytes.

A worker on any machine calls it: it needs no shared disk, leaves nothing behind, and may run twice
or be lost. This file must not know the sweep, nor who calls.
"""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from backproplab.config import load
from backproplab.errors import BackpropLabError
from backproplab.experiment import run


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    status: as in run.json; ``failed`` also where there was no run to speak of.
    files: path relative to the run's folder, with ``/`` -> content; those that there are.
    error: one line why it failed, else empty.
    """

    status: str
    files: dict[str, bytes]
    error: str


def run_job(config: str) -> Outcome:
    """Run the experiment of a resolved config, given as YAML text, in a temporary folder.

    Never raises: an exception that cannot be unpickled would break the pool that carries it.
    Signals are left to the driver, wherever this is called: ``run`` listens to them in a process's
    main thread only, so it gets a thread of its own.
    """
    with ThreadPoolExecutor(1, "run") as own:
        return own.submit(_outcome, config).result()


def _outcome(config: str) -> Outcome:
    try:
        with TemporaryDirectory(prefix="backproplab-", ignore_cleanup_errors=True) as scratch:
            return _run_in(Path(scratch), config)
    except BaseException as error:
        return Outcome("failed", {}, _told(error))


def _run_in(scratch: Path, config: str) -> Outcome:
    source, folder = scratch / "config.yaml", scratch / "run"
    status, fault = "failed", ""
    try:
        source.write_text(config, encoding="utf-8")
        status = run(load(source), folder).status
    except BaseException as error:
        fault = _told(error).replace(f"{scratch}/", "")
    return Outcome(status, _files(folder), fault)


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _told(error: BaseException) -> str:
    """A fault that users can meet by its message; any other also by its kind and place."""
    if isinstance(error, BackpropLabError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
