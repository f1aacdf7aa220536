"""How weights are found."""

from backproplab.learners.backprop import Backprop

__all__ = ["Backprop"]
