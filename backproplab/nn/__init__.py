"""Networks: layers, activations, initializers, losses, metrics, one flat vector of weights."""

from backproplab.nn.activations import Activation
from backproplab.nn.initializers import Initializer
from backproplab.nn.layer import Layer
from backproplab.nn.losses import Loss
from backproplab.nn.metrics import Metric, metrics_of
from backproplab.nn.network import Model, Network, Place
from backproplab.nn.parameters import ParameterVector

__all__ = [
    "Activation",
    "Initializer",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Network",
    "ParameterVector",
    "Place",
    "metrics_of",
]
