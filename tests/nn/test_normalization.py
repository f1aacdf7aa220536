"""Batch normalization's running moments: both libraries' arithmetic, and what evaluation sees."""

import json
from pathlib import Path

import numpy as np
import pytest

from backproplab import Tensor
from backproplab.errors import DataError
from backproplab.learners import fingerprint
from backproplab.nn import Layer, Model, Pass
from backproplab.nn.layers import Embedding
from backproplab.nn.normalization import BatchNorm

GOLDENS = json.loads(Path(__file__).parent.parent.joinpath("reference/layers.json").read_text())
X = np.linspace(-2, 3, 15).reshape(5, 3) ** 2 + np.array([0, 1, -1])


def fresh(layer, shape, dtype=np.float64):
    """The layer's initial arrays as tensors."""
    return {
        name: Tensor(weight.initializer.draw(None, weight.shape).astype(dtype))
        for name, weight in layer.weights(shape).items()
    }


def training(shape):
    return Pass(shape, np.random.default_rng(0))


@pytest.mark.parametrize(("flavor", "golden", "variance"), [
    ("torch", "torch_momentum0.1", "var_unbiased"), ("keras", "keras_momentum0.99", "var_biased"),
])  # fmt: skip
def test_running_moments_after_one_batch(flavor, golden, variance):
    layer = BatchNorm(flavor=flavor)
    weights = fresh(layer, (3,))
    layer.apply(weights, Tensor(X), training((3,)))
    expected = GOLDENS["batchnorm running"][golden]
    np.testing.assert_allclose(weights["mean"].value, expected["mean"], rtol=1e-10)
    np.testing.assert_allclose(weights["variance"].value, expected[variance], rtol=1e-10)


def test_the_flavor_s_numbers_stand_in_the_config_unless_given():
    assert BatchNorm() == Layer.parse({"batch_norm": {"flavor": "keras"}})
    torch = BatchNorm(flavor="torch")
    assert (torch.momentum, torch.epsilon) == (0.1, 1e-5)
    own = BatchNorm.model_validate({"flavor": "torch", "momentum": 0.3})
    assert (own.momentum, own.epsilon) == (0.3, 1e-5)


@pytest.mark.parametrize("shape", [(3,), (4, 5, 3)])
def test_evaluation_does_not_see_the_neighbors(shape):
    layer, rng = BatchNorm(), np.random.default_rng(0)
    weights = fresh(layer, shape)
    for _ in range(5):
        layer.apply(weights, Tensor(rng.standard_normal((8, *shape)) * 3 + 1), training(shape))
    kept = {name: w.value.copy() for name, w in weights.items()}
    x = rng.standard_normal((8, *shape))
    together = layer.apply(weights, Tensor(x), Pass(shape)).value
    for n in range(8):
        alone = layer.apply(weights, Tensor(x[n : n + 1]), Pass(shape)).value
        np.testing.assert_array_equal(alone[0], together[n])
    for name, w in weights.items():
        np.testing.assert_array_equal(w.value, kept[name])


def test_after_many_batches_evaluation_is_training():
    layer, rng = BatchNorm(momentum=0.9, epsilon=1e-9), np.random.default_rng(0)
    weights, x = fresh(layer, (3,)), rng.standard_normal((50, 3)) * [1, 2, 3] + 4
    for _ in range(400):
        trained = layer.apply(weights, Tensor(x), training((3,))).value
    np.testing.assert_allclose(
        layer.apply(weights, Tensor(x), Pass((3,))).value, trained, rtol=1e-8
    )


def test_each_member_of_a_population_follows_its_own_batches():
    model = Model.model_validate({"layers": [{"dense": 4}, "batch_norm", {"dense": 2}]})
    network = model.network((3,), 2)
    many = network.parameters(np.float64, (3,))
    network.initialize(many, np.random.default_rng(0))
    start, x = many.flat.copy(), np.random.default_rng(1).standard_normal((7, 3))
    network(many.tensors(), Tensor(x), np.random.default_rng(0))
    for p in range(3):
        one = network.parameters(np.float64)
        one.flat[...] = start[p]
        network(one.tensors(), Tensor(x), np.random.default_rng(0))
        np.testing.assert_allclose(many.flat[p], one.flat, rtol=1e-12)
    assert not np.array_equal(many.flat, start)


def test_statistics_are_no_weights():
    model = Model.model_validate({"layers": [{"dense": 4}, "batch_norm", {"dense": 2}]})
    network = model.network((3,), 2)
    parameters = network.parameters(np.float32)
    assert len(parameters) == 16 + 8 + 10 == sum(p.parameters for p in network.places)
    assert parameters.flat.size == len(parameters) + 8
    still = [name for name, t in parameters.tensors(tracked=True).items() if not t.tracked]
    assert still == ["batch_norm_1/mean", "batch_norm_1/variance"]
    assert not set(still) & set(parameters.twin().views)
    parameters.flat[...] = np.arange(parameters.flat.size)
    np.testing.assert_array_equal(parameters.views["batch_norm_1/variance"], [38, 39, 40, 41])
    before = fingerprint(parameters.views)
    parameters.views["batch_norm_1/mean"][0] += 1
    assert fingerprint(parameters.views) != before


def test_embedding_refuses_what_was_standardized():
    layer = Embedding(vocabulary=4, units=2)
    with pytest.raises(DataError, match=r"whole numbers, got 0\.5 — set data\.standardize=false"):
        layer.apply({"table": Tensor(np.ones((4, 2)))}, Tensor(np.array([[1.0, 0.5]])), Pass((2,)))
