"""What a run depended on besides its config: versions, machine, the state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from typing import Any

PACKAGES = ("backproplab", "numpy", "scipy", "tensorboardX")


def describe() -> dict[str, Any]:
    """Versions of Python and of what computes, the machine, and git's commit if there is one."""
    return {
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "git": _git(),
        "argv": sys.argv,
    }


def _git() -> dict[str, Any] | None:
    """Commit and whether files differ from it; None outside a repository or without git."""
    try:
        commit = _ask("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _ask(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=2, check=True)
    return done.stdout.strip()
