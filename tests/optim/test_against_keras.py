"""Flavor keras against keras.optimizers themselves, in float64, on Keras' PyTorch backend (its
NumPy backend wants JAX, and stays in float32)."""

import os

import numpy as np
import pytest

from backproplab.optim import Clipping, Optimizer, Updater

os.environ["KERAS_BACKEND"] = "torch"
pytest.importorskip("torch", reason="PyTorch is an oracle of `make test-slow` only")
keras = pytest.importorskip("keras", reason="Keras is an oracle of `make test-slow` only")
optimizers = keras.optimizers
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras' own
]

# ours: (our fields, theirs, their arguments beyond the defaults)
CASES = {
    "sgd": ({}, optimizers.SGD, {}),
    "sgd with weight decay": ({"weight_decay": 0.1}, optimizers.SGD, {"weight_decay": 0.1}),
    "momentum": ({}, optimizers.SGD, {"momentum": 0.9}),
    "momentum with weight decay": ({"weight_decay": 0.1}, optimizers.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    "nesterov": ({"momentum": 0.8}, optimizers.SGD, {"momentum": 0.8, "nesterov": True}),
    "adagrad": ({}, optimizers.Adagrad, {}),
    "adagrad from 0.3": ({"initial_accumulator_value": 0.3}, optimizers.Adagrad, {"initial_accumulator_value": 0.3}),
    "adadelta": ({}, optimizers.Adadelta, {"learning_rate": 1.0}),
    "rmsprop": ({}, optimizers.RMSprop, {}),
    "rmsprop centered": ({"centered": True}, optimizers.RMSprop, {"centered": True}),
    "rmsprop with momentum": ({"momentum": 0.7}, optimizers.RMSprop, {"momentum": 0.7}),
    "rmsprop with all": ({"momentum": 0.7, "centered": True, "weight_decay": 0.1}, optimizers.RMSprop, {"momentum": 0.7, "centered": True, "weight_decay": 0.1}),
    "adam": ({}, optimizers.Adam, {}),
    "adam with weight decay": ({"weight_decay": 0.1}, optimizers.Adam, {"weight_decay": 0.1}),
    "adam with betas": ({"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, optimizers.Adam, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "amsgrad": ({}, optimizers.Adam, {"amsgrad": True}),
    "adamw": ({}, optimizers.AdamW, {}),
    "adamax": ({}, optimizers.Adamax, {}),
    "nadam": ({}, optimizers.Nadam, {}),
    "lion": ({}, optimizers.Lion, {}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


@pytest.mark.parametrize("name", CASES)
def test_200_random_steps_with_a_falling_learning_rate(name):
    fields, theirs, arguments = CASES[name]
    optimizer, reference = Optimizer.parse({"name": name.split()[0], **fields}), theirs(**arguments)
    assert float(reference.learning_rate) == pytest.approx(optimizer.default_learning_rate)
    rng = np.random.default_rng(0)
    theta, grad = rng.standard_normal(20), np.zeros(20)
    weights = keras.Variable(theta, dtype="float64")
    update = Updater(optimizer, theta, grad, {s: np.zeros(20) for s in optimizer.slots})
    for t in range(1, 201):
        grad[:] = rng.standard_normal(20) * 10.0 ** rng.integers(-6, 3, 20)
        lr = optimizer.default_learning_rate / (1 + t / 50)
        reference.learning_rate = lr
        reference.apply([keras.ops.convert_to_tensor(grad, "float64")], [weights])
        update(lr, t)
        np.testing.assert_allclose(
            theta, keras.ops.convert_to_numpy(weights), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("limit", [0.5, 3.0, 100.0])
@pytest.mark.parametrize(
    ("member", "theirs"),
    [("value", "clipvalue"), ("norm", "clipnorm"), ("global_norm", "global_clipnorm")],
)
def test_clipping(member, theirs, limit):
    gradient = np.random.default_rng(0).standard_normal(50)
    views = {"a": gradient[:30].reshape(5, 6), "b": gradient[30:]}
    weights = [keras.Variable(np.zeros(view.shape), dtype="float64") for view in views.values()]
    theirs = optimizers.SGD(1.0, **{theirs: limit})
    theirs.apply([keras.ops.convert_to_tensor(view, "float64") for view in views.values()], weights)
    Clipping.parse({member: limit}).clip(gradient, views)
    clipped = np.concatenate([keras.ops.convert_to_numpy(w).ravel() for w in weights])
    np.testing.assert_allclose(gradient, -clipped, rtol=1e-6)
