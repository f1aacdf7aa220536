"""Batch modes and averaged gradients: the acceptance lines of anchors/learners.md section 8.4.

How many updates an epoch has is tested with the batches, in tests/data/test_batching.py.
"""

import numpy as np
import pytest

from backproplab.learners.backprop import BackpropSource
from backproplab.nn import Model
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer, Updater
from backproplab.streams import stream

ROWS = 128


def source(dtype=np.float64):
    network = Model(hidden=(8,), activation="tanh").network((5,), 3)
    parameters = network.parameters(dtype)
    network.initialize(parameters, stream(0, "init"))
    return BackpropSource(network, SoftmaxCrossEntropy(), parameters, stream(0, "dropout"))


def examples(rows=ROWS):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((rows, 5))
    return x, (x @ generator.standard_normal((5, 3))).argmax(axis=1)


def gradient(at, rows):
    x, t = examples()
    at(x[rows], t[rows])
    return at.gradient.flat.copy()


@pytest.mark.parametrize("shards", [2, 4])
def test_the_gradient_of_all_is_the_mean_of_equal_shards(shards):
    at, rows = source(), np.arange(ROWS)
    parts = [gradient(at, part) for part in np.split(rows, shards)]
    np.testing.assert_allclose(np.mean(parts, axis=0), gradient(at, rows), rtol=0, atol=1e-15)


def test_unequal_shards_are_weighted_by_their_examples():
    """A plain mean of 100 and 28 examples is another gradient."""
    at, rows = source(), np.arange(ROWS)
    whole = gradient(at, rows)
    parts = [gradient(at, part) for part in np.split(rows, [100])]
    weighted = np.average(parts, axis=0, weights=[100, 28])
    np.testing.assert_allclose(weighted, whole, rtol=0, atol=1e-15)
    plain = np.mean(parts, axis=0)
    assert np.linalg.norm(plain - whole) > 0.01 * np.linalg.norm(whole)


@pytest.mark.parametrize("cut", [64, 100])
def test_two_devices_train_as_one(cut):
    """Five updates with momentum, each of the averaged gradient of two shards."""
    ends = []
    for cuts in ([], [cut]):
        at, total = source(), np.zeros(len(source().parameters))
        optimizer = Optimizer.parse("momentum")
        slots = {name: np.zeros_like(total) for name in optimizer.slots}
        update = Updater(optimizer, at.parameters.trainable, total, slots)
        for t in range(1, 6):
            parts = np.split(np.arange(ROWS), cuts)
            found = [gradient(at, part) for part in parts]
            total[...] = np.average(found, axis=0, weights=list(map(len, parts)))
            update(0.1, t)
        ends.append(at.parameters.flat.copy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-12)


def test_the_variance_of_a_batch_s_gradient_falls_with_its_size():
    """Batches drawn with replacement: variance times size is one number, within 10 %."""
    at, generator = source(), np.random.default_rng(1)
    each = np.array([gradient(at, [row]) for row in range(ROWS)])
    expected = ((each - each.mean(axis=0)) ** 2).sum(axis=1).mean()
    for size in (1, 4, 16, 64):
        drawn = generator.integers(ROWS, size=(2000, size))
        means = np.array([each[rows].mean(axis=0) for rows in drawn])
        variance = ((means - each.mean(axis=0)) ** 2).sum(axis=1).mean()
        assert size * variance == pytest.approx(expected, rel=0.1)
    batch = gradient(at, np.array([3, 3, 90]))
    np.testing.assert_allclose(batch, each[[3, 3, 90]].mean(axis=0), rtol=0, atol=1e-15)
