"""`backproplab sweep` in a process that is warm: its own function, from the file to the table.

Beside training: train and validation loss and accuracy each epoch, two event files, a CSV, two
checkpoints and a record for each run, the comparison of all runs and its CSV. Workers live as long
as the library lets them, which is one sweep.
"""

from __future__ import annotations

import json
import os
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks.trials import SEEDS, Score, script


def sweep(source: Path, out: Path) -> None:
    from backproplab.cli.sweep import command  # here: workers import this file

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        command(source, log_dir=out, progress="none")


def scores(out: Path) -> list[Score]:
    """What the runs of the one sweep in this log directory say of themselves."""
    (table,) = out.glob("*/sweep.json")
    return [
        _score(trial["values"]["learning_rate"], seed, table.parent / run)
        for trial in json.loads(table.read_text())["trials"]
        for seed, run in zip(SEEDS, trial["runs"], strict=True)
    ]


def _score(rate: float, seed: int, run: Path) -> Score:
    metrics = json.loads((run / "run.json").read_text())["metrics"]
    return Score(rate, seed, metrics["val_loss"], metrics["val_accuracy"])


if __name__ == "__main__":
    script(sweep)
