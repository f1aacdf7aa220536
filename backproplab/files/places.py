"""Folders of the user's, outside of any log directory. This file must not know what is kept."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "BACKPROPLAB_CACHE"


def cache_folder() -> Path:
    """``$BACKPROPLAB_CACHE``, or ``backproplab`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``."""
    own, shared = os.environ.get(VARIABLE), os.environ.get("XDG_CACHE_HOME")
    chosen = own or os.path.join(shared or "~/.cache", "backproplab")  # noqa: PTH118
    return Path(os.path.expanduser(chosen))  # noqa: PTH111  # Path's raises without a home


def state_folders() -> tuple[Path, Path]:
    """Where to keep what a read-only log directory cannot hold: the cache, or a temporary one."""
    temporary = Path(tempfile.gettempdir()) / f"backproplab-{os.geteuid()}"
    return cache_folder() / "tensorboard", temporary


def private(folder: Path) -> bool:
    """Make a folder for this user alone; False if it is not, or cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return is_own and os.access(folder, os.W_OK)
