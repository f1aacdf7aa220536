"""backproplab check: right gradients pass, a wrong one is found and ends with 1."""

import re

import numpy as np
import pytest

from backproplab.autograd.ops import trigonometric
from backproplab.autograd.primitive import Op
from backproplab.checking import GradientRow, check
from backproplab.config import load
from backproplab.nn.activations import Tanh

CONFIG = """data: {name: moons, samples: 100}
model: {layers: [{dense: 6}, tanh, {dropout: 0.3}, {dense: 4}, relu, {dense: 1}]}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_a_right_network(backproplab, config):
    ended = backproplab("check c.yaml --entries 0")
    assert ended.code == 0
    assert re.search(r"dense_1 +6 +18 +\d+", ended.out)
    assert len(re.findall(r"dense_\d/(kernel|bias) .*right", ended.out)) == 6
    assert "(all of them take 102 passes)" in ended.out  # 51 weights
    assert "1 forward and 1 backward pass for all 51 weights" in ended.out


def test_a_wrong_rule_is_found(backproplab, config, monkeypatch):
    wrong = Op("tanh", np.tanh, (lambda g, y, x: g * (1 - y),), (), "tanh with a wrong rule")
    monkeypatch.setattr(Tanh, "function", wrong)
    ended = backproplab("check c.yaml")
    assert ended.code == 1
    assert "the gradient of dense_1/kernel, dense_1/bias is off by more than 1e-05" in ended.err
    assert trigonometric.tanh is not wrong


def test_a_bad_config_is_told_with_its_line(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text("data: iris\nloss: binary_cross_entropy\n")
    ended = backproplab("check c.yaml")
    assert ended.code == 2
    assert "c.yaml:2:7: loss: binary_cross_entropy needs two classes" in ended.err


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy", "mse", "huber"])
@pytest.mark.parametrize(
    "activation",
    ["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "sigmoid"],
)
def test_every_activation_and_loss_passes(config, loss, activation):
    result = check(
        load(config, f"model={{hidden: [5], activation: {activation}}}", f"loss={loss}"),
        entries=None,
    )
    assert all(row.error < 1e-6 and row.reached for row in result.gradients)
    assert result.cost.numeric_passes >= 2 * result.weights


# right gradients that a careless check calls wrong, and a wrong one that it calls right
def test_a_bias_before_batch_norm_and_relus_at_zero_are_right(tmp_path):
    norm = "{layers: [{dense: 8}, {batch_norm: {flavor: torch}}, relu, {dense: 10}]}"
    blank = "{layers: [{reshape: [8, 8, 1]}, {conv2d: {filters: 3, kernel: 3}}, relu, flatten, {dense: 10}]}"
    for number, model in enumerate((norm, blank)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"data: {{name: digits, standardize: false}}\nmodel: {model}\n")
        assert all(row.verdict(1e-5) != "wrong" for row in check(load(path)).gradients)


def test_what_was_measured_is_printed(backproplab, config):
    ended = backproplab("check c.yaml")
    errors = re.findall(r"(\d\.\de[-+]\d+) +right", ended.out)
    assert len(errors) == 6
    assert all(0 < float(error) < 1e-6 for error in errors)


def test_a_gradient_that_rounding_hides_is_too_small_to_tell(backproplab, tmp_path):
    """A bias before batch_norm: its gradient is 0, and its differences are rounding errors."""
    (tmp_path / "c.yaml").write_text(
        "data: {name: digits, standardize: false}\n"
        "model: {layers: [{dense: 8}, batch_norm, relu, {dense: 10}]}\n"
    )
    ended = backproplab("check c.yaml")
    assert ended.code == 0
    assert re.search(r"dense_1/bias +8 +8 +\d\.\de[-+]\d+ +too small to tell", ended.out)
    assert len(re.findall(" right", ended.out)) == 5


ROWS = {  # error, noise, reached: verdict at a tolerance of 1e-5
    "right": (1e-9, 1e-8, True), "wrong": (1e-3, 1e-8, True), "too small to tell": (0.5, 2.0, True),
    "not reached": (np.nan, np.nan, False),
}  # fmt: skip


@pytest.mark.parametrize("verdict", ROWS)
def test_every_verdict(verdict):
    assert GradientRow("w", (1,), 1, *ROWS[verdict]).verdict(1e-5) == verdict


def test_a_gradient_of_nan_is_wrong():
    assert GradientRow("w", (1,), 1, np.nan, np.nan, True).verdict(1e-5) == "wrong"


def test_a_parameter_that_moves_nothing_is_not_reached(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {name: digits, standardize: false}\n"
        "model: {layers: [{dense: 1}, layer_norm, {dense: 10}]}\n"
    )
    ended = backproplab("check c.yaml")
    assert ended.code == 0
    assert re.search(r"dense_1/kernel .* - +not reached", ended.out)


def test_a_parameter_that_nothing_reaches_is_not_called_right(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {name: digits, standardize: false}\n"
        "model: {layers: [{dense: {units: 4, activation: relu}}, {dense: 10}]}\n"
    )
    ended = backproplab("check c.yaml --examples 1 --entries 0")
    assert ended.code == 0
    result = check(load(tmp_path / "c.yaml"), examples=1, entries=10)
    kernel = result.gradients[0]
    assert kernel.reached  # half of what is asked moves the loss, though most pixels are blank
