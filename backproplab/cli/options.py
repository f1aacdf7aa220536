"""Options that several commands share, said once."""

from __future__ import annotations

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
