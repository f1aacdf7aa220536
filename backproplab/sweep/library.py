"""Run a sweep, and sum it up: what the command does, without a terminal.

sweep = bpl.sweep.read("sweep.yaml")
session = bpl.sweep.run(sweep, "runs")
comparison = bpl.sweep.conclude(session)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backproplab import runs
from backproplab.config import Experiment
from backproplab.errors import RunError
from backproplab.files import write_atomic
from backproplab.runs.results_file import NAME
from backproplab.runs.sweep_file import read_sweep
from backproplab.sweep.driver import Driver
from backproplab.sweep.executors import Workers, open_executor
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import (
    SweepFolder,
    damaged_sessions,
    differences,
    identity,
    sessions_of,
)
from backproplab.sweep.space import Sweep

if TYPE_CHECKING:
    from backproplab.report import Comparison

SHOWN, LONG = 5, 160  # differences of a session that is not of this sweep, and their letters


def run(
    sweep: Sweep,
    root: Path | str,
    executor: str = "local",
    resume: bool | Path = False,
    fail_fast: bool = False,
) -> Path:
    """Run every trial with every seed into one session below ``root``; the session's folder.

    executor: ``local``, ``local:N``, ``dask:ADDRESS`` or ``mpi``.  resume: run what is missing of
    the newest session of this sweep, or of the session at this path.  fail_fast: begin no more
    runs after one failed.
    Raises BackpropLabError with the errors of runs that failed, DivergedError if all diverged,
    StoppedError after a signal, RunError if there is nothing to resume.
    """
    with open_executor(executor) as workers, opened(sweep, root, workers, resume) as driver:
        driver.fail_fast = fail_fast
        for _ in driver.run():
            pass
    driver.raise_errors()
    return driver.folder.path


@contextmanager
def opened(
    sweep: Sweep, root: Path | str, workers: Workers, resume: bool | Path = False
) -> Iterator[Driver]:
    """The driver of a sweep in its session, which is locked meanwhile."""
    if isinstance(resume, Path):
        session = _checked(resume, sweep)
    else:
        root = runs.open_log_root(Path(root))
        session = _session_to_resume(root, sweep) if resume else runs.create_session(root)
    with runs.lock_session(session):
        folder = SweepFolder(session, sweep)
        yield Driver(folder, workers, _searcher(folder))


def conclude(session: Path) -> Comparison | None:
    """Write results.csv; the comparison of the runs.

    None if no run has ended yet.
    """
    from backproplab import report

    try:
        records, _ = report.read_records(report.chosen_runs(session.parent, [session.name]))
    except RunError:
        return None
    comparison = report.compare(records)
    write_atomic(session / NAME, report.formatted(comparison, "csv") + "\n")
    return comparison


def _session_to_resume(root: Path, sweep: Sweep) -> Path:
    """The newest session of this sweep. Raises RunError that says what the nearest one asks."""
    if found := next(sessions_of(root, sweep), None):
        return found
    reasons = [f"{root}: no sweep like this one was begun here", *damaged_sessions(root)]
    if other := next(sessions_of(root, sweep, by="name"), None):
        reasons.append(_differs(other, sweep))
    raise RunError(f"{'; '.join(reasons)} — leave out --resume to begin it")


def _checked(session: Path, sweep: Sweep) -> Path:
    """The session, if it is of this sweep. Raises RunError with what differs."""
    if read_sweep(session).get("identity") == identity(sweep):
        return session
    raise RunError(f"{_differs(session, sweep)} — to continue it, give its name alone")


def _differs(session: Path, sweep: Sweep) -> str:
    """What another sweep's session asks, compared with this sweep."""
    found = [
        text if len(text) <= LONG else f"{text[: LONG - 1]}…"
        for text in differences(session, sweep)
    ]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{session} differs in {'; '.join(found[:SHOWN])}{more}"


def _searcher(folder: SweepFolder) -> Searcher | None:
    """What chooses the trials; None for a grid."""
    sweep = folder.sweep
    if not sweep.search:
        return None
    epochs = sweep.base.tree.get("epochs", Experiment.model_fields["epochs"].default)
    if chosen := sweep.search.parameters.get("epochs"):
        epochs = max(chosen.edges.values())
    return Searcher(sweep.search, sweep.metric.minimizes, folder.path, epochs)
