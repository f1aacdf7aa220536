"""Descents as logs that TensorBoard shows: a folder each, with the scalars of every step."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from backproplab.descend import Shown
from backproplab.descend.path import Descent
from backproplab.descend.words import run_name
from backproplab.errors import RefusedError
from backproplab.files import DiskFolder, plain_name


def write(shown: Shown, root: Path) -> list[Path]:
    """Write the variables, f and the gradient's norm of every run by step; the runs' folders.

    Raises RefusedError, before anything is written, for a folder that holds something.
    """
    names = [
        f"{n:02}-{plain_name(run_name(run)).rstrip('-')}"
        for n, run in enumerate(shown.runs, start=1)
    ]
    folders = [root / name for name in names]
    for folder in folders:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RefusedError(f"{folder} is not empty — choose another --log-dir")
    for run, folder in zip(shown.runs, folders, strict=True):
        _write(shown, run, folder)
    return folders


def _write(shown: Shown, run: Descent, folder: Path) -> None:
    from backproplab.journal.events import EventWriter  # costs tensorboardX's import

    columns = {name: run.points[:, n] for n, name in enumerate(shown.objective.names)}
    columns |= {"f": run.values, "gradient_norm": np.linalg.norm(run.slopes, axis=1)}
    steps = range(len(run.points))
    writer = EventWriter(DiskFolder(folder.parent), folder.name)
    with closing(writer.log):
        writer.series({name: (steps, values.tolist()) for name, values in columns.items()})
        writer.log.sync()
