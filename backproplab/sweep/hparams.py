"""A sweep as TensorBoard's HParams tab shows it: one row a trial, metrics as means over its seeds.

    runs/20191003-153452/.hparams/success/learning_rate-0.1/events.out.tfevents.…    of one trial

The rows are folders of their own, their means worked out here. Written into the runs, for
TensorBoard to average, they would show the last epoch where the sweep asks for the best, leave out
a trial whose runs left no folder, and lay their scalars over the runs' curves. The link of
``backproplab tensorboard`` asks for training and validation runs, so it hides these; and no run's
name begins with a dot, so nobody takes these for one.

A TensorBoard that runs keeps the settings and the status that it read first, by folder: so the
status is part of the path, for a trial that failed and is resumed. It orders metrics by name and
shows the first five: the sweep's own is ``metric/val_loss``, the rest ``other/…``.

This file must not know what an event file holds.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from backproplab.files import machine_limits
from backproplab.runs import RunInfo, best_by, read_run
from backproplab.runs.sweep_file import read_sweep
from backproplab.status import Status
from backproplab.sweep.schema import Objective

FOLDER = ".hparams"
PARTIAL = ".partial-hparams"  # what a killed driver leaves, the next one deletes
LENGTH = 60  # letters of a setting


def write_hparams(session: Path) -> None:
    """Write a row for each trial of the sweep in ``session``, in the place of those there were.

    Columns: ``sweep``, the session's name, by which TensorBoard can filter; what the trials set;
    the means of the metrics over the runs that are complete. Status: success if all of a trial's
    runs are complete, failure if one failed or diverged, else unknown. Raises MachineError.
    """
    partial, final = session / PARTIAL, session / FOLDER
    with machine_limits(final):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name, row in _rows(session):
            place = partial / name / f"events.out.tfevents.{time.time_ns()}"
            place.parent.mkdir(parents=True)
            place.write_bytes(row)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)


def _rows(session: Path) -> Iterator[tuple[str, bytes]]:
    """The folder and the event file of each trial."""
    from backproplab.journal.hparams_events import hparams_row

    sweep = read_sweep(session)
    for trial in sweep["trials"]:
        runs = [read_run(session / name) for name in trial["runs"]]
        status = _status(runs)
        group = f"trial {trial['number']:04} of {session.name}"
        settings = {"sweep": session.name, **_settings(trial["values"])}
        means = _means(runs, Objective.model_validate(sweep["metric"]))
        row = hparams_row(group, settings, means, status)
        yield f"{status}/{trial['label']}", row


def _settings(values: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """Numbers and truth values as they are, specs and lists as text.

    What is null is left out: it would turn a column of numbers into text.
    """
    return {path: _plain(value) for path, value in values.items() if value is not None}


def _plain(value: Any) -> bool | float | str:
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace('"', "")
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def _means(runs: Sequence[RunInfo], metric: Objective) -> dict[str, float]:
    """The mean of every metric over the complete runs that have it, where the sweep asks for it;
    of those that were pruned, where they stood."""
    counted = [run for run in runs if run.status.counts]
    at_best = metric.at == "best"
    rows = [
        run.metrics | (best_by(run, metric.name, metric.minimizes) if at_best else {})
        for run in counted
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        f"{'metric' if name == metric.name else 'other'}/{name}": fmean(
            row[name] for row in rows if name in row
        )
        for name in names
    }


def _status(runs: Sequence[RunInfo]) -> str:
    statuses = {run.status for run in runs}
    if statuses & {Status.FAILED, Status.DIVERGED}:
        return "failure"
    return "success" if statuses == {Status.COMPLETED} else "unknown"
