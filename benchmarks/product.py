"""Cost of the product apart from the steps: start-up and what is logged.

This file knows what is timed; the limits are in workloads.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.logging import CONFIGS, logging

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
