"""How weights are found."""

from backproplab.learners.backprop import WORTH_THREADS, Backprop, tile_length

__all__ = ["WORTH_THREADS", "Backprop", "tile_length"]
