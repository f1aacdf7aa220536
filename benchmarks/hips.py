"""Gradients of the examples of HIPS/autograd: their library's time divided by ours.

    python -m benchmarks.hips [--rounds 7] [EXAMPLE …]

Its sdist comes from the package index, its sources are untouched (see tests/peers). Each side is a
process that has run an example up to its third gradient, and computes this one again in alternating
rounds: CPU time, one thread, median of the ratios. Goals: none below 1, the median at least 1.5.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rounds import SETTINGS
from tests.peers.example import GRADIENTS, played, prepared
from tests.peers.test_hips_suite import EXAMPLES, fetched

SIDES = ("hips", "ours")
THIRD = 3  # the gradient that is computed again, or the last: the first ones make what stays
STRETCH = 0.03  # seconds of a round, or one gradient


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hips")
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sdist = fetched(Path(folder))
        sides = {name: _Side(name, sdist) for name in SIDES}
        ratios = {}
        for example in args.examples or EXAMPLES:
            hips, ours = _timed(sides, example, args.rounds)
            ratios[example] = statistics.median(a / b for a, b in zip(hips, ours, strict=True))
            micros = f"{min(hips) * 1e6:12,.0f} {min(ours) * 1e6:12,.0f} µs"
            sys.stdout.write(f"{example:34}{micros} {ratios[example]:6.2f}\n")
            sys.stdout.flush()
    low = min(ratios, key=lambda name: ratios[name])
    middle = statistics.median(ratios.values())
    sys.stdout.write(f"median {middle:.2f}, lowest {ratios[low]:.2f} ({low})\n")


class _Side:
    """A process with one of the libraries."""

    def __init__(self, name: str, sdist: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", __spec__.name, "side", name, str(sdist)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {f"{library}_NUM_THREADS": "1" for library in SETTINGS},
        )  # fmt: skip

    def ask(self, *words: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def _timed(sides: dict[str, _Side], example: str, rounds: int) -> tuple[list[float], ...]:
    """Seconds of a gradient in each round, of theirs and of ours."""
    for name, side in sides.items():
        if error := side.ask("load", example):
            raise SystemExit(f"{example} on {name}: {error}")
    count = max(1, int(STRETCH / sides["hips"].ask("run", 3)))
    sides["ours"].ask("run", 3)
    found: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in SIDES if number % 2 else reversed(SIDES):
            found[name].append(sides[name].ask("run", count))
    return tuple(found.values())


def _serve(name: str, sdist: str) -> None:
    """Answer each line of the standard input: ["load", example] or ["run", number of times]."""
    log: list[Any] = []
    folder = prepared(name, sdist, log)
    for line in sys.stdin:
        word, what = json.loads(line)
        answer: Any
        if word == "load":
            log.clear()
            answer = played(folder / f"{what}.py")
            again = log[:THIRD][-1][1]
            log += [None] * (GRADIENTS + 1)  # full: gradients within a gradient end nothing
        else:
            start = time.process_time()
            for _ in range(what):
                again()
            answer = (time.process_time() - start) / what
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(*sys.argv[2:]) if sys.argv[1:2] == ["side"] else main()
