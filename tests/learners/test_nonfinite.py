"""A step that leaves the numbers is run again eagerly, and the first op that did is named."""

import re

import numpy as np
import pytest

from backproplab.autograd import Tensor
from backproplab.config import load
from backproplab.experiment import run
from backproplab.learners.nonfinite import _backward
from backproplab.nn.losses import SoftmaxCrossEntropy

DIGITS = """\
name: forms
data: {digits: {scale: 0.0625}}
model: {hidden: [], initializer: {normal: {stddev: 10}}}
loss: softmax_cross_entropy
optimizer: sgd
learning_rate: 1
batch_mode: batch
epochs: 2
tensorboard: false
"""


def message(tmp_path, *words):
    path = tmp_path / "c.yaml"
    path.write_text(DIGITS)
    return run(load(path, *words), tmp_path / "run").message


@pytest.mark.parametrize(("form", "op"), [("naive", "exp"), ("shifted", "log")])
def test_a_form_that_leaves_the_numbers_is_named_with_its_op(tmp_path, form, op):
    said = (
        rf"the loss \(\d+ of 1438 values, first {op} gave inf\) stopped being finite"
        rf" — try loss.form=fused \(now {form}\)"
    )
    assert re.search(said, message(tmp_path, f"loss.form={form}"))


@pytest.mark.parametrize("form", ["clipped", "fused"])
def test_clipped_and_fused_stay_within_the_numbers(tmp_path, form):
    assert message(tmp_path, f"loss.form={form}") == ""


def test_the_op_is_named_in_a_layer_s_output_too(tmp_path):
    words = (
        "data=linear",
        "loss=mse",
        "model={hidden: [8], activation: linear}",
        "learning_rate=1e4",
        "epochs=60",
    )
    assert re.search(r"\(\d+ of \d+ values, first \w+ gave (inf|NaN)\)", message(tmp_path, *words))


def test_an_op_of_the_backward_pass_is_named():
    """ln p is finite where p is so small that 1 / p is not: e^-95 in float32."""
    z = Tensor(np.array([[95.0, 0.0]], np.float32), None, True)
    losses = SoftmaxCrossEntropy(form="shifted")(z, Tensor(np.array([1])))
    assert np.isfinite(losses.value).all()
    assert _backward(losses, [z]) == ", backward first divide gave inf"
