"""Answers from runs: what differed, what came of it, and a page that a student can hand in.

This room reads finished folders. It must not know how anything looks in a terminal, nor train.
"""

from backproplab.report.comparison import Comparison, Ranking, Trial, compare
from backproplab.report.gathering import Record, chosen_runs, read_records
from backproplab.report.page import render
from backproplab.report.pairs import Pair, pair
from backproplab.report.series import long_table
from backproplab.report.tables import FORMATS, Table, formatted, ranked_table

__all__ = [
    "FORMATS",
    "Comparison",
    "Pair",
    "Ranking",
    "Record",
    "Table",
    "Trial",
    "chosen_runs",
    "compare",
    "formatted",
    "long_table",
    "pair",
    "ranked_table",
    "read_records",
    "render",
]
