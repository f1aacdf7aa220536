"""results.csv: the ranked table of a sweep. Written by ``sweep``; here its first row is read."""

from __future__ import annotations

import csv
from pathlib import Path

from backproplab.files import read_regular

NAME = "results.csv"
LIMIT = 2**26  # bytes


def leader(session: Path) -> dict[str, str]:
    """The first row of the table, by column: of the best trial; empty if there is none."""
    try:
        text = read_regular(session / NAME, LIMIT).decode()
        return next(iter(csv.DictReader(text.splitlines(), strict=True)), {})
    except (OSError, UnicodeError, csv.Error):
        return {}
