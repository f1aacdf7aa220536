"""Configs: a checked Experiment from strict YAML; all problems are reported together with lines."""

from backproplab.config.experiment import Experiment, TensorBoard
from backproplab.config.loading import load, located, read, to_yaml

__all__ = ["Experiment", "TensorBoard", "load", "located", "read", "to_yaml"]
