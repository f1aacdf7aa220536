"""Layers and activations, as families, and the network that they make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.autograd import Tensor, gradcheck
from backproplab.errors import ConfigError
from backproplab.nn import Activation, Layer, Model, Network, Pass
from backproplab.nn.initializers import GlorotUniform
from backproplab.nn.layers import Dense, Dropout

# fields and input shape, for the layers that need either
EXAMPLES = {
    "dense": [({"units": 4}, (3,)), ({"units": 2, "bias": False}, (3,))],
    "dropout": [({"rate": 0.5}, (3,))],
    "embedding": [({"vocabulary": 5, "units": 2}, (3,))],
    "embed_columns": [({"columns": [[1, 4, 2]]}, (3,)), ({"columns": [[0, 5, 1], [1, 4, 3]]}, (2,))],
    "conv2d": [
        ({"filters": 3, "activation": "tanh"}, (5, 4, 2)),
        ({"filters": 2, "kernel": [3, 2], "stride": [2, 1], "padding": "same"}, (5, 4, 2)),
        ({"filters": 2, "padding": 2, "dilation": 2, "bias": False}, (5, 4, 1)),
    ],
    "conv1d": [({"filters": 3}, (6, 2)), ({"filters": 3, "padding": "same", "stride": 2}, (6, 2))],
    "max_pool": [({}, (4, 6, 2)), ({"window": 3, "stride": 1, "padding": "same"}, (5, 4, 2)), ({}, (7, 2))],
    "avg_pool": [({}, (4, 6, 2)), ({"window": [3, 2], "padding": "same"}, (5, 4, 2)), ({}, (7, 2))],
    "global_max_pool": [({}, (4, 3, 2)), ({}, (5, 2))],
    "global_avg_pool": [({}, (4, 3, 2)), ({}, (5, 2))],
    "batch_norm": [({}, (3,)), ({"flavor": "torch"}, (4, 3, 2))],
    "layer_norm": [({}, (3,)), ({}, (4, 3, 2))],
    "reshape": [({"shape": [2, 3, 1]}, (6,))],
    "flatten": [({}, (2, 3, 2))],
    "residual": [
        ({"layers": ["tanh", {"dense": 3}]}, (3,)),
        ({"layers": [{"conv2d": {"filters": 2, "padding": "same"}}, "batch_norm"], "activation": "silu"}, (3, 3, 2)),
    ],
    "ode": [
        ({"layers": ["tanh", {"dense": 3}], "steps": 2}, (3,)),
        ({"layers": ["tanh", {"dense": 3}], "time": 0.05, "steps": 2, "gradient": "adjoint"}, (3,)),
        ({"layers": ["tanh"], "time": 0.05, "steps": 2, "gradient": "adjoint"}, (3,)),
        ({"layers": [{"conv2d": {"filters": 2, "padding": "same"}}, "tanh"], "solver": "midpoint", "steps": 1}, (3, 3, 2)),
        ({"layers": [{"dense": 3}, "batch_norm"], "solver": "euler", "steps": 2, "time": 0.2}, (3,)),
    ],
}  # fmt: skip
CASES = [
    pytest.param(member.model_validate(fields), shape, id=f"{name}-{k}")
    for name, member in Layer.members.items()
    for k, (fields, shape) in enumerate(EXAMPLES.get(name, [({}, (3,))]))
]
cases = pytest.mark.parametrize(("layer", "shape"), CASES)
ACTIVATIONS = {name: member() for name, member in Activation.members.items()}


def weights_of(layer, shape, rng, population=()):
    """Random weights; the variance that batch_norm keeps is positive."""
    drawn = {
        name: rng.standard_normal((*population, *weight.shape))
        for name, weight in layer.weights(shape).items()
    }
    return {k: np.exp(w) if k.endswith("variance") else w for k, w in drawn.items()}


def inputs_of(layer, shape, rng, lead=(5,)):
    """Away from kinks and ties; whole numbers where rows of a table are meant."""
    if layer.name == "embedding":
        return rng.integers(0, layer.vocabulary, (*lead, *shape)).astype(float)
    size = int(np.prod((*lead, *shape)))
    if layer.name == "embed_columns":
        x = 0.1 * rng.permutation(size).reshape(*lead, *shape)
        for place, rows, _ in layer.columns:
            x[..., place] = rng.integers(0, rows, lead)
        return x
    return 0.1 * (rng.permutation(size).reshape(*lead, *shape) - size / 2) + 0.03


def apply(layer, weights, x, shape=(3,), generator=None):
    tensors = {k: Tensor(v) for k, v in weights.items()}
    return layer.apply(tensors, Tensor(x), Pass(shape, generator))


@cases
def test_whether_a_training_pass_differs(layer, shape):
    """From an evaluation: dropout, batch_norm, and a residual block that has one of them."""
    rng = np.random.default_rng(0)
    x = Tensor(inputs_of(layer, shape, rng))
    weights = {name: Tensor(w) for name, w in weights_of(layer, shape, rng).items()}
    evaluated = layer.apply(weights, x, Pass(shape)).value
    trained = layer.apply(weights, x, Pass(shape, np.random.default_rng(1))).value
    assert layer.differs_in_training == (not np.array_equal(trained, evaluated))


@cases
def test_shapes_are_as_promised(layer, shape):
    rng = np.random.default_rng(0)
    weights = weights_of(layer, shape, rng)
    for n in (5, 1, 0):
        y = apply(layer, weights, inputs_of(layer, shape, rng, (n,)), shape)
        assert y.shape == (n, *layer.output_shape(shape))


@pytest.mark.parametrize("training", [False, True])
@cases
def test_gradients_by_weights_and_input(layer, shape, training):
    rng = np.random.default_rng(0)
    weights, x = weights_of(layer, shape, rng), inputs_of(layer, shape, rng)
    fixed = {k for k, w in layer.weights(shape).items() if not w.trainable}
    moved = [k for k in weights if k not in fixed]

    def function(*arrays):
        own = weights | dict(zip(moved, arrays, strict=False))
        start = Tensor(x) if layer.name.startswith("embed") else arrays[-1]
        generator = np.random.default_rng(1) if training else None
        return layer.apply(
            {k: Tensor(v) if k in fixed else v for k, v in own.items()},
            start,
            Pass(shape, generator),
        )

    gradcheck(function, *[weights[k] for k in moved], x)


@cases
def test_a_population_is_its_members(layer, shape):
    rng = np.random.default_rng(0)
    weights, x = weights_of(layer, shape, rng, (3,)), inputs_of(layer, shape, rng, (3, 5))
    together = apply(layer, weights, x, shape).value
    for p in range(3):
        alone = apply(layer, {k: v[p] for k, v in weights.items()}, x[p], shape).value
        np.testing.assert_allclose(together[p], alone, rtol=1e-12, atol=1e-12)


@cases
def test_float32_stays_float32(layer, shape):
    rng = np.random.default_rng(0)
    weights = {k: v.astype(np.float32) for k, v in weights_of(layer, shape, rng).items()}
    x = inputs_of(layer, shape, rng).astype(np.float32)
    for generator in (None, rng):
        assert apply(layer, weights, x, shape, generator).dtype == np.float32


@cases
def test_a_config_gives_the_layer_back(layer, shape):
    assert Layer.parse(layer.describe()) == layer


# slope of each activation far on either side: what saturates, what is kept
LIMITS = {
    "linear": (1, 1), "relu": (0, 1), "leaky_relu": (0.3, 1), "elu": (0, 1), "selu": (0, 1.0507009873554805),
    "gelu": (0, 1), "silu": (0, 1), "softplus": (0, 1), "softsign": (0, 0), "tanh": (0, 0), "sigmoid": (0, 0),
    "power": (-100, 100),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_far_from_zero(name):
    from backproplab import grad

    slopes = [grad(ACTIVATIONS[name])(x).item() for x in (-50.0, 50.0)]
    np.testing.assert_allclose(slopes, LIMITS[name], atol=1e-3)


def test_dense_is_x_w_plus_b():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    layer = Dense(units=4, activation=ACTIVATIONS["tanh"])
    y = apply(layer, {"kernel": w, "bias": b}, x).value
    np.testing.assert_allclose(y, np.tanh(x @ w + b), rtol=1e-14)
    assert set(Dense(units=4, bias=False).weights((3,))) == {"kernel"}


def test_dropout():
    # cs231n assignment 2: the share of zeros within 0.01 of the rate, the mean kept within 0.5 %
    x, rng = np.full((500, 500), 10.0), np.random.default_rng(0)
    for rate in (0.3, 0.6, 0.75):
        y = apply(Dropout(rate=rate), {}, x, generator=rng).value
        assert abs((y == 0).mean() - rate) < 0.01
        assert abs(y.mean() - 10) < 0.05
        np.testing.assert_array_equal(apply(Dropout(rate=rate), {}, x).value, x)
    np.testing.assert_array_equal(apply(Dropout(rate=0.0), {}, x, generator=rng).value, x)


def test_dropout_uses_one_mask_forward_and_backward():
    from backproplab import vjp

    x = np.ones((50, 3))
    y, pullback = vjp(
        lambda x: Dropout(rate=0.5).apply({}, x, Pass((3,), np.random.default_rng(1))), x
    )
    np.testing.assert_array_equal(pullback(np.ones_like(x))[0].value, y.value)


def model(**fields):
    return Model.model_validate(fields)


def test_the_short_form_adds_the_output_layer():
    network = model(hidden=[128, 64], activation="tanh").network((784,), 10)
    assert [p.name for p in network.places] == ["dense_1", "dense_2", "dense_3"]
    assert [p.parameters for p in network.places] == [784 * 128 + 128, 128 * 64 + 64, 64 * 10 + 10]
    assert str(network) == "784-128-64-10 tanh"
    assert str(model(hidden=[]).network((784,), 10)) == "784-10"
    assert str(model().network((2,), 1)) == "2-32-1 relu"


def test_the_long_form_in_every_spelling():
    layers = [{"dense": 8}, "relu", {"dropout": 0.2}, {"dense": {"units": 3, "activation": "tanh"}},
              {"name": "dense", "units": 2, "initializer": {"normal": 0.1}}]  # fmt: skip
    network = model(layers=layers).network((4,), 2)
    assert [p.name for p in network.places] == [
        "dense_1",
        "relu_1",
        "dropout_1",
        "dense_2",
        "dense_3",
    ]
    assert str(network) == "4-8-3-2 tanh relu dropout"


def test_a_wrong_last_layer_is_told():
    with pytest.raises(ConfigError, match="the model gives 10 outputs, the data and loss need 3"):
        model(layers=[{"dense": 10}]).network((4,), 3)


def test_first_weights():
    network = model(hidden=[5], initializer="he_normal").network((4,), 2)
    parameters = network.parameters(np.float32)
    network.initialize(parameters, np.random.default_rng(0))
    assert not parameters.views["dense_1/bias"].any()
    assert parameters.views["dense_1/kernel"].all()
    again = network.parameters(np.float64)
    network.initialize(again, np.random.default_rng(0))
    np.testing.assert_array_equal(parameters.flat, again.flat.astype(np.float32))


def test_a_network_of_a_population_is_its_members():
    network = Network.chain(
        (Dense(units=5, activation=ACTIVATIONS["tanh"]), Dense(units=2)), (4,), GlorotUniform()
    )
    many = network.parameters(np.float64, (3,))
    network.initialize(many, np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((7, 4))
    together = network(many.tensors(), Tensor(x)).value
    one = network.parameters(np.float64)
    for p in range(3):
        one.flat[...] = many.flat[p]
        np.testing.assert_allclose(network(one.tensors(), Tensor(x)).value, together[p], rtol=1e-13)


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4), st.integers(0, 2))
def test_views_and_flat_are_the_same_memory(shapes, members):
    from backproplab.nn import ParameterVector

    population = (members,) if members else ()
    vector = ParameterVector(
        {f"w{i}": tuple(s) for i, s in enumerate(shapes)}, np.float64, population
    )
    for i, view in enumerate(vector.views.values()):
        view[...] = i + 1
    parts = [np.full((*population, int(np.prod(s))), i + 1.0) for i, s in enumerate(shapes)]
    np.testing.assert_array_equal(vector.flat, np.concatenate(parts, axis=-1))
    assert vector.twin().flat.shape == vector.flat.shape
