"""run.json: what a run was made of, and how it ended."""

from __future__ import annotations

import math
import os
import secrets
from datetime import datetime
from typing import Any

from backproplab import environment
from backproplab.config import Experiment, to_yaml
from backproplab.errors import described
from backproplab.experiment import account
from backproplab.experiment.account import HParams
from backproplab.experiment.parts import Parts
from backproplab.journal import Journal
from backproplab.learners import Learning
from backproplab.loop import Lane
from backproplab.measures import Row
from backproplab.runs.run_folder import FORMAT, RunFolder
from backproplab.status import Status


def first(
    parts: Parts, learning: Learning, initial: str, numerics: dict[str, Any]
) -> dict[str, Any]:
    """The record of a run that begins.

    id: random, so that its checkpoints are known.  initial: the hash of its first weights.
    """
    return {
        "format": FORMAT,
        "id": secrets.token_hex(8),
        "name": parts.experiment.name,
        "status": Status.RUNNING,
        "stop_reason": "",
        "started": now(),
        "pid": os.getpid(),
        "seed": parts.experiment.seed,
        "learner": parts.experiment.learner.name,
        "unit": parts.length.unit,
        "model": str(learning),
        "parameters": learning.size,
        "ranks": parts.ranks.size,
        "monitor": parts.monitor,
        "hashes": {"data": parts.splits.fingerprint, "init": initial},
        "numerics": numerics,
        **environment.describe(),
    }


def write_failure(
    folder: RunFolder,
    experiment: Experiment,
    error: BaseException,
    hparams: HParams | None = None,
) -> None:
    """Write that the run has failed, and why: config.yaml, run.json and traceback.txt.

    What the record of a run that had begun says besides stays.
    """
    failed = {"status": Status.FAILED, "stop_reason": "error", "message": described(error)}
    journal = Journal(folder.files, (), (), {})
    if record := folder.record:
        folder.write_record(record | failed)
    else:
        known = {"format": FORMAT, "name": experiment.name, "seed": experiment.seed, "epochs": 0}
        began = known | {"started": now()} | (hparams.entry if hparams else {})
        folder.begin(to_yaml(experiment), began | failed)
        account.begin(journal, to_yaml(experiment), began)
    if record.get("status") != Status.FAILED:
        account.end(journal, folder.record)
    journal.close()
    folder.write_traceback(error)


def outcome(lane: Lane, best: Row, restored_epoch: int) -> dict[str, Any]:
    """What the record says of a run that has ended, or paused."""
    progress = lane.progress
    return {
        "status": progress.status,
        "stop_reason": progress.stop_reason,
        "message": lane.message,
        "epochs": progress.epoch,
        "steps": progress.step,
        "examples": progress.examples,
        **progress.passes.row,
        "seconds": round(progress.seconds, 6),
        "restored_epoch": restored_epoch,
        "not_replayed": lane.learning.refusal,
        "metrics": _finite(progress.metrics),
        "best": _finite(best),
        **{key: x for callback in lane.callbacks for key, x in callback.recorded().items()},
    }


def now() -> str:
    """The present instant, as local time with its offset from UTC."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _finite(row: Row) -> dict[str, float | None]:
    """JSON has no NaN: such a value is null."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
