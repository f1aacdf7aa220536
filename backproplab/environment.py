"""What a run depended on besides its config: versions, machine, the state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

LOOKS = 5
PACKAGES = ("backproplab", "numpy", "scipy", "scikit-learn", "tensorboardX")


def describe() -> dict[str, Any]:
    """Versions of Python and of what computes, the machine, and the commit of our code."""
    return {
        "python": platform.python_version(),
        "versions": _versions(),
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "git": _git(),
        "argv": sys.argv,
    }


def free_cores() -> int:
    """Cores of ours that nobody else computes on at this moment, at least 1.

    Where the system does not tell how many processes run (it is not Linux), all of them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    looks = []
    for _ in range(LOOKS):
        try:
            looks.append(_running() - 1)  # ourselves
        except (OSError, StopIteration):
            return cores or 1
        time.sleep(0.002)
    return max((cores or 1) - sorted(looks)[LOOKS // 2], 1)


def cache_bytes() -> int:
    """Of a core's L2 cache; 1 MiB where the system does not tell."""
    place = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    try:
        return int(place.read_text().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20


def _running() -> int:
    """Processes and threads that run or wait for a core only."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("procs_running"))


@cache
def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in PACKAGES}


@cache
def _git() -> dict[str, Any] | None:
    """Our own commit and whether files differ from it; None for an installed package."""
    try:
        commit = _ask("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _ask(*words: str) -> str:
    here = Path(__file__).parent
    if not (here.parent / ".git").exists():
        raise FileNotFoundError("no repository of ours")
    command = ["git", "-C", str(here), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    return done.stdout.strip()
