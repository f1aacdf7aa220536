"""The training step of `backproplab train`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from os import environ
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from backproplab.autograd import Tensor, ops
from backproplab.autograd.engines import EngineName
from backproplab.learners import GradientDescent, Material, NoBrake, Span, Split
from backproplab.learners.tiles import fitting_length, tiles_of
from backproplab.loop import Pace
from backproplab.nn import Model, Network
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer
from backproplab.optim.schedules import Constant
from backproplab.ranks import ONE, Ranks
from backproplab.task import Task
from benchmarks.workloads import (
    CLASSES,
    Array,
    Side,
    Workload,
    examples,
    first_weights,
    minibatches,
    stretches,
)


def network_of(work: Workload) -> Network:
    """The network of a config that describes ``work``."""
    images: list[Any] = [{"reshape": [28, 28, 1]}] if work.filters else []
    for filters in work.filters:
        images += [{"conv2d": {"filters": filters, "padding": "same"}}]
        images += [
            *([{"batch_norm": {"flavor": "torch"}}] if work.batch_norm else []),
            "max_pool",
            "relu",
        ]
    images += ["flatten"] if work.filters else []
    hidden: list[Any] = []
    for units in work.hidden:
        hidden += [{"dense": {"units": units, "activation": work.activation}}]
        hidden += [{"dropout": work.dropout}] if work.dropout else []
    model = Model(layers=[*images, *hidden, {"dense": CLASSES}])
    return model.network((work.inputs,), CLASSES)


def prepare(work: Workload, ranks: Ranks = ONE, engine: EngineName = "auto") -> Side:
    """The step of one process, or of one of several ranks that share each batch.

    As in a run, the threads take tiles of a batch that outgrows the cache, or share its passes
    where it is taken as a whole; else they take parts of a product.
    """
    x, y = examples(work.inputs, work.dtype)
    fitting = fitting_length(network_of(work), x.itemsize)
    tiled = len(tiles_of(work.batch, fitting, exact=False)) > 1
    threads = int(environ.get("OMP_NUM_THREADS", "1")) if tiled else 1
    own = replace(material(work, x, y, ranks), engine=engine, threads=threads)
    descent = GradientDescent().begin(own)
    blas = ThreadpoolController()
    trained = [descent.weights[name] for name in trained_in(descent.network)]
    for view, first in zip(trained, first_weights(work), strict=True):
        view[...] = first
    order, batches, whole = np.arange(len(x)), minibatches(work), work.batch == len(x)
    done, pace = 0, Pace(saves=False, ranks=ranks)
    pace.ask()  # from now on it has nothing to say, but ranks agree on that at each step
    brake = pace if ranks.size > 1 else NoBrake()

    def step(k: int) -> None:
        nonlocal done
        for rows in stretches(islice(batches, k)):
            steps = (rows.stop - rows.start) // work.batch
            span = Span(done, steps, order[rows], work.batch, whole)
            with blas.limit(limits=1) if threads > 1 else nullcontext():
                made = descent.advance(span, {}, brake)
            assert made.done == steps
            done += made.done

    return Side(step, lambda: trained)


def trained_in(network: Network) -> list[str]:
    """The names of the weights that a gradient moves, in the order of ``first_weights``."""
    return [name for name, weight in network.weights.items() if weight.trainable]


def material(work: Workload, x: Array, y: Array, ranks: Ranks = ONE) -> Material:
    """What gradient descent is given to train ``work`` on these examples."""
    return Material(
        task=Task("classification", CLASSES),
        splits={"train": Split(x, y, y)},
        network=network_of(work),
        loss=SoftmaxCrossEntropy(),
        metrics=(),
        keys={
            "optimizer": Optimizer.parse(work.optimizer),
            "learning_rate": work.rate,
            "schedule": Constant(),
            "clipping": None,
            "batch_size": None,
            "accumulate": 1,
        },
        seed=0,
        dtype=np.dtype(work.dtype),
        steps=1,
        ranks=ranks,
    )


def loss_of(work: Workload, weights: list[Array], rows: int = 1000) -> float:
    """The mean loss of the first examples, by which all sides' weights are compared.

    Batch normalization has the moments of these examples, as in training.
    """
    x, y = examples(work.inputs, work.dtype)
    network = network_of(work)
    parameters = network.parameters(np.dtype(work.dtype))
    for name, own in zip(trained_in(network), weights, strict=True):
        parameters.views[name][...] = own
    chance = np.random.default_rng(0) if work.batch_norm else None
    outputs = network(parameters.tensors(), Tensor(x[:rows]), chance)
    losses = SoftmaxCrossEntropy()(outputs, Tensor(y[:rows]))
    return float(ops.mean(losses).value)
