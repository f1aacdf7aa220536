"""Benchmark every row against every peer; writes the table, and the figure for the README.

    make bench [PEERS="torch jax"] [THREADS="1 2"] [ROWS="A B"]

A subset of the rows is only printed, unless --save is given; then, as after a full run, it replaces
older numbers in results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks import genetic, numeric, product, report, rounds, sweeps, trials
from benchmarks.workloads import WORKLOADS

ROWS = [*WORKLOADS, *genetic.ROWS, *numeric.ROWS, *trials.ROWS, *product.ROWS]


def main() -> None:
    args = _arguments()
    found: list[report.Ratio] = []
    for row, threads, measured in _measured(args):
        found += report.ratios(row, threads, measured["seconds"])
        losses = ", ".join(f"{side} {loss:.4f}" for side, loss in measured["losses"].items())
        sys.stderr.write(f"  losses: {losses}\n")
    for row in (row for row in args.rows if row in product.ROWS):
        sys.stderr.write(f"{row} …\n")
        measured = product.ROWS[row](args.rounds)
        found += [report.limited(name, seconds) for name, seconds in measured.items()]
    whole = args.save or set(args.rows) == set(ROWS)
    found = report.kept(found) if whole else found
    page = report.table(found, args.peers)
    sys.stdout.write(page)
    if whole:
        report.save(report.figure(found), "ratios.svg")
        (report.RESULTS / "table.md").write_text(page)
        report.put_into_readme(report.summary(found))


def _measured(args: argparse.Namespace) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(row, number of threads or cores, times and losses of each side)."""
    for row in (row for row in args.rows if row in WORKLOADS):
        for threads in args.threads:
            sys.stderr.write(f"{row}, threads {threads} …\n")
            yield row, threads, rounds.timed(row, args.rounds, args.peers, threads)
    for row in (row for row in args.rows if row in genetic.ROWS):
        sys.stderr.write(f"{row} …\n")
        yield row, 1, genetic.timed(row, args.rounds, args.peers)
    for row in (row for row in args.rows if row in numeric.ROWS):
        sys.stderr.write(f"{row} …\n")
        yield row, 1, numeric.timed(args.rounds)
    for row in (row for row in args.rows if row in trials.ROWS):
        sys.stderr.write(f"{row}, cores {sweeps.CORES} …\n")
        yield row, sweeps.CORES, sweeps.timed(row, args.rounds, args.peers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--peers", nargs="*", choices=rounds.MODULES, default=list(rounds.MODULES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
