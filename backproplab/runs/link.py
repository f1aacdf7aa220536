"""The link to a TensorBoard: what it pins, which runs it lists, and that it smooths nothing.

This file must not know servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlencode

from backproplab.measures import POSITION
from backproplab.runs.metrics_table import TABLE

SHORT = "/s"
USUAL = ("loss", "accuracy")  # pinned before anything else that was measured
PINNED = 2
LINE = 4096  # letters of a table's heading
RUNS = "(^|/)(train|validation)$"
# Scalars keeps its smoothing (0.6 by default) behind the name of the page; Time Series asks before
PAGE = "timeseries&_smoothingWeight=0"


def query(root: Path) -> str:
    """What follows the address of a TensorBoard that shows ``root``."""
    cards = [{"plugin": "scalars", "tag": f"epoch_{name}"} for name in pinned(root)]
    asked = {"pinnedCards": json.dumps(cards), "smoothing": 0, "runFilter": RUNS}
    return f"?{urlencode(asked, quote_via=quote)}#{PAGE}"


def pinned(root: Path) -> Sequence[str]:
    """The loss and the accuracy, or what there is: by the newest session's table."""
    measured = next(_measured(root), USUAL)
    first = [name for name in USUAL if name in measured]
    others = [name for name in measured if name not in USUAL]
    return [*first, *others][:PINNED]


def _measured(root: Path) -> Iterator[Sequence[str]]:
    """The columns of the tables in a run, a session or a log root, which may be links."""
    for depth in ("", "*/", "*/*/"):
        for path in sorted(root.glob(f"{depth}{TABLE}"), reverse=True):
            with suppress(OSError, UnicodeDecodeError), path.open() as file:
                names = file.readline(LINE).rstrip("\n").split(",")
                if found := [name for name in names if name not in POSITION]:
                    yield found
