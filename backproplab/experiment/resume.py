"""resume(folder) -> Result: continue a run in its folder, exactly as if it had never stopped."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

from backproplab import environment
from backproplab.config import Experiment, load
from backproplab.data.given import given, keep
from backproplab.errors import ConfigError, DamageError, FinishedError, Problem, RunError
from backproplab.experiment.course import Course, Result
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.records import now
from backproplab.experiment.run import folder_of, limits_of, train
from backproplab.files import DiskFolder, Folder
from backproplab.journal import CHECKPOINTS, LAST, PREVIOUS
from backproplab.loop import Callback, Display, Pace
from backproplab.ranks import ONE, Ranks
from backproplab.runs import lock_session
from backproplab.runs.folders import MARKER, is_marked, read_marker
from backproplab.runs.metrics_table import read_metrics
from backproplab.runs.run_folder import CONFIG, FORMAT, RECORD, TRACEBACK, RunFolder
from backproplab.status import Status
from backproplab.text import counted, typed


def resume(
    folder: Path | str,
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
    displays: Sequence[Display] = (),
    allow_inexact: bool = False,
    checkpoint: str = LAST,
    ranks: Ranks = ONE,
    data: Any = None,
) -> Result:
    """Continue the run in ``folder`` from its last checkpoint, whatever ended it.

    epochs: of the whole run, where it shall be longer than its config says.
    callbacks: those that the run began with, which continue from where they were.
    allow_inexact: continue although this process rounds differently; the record says so.
    checkpoint: the file to continue from, relative to the folder.
    ranks: that continue it together; where they are more or fewer than before, the record says so.
    data: of a run on data that a program gave, the same ones; a process that gave them knows them.
    Raises FinishedError if the run is over, RunError for a run that cannot be continued,
    ConfigError for epochs that it cannot have.
    """
    if data is not None:
        keep([given(data)])
    with locked(Path(folder), ranks):
        stopped = stopped_run(folder, epochs, ranks)
        return stopped.resume(callbacks, displays, allow_inexact, checkpoint)


def locked(folder: Path, ranks: Ranks = ONE) -> AbstractContextManager[None]:
    """The lock of the run's session, for a ``with``; a run outside of any session has none.

    Of several ranks the one that writes takes it.

    Raises DamageError for a session whose marker is damaged.
    """
    session = folder.absolute().parent
    if ranks.rank:
        return nullcontext()
    if read_marker(session):
        return lock_session(session)
    if os.path.lexists(session / MARKER) and not is_marked(session):
        raise DamageError(f"{session / MARKER}: damaged: it is not the marker of a session")
    return nullcontext()


@dataclass(frozen=True)
class Stopped:
    """A run that can be continued, with its data loaded. record: its run.json."""

    path: Path
    parts: Parts
    record: dict[str, Any]
    epochs: int | None

    def resume(
        self,
        callbacks: Sequence[Callback] = (),
        displays: Sequence[Display] = (),
        allow_inexact: bool = False,
        checkpoint: str = LAST,
    ) -> Result:
        """Train it to its end."""
        ranks = self.parts.ranks
        files = folder_of(self.path, ranks)
        with limits_of(self.parts) as stop:
            alone = not self.record.get("in_sweep")
            course = Course(self.parts, files, callbacks, alone=alone)
            try:
                course.take_up(self.record, checkpoint, allow_inexact)
                if ranks.rank == 0:
                    read_metrics(self.path)
            except DamageError as error:
                course.journal.close()
                raise _with_the_other(error, files, checkpoint) from error
            files.remove_temporaries()
            files.remove(TRACEBACK)
            over = ""
            if self.epochs is not None and course.lane.progress.epoch < self.epochs:
                over = course.lane.progress.stop_reason
                course.prolong()
            _record_resume(course, over)
            return train(course, Pace(stop, ranks=ranks), displays)


def stopped_run(folder: Path | str, epochs: int | None = None, ranks: Ranks = ONE) -> Stopped:
    """The run in ``folder``, checked and built; see ``resume``."""
    path = Path(folder)
    experiment, record = _read(path)
    if epochs is not None:
        experiment = _longer(experiment, epochs, record)
    status = Status.read(record.get("status"))
    if status is Status.DIVERGED:
        hint = "try a smaller learning_rate"
        raise RunError(f"{path} has diverged, and would diverge again — {hint}")
    if status is Status.COMPLETED and epochs is None:
        done = f"{record.get('epochs', 0)} epochs; --epochs N makes it longer"
        if not experiment.learner.batches:
            done = counted(int(record.get("steps") or 0), experiment.learner.unit)
        raise FinishedError(f"{path} is finished, after {done}")
    return Stopped(path, build(experiment, ranks=ranks), record, epochs)


def _read(path: Path) -> tuple[Experiment, dict[str, Any]]:
    """The run's experiment and record, as they were when it began."""
    folder = RunFolder(DiskFolder(path))
    record = folder.record
    if not record:
        raise RunError(f"{path / RECORD}: no such file: there is no run that could be continued")
    if record["format"] != FORMAT:
        raise RunError(f"{path} was made by backproplab 0.1: it can be read, not continued")
    if (path.parent / "sweep.json").exists():
        session = path.parent.absolute()
        hint = typed("backproplab", "sweep", session, "--resume", "--log-dir", session.parent)
        raise RunError(f"{path} is a run of a sweep, which continues it — {hint}")
    folder.check(record)
    digest = hashlib.sha256(folder.config.encode()).hexdigest()
    if digest not in record["configs"]:
        raise RunError(f"{path / CONFIG} has changed since the run began")
    return load(path / CONFIG), record


