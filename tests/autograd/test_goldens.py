"""tests/reference/layers.json: values and gradients of PyTorch and of cs231n's assignment 2."""

import json
from pathlib import Path

import numpy as np
import pytest

from backproplab import ops, vjp

GOLDENS = json.loads(Path(__file__).parent.parent.joinpath("reference/layers.json").read_text())
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def golden(start):
    (name,) = (name for name in GOLDENS if name.startswith(start))
    return GOLDENS[name]


def spaced(low, high, *shape):
    return np.linspace(low, high, int(np.prod(shape))).reshape(shape)


def last(x):
    """From (n, channels, height, width), as the file has it, to channels last."""
    return np.moveaxis(np.asarray(x), 1, -1)


def check(function, inputs, expected, upstream):
    """Outputs and the gradients of every input, by the order of the file."""
    y, pullback = vjp(function, *inputs)
    np.testing.assert_allclose(y.value, expected[0], **CLOSE)
    for gradient, wanted in zip(pullback(upstream), expected[1:], strict=True):
        np.testing.assert_allclose(gradient.value, wanted, **CLOSE)


def test_conv2d():
    g = golden("conv2d")
    x, w, b = spaced(-0.1, 0.5, 2, 3, 4, 4), spaced(-0.2, 0.3, 3, 3, 4, 4), spaced(-0.1, 0.2, 3)
    assert g["out"][0][0] == pytest.approx(  # cs231n's own numbers, of the notebook
        np.array([[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]]), rel=1e-7
    )
    kernel = np.transpose(w, (2, 3, 1, 0))  # (filters, channels, kh, kw) there
    wanted = [last(g["out"]), last(g["grads"]["x"]), np.transpose(g["grads"]["w"], (2, 3, 1, 0)), g["grads"]["b"]]  # fmt: skip
    check(
        lambda x, k, b: ops.conv2d(x, k, stride=2, padding=1) + b,
        (last(x), kernel, b),
        wanted,
        last(spaced(-1, 1, 2, 3, 2, 2)),
    )


@pytest.mark.parametrize(("start", "pool"), [("maxpool", ops.max_pool), ("avgpool", ops.avg_pool)])
def test_pooling(start, pool):
    g = golden(start)
    wanted = [last(g["out"]), last(g["grads"]["x"])]
    check(pool, (last(spaced(-0.3, 0.4, 2, 3, 4, 4)),), wanted, last(spaced(-1, 1, 2, 3, 2, 2)))


def test_batch_norm():
    g = golden("batchnorm1d")
    x = spaced(-2, 3, 5, 3) ** 2 + np.array([0, 1, -1])
    gamma, beta = np.array([1, 2, 0.5]), np.array([0, -1, 0.5])
    wanted = [g["out"], *[g["grads"][name] for name in ("x", "gamma", "beta")]]
    check(ops.batch_norm, (x, gamma, beta), wanted, spaced(-1, 1, 5, 3))


def test_cross_entropy():
    g = golden("cross_entropy")
    labels = np.array(g["targets"])
    wanted = [g["loss"], g["grad"]]
    check(
        lambda z: ops.mean(ops.softmax_cross_entropy(z, labels)), (np.array(g["logits"]),), wanted, np.array(1.0)
    )  # fmt: skip


def test_binary_cross_entropy():
    g = golden("bce_with_logits")
    targets = np.array(g["targets"])
    wanted = [g["loss"], g["grad"]]
    check(
        lambda z: ops.mean(ops.sigmoid_cross_entropy(z, targets)), (np.array(g["logits"]),), wanted, np.array(1.0)
    )  # fmt: skip


ACTIVATIONS = {
    **{name: getattr(ops, name) for name in ("sigmoid", "tanh", "relu", "elu", "selu", "softplus", "softsign", "gelu", "silu")},
    "leaky_relu_0p01": lambda x: ops.leaky_relu(x, alpha=0.01),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    g = GOLDENS[f"act_{name}"]
    x = np.array(g["x"])
    check(ACTIVATIONS[name], (x,), [g["y"], g["dy"]], np.ones_like(x))
