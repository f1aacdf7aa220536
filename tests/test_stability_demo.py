"""The training demo of numerical stability, and the variance that cancels.

Numbers: anchors/learners.md, section 9: digits / 16, float32, 300 updates of all examples, rate 1.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml

import backproplab as bpl
from backproplab import explain
from backproplab.config import Experiment

BASE = yaml.safe_load(Path("configs/stability/forms.yaml").read_text())["base"]


@pytest.fixture(scope="module")
def accuracy(tmp_path_factory):
    def accuracy(stddev, form, epsilon=1e-7, rate=1.0):
        tree = {**BASE, "learning_rate": rate, "tensorboard": QUIET}
        tree["model"] = {"hidden": [], "initializer": {"normal": {"stddev": float(stddev)}}}
        tree["loss"] = {"softmax_cross_entropy": {"form": form, "epsilon": epsilon}}
        ended = bpl.run(Experiment.model_validate(tree), tmp_path_factory.mktemp("demo") / "run")
        return ended.status, ended.metrics.get("val_accuracy", 0.1)

    return accuracy


QUIET = dict.fromkeys(("by_passes", "telemetry", "graph", "images", "pr_curves"), False)


@pytest.mark.slow
def test_from_large_weights_the_naive_form_leaves_the_numbers_and_the_clip_learns_nothing(accuracy):
    assert accuracy(10, "naive")[0] == "diverged"
    assert accuracy(10, "shifted")[0] == "diverged"
    assert accuracy(10, "clipped")[1] <= 0.40
    assert accuracy(10, "clipped", 1e-4)[1] <= 0.30
    assert accuracy(10, "fused")[1] >= 0.65
    assert accuracy(10, "fused", rate=10.0)[1] >= 0.88


@pytest.mark.slow
def test_from_small_weights_all_forms_learn_the_same(accuracy):
    found = [accuracy(1, form)[1] for form in ("naive", "shifted", "clipped", "fused")]
    assert min(found) > 0.9
    assert max(found) - min(found) <= 0.01


def test_a_variance_of_one_pass_cancels_and_of_two_does_not():
    x = f"x={[4 + 10**9, 7 + 10**9, 13 + 10**9, 16 + 10**9]}"
    one = explain.of_expression("(sum(x**2) - sum(x)**2/4)/3", [x])
    two = explain.of_expression("sum((x - mean(x))**2)/3", [x])
    assert one.trace.result.value == pytest.approx(-170.67, abs=0.005)
    assert two.trace.result.value == 30
    np.testing.assert_array_equal(two.trace.nodes[0].gradient, np.array([-6, -3, 3, 6]) * 2 / 3)
