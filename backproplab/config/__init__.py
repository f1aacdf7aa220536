"""Configs: strict YAML in, a checked Experiment out, every problem at once with its line."""

from backproplab.config.experiment import Experiment, TensorBoard
from backproplab.config.loading import load, located, read, to_yaml

__all__ = ["Experiment", "TensorBoard", "load", "located", "read", "to_yaml"]
