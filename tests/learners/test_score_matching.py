"""Denoising score matching: the acceptance lines of the course's anchors, learners.md 6.

References are closed forms: scores of normal distributions and of mixtures of them.
"""

from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import Tensor, central_difference, gradcheck
from backproplab.config import Experiment, read
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.learners import NoBrake, Span
from backproplab.loop import Callback

CONFIG = Path(__file__).parents[2] / "configs" / "learners" / "score_matching.yaml"
POINTS = np.array([[-3.0], [-1.0], [0.5], [1.0], [3.0]])


class Kept(Callback):
    """Keeps the learning of the run."""

    def finish(self, lane):
        self.learning = lane.learning


def experiment(**fields):
    base = {
        "data": {"name": "moons", "samples": 40}, "model": {"hidden": [5], "activation": "tanh"},
        "learner": "score_matching", "dtype": "float64", "batch_size": 8, "epochs": 2,
    }  # fmt: skip
    return Experiment.model_validate(base | fields)


def begun(**fields):
    parts = build(experiment(**fields))
    return parts.experiment.learner.begin(parts.material)


@pytest.mark.parametrize(("spread", "sigma"), [(1.0, 0.5), (2.0, 0.3)])
def test_the_score_of_a_normal_distribution(spread, sigma):
    """-x / (S² + σ²), within 2 % with 2e5 examples: a line, which one step of Newton's finds."""
    data = {"name": "gaussian_mixture", "means": [0, 0], "deviation": spread,
            "samples": 200_000, "validation_split": 0}  # fmt: skip
    learning = begun(
        data=data, model={"hidden": [], "initializer": "zeros"}, batch_mode="batch",
        batch_size=None, learner={"score_matching": {"sigma": sigma}}, optimizer="newton",
    )  # fmt: skip
    rows = np.arange(200_000)
    assert learning.advance(Span(0, 1, rows, len(rows), whole=True), {}, NoBrake()).done == 1
    slope = learning.weights["dense_1/kernel"].item()
    assert slope == pytest.approx(-1 / (spread**2 + sigma**2), rel=0.02)


def mixture_score(y, sigma, deviation=0.5):
    """∇ log of ½ N(-2, v) + ½ N(2, v) at y, with v = deviation² + sigma²."""
    v = deviation**2 + sigma**2
    return (2 * np.tanh(2 * y / v) - y) / v


def test_the_reference_is_the_anchor_s():
    wanted = [2.0, -1.997317, 2.85611, 1.997317, -2.0]
    np.testing.assert_allclose(mixture_score(POINTS[:, 0], 0.5), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["score", "energy"])
def test_the_score_of_a_mixture(output, tmp_path):
    e, _ = read(CONFIG)
    tree = e.model_dump(exclude_unset=True) | {
        "learner": {"score_matching": {"sigma": 0.5, "output": output}}
    }
    kept = Kept()
    bpl.run(Experiment.model_validate(tree), tmp_path / "run", [kept])
    found = kept.learning.predict(POINTS.astype(np.float32))
    np.testing.assert_allclose(found, mixture_score(POINTS, 0.5), atol=0.2)


# --- what is computed


@pytest.mark.parametrize("output", ["score", "energy"])
def test_the_gradient_of_the_loss(output):
    """Of an energy a gradient of a gradient: against central differences, with the same noise."""
    network = begun(learner={"score_matching": {"output": output}}).descent.network
    rng = np.random.default_rng(0)
    x, names = rng.standard_normal((7, 2)), list(network.weights)

    def outputs(*arrays):
        weights = dict(zip(names, arrays, strict=True))
        return network(weights, Tensor(x), np.random.default_rng(1))

    gradcheck(outputs, *[0.5 * rng.standard_normal(w.shape) for w in network.weights.values()])


def test_an_energy_s_score_is_its_slope_downward():
    learning = begun(learner={"score_matching": {"output": "energy"}})
    network, x = learning.material.network, np.random.default_rng(0).standard_normal((6, 2))
    weights = {name: Tensor(w) for name, w in learning.weights.items()}
    for axis in (0, 1):
        along = lambda h, axis=axis: network(weights, Tensor(x + h * np.eye(2)[axis])).value[:, 0]
        np.testing.assert_allclose(
            learning.predict(x)[:, axis], -central_difference(along), rtol=1e-6, atol=1e-9
        )


def test_the_loss_is_of_noise_that_stays_the_same():
    """½ ‖s(x + σ ε) + ε / σ‖², by hand; twice the same, and training moves it only by weights."""
    learning = begun()
    noisy = learning.descent.material.splits["noisy train"]
    clean, sigma = learning.material.train.inputs, 0.5
    noise = (noisy.inputs - clean) / sigma
    by_hand = 0.5 * np.square(learning.predict(noisy.inputs) + noise / sigma).sum(axis=1).mean()
    for _ in range(2):
        (row,) = learning.measure("train", NoBrake())
        assert row == {"loss": pytest.approx(by_hand, rel=1e-12)}
    assert noise.std() == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("output", ["score", "energy"])
def test_each_batch_has_noise_of_its_own_also_where_steps_are_replayed(output):
    own = {"score_matching": {"output": output}}
    learning = begun(batch_mode="batch", batch_size=None, learner=own)
    gradients = []
    for _ in range(4):
        train = learning.descent.material.train
        learning.descent.updates.source(train.inputs, train.encoded)
        gradients.append(learning.descent.gradient.flat.copy())
    assert len(np.unique(gradients, axis=0)) == 4
    assert learning.descent.updates.source.refusal == ""


def test_passes_count_an_energy_s_slope():
    for output, backward in (("score", 3), ("energy", 6)):
        learning = begun(learner={"score_matching": {"output": output}})
        passes = learning.passes(3, 24)
        assert (passes.forward_passes, passes.backward_passes) == (3, backward)


@pytest.mark.parametrize(("output", "units", "needed"), [("score", 1, 2), ("energy", 2, 1)])
def test_a_model_with_other_outputs_is_refused(output, units, needed):
    model = {"layers": [{"dense": units}]}
    with pytest.raises(ConfigError, match=f"the model gives {units} outputs, .* need {needed}"):
        begun(model=model, learner={"score_matching": {"output": output}})
