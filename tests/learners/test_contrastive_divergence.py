"""Restricted Boltzmann machines: the acceptance lines of the course's anchors, learners.md 6.

Reference values: NumPy, SciPy and scikit-learn runs recorded there; log likelihoods by enumeration.
"""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab import autograd
from backproplab.autograd import Tensor, ops
from backproplab.config import Experiment, read
from backproplab.diagnosis import verdict
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.learners import NoBrake
from backproplab.learners.boltzmann import Boltzmann
from backproplab.loop import Callback

CONFIGS = Path(__file__).parents[2] / "configs" / "learners"


class Kept(Callback):
    """Keeps the learning of the run."""

    def finish(self, lane):
        self.learning = lane.learning


CHANCE = np.random.default_rng(0)


def machine(visible=5, hidden=4):
    return Boltzmann(*(CHANCE.normal(size=s) for s in ((visible, hidden), visible, hidden)))


def bits(units):
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def test_free_energy_and_partition_are_sums_over_all_states():
    m, wide = machine(), machine(3, 5)
    np.testing.assert_allclose(
        wide.log_partition(), np.log(np.exp(-wide.free_energy(bits(3))).sum())
    )
    joint = bits(5)[:, None] @ m.kernel[None] @ bits(4).T
    energy = -(bits(5) @ m.visible_bias)[:, None] - (bits(4) @ m.bias) - joint[:, 0]
    np.testing.assert_allclose(m.free_energy(bits(5)), -np.log(np.exp(-energy).sum(axis=1)))
    np.testing.assert_allclose(m.log_partition(), np.log(np.exp(-energy).sum()))
    given = np.exp(-energy) / np.exp(-energy).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(m.hidden(bits(5)), given @ bits(4))


def test_the_difference_of_averages_is_the_gradient_of_free_energies():
    """-∇ mean[F(data) - F(model)] by our autograd, to 1e-8."""
    e = Experiment.model_validate({
        "data": "bars_and_stripes", "batch_mode": "batch", "dtype": "float64",
        "learner": {"contrastive_divergence": {"hidden": 4}},
    })  # fmt: skip
    material = build(e).material
    learning = e.learner.begin(material)
    learning.machine.kernel[...] = CHANCE.normal(size=learning.machine.kernel.shape)
    data = material.train.inputs
    found = learning._difference(data, NoBrake())
    learning.chance = material.stream("learner")  # the same samples again
    m = learning.machine
    visible = learning._drawn(m.visible(learning._drawn(m.hidden(data))))

    def gap(kernel, bias, visible_bias):
        def energy(v):
            softplus = ops.softplus(Tensor(v) @ kernel + bias)
            return -(Tensor(v) @ visible_bias) - ops.sum(softplus, axis=-1)

        return ops.mean(energy(data)) - ops.mean(energy(visible))

    wanted = autograd.grad(gap, (0, 1, 2))(m.kernel, m.bias, m.visible_bias)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, -np.asarray(theirs), atol=1e-8)


def test_a_constant_added_to_all_logits_moves_the_energy_and_not_the_classes():
    """E(x) = -logsumexp f(x): Grathwohl et al. 2020, "Your classifier is secretly an energy-based
    model"."""
    logits = CHANCE.normal(size=(6, 3))
    moved = logits + 2.5
    softmax = [ops.softmax(Tensor(x)).value for x in (logits, moved)]
    np.testing.assert_allclose(softmax[1], softmax[0], rtol=1e-14)
    energies = [-ops.logsumexp(Tensor(x), axis=-1).value for x in (logits, moved)]
    np.testing.assert_allclose(energies[1], energies[0] - 2.5)


def test_inputs_that_are_no_probabilities_are_refused(tmp_path):
    e = Experiment.model_validate({"data": "digits", "learner": "contrastive_divergence"})
    with pytest.raises(ConfigError, match=r"from 0 to 1 — .*data\.standardize=false"):
        bpl.run(e, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def metrics_of(config, folder, **changes):
    experiment, _ = read(CONFIGS / config)
    tree = experiment.model_dump(exclude_unset=True) | changes
    bpl.run(Experiment.model_validate(tree), folder)
    return json.loads((folder / "run.json").read_text())["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize(("k", "least"), [(1, -3.4), (5, -3.0)])
def test_bars_and_stripes(tmp_path, k, least):
    for seed in range(3):
        learner = {"contrastive_divergence": {"hidden": 12, "k": k}}
        found = metrics_of(
            "bars_and_stripes.yaml", tmp_path / str(seed), seed=seed, learner=learner
        )
        assert found["log_likelihood"] >= least


@pytest.mark.slow
def test_digits_are_reconstructed(tmp_path):
    found = metrics_of("digits_rbm.yaml", tmp_path / "run")
    said = verdict(tmp_path / "run").outcome.sentence
    assert re.fullmatch(
        r"Trained: the reconstruction error is 0\.0\d+ on the validation examples\.", said
    )
    splits = build(read(CONFIGS / "digits_rbm.yaml")[0]).splits
    of_mean = np.square(splits.validation.inputs - splits.train.inputs.mean(axis=0)).mean()
    assert found["val_reconstruction_error"] <= min(0.045, 0.6 * of_mean)


@pytest.mark.slow
def test_hidden_units_help_a_linear_classifier_on_nudged_digits(tmp_path):
    """.9282 with 100 hidden units, .7807 with the pixels: scikit-learn's example, run with lbfgs."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    e = Experiment.model_validate({
        "data": {"name": "digits", "nudged": True, "standardize": False, "scale": 0.0625},
        "learner": "contrastive_divergence", "learning_rate": 0.06, "batch_size": 10, "epochs": 10,
    })  # fmt: skip
    kept = Kept()
    bpl.run(e, tmp_path / "run", [kept])
    learning, of, scores = kept.learning, kept.learning.material.splits, {}
    for name, features in (
        ("hidden", learning.machine.hidden),
        ("pixels", np.asarray),
    ):
        model = linear_model.LogisticRegression(C=100.0, max_iter=2000, tol=1e-3)
        model.fit(features(of["train"].inputs), of["train"].targets)
        scores[name] = model.score(features(of["validation"].inputs), of["validation"].targets)
    assert scores["hidden"] >= 0.90
    assert scores["hidden"] >= scores["pixels"] + 0.10
