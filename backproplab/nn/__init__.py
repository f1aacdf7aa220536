"""Networks: layers, activations, initializers, losses, metrics, one flat vector of weights."""

from backproplab.nn import (  # noqa: F401  # imported to register their layers
    convolution,
    embed_columns,
    normalization,
    ode,
    pooling,
    structure,
)
from backproplab.nn.activations import Activation
from backproplab.nn.chain import Place
from backproplab.nn.initializers import Initializer
from backproplab.nn.layer import Layer, Pass, Weight
from backproplab.nn.losses import Loss
from backproplab.nn.metrics import Metric, MetricName, metric, metrics_of
from backproplab.nn.network import Model, Network
from backproplab.nn.parameters import ParameterVector
from backproplab.nn.parametrization import Parametrization
from backproplab.nn.weighting import Weighted, encoded, weighted

__all__ = [
    "Activation",
    "Initializer",
    "Layer",
    "Loss",
    "Metric",
    "MetricName",
    "Model",
    "Network",
    "ParameterVector",
    "Parametrization",
    "Pass",
    "Place",
    "Weight",
    "Weighted",
    "encoded",
    "metric",
    "metrics_of",
    "weighted",
]
