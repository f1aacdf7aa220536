"""Log roots: make, list, read and clean them; the TensorBoard process that shows them.

This room must not know how runs are made, nor how anything looks in a terminal.
"""

from backproplab.runs.board import Board, find, find_all, find_inside, start, stop, url
from backproplab.runs.cleaning import Item, Left, clean, plan_cleaning
from backproplab.runs.epochs import best_by
from backproplab.runs.folders import create_session, experiment_folder, open_log_root
from backproplab.runs.links import linked
from backproplab.runs.listing import RunInfo, find_run, list_runs, read_run, run_of
from backproplab.runs.locking import is_active, lock_session
from backproplab.runs.metrics_table import read_metrics

__all__ = [
    "Board",
    "Item",
    "Left",
    "RunInfo",
    "best_by",
    "clean",
    "create_session",
    "experiment_folder",
    "find",
    "find_all",
    "find_inside",
    "find_run",
    "is_active",
    "linked",
    "list_runs",
    "lock_session",
    "open_log_root",
    "plan_cleaning",
    "read_metrics",
    "read_run",
    "run_of",
    "start",
    "stop",
    "url",
]
