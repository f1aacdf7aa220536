"""A folder of links outside of any log root, so that a TensorBoard shows some runs and no others.

    ~/.cache/backproplab/tensorboard/3f2a90c41b7d5e68/exp1 -> /home/ada/runs/20191003-153452/exp1

The same runs have the same folder, by which a TensorBoard that shows them is found again. This file
must not know servers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from backproplab.errors import MachineError
from backproplab.files import machine_limits
from backproplab.files.places import private, state_folders


def linked(places: Sequence[Path]) -> Path:
    """A folder with a link to each of these runs and sessions, by its name.

    Runs of several sessions are below their sessions' names. Raises MachineError.
    """
    targets = sorted({place.resolve() for place in places})
    name = hashlib.sha256(b"\0".join(map(os.fsencode, targets))).hexdigest()[:16]
    usable = [folder for folder in state_folders() if private(folder)]
    if not usable:
        raise MachineError(f"{state_folders()[-1]}: cannot write: set BACKPROPLAB_CACHE")
    root = usable[0].resolve() / name
    several = len({target.parent for target in targets}) > 1
    with machine_limits(root):
        for target in targets:
            link = root / target.parent.name / target.name if several else root / target.name
            link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(target)
    return root


def shown(root: Path) -> list[Path]:
    """What a TensorBoard of ``root`` shows: the targets of its links, if it is made of links."""
    return [path.readlink() for path in _links(root)] or [root]


def remove(root: Path) -> None:
    """Delete a folder of links; any other one stays as it is."""
    for link in _links(root):
        with suppress(OSError):
            link.unlink()
            link.parent.rmdir()  # not while it holds another link
    with suppress(OSError):
        if root.parent in _homes():
            root.rmdir()


def _links(root: Path) -> list[Path]:
    if root.parent not in _homes():
        return []
    return [path for path in (*root.glob("*"), *root.glob("*/*")) if path.is_symlink()]


def _homes() -> list[Path]:
    return [folder.resolve() for folder in state_folders()]
