"""How weights move, given their gradient."""

from backproplab.optim.rules import Optimizer

__all__ = ["Optimizer"]
