"""The ends of the spectrum against NumPy's eigenvalues of whole matrices, and of the exact Hessian."""

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.experiment import build
from backproplab.learners.curvature import Curvature
from backproplab.learners.spectrum import extremes, spectrum


@pytest.mark.parametrize("n", [1, 2, 5, 40, 200])
def test_against_numpy_s_eigenvalues(n):
    chance = np.random.default_rng(n)
    rotation = np.linalg.qr(chance.standard_normal((n, n)))[0]
    values = np.sort(np.concatenate([chance.normal(0, 0.1, max(n - 4, 0)), [-2, 5, 7, 9][:n]]))
    matrix = rotation @ np.diag(values[-n:]) @ rotation.T
    found = extremes(lambda v: matrix @ v, n, 3)
    exact = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(found.largest, exact[::-1][:3], rtol=1e-3)
    assert found.least == pytest.approx(exact[0], rel=1e-3)


@pytest.mark.parametrize(
    "tree", [{"model": {"hidden": [4], "activation": "tanh"}},
             {"model": {"layers": [{"dense": 4}, "batch_norm", "tanh", {"dense": 1}]}}],
    ids=["dense", "with running statistics"],
)  # fmt: skip
def test_against_the_exact_hessian_of_a_network(tree):
    parts = build(
        Experiment.model_validate({"data": {"name": "xor", "samples": 60}, "seed": 3, **tree})
    )
    descent, train = parts.descent(), parts.material.train
    own = descent.network, descent.loss, descent.parameters
    found = spectrum(*own, train, 2)
    network_mixes = parts.network.differs_in_training
    curvature = Curvature(*own, None, 0.0)
    curvature.fill(train.inputs, train.encoded, None, None)
    assert curvature.hessian.shape == (len(descent.parameters),) * 2
    exact = np.linalg.eigvalsh(curvature.hessian)
    np.testing.assert_allclose(found.largest, exact[::-1][:2], rtol=2e-3)
    assert found.least == pytest.approx(exact[0], rel=2e-2, abs=1e-3 * exact[-1])
    assert network_mixes == ("layers" in tree["model"])


def test_nothing_is_curved():
    found = extremes(np.zeros_like, 5, 2)
    assert (found.largest[0], found.least) == (0, 0)


def test_equal_eigenvalues_are_found_once():
    found = extremes(lambda v: 3 * v, 5, 2)
    np.testing.assert_allclose(found.largest, [3.0])


def test_a_curvature_that_is_not_finite():
    found = extremes(lambda v: v * np.inf, 4, 2)
    assert np.isnan([*found.largest, found.least]).all()


def test_the_same_numbers_each_time():
    matrix = np.diag(np.arange(50.0))
    first, again = (extremes(lambda v: matrix @ v, 50, 3) for _ in range(2))
    np.testing.assert_array_equal(first.largest, again.largest)
    assert first.least == again.least
