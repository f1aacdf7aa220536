"""Every config that we ship is valid and trains."""

from pathlib import Path

import pytest

from backproplab.config import load
from backproplab.experiment import run
from backproplab.experiment.defaults import differing

ROOT = Path(__file__).parent.parent / "configs"
SWEEPS = sorted(path for path in ROOT.rglob("*.yaml") if "\nbase:" in path.read_text())
CONFIGS = sorted(set(ROOT.rglob("*.yaml")) - set(SWEEPS))  # sweeps are loaded elsewhere
IDX = Path("/usr/share/datasets/fashion-mnist")


def test_there_are_configs():
    assert len(CONFIGS) >= 10


def parameter(path):
    """Those of 60 000 images are slow."""
    large = "fashion_mnist" in path.read_text()
    marks = [pytest.mark.slow] * large
    return pytest.param(path, marks=marks, id=str(path.relative_to(ROOT)))


@pytest.mark.parametrize("path", list(map(parameter, CONFIGS)))
def test_it_is_valid_and_takes_a_step(path, tmp_path):
    batches = load(path).learner.batches
    experiment = load(path, "steps=2", *["epochs=1"] * batches)
    if experiment.data.name == "fashion_mnist" and not IDX.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    assert run(experiment, tmp_path).progress.step >= 1


def test_what_differs_is_shown_in_short_in_blocks_too():
    shown = dict(differing(ROOT / "learners" / "neural_ode.yaml"))
    layers = "layers [ode [power 3, dense 50, dense 2]]"
    assert shown["model"] == f"{layers}, initializer normal, stddev 0.1"
