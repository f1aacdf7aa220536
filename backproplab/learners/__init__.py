"""How weights are found."""

from backproplab.learners.backprop import Backprop, tile_length

__all__ = ["Backprop", "tile_length"]