def _longer(experiment: Experiment, epochs: int, record: dict[str, Any]) -> Experiment:
    """The experiment with more epochs. Raises ConfigError where it would have been another run."""
    done = int(record.get("epochs") or 0)
    what = ""
    if not experiment.learner.batches:
        what = f"the learner {experiment.learner.name} has no epochs"
    elif epochs <= done:
        what = f"{epochs} is not more than the {done} epochs that are done"
    elif epochs != experiment.epochs and experiment.schedule.depends_on_length:
        what = f"schedule {experiment.schedule.name} depends on the length of the run"
    elif experiment.steps and record.get("stop_reason") == "max_steps":
        what = f"the run ended by steps: {experiment.steps}"
    if what:
        raise ConfigError(Problem(f"--epochs {epochs}", what, "train a new run instead"))
    return experiment.model_copy(update={"epochs": epochs})


def _with_the_other(error: DamageError, files: Folder, checkpoint: str) -> DamageError:
    """The error, with the command that continues from the other checkpoint, if there is one."""
    other, option = (PREVIOUS, " --previous") if checkpoint == LAST else (LAST, "")
    if other not in files.names(CHECKPOINTS):
        return error
    command = join(["backproplab", "resume", files.where()]) + option
    return DamageError(f"{error}; from the other checkpoint: {command}")


def _record_resume(course: Course, ended: str) -> None:
    """Write down that the run continues, before its first step.

    ended: why the run was over, if it is made longer; the record says so even if it is killed at
        once. A run that was stopped in its end is still over.
    Both configs are known to the record before config.yaml changes, so that a crash in between
    leaves a run that can be continued.
    """
    record, step = course.record, course.lane.progress.step
    digest = hashlib.sha256(course.config.encode()).hexdigest()
    if digest not in record["configs"]:
        record["configs"] = [*record["configs"], digest]
    event = {"at": now(), "step": step, "ended": ended, "argv": environment.describe()["argv"]}
    record["resumed"] = [*record.get("resumed", []), event]
    record["status"], record["stop_reason"] = Status.RUNNING, ""
    course.folder.write_record(record)
    if course.folder.config != course.config:
        course.folder.write_config(course.config)
