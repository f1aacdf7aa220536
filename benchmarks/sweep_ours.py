"""Our sweep in a warm process: from reading the file to the last run on disk.

Besides training it computes train and validation loss and accuracy each epoch, and writes two
event files, a CSV, two checkpoints and a record for each run. Workers are kept between sweeps, as
by the peers; the command's ranked table is not made, because the peers make none.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.trials import SEEDS, Score, script

if TYPE_CHECKING:
    from backproplab.sweep.executors import Workers


KEPT = ExitStack()  # closed at the end of the process


@cache
def workers() -> Workers:
    from backproplab.sweep.executors import open_executor  # here: workers import this file

    return KEPT.enter_context(open_executor("local"))


def sweep(source: Path, out: Path) -> None:
    from backproplab.sweep.library import opened
    from backproplab.sweep.space import read

    with opened(read(source), out, workers()) as driver:
        for _ in driver.run():
            pass


def scores(out: Path) -> list[Score]:
    """The scores of the runs of the only sweep in this log directory, from their run.json."""
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
    with KEPT:
        script(sweep)
