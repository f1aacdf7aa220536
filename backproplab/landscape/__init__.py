"""Loss landscapes of a trained run: lines and planes through its weights, its path, two runs."""

from backproplab.landscape.trained import Trained, trained
from backproplab.landscape.views import View, view

__all__ = ["Trained", "View", "trained", "view"]
