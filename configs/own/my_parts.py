"""Parts of one's own: an activation, an optimizer, a layer, a data set, a metric and a callback."""

import numpy as np

from backproplab.autograd import ops
from backproplab.data import Dataset, Examples, RawData, Task
from backproplab.loop import Callback, Observer
from backproplab.measures import measure
from backproplab.nn import Activation, Layer, Weight, metric
from backproplab.nn.initializers import Ones
from backproplab.optim import Optimizer


class Snake(Activation, name="snake"):
    """x + sin²(frequency x) / frequency. Ziyin et al. 2020, arXiv 2006.08195."""

    frequency: float = 1.0

    @staticmethod
    def function(x, frequency):
        return x + ops.sin(frequency * x) ** 2 / frequency


class Signum(Optimizer, name="signum"):
    """m ← beta m + (1 - beta) g, θ ← θ - lr sign(m). Bernstein et al. 2018, arXiv 1802.04434."""

    beta: float = 0.9
    slots = ("mean",)

    def update(self, theta, grad, lr, t, work, mean):
        mean *= self.beta
        mean += (1 - self.beta) * grad
        theta -= lr * np.sign(mean)


class Scale(Layer, name="scale"):
    """x · factor, with a factor for each feature, 1 at first."""

    def weights(self, shape):
        return {"factor": Weight(shape, Ones())}

    def apply(self, weights, x, at):
        return x * at.align(weights["factor"])


class Rings(Dataset, name="rings"):
    """Normal points; rings of width 1 around the origin have class 0 and 1 in turn."""

    samples: int = 400

    def read(self, generator):
        points = generator.normal(size=(self.samples, 2))
        labels = np.hypot(*points.T).astype(int) % 2
        return RawData(Examples(points, labels), Task("classification", 2, ("even", "odd")))


def error_rate(loss, outputs, targets):
    """The share of examples whose class is decided wrong."""
    return np.mean(loss.decide(outputs) != targets, axis=-1)


metric("error_rate", "min", ["classification"], error_rate)

NORM = measure("weight_norm", None, "norm of the weights")


class NormCallback(Callback):
    """Looks after each epoch, as ``Callback`` does by default."""

    declares = (NORM,)

    def look(self, lane):
        squares = [np.sum(np.square(w, dtype=float)) for w in lane.learning.weights.values()]
        lane.report({"weight_norm": float(np.sqrt(sum(squares)))})


class Norm(Observer, name="norm"):
    """The 2-norm of all weights after each epoch, a column of metrics.csv."""

    def begin(self):
        return NormCallback()
