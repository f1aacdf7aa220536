"""Fixes: what is said to try is a config that can be trained."""

from types import SimpleNamespace

import pytest

import backproplab as bpl
from backproplab.config import Experiment
from backproplab.config.loading import to_yaml
from backproplab.diagnosis import fixes
from backproplab.experiment import build

NARROW = {"dense": 2}
MODELS = {
    "dense": [{"dense": 4}, "relu", NARROW],
    "an activation last": [{"dense": 4}, NARROW, "tanh"],
    "a field with a hidden layer": [{"ode": [{"dense": 5}, "tanh", NARROW]}],
    "a field behind the outputs": [{"dense": 4}, NARROW, {"ode": [{"dense": 5}, NARROW]}],
    "a field between": [{"dense": 4}, {"ode": [{"dense": 4}, "tanh"]}, NARROW],
    "blocks in a block": [
        {"dense": 4},
        {"residual": [{"residual": [{"dense": 4}]}, {"dense": 3}, {"dense": 4}]},
        NARROW,
    ],
}


@pytest.mark.parametrize("name", MODELS)
def test_a_larger_model_fits_its_blocks_and_its_data(name, tmp_path):
    e = Experiment.model_validate({"data": "cubic_spiral", "model": {"layers": MODELS[name]}})
    (tmp_path / "c.yaml").write_text(to_yaml(e))
    words = fixes.larger_model(SimpleNamespace(experiment=e), {})
    larger = bpl.load(tmp_path / "c.yaml", *words)
    assert build(larger).network.size > build(e).network.size
