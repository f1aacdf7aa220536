"""Time of a step as the network grows in width, batch size and depth, with the BLAS limit.

    python -m benchmarks.growth [torch]     writes results/growth.svg; one thread

The limit is the time of the step's matrix products alone, at the rate of one large product.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import report, rounds
from benchmarks.workloads import CLASSES, Workload

SECONDS = 0.1  # time of each side in a round
ROUNDS = 5
WIDTHS = tuple(2**i for i in range(4, 13, 2))
BATCHES = tuple(2**i for i in range(0, 13, 2))
DEPTHS = tuple(2**i for i in range(6))
COLORS = {"ours": "#d55e00", "hand": "#0072b2", "torch": "#009e73", "BLAS limit": "0.5"}


def _work(inputs: int, hidden: tuple[int, ...], batch: int) -> Workload:
    return Workload("growth", "", inputs, hidden, batch, "sgd", 1e-3, 1)


SWEEPS = {
    "width: w-w-10, minibatch 32": {n: _work(n, (n,), 32) for n in WIDTHS},
    "minibatch: 784-128-10": {n: _work(784, (128,), n) for n in BATCHES},
    "hidden layers of 128, minibatch 32": {n: _work(784, (128,) * n, 32) for n in DEPTHS},
}


def operations(work: Workload) -> int:
    """Additions and multiplications in the products of a step: xW, xᵀδ, and δWᵀ above layer 1."""
    layers = list(pairwise((work.inputs, *work.hidden, CLASSES)))
    products = [3 * a * b for a, b in layers]
    return 2 * work.batch * (sum(products) - work.inputs * layers[0][1])


def rate(size: int = 1024) -> float:
    """Operations per second of the fastest of several products of square float32 matrices."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    out = np.empty_like(a)
    return 2 * size**3 / min(_seconds(lambda: np.matmul(a, b, out=out)) for _ in range(10))


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(work: Workload, peers: list[str]) -> dict[str, float]:
    """Median seconds per step of each side."""
    wanted = ("ours", "hand", *peers)
    sides = {name: side for name, side in rounds.sides_of(work, peers) if name in wanted}
    for side in sides.values():
        side.step(2)
    slowest = max(_seconds(lambda s=side: s.step(2)) / 2 for side in sides.values())
    steps = max(1, int(SECONDS / slowest))
    times = rounds.alternate(sides, steps, ROUNDS)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def sweep(peers: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """``{sweep: {size: {side: seconds}}}``."""
    gemm = rate()
    return {
        title: {
            str(size): measure(work, peers) | {"BLAS limit": operations(work) / gemm}
            for size, work in works.items()
        }
        for title, works in SWEEPS.items()
    }


def figure(measured: dict[str, dict[str, dict[str, float]]]) -> Any:
    """A panel for each sweep, both axes logarithmic."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(10, 3.4), layout="constrained")
    panels = page.subplots(1, len(measured), sharey=True)
    for panel, (title, times) in zip(panels, measured.items(), strict=True):
        sizes = [int(size) for size in times]
        for side in next(iter(times.values())):
            y = [seconds[side] * 1e6 for seconds in times.values()]
            style = "--" if side == "BLAS limit" else "o-"
            panel.plot(sizes, y, style, color=COLORS.get(side), label=side, markersize=4)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.set_xlabel(title)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("µs a step, one thread")
    panels[0].legend(frameon=False, fontsize=8)
    return page


def main(peers: list[str]) -> None:
    answer = rounds.child(["benchmarks.growth", "--measure", *peers], threads=1)
    measured = json.loads(answer.splitlines()[-1])
    for title, times in measured.items():
        sys.stdout.write(f"{title}\n")
        for size, seconds in times.items():
            values = "".join(f"{side:>12} {t * 1e6:9.0f} µs" for side, t in seconds.items())
            sys.stdout.write(f"{size:>6}{values}\n")
    path = report.save(figure(measured), "growth.svg")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        sys.stdout.write(json.dumps(sweep(sys.argv[2:])) + "\n")
    else:
        main(sys.argv[1:])
