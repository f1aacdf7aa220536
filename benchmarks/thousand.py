"""A thousand trials of a tiny network: duration of the whole command, and its driver's memory.

    python -m benchmarks.thousand [TRIALS]

2-4-1 on the circle, 5 epochs, a grid of learning rates, on all cores. Prints the seconds, the
driver's resident memory after a tenth of the trials and near the end, and its peak, which includes
the ranked table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

COMMAND = [sys.executable, "-m", "backproplab", "sweep", "sweep.yaml", "--progress", "none"]
BASE = {
    "data": {"name": "circle", "samples": 100},
    "model": {"hidden": [4]},
    "epochs": 5,
    "tensorboard": "off",
}


def resident(pid: int) -> dict[str, float]:
    """VmRSS and VmHWM of a running process in MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.startswith(("VmRSS", "VmHWM"))]
    return {name.rstrip(":"): int(amount) / 1024 for name, amount, _ in words}


def follow(folder: Path, trials: int) -> tuple[float, list[tuple[int, dict[str, float]]]]:
    """The seconds of the command, and its memory by the number of run folders."""
    start, seen = time.perf_counter(), []
    log = (folder / "log").open("w")
    with log, subprocess.Popen(COMMAND, cwd=folder, stdout=log, stderr=log) as process:
        while process.poll() is None:
            time.sleep(0.2)
            sessions = [path.parent for path in folder.glob("runs/*/sweep.json")]
            ended = sum(entry.is_dir() for entry in os.scandir(sessions[0])) if sessions else 0
            if found := resident(process.pid):
                seen.append((ended, found))
    if process.returncode:
        raise SystemExit((folder / "log").read_text())
    return time.perf_counter() - start, seen


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rates = [round(0.001 * 1.005**number, 9) for number in range(trials)]
    sweep = {"base": BASE, "max_trials": trials, "grid": {"learning_rate": rates}}
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "sweep.yaml").write_text(json.dumps(sweep))
        seconds, seen = follow(Path(scratch), trials)
    early = next(memory for ended, memory in seen if ended >= trials / 10)
    late = next(memory for ended, memory in seen if ended >= trials * 0.95)
    sys.stdout.write(
        f"{trials} trials in {seconds:.0f} s; its driver had {early['VmRSS']:.0f} MB at a tenth, "
        f"{late['VmRSS']:.0f} MB near the end, {seen[-1][1]['VmHWM']:.0f} MB at most\n"
    )


if __name__ == "__main__":
    main()
