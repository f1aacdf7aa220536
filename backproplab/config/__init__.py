"""Configs: a checked Experiment from strict YAML; all problems are reported together with lines."""

from backproplab.config.experiment import Experiment, Role, keys
from backproplab.config.loading import examine, load, located, read, to_yaml, tree_of, yaml_of

__all__ = [
    "Experiment",
    "Role",
    "examine",
    "keys",
    "load",
    "located",
    "read",
    "to_yaml",
    "tree_of",
    "yaml_of",
]
