"""Cost of the product apart from the steps: start-up and histograms.

This file knows what is timed; the limits are in workloads.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.workloads import FASHION_MNIST

CONFIGS = Path(__file__).parent.parent / "configs"
REFERENCE = [sys.executable, "-c", "import typer, pydantic, yaml"]
BACKPROPLAB = [sys.executable, "-m", "backproplab"]
Times = dict[str, list[float]]


def command_line(rounds: int) -> dict[str, Times]:
    """Times of `--help` and of a config error until exit; reference: the unavoidable imports."""
    faulty = [*BACKPROPLAB, "train", str(CONFIGS / "quickstart.yaml"), "learning_rat=1"]
    commands = {"--help": [*BACKPROPLAB, "--help"], "config error": faulty}
    return {
        name: _alternate(lambda c=command: _run(c), lambda: _run(REFERENCE), rounds)
        for name, command in commands.items()
    }


def logging(rounds: int) -> dict[str, Times]:
    """Times of three epochs with histograms every epoch; reference: without histograms."""
    from backproplab.experiment import run

    with TemporaryDirectory() as root:
        folders = (Path(root) / str(i) for i in range(10**9))
        every, never = (_parts(histograms) for histograms in (1, 0))
        return {"logging": _alternate(lambda: run(every, next(folders)),
                                      lambda: run(never, next(folders)), rounds)}  # fmt: skip


def _parts(histograms: int) -> Any:
    from backproplab.config import load
    from backproplab.experiment import build

    config = "fashion_mnist.yaml" if FASHION_MNIST.is_dir() else "quickstart.yaml"
    return build(load(CONFIGS / config, "epochs=3", f"tensorboard.histograms={histograms}"))


def _alternate(ours: Callable[[], object], reference: Callable[[], object], rounds: int) -> Times:
    times: Times = {"ours": [], "reference": []}
    for _ in range(rounds + 1):
        for name, call in (("ours", ours), ("reference", reference)):
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: seconds[1:] for name, seconds in times.items()}


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


ROWS = {"command-line": command_line, "logging": logging}
