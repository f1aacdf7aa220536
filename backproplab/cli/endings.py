"""How train and resume end: the summary, what to type next, the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backproplab.signals import too_late

if TYPE_CHECKING:
    from backproplab.experiment import Result


@too_late()
def conclude(results: Sequence[Result], session: Path, log_dir: Path) -> None:
    """Print how each run ended, and which runs of the session never began.

    Raises StoppedError after a signal, DivergedError if a run diverged.
    """
    from backproplab.cli import render
    from backproplab.cli.standard_streams import shown
    from backproplab.diagnosis import keep
    from backproplab.errors import DivergedError, StoppedError
    from backproplab.runs.folders import never_begun
    from backproplab.status import Status

    last, rest = results[-1], never_begun(session)
    verdicts = [keep(r.folder, r.experiment) for r in results]  # the files first: stdout may fail
    with shown():
        render.summary(results, verdicts, session, log_dir, rest)
    if last.signal and (last.status is Status.INTERRUPTED or rest):
        at_once = last.progress.stop_reason == "second_signal"
        position = "its last checkpoint stands" if at_once else "its position is saved"
        saved = position if last.saved else "nothing was saved yet"
        names = f"; not trained: {', '.join(rest)}" if rest else ""
        raise StoppedError(f"{last.folder.name} was stopped; {saved}{names}", last.signal)
    diverged = [f"{r.folder.name}: {r.message}" for r in results if r.status is Status.DIVERGED]
    if diverged:
        raise DivergedError("\n".join(diverged))
