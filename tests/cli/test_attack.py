"""evaluate --attack fgsm: inputs moved along the sign of their loss's slope."""

import json

import numpy as np
import pytest

import backproplab as bpl
from backproplab.config import load
from backproplab.data import Examples


@pytest.fixture
def model(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {name: iris, test_split: 0.2}\nmodel: {hidden: []}\nepochs: 20\n"
    )
    return bpl.model(bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run").folder)


def test_the_slopes_are_those_of_softmax_regression(model):
    """∂loss/∂x = (p - t) Wᵀ, without the mean over examples."""
    chance = np.random.default_rng(0)
    x, labels = chance.normal(size=(1500, 4)).astype(np.float32), chance.integers(3, size=1500)
    views = model.parameters.views
    z = x @ views["dense_1/kernel"] + views["dense_1/bias"]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = (p - np.eye(3)[labels]) @ views["dense_1/kernel"].T
    examples = Examples(x, labels)
    np.testing.assert_allclose(model.input_gradients(examples), expected, atol=1e-5)
    moved = model.attacked(examples, 0.25).inputs - x
    np.testing.assert_allclose(moved, 0.25 * np.sign(expected), atol=1e-5)


def test_the_command_measures_both(model, backproplab):
    found = json.loads(backproplab("evaluate run --attack fgsm:0.3 --json").out)
    assert list(found)[1:] == [f"{s}{a}" for a in ("", " fgsm") for s in ("train", "validation", "test")]  # fmt: skip
    for split in ("train", "validation", "test"):
        assert found[f"{split} fgsm"]["loss"] > found[split]["loss"]
        assert found[f"{split} fgsm"]["rows"] == found[split]["rows"]
    none = json.loads(backproplab("evaluate run --attack fgsm:0 --json").out)
    assert none["test fgsm"] == none["test"]
    assert "test fgsm" in backproplab("evaluate run --attack fgsm:0.3").out


def test_another_attack_is_refused(model, backproplab):
    for attack in ("fgsm", "fgsm:", "fgsm:-1", "fgsm:inf", "pgd:0.1"):
        ended = backproplab(f"evaluate run --attack {attack}")
        assert ended.code == 2
        assert "valid: fgsm:EPSILON" in ended.err
