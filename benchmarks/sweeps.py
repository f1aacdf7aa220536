"""Alternating rounds of whole sweeps, each side on all cores.

    python -m benchmarks.run --rows sweep sweep-command

This file knows how to measure a sweep, not what the numbers should be.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NamedTuple

from benchmarks import rounds, sweep_ours, trials

CORES = len(os.sched_getaffinity(0))
MOST = 3  # rounds; one with all sides takes a minute or two
TOLERANCE = 0.1  # of the mean loss of all trials; each side draws its own weights and order
Call = Callable[[Path], float]  # runs a sweep into a new folder, returns its seconds


class Side(NamedTuple):
    """module: its script in this folder.  source: its input file.  peer: the package it needs."""

    module: str
    source: str
    peer: str = ""


SIDES = {
    "ours": Side("sweep_ours", "auto.yaml"),
    "one at a time": Side("sweep_ours", "off.yaml"),
    "jax vmap + scan": Side("sweep_jax", "data.npz", "jax"),
    "optuna + torch": Side("sweep_torch", "data.npz", "torch"),
    "scikit-learn + joblib": Side("sweep_sklearn", "data.npz", "scikit-learn"),
}


def timed(row: str, number: int, peers: list[str]) -> dict[str, Any]:
    """``{"seconds": {side: [a sweep's time in each round]}, "losses": {side: …}}``.

    losses: the trials' mean final validation loss. Measured after a warm-up round.
    """
    sides = {name: side for name, side in SIDES.items() if side.peer in ("", *peers)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, float] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="backproplab-bench-")))
        trials.write(folder)
        calls = {name: stack.enter_context(OPEN[row](side, folder)) for name, side in sides.items()}
        for _ in range(min(number, MOST) + 1):
            for name, call in calls.items():
                # a folder of its own: after a deletion ext4 takes four times as long to make files
                out = Path(mkdtemp(dir=folder))
                seconds[name].append(call(out))
                losses[name] = _loss(sides[name], out)
            _check(losses)
    return {"seconds": {name: times[1:] for name, times in seconds.items()}, "losses": losses}


@contextmanager
def _warm(side: Side, folder: Path) -> Iterator[Call]:
    """Time sweeps in one process, which is kept and measures its own time."""
    command = [sys.executable, "-m", f"benchmarks.{side.module}", str(folder / side.source)]
    with subprocess.Popen(
        command,
        env=rounds.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:

        def call(out: Path) -> float:
            process.stdin.write(f"{out}\n")
            return float(process.stdout.readline())

        yield call


@contextmanager
def _command(side: Side, folder: Path) -> Iterator[Call]:
    """Time each sweep in a new process, from the start of Python to its exit."""
    source = str(folder / side.source)

    def call(out: Path) -> float:
        ours = ["backproplab", "sweep", source, "--log-dir", str(out), "--progress", "none"]
        theirs = [f"benchmarks.{side.module}", source, str(out)]
        command = [sys.executable, "-m", *(theirs if side.peer else ours)]
        start = time.perf_counter()
        subprocess.run(command, env=rounds.environment(), stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    yield call


OPEN: dict[str, Callable[[Side, Path], AbstractContextManager[Call]]] = {
    "sweep": _warm,
    "sweep-command": _command,
}


def _loss(side: Side, out: Path) -> float:
    """The mean loss over the trials, all of which must exist."""
    scores = trials.saved(out) if side.peer else sweep_ours.scores(out)
    expected = {(rate, seed) for rate in trials.RATES for seed in trials.SEEDS}
    assert {(s.rate, s.seed) for s in scores} == expected, f"{side.module}: other trials"
    return statistics.mean(s.loss for s in scores)


def _check(losses: dict[str, float]) -> None:
    for name, loss in losses.items():
        off = abs(loss / losses["one at a time"] - 1)
        assert off < TOLERANCE, f"{name} has other losses: {losses}"
