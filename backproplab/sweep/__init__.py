"""Sweeps: one file, or a config and comma words, as many trials.

This room turns what is written into a list of checked trials; it trains nothing.
"""

from backproplab.sweep.schema import Metric, Parameter, Pruner, Search
from backproplab.sweep.space import Sweep, read
from backproplab.sweep.trials import Trial

__all__ = ["Metric", "Parameter", "Pruner", "Search", "Sweep", "Trial", "read"]
