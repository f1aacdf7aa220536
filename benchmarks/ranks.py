"""Whether two ranks on two cores pay, where they should and where they cannot.

    python -m benchmarks.ranks [ROUNDS]     one process with one and with two threads, two ranks

Alternating rounds, each in fresh processes; a rank has one thread. Times are medians of a step.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from backproplab.ranks import ONE, open_ranks
from benchmarks import ours, rounds
from benchmarks.workloads import WORKLOADS

ROWS = {"C": 10, "A": 100}  # and the steps of a round: 784-1024-1024-10, and 784-128-10
REPEATS = 5
SIDES = {  # ranks, threads of each
    "one thread": (1, 1),
    "two threads": (1, 2),
    "two ranks": (2, 1),
}
MPIEXEC = Path(sys.executable).parent / "mpiexec"


def main(count: int) -> None:
    """Print a Markdown row for each workload and side."""
    print("| network | side | ms a step | against one thread |\n|---|---|--:|--:|")  # noqa: T201
    for row in ROWS:
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(count):
            for side, (ranks, threads) in SIDES.items():
                found[side].append(timed(row, ranks, threads))
        for side, times in found.items():
            ratio = statistics.median(
                one / own for one, own in zip(found["one thread"], times, strict=True)
            )
            took = 1000 * statistics.median(times)
            print(f"| {WORKLOADS[row].title} | {side} | {took:.2f} | {ratio:.2f} |")  # noqa: T201


def timed(row: str, ranks: int, threads: int) -> float:
    """Seconds a step of this many ranks, on as many cores as they have threads."""
    launcher = [str(MPIEXEC), "-n", str(ranks), "-bind-to", "core"] if ranks > 1 else []
    settings = {f"{library}_NUM_THREADS": str(threads) for library in rounds.SETTINGS}
    cores = sorted(os.sched_getaffinity(0))[: ranks * threads]
    done = subprocess.run(
        [*launcher, sys.executable, "-m", "benchmarks.ranks", "step", row],
        env=rounds.environment() | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return float(json.loads(done.stdout))


def step(row: str) -> None:
    """Print the median time of a step, as rank 0 has it."""
    ranks = open_ranks() if "PMI_SIZE" in os.environ else ONE
    side, times = ours.prepare(WORKLOADS[row], ranks), []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        side.step(ROWS[row])
        times.append((time.perf_counter() - start) / ROWS[row])
    if ranks.rank == 0:
        sys.stdout.write(json.dumps(statistics.median(times[1:])))


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        step(sys.argv[2])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 5)
