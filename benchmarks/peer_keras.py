"""Keras on JAX, its fastest backend on a CPU, jit-compiled.

keras: `train_on_batch`, one call per step.  keras.fit: `fit` over the minibatches of a round, ten
per execution, its fastest form.
"""

from __future__ import annotations

from itertools import islice
from os import environ

environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
from keras import layers

from benchmarks.workloads import (
    CLASSES,
    Side,
    Workload,
    examples,
    first_weights,
    minibatches,
    stretches,
)

jax.config.update("jax_cpu_enable_async_dispatch", False)  # twice as fast on one core


def prepare(work: Workload) -> Side:
    """A Side with one call per step."""
    model = _model(work)
    x, y = examples(work.inputs)
    batches = minibatches(work)

    def step(k: int) -> None:
        for rows in islice(batches, k):
            model.train_on_batch(x[rows], y[rows])

    return Side(step, model.get_weights)


def prepare_fit(work: Workload) -> Side:
    """A Side with one call per round."""
    model = _model(work, steps_per_execution=min(10, work.steps))
    x, y = examples(work.inputs)
    batches = minibatches(work)

    def step(k: int) -> None:
        for rows in stretches(islice(batches, k)):
            model.fit(x[rows], y[rows], work.batch, shuffle=False, verbose=0)

    return Side(step, model.get_weights)


def _model(work: Workload, steps_per_execution: int = 1) -> keras.Model:
    model = keras.Sequential([keras.Input((work.inputs,))])
    if work.filters:
        model.add(layers.Reshape((28, 28, 1)))
        for n in work.filters:
            model.add(layers.Conv2D(n, 3, padding="same"))
            model.add(layers.MaxPooling2D())
            model.add(layers.ReLU())
        model.add(layers.Flatten())
    for units in work.hidden:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(CLASSES))
    model.set_weights(first_weights(work))
    model.compile(
        OPTIMIZERS[work.optimizer](work.rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
        steps_per_execution=steps_per_execution,
    )
    return model


OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "adam": keras.optimizers.Adam,
}
SIDES = {"keras": prepare, "keras.fit": prepare_fit}
