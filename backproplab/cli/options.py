"""What several commands share: an option, and the refusal to overwrite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

LogDir = Annotated[
    Path,
    typer.Option(
        "--log-dir", metavar="DIR", envvar="BACKPROPLAB_LOG_DIR", help="Where the runs are kept."
    ),
]
RUNS = Path("runs")
Style = Literal["auto", "bar", "line", "none"]  # of progress


def check_free(path: Path, what: str, option: str, is_ours: Callable[[Path], bool]) -> None:
    """Raise RefusedError if anything other than an earlier file of ours is at the path."""
    from backproplab.errors import RefusedError

    ours = path.is_file() and not path.is_symlink() and is_ours(path)
    if not ours and (path.is_symlink() or path.exists()):
        raise RefusedError(f"{path} exists and is no {what} of ours — choose with {option}")
