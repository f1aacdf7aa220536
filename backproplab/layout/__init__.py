"""Tables, sentences, curves and bars of plain text that fit a terminal's width.

Numbers and status words are never cut or wrapped. This room must not know what is shown, nor how it
is styled.
"""

from backproplab.layout.lines import (
    GAP,
    bar,
    duration,
    entry,
    hidden_line,
    joined,
    listed,
    packed,
    paragraph,
    progress_line,
)
from backproplab.layout.names import NARROW, WIDE, cells_of, middle, shortened
from backproplab.layout.sparkline import LOST, cell_of, sparkline
from backproplab.layout.tables import Column, Table, aligned, fit

__all__ = [
    "GAP",
    "LOST",
    "NARROW",
    "WIDE",
    "Column",
    "Table",
    "aligned",
    "bar",
    "cell_of",
    "cells_of",
    "duration",
    "entry",
    "fit",
    "hidden_line",
    "joined",
    "listed",
    "middle",
    "packed",
    "paragraph",
    "progress_line",
    "shortened",
    "sparkline",
]
