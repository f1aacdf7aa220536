"""A run's environment: versions, the machine, the commit of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

SAMPLES = 5
LAUNCHERS = {  # where each says how many processes it has started, and which one this is
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",  # Open MPI
    "PMI_SIZE": "PMI_RANK",  # MPICH's hydra, Intel MPI, Cray
    "MV2_COMM_WORLD_SIZE": "MV2_COMM_WORLD_RANK",  # MVAPICH
    "SLURM_STEP_NUM_TASKS": "SLURM_PROCID",  # srun; SLURM_NTASKS is in batch scripts, too
}
DECISIVE = ("backproplab", "numpy")  # packages whose versions decide the bits of a run
PACKAGES = ("backproplab", "numpy", "scipy", "scikit-learn", "tensorboardX")


def describe() -> dict[str, Any]:
    """Versions of Python and the numerical packages, the machine, and our commit."""
    return {
        "python": platform.python_version(),
        "versions": _versions(),
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "git": _git(),
        "argv": sys.argv,
    }


def free_cores() -> int:
    """The number of available cores that no other process is using now, at least 1.

    All available cores if the system does not report its running processes (not Linux).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    counts = []
    for _ in range(SAMPLES):
        try:
            counts.append(_count_running() - 1)  # without this process
        except (OSError, StopIteration):
            return cores or 1
        time.sleep(0.002)
    return max((cores or 1) - sorted(counts)[SAMPLES // 2], 1)


def launched_processes() -> int:
    """The number of processes that an MPI launcher started this command as; 1 without one."""
    return max(_whole(LAUNCHERS), default=1)


def launched_rank() -> int:
    """The number of this process among those of an MPI launcher, from 0; 0 without one."""
    return max(_whole(LAUNCHERS.values()), default=0)


def _whole(variables: Iterable[str]) -> list[int]:
    """The whole numbers that these variables of the environment hold."""
    found = (os.environ.get(variable, "") for variable in variables)
    return [int(text) for text in found if text.isdecimal()]


def cache_bytes() -> int:
    """Size in bytes of one core's L2 cache; 1 MiB if the system does not report it."""
    place = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    try:
        return int(place.read_text().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20


def free_memory() -> int | None:
    """Bytes that this process may still take: the least of what the machine has available, its
    control group and its address space leave; None if none of them is known (not Linux)."""
    known = [_available(), _left_in_group(), _left_in_address_space()]
    return min((size for size in known if size is not None), default=None)


def _available() -> int | None:
    """What the kernel can give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return found[0] * 1024 if found else None


def _left_in_group() -> int | None:
    """Of the control groups around this process (versions 2 and 1), with the cache that can go."""
    try:
        rows = [row.split(":", 2) for row in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return None
    left = []
    for _, controllers, place in rows:
        new = not controllers
        if not new and "memory" not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup") if new else Path("/sys/fs/cgroup/memory")
        names = ("max", "current") if new else ("limit_in_bytes", "usage_in_bytes")
        inside = root / place.lstrip("/")
        for group in (inside, *inside.parents):
            try:
                most, used = (int((group / f"memory.{name}").read_text()) for name in names)
                stat = dict(row.split() for row in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # "max": no limit
                continue
            left.append(max(most - used + int(stat.get("inactive_file", 0)), 0))
    return min(left, default=None)


def _left_in_address_space() -> int | None:
    """Of the limit that ``ulimit -v`` sets."""
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return None
    return max(most - used, 0) if most != resource.RLIM_INFINITY else None


def _count_running() -> int:
    """The number of processes and threads that are running or ready to run."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("procs_running"))


def decisive_versions() -> dict[str, str]:
    """The versions here of the packages that decide the bits of a run."""
    return {package: _versions()[package] for package in DECISIVE}


def other_versions(expected: Mapping[str, str]) -> str:
    """``numpy 2.3.0, needed 2.4.6``: packages that are not here as expected; empty if all are."""
    found = [(name, _version(name), needed) for name, needed in expected.items()]
    return ", ".join(f"{name} {v}, needed {needed}" for name, v, needed in found if v != needed)


def _version(package: str) -> str:
    try:
        return _versions().get(package) or metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


@cache
def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in PACKAGES}


@cache
def _git() -> dict[str, Any] | None:
    """The commit of this code and whether files differ from it; None for an installed package."""
    try:
        commit = _run_git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_run_git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _run_git(*words: str) -> str:
    here = Path(__file__).parent
    if not (here.parent / ".git").exists():
        raise FileNotFoundError("this code is in no repository")
    # status would lock the index to refresh it, and leave the lock behind if it is killed
    command = ["git", "--no-optional-locks", "-C", str(here), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    return done.stdout.strip()
