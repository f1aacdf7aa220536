"""run.json: what a run was made of, and how it ended."""

from __future__ import annotations

import json
import math
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from backproplab import environment
from backproplab.experiment.parts import Parts
from backproplab.files import write_atomic
from backproplab.runs.listing import FORMAT
from backproplab.train.loop import Trainer
from backproplab.train.state import Row


def first_record(parts: Parts) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": parts.experiment.name,
        "status": "running",
        "stop_reason": "",
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "pid": os.getpid(),
        "seed": parts.experiment.seed,
        "model": str(parts.network),
        "parameters": len(parts.parameters),
        "monitor": parts.monitor,
        "hashes": {"data": parts.splits.fingerprint, "init": parts.parameters.fingerprint()},
        **environment.describe(),
    }


def outcome(trainer: Trainer) -> dict[str, Any]:
    state = trainer.state
    return {
        "status": state.status,
        "stop_reason": state.stop_reason,
        "epochs": state.epoch,
        "steps": state.step,
        "examples": state.examples,
        "seconds": round(state.seconds, 6),
        "restored_epoch": trainer.restored_epoch,
        "not_replayed": trainer.learner.refusal,
        "metrics": _finite(state.metrics),
        "best": _finite(state.best),
    }


def _finite(row: Row) -> dict[str, float | None]:
    """JSON knows no NaN: such a value is null."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def write_record(folder: Path, record: dict[str, Any]) -> None:
    write_atomic(folder / "run.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
