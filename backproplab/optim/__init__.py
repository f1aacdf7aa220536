"""How weights move, given their gradient."""

from backproplab.optim import adaptive  # the other half of the optimizers
from backproplab.optim.clipping import Clipping
from backproplab.optim.plateau import ReduceOnPlateau
from backproplab.optim.rules import Optimizer
from backproplab.optim.schedules import Rate, Schedule
from backproplab.optim.updater import Updater

__all__ = [
    "Clipping",
    "Optimizer",
    "Rate",
    "ReduceOnPlateau",
    "Schedule",
    "Updater",
    "adaptive",
]
