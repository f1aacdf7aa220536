"""Alternating rounds in a separate process, with a fixed number of threads.

    python -m benchmarks.rounds ROW ROUNDS PEER...     prints JSON; `timed` runs it

This file knows how to measure, not what the numbers should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.workloads import WORKLOADS, Side, Workload

MODULES = {
    "torch": "peer_torch",
    "jax": "peer_jax",
    "keras": "peer_keras",
    "scikit-learn": "peer_sklearn",
}
CHECKED = 20  # steps after which all sides must have the same loss; later, rounding errors grow
TOLERANCE = (
    2e-3  # relative to the hand-written loop's loss, or ours; PyTorch's Adam has another epsilon
)
LOOSE = {"scikit-learn": 0.05}  # its moments cannot be reset: they start after one update
MASKED = 0.1  # where each side drops other units
REST = 0.1  # seconds before each round: threads of BLAS look for work 26 ms long after the last
LACKS = defaultdict(tuple, {
    "scikit-learn": ("CNN",),  # has no convolution
    "jax.scan": ("D", "CNN"),  # D: one step per epoch; CNN: 15 times slower than a call per step
})  # fmt: skip
SETTINGS = ("OMP", "OPENBLAS", "MKL")


def environment() -> dict[str, str]:
    """The caller's environment without BLAS settings, which may force a slow kernel."""
    return {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}


def child(arguments: list[str], threads: int) -> str:
    """The output of ``python -m`` with ``arguments``, limited to ``threads`` threads and cores."""
    settings = environment()
    settings |= {f"{library}_NUM_THREADS": str(threads) for library in SETTINGS}
    if threads == 1:
        settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return done.stdout


def timed(row: str, rounds: int, peers: list[str], threads: int) -> dict[str, Any]:
    """``{"seconds": {side: [a step's time in each round]}, "losses": {side: …}}``."""
    answer = child(["benchmarks.rounds", row, str(rounds), *peers], threads)
    return json.loads(answer.splitlines()[-1])


def sides_of(work: Workload, peers: list[str]) -> Iterator[tuple[str, Side]]:
    """(name, Side): ours, ours without the player, the hand-written loop, then the sides of each
    peer for this row."""
    from benchmarks import hand, ours

    makers: dict[str, Callable[[Workload], Side]] = {
        "ours": ours.prepare,
        "replay": partial(ours.prepare, engine="replay"),
        "hand": hand.prepare,
    }
    for peer in peers:
        makers |= import_module(f"benchmarks.{MODULES[peer]}").SIDES
    return ((name, make(work)) for name, make in makers.items() if _has(name, work))


def _has(side: str, work: Workload) -> bool:
    """Whether the side takes part in the row."""
    concerned = work.filters or side != "torch.channels_last"  # it concerns convolutions only
    plain = work.is_plain or side in ("ours", "replay") or side.startswith("torch")
    return bool(concerned and plain and work.name not in LACKS[side])


def alternate(sides: dict[str, Side], steps: int, rounds: int) -> dict[str, list[float]]:
    """Seconds per step of each side in each round, after a warm-up round.

    No side runs beside the threads of the one before it, which still wait for products.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            _rest()
            start = time.perf_counter()
            side.step(steps)
            seconds[name].append((time.perf_counter() - start) / steps)
    return {name: times[1:] for name, times in seconds.items()}


def _rest() -> None:
    """Awake: the first millisecond after a sleep is slow, and a round of B takes no more."""
    end = time.perf_counter() + REST
    while time.perf_counter() < end:
        pass


def check(work: Workload, sides: dict[str, Side]) -> dict[str, float]:
    """The loss of each side after a few steps. AssertionError if the losses differ."""
    from benchmarks.ours import loss_of

    for side in sides.values():
        side.step(min(CHECKED, 5 * work.steps))
    losses = {name: loss_of(work, side.weights()) for name, side in sides.items()}
    reference = losses.get("hand", losses["ours"])
    for name, loss in losses.items():
        off, most = abs(loss - reference) / reference, LOOSE.get(name, TOLERANCE)
        most = MASKED if work.dropout else most
        assert off < most, f"{work.name}: {name} has other losses: {losses}"
    return losses


def main(row: str, rounds: str, *peers: str) -> None:
    work = WORKLOADS[row]
    sides = dict(sides_of(work, list(peers)))
    losses = check(work, sides)
    seconds = alternate(sides, work.steps, int(rounds))
    sys.stdout.write(json.dumps({"seconds": seconds, "losses": losses}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
