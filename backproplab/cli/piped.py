"""A table that comes through a pipe: ``-`` in the place of its file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def piped(path: Path) -> Iterator[Path]:
    """The file; of ``-`` one that holds what stdin gives, until the end. Raises ConfigError."""
    import shutil
    import sys
    from tempfile import TemporaryDirectory

    from backproplab.errors import ConfigError, Problem

    if str(path) != "-":
        yield path
        return
    if sys.stdin.isatty():
        raise ConfigError(Problem("-", "stdin is a terminal", "name a file, or pipe one into it"))
    with TemporaryDirectory() as folder:
        path = Path(folder, "stdin.csv")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path
