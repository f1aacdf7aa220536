"""Optimizers, learning-rate schedules and gradient clipping: updating weights by their gradient."""

from backproplab.optim import adaptive  # imported to register its optimizers
from backproplab.optim.clipping import Clipping
from backproplab.optim.plateau import ReduceOnPlateau
from backproplab.optim.rules import Newton, Optimizer
from backproplab.optim.schedules import Rate, Schedule
from backproplab.optim.updater import Updater

__all__ = [
    "Clipping",
    "Newton",
    "Optimizer",
    "Rate",
    "ReduceOnPlateau",
    "Schedule",
    "Updater",
    "adaptive",
]
