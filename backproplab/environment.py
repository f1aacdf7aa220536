"""What a run depended on besides its config: versions, machine, the state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("backproplab", "numpy", "scipy", "scikit-learn", "tensorboardX")


def describe() -> dict[str, Any]:
    """Versions of Python and of what computes, the machine, and the commit of our code."""
    return {
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "git": _git(),
        "argv": sys.argv,
    }


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
