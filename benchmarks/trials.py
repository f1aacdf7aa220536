"""The trials of the sweep rows as data: eight learning rates, eight seeds, one small network.

This file knows what is trained and how a script for it is called, but no library that trains it.
It imports nothing large at its top, because the scripts are timed from their start.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
SEEDS = tuple(range(8))
HIDDEN, CLASSES, BATCH, EPOCHS = (16, 16), 2, 32, 100  # tanh, softmax cross-entropy, Adam, float32
EPSILON = 1e-7  # of our Adam

# row of the table -> what it shows
ROWS = {
    "sweep": "64 trials of 2-16-16-2 on spiral, in a warm process",
    "sweep-command": "64 trials of 2-16-16-2 on spiral, the command from the shell",
}

SWEEP = {
    "base": {
        "data": {"name": "spiral", "validation_split": 0.2},
        "model": {"hidden": list(HIDDEN), "activation": "tanh"},
        "loss": "softmax_cross_entropy",
        "optimizer": "adam",
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "tensorboard": "off",
    },
    "seeds": list(SEEDS),
    "grid": {"learning_rate": list(RATES)},
}

Array = np.ndarray[Any, Any]


class Data(NamedTuple):
    """One seed's examples: inputs (n, 2), float32, and labels (n,), int64."""

    x: Array
    y: Array
    val_x: Array
    val_y: Array


class Score(NamedTuple):
    """The final result of one trial on the validation split."""

    rate: float
    seed: int
    loss: float
    accuracy: float


def write(folder: Path) -> None:
    """Write our two sweep files, and ``data.npz`` with the examples that we draw for each seed.

    ``off.yaml`` trains one run at a time by replay, which is what a crew is compared with.
    """
    from backproplab.data import Dataset, load

    for lockstep, engine in (("auto", "auto"), ("off", "replay")):
        own = {"base": SWEEP["base"] | {"engine": engine}, "lockstep": lockstep}
        (folder / f"{lockstep}.yaml").write_text(json.dumps(SWEEP | own))
    splits = [load(Dataset.parse(SWEEP["base"]["data"]), seed) for seed in SEEDS]
    np.savez(
        folder / "data.npz",
        x=[s.train.inputs for s in splits],
        y=[s.train.targets for s in splits],
        val_x=[s.validation.inputs for s in splits],
        val_y=[s.validation.targets for s in splits],
    )


def read(path: Path) -> dict[int, Data]:
    """``{seed: its examples}`` from ``data.npz``."""
    with np.load(path) as arrays:
        stacked = dict(arrays)
    return {seed: Data(**{k: a[i] for k, a in stacked.items()}) for i, seed in enumerate(SEEDS)}


def save(scores: list[Score], out: Path) -> None:
    """Save the scores of a peer's trials beside its logs."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "scores.json").write_text(json.dumps(scores))


def saved(out: Path) -> list[Score]:
    """The scores that ``save`` wrote."""
    return [Score(*score) for score in json.loads((out / "scores.json").read_text())]


def script(sweep: Callable[[Path, Path], None]) -> None:
    """``python -m benchmarks.sweep_… SOURCE [OUT]``: a sweep of SOURCE into the new folder OUT.

    Without OUT the process keeps running: for each folder that it reads from stdin it runs a
    sweep into it and prints the seconds, warm from the second sweep on.
    """
    source, *out = map(Path, sys.argv[1:])
    if out:
        sweep(source, *out)
        return
    for line in sys.stdin:
        start = time.perf_counter()
        sweep(source, Path(line.strip()))
        sys.stdout.write(f"{time.perf_counter() - start}\n")
        sys.stdout.flush()
