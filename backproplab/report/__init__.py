"""Comparisons of runs: the keys that differ, the results, and a page that a student can hand in.

This room reads run folders. It must not train, or know how anything is shown in a terminal. The
page (``page.render``) draws with half of the package, and is imported by itself.
"""

from backproplab.report.columns import columns_of
from backproplab.report.comparison import Comparison, compare
from backproplab.report.gathering import Record, chosen_runs, read_records
from backproplab.report.pairs import Pair, pair
from backproplab.report.series import long_table
from backproplab.report.table_page import table_page
from backproplab.report.tables import (
    FORMATS,
    RankedTable,
    formatted,
    ranked_table,
    test_of_best,
)
from backproplab.report.trials import RankedTrial, Ranking

__all__ = [
    "FORMATS",
    "Comparison",
    "Pair",
    "RankedTable",
    "RankedTrial",
    "Ranking",
    "Record",
    "chosen_runs",
    "columns_of",
    "compare",
    "formatted",
    "long_table",
    "pair",
    "ranked_table",
    "read_records",
    "table_page",
    "test_of_best",
]
