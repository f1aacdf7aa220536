"""What several commands share: an option, and the refusal to overwrite."""

from __future__ import annotations

import json
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
Force = Annotated[
    bool, typer.Option("--force", help="Train what takes very long, such as numeric gradients.")
]
Weights = Annotated[
    Literal["best", "last"], typer.Option(help="Of the best epoch, or those it ended with.")
]
Imports = Annotated[
    list[str] | None,
    typer.Option("--import", metavar="FILE", help="Python with parts of your own, for names."),
]
Style = Literal["auto", "bar", "line", "none"]  # of progress


def importing(files: list[str] | None) -> list[str]:
    """The options ``--import`` as words that override a config."""
    from backproplab.config.importing import ADDS

    return [f"{ADDS}{json.dumps(file)}" for file in files or ()]


LIMIT = 2**26  # bytes of a file of ours that is written over


def check_free(path: Path, what: str, option: str, is_ours: Callable[[bytes], bool]) -> None:
    """Raise RefusedError if anything other than an earlier file of ours is at the path.

    is_ours: whether this is the content of such a file.
    """
    from backproplab.errors import RefusedError
    from backproplab.files import read_regular

    try:
        ours = is_ours(read_regular(path, LIMIT))
    except FileNotFoundError:
        return
    except OSError:
        ours = False
    if not ours:
        raise RefusedError(f"{path} exists and is no {what} of ours — choose with {option}")
