"""The training step of `backproplab train`."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from backproplab.train.loop import Split, Trainer

from backproplab.autograd import Tensor, ops
from backproplab.data import Order
from backproplab.learners import Backprop
from backproplab.nn import Model, Network
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer
from backproplab.optim.schedules import Constant
from benchmarks.workloads import (
    CLASSES,
    Array,
    Side,
    Workload,
    examples,
    first_weights,
    minibatches,
)


def network_of(work: Workload) -> Network:
    """The network of a config that describes ``work``."""
    images: list[Any] = [{"reshape": [28, 28, 1]}] if work.filters else []
    for filters in work.filters:
        images += [{"conv2d": {"filters": filters, "padding": "same"}}, "max_pool", "relu"]
    images += ["flatten"] if work.filters else []
    dense = [{"dense": {"units": n, "activation": "relu"}} for n in work.hidden]
    model = Model(layers=[*images, *dense, {"dense": CLASSES}])
    return model.network((work.inputs,), CLASSES)


def prepare(work: Workload) -> Side:
    x, y = examples(work.inputs)
    network = network_of(work)
    parameters = network.parameters(np.float32)
    for view, first in zip(parameters.views.values(), first_weights(work), strict=True):
        view[...] = first
    learner = Backprop(network, SoftmaxCrossEntropy(), parameters, np.random.default_rng(0))
    rate = Constant().begin(work.rate, 1)
    split = Split(x, y, y)
    whole = Order("batch", len(x), len(x), np.random.default_rng(0))
    trainer = Trainer(learner, Optimizer.parse(work.optimizer), rate, whole, split, None, (), 1)
    order, batches = np.arange(len(x)), minibatches(work)

    def step(k: int) -> None:
        for rows in islice(batches, k):
            trainer.step(None if work.batch == len(x) else order[rows])

    return Side(step, lambda: list(parameters.views.values()))


def loss_of(work: Workload, weights: list[Array], rows: int = 1000) -> float:
    """The mean loss of the first examples, by which all sides' weights are compared."""
    x, y = examples(work.inputs)
    network = network_of(work)
    tensors = {n: Tensor(w) for n, w in zip(network.weights, weights, strict=True)}
    losses = SoftmaxCrossEntropy()(network(tensors, Tensor(x[:rows])), Tensor(y[:rows]))
    return float(ops.mean(losses).value)
