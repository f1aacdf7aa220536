"""Names, shapes and errors of networks that are more than dense layers."""

import numpy as np
import pytest

from backproplab import Tensor
from backproplab.errors import ConfigError
from backproplab.learners.backprop import BackpropSource
from backproplab.nn import Model
from backproplab.nn.losses import SoftmaxCrossEntropy

IMAGE = {"reshape": [8, 8, 1]}
CNN = [
    IMAGE,
    {"conv2d": {"filters": 4, "padding": "same", "activation": "tanh"}},
    {"residual": {"layers": [{"conv2d": {"filters": 4, "padding": "same"}}, "batch_norm", "relu"]}},
    {"max_pool": 2},
    "flatten",
    {"dense": 10},
]


def network(*layers, inputs=(64,), outputs=10):
    return Model.model_validate({"layers": list(layers)}).network(inputs, outputs)


def test_names_and_shapes():
    net = network(*CNN)
    assert [p.output_shape for p in net.places] == [
        (8, 8, 1), (8, 8, 4), (8, 8, 4), (4, 4, 4), (64,), (10,),
    ]  # fmt: skip
    assert {name: w.shape for name, w in net.weights.items()} == {
        "conv2d_1/kernel": (3, 3, 1, 4),
        "conv2d_1/bias": (4,),
        "residual_1/conv2d_1/kernel": (3, 3, 4, 4),
        "residual_1/conv2d_1/bias": (4,),
        "residual_1/batch_norm_1/scale": (4,),
        "residual_1/batch_norm_1/shift": (4,),
        "residual_1/batch_norm_1/mean": (4,),
        "residual_1/batch_norm_1/variance": (4,),
        "dense_1/kernel": (64, 10),
        "dense_1/bias": (10,),
    }


def test_a_residual_block_adds_its_input():
    net = network({"residual": {"layers": [{"dense": 3}], "activation": "relu"}}, inputs=(3,), outputs=3)  # fmt: skip
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 3)), rng.standard_normal(3)
    names = ("residual_1/dense_1/kernel", "residual_1/dense_1/bias")
    y = net(dict(zip(names, map(Tensor, (w, b)), strict=True)), Tensor(x)).value
    np.testing.assert_allclose(y, np.maximum(x + x @ w + b, 0), rtol=1e-13)


# layers, the problem
MISFITS = [
    ([IMAGE, "flatten", {"conv2d": 16}],
     "model.layers.2: conv2d_1 takes (height, width, channels), got (64,) from flatten_1 — "
     "put reshape before it, {reshape: [height, width, channels]}"),
    ([{"conv2d": 4}], "model.layers.0: conv2d_1 takes (height, width, channels), got (64,) from the data"),
    ([IMAGE, {"dense": 10}], "model.layers.1: dense_1 takes (units,), got (8, 8, 1) from reshape_1 — put flatten before it"),
    ([{"reshape": [8, 9]}], "model.layers.0: reshape_1 makes (8, 9) of 72 entries, got (64,) from the data"),
    ([IMAGE, {"max_pool": 9}], "model.layers.1: max_pool_1: a window of 9 × 9 does not fit into 8 × 8, got (8, 8, 1) from reshape_1"),
    ([IMAGE, {"conv2d": {"filters": 1, "kernel": [3, 3, 3]}}], "conv2d_1: window must be a number from 1, or 2 of them"),
    (["global_avg_pool"], "global_avg_pool_1 takes (height, width, channels) or (length, channels), got (64,)"),
    ([IMAGE, {"embedding": {"vocabulary": 9, "units": 2}}], "embedding_1 takes (length,) whole numbers, got (8, 8, 1)"),
    ([IMAGE, {"residual": [{"conv2d": 3}]}],
     "model.layers.1: residual_1 adds its input to (6, 6, 3), which must be of the same shape, got (8, 8, 1) from reshape_1"),
    ([IMAGE, {"residual": ["relu", {"residual": [{"dense": 1}]}]}],
     "model.layers.1.layers.1.layers.0: dense_1 takes (units,), got (8, 8, 1) from the block's input"),
    ([IMAGE], "model.layers: the model gives 8×8×1 outputs, the data and loss need 10"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "problem"), MISFITS, ids=[str(k) for k in range(len(MISFITS))])
def test_a_layer_that_does_not_fit_is_told_by_name_place_and_shapes(layers, problem):
    with pytest.raises(ConfigError) as caught:
        network(*layers)
    assert problem in str(caught.value)


def test_a_population_of_cnns_is_its_members():
    net, rng = network(*CNN), np.random.default_rng(1)
    x, labels = rng.standard_normal((5, 64)), rng.integers(0, 10, 5)
    many = net.parameters(np.float64, (3,))
    net.initialize(many, np.random.default_rng(0))
    start = many.flat.copy()
    together = BackpropSource(net, SoftmaxCrossEntropy(), many, np.random.default_rng(0))
    together(x, labels)
    losses = together.loss(x, labels)
    for p in range(3):
        one = net.parameters(np.float64)
        one.flat[...] = start[p]
        alone = BackpropSource(net, SoftmaxCrossEntropy(), one, np.random.default_rng(0))
        alone(x, labels)
        np.testing.assert_allclose(alone.loss(x, labels), losses[p], rtol=1e-12)
        np.testing.assert_allclose(alone.gradient.flat, together.gradient.flat[p], rtol=1e-9, atol=1e-13)  # fmt: skip
        np.testing.assert_allclose(one.flat, many.flat[p], rtol=1e-12)


def test_at_tiny_weights_the_loss_is_that_of_guessing():
    # cs231n: with ten classes and weights near 0 the loss begins at ln 10 = 2.302…
    net = Model.model_validate({"layers": CNN, "initializer": {"normal": 1e-4}}).network((64,), 10)
    parameters = net.parameters(np.float64)
    net.initialize(parameters, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    learner = BackpropSource(net, SoftmaxCrossEntropy(), parameters, rng)
    loss = learner.loss(rng.standard_normal((50, 64)), rng.integers(0, 10, 50))
    assert loss == pytest.approx(np.log(10), abs=0.01)
