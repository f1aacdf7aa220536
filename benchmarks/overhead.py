"""Overhead of a Dask cluster: the seconds of a sweep compared with those of its trials.

    python -m benchmarks.overhead [SECONDS]

SECONDS: approximate duration of a trial, by default 1. Prints the sweep's time, from the first
submitted run to the last one on disk, over the sum of its trials' seconds (from run.json: training
alone, without data and files) divided by the two workers. A sweep before warms up the workers, so
that all is imported. Other load on the cores counts as overhead.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

WORKERS, TRIALS = 2, 96
EPOCHS_A_SECOND = 66  # of the network below, on the author's machine
SWEEP = {
    "base": {
        "data": {"name": "circle", "samples": 4000},
        "model": {"hidden": [32, 32]},
        "threads": 1,
        "tensorboard": "off",
    },
    "lockstep": "off",
    "seeds": TRIALS,
}


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Run a scheduler and its workers on this machine; yields the scheduler's address."""
    place = folder / "scheduler.json"
    command = [sys.executable, "-m"]
    here = ["--scheduler-file", str(place), "--host", "127.0.0.1", "--no-dashboard"]
    many = ["--nworkers", str(WORKERS), "--nthreads", "1", "--local-directory", str(folder)]
    log = (folder / "cluster.log").open("w")
    with log:
        start = [["distributed.cli.dask_scheduler", "--port", "0"], ["distributed.cli.dask_worker"]]
        processes = [
            subprocess.Popen(
                [*command, *words, *here, *(many if n else [])], stdout=log, stderr=log
            )
            for n, words in enumerate(start)
        ]
        try:
            while not (place.exists() and place.read_text().strip().endswith("}")):
                time.sleep(0.05)
            yield json.loads(place.read_text())["address"]
        finally:
            for process in processes[::-1]:
                process.terminate()
                process.wait()


def timed(folder: Path, address: str, epochs: int) -> tuple[float, list[float]]:
    """(seconds of the sweep, seconds of each trial)."""
    from backproplab.sweep.executors import open_executor
    from backproplab.sweep.library import opened
    from backproplab.sweep.space import read

    file = folder / "sweep.yaml"
    file.write_text(json.dumps(SWEEP | {"base": {**SWEEP["base"], "epochs": epochs}}))
    with (
        open_executor(f"dask:{address}") as workers,
        opened(read(file), folder / "runs", workers) as driver,
    ):
        while workers.capacity() < WORKERS:
            time.sleep(0.05)
        start = time.perf_counter()
        for _ in driver.run():
            pass
        seconds = time.perf_counter() - start
    paths = driver.folder.path.glob("*/run.json")
    records = [json.loads(path.read_text()) for path in paths]
    return seconds, [record["seconds"] for record in records]


def main() -> None:
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with TemporaryDirectory() as scratch, cluster(Path(scratch)) as address:
        timed(Path(scratch), address, 1)
        whole, trials = timed(Path(scratch), address, round(wanted * EPOCHS_A_SECOND))
    share = sum(trials) / WORKERS
    sys.stdout.write(
        f"{len(trials)} trials of {sum(trials) / len(trials):.2f} s on {WORKERS} workers: "
        f"{whole:.2f} s for {share:.2f} s of work, {whole / share - 1:+.1%}\n"
    )


if __name__ == "__main__":
    main()
