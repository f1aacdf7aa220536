"""Telemetry: what a run writes for TensorBoard beside the values of its epochs.

Everything here is a callback of the loop. It must not know the config, nor where a run's folder is.
"""

from backproplab.telemetry.beginning import Beginning
from backproplab.telemetry.settings import NOTHING, TensorBoard
from backproplab.telemetry.watchers import watchers

__all__ = ["NOTHING", "Beginning", "TensorBoard", "watchers"]
