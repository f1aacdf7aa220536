"""Glorot and Bengio 2010, and Nielsen's chapter 5, out of TensorBoard's own event data.

Reference: the same networks in NumPy and PyTorch, on other examples: /work/shared/anchors/learners.md, section 10.
"""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import load
from backproplab.experiment import run
from backproplab.sweep.space import read

IDX = Path("/usr/share/datasets/fashion-mnist")
CONFIGS = Path(__file__).parents[2] / "configs" / "glorot"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IDX.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"),
]


class Log:
    """What TensorBoard reads of a run, and its test error in percent."""

    def __init__(self, experiment, path):
        self.result = run(experiment, path)
        self.log = EventAccumulator(str(path / "train"), {"scalars": 0, "histograms": 0}).Reload()

    def layers(self, kind, count=5, at=0):
        """A figure of each hidden layer, at the first look or another."""
        tags = [f"telemetry/{kind}/dense_{k}" for k in range(1, count + 1)]
        return np.array([self.log.Scalars(tag)[at].value for tag in tags])

    @property
    def error(self):
        return 100 * (1 - self.result.metrics["test_accuracy"])


def logs(file, folder, *words, trials=None):
    """A log of each of the first trials of a sweep, by its activation and initializer."""
    sweep = read(CONFIGS / file, words)
    found = {}
    for trial in sweep.trials[:trials]:
        model = trial.resolved.model
        name = (model.activation.name, model.initializer.name)
        found[name] = Log(trial.experiment(sweep.repeats[0]), folder / str(trial.number))
    return found


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with the first 1000 training images, and 300 test images: the statistics are of the
    first weights, and the large networks would take minutes to evaluate all."""
    folder = tmp_path_factory.mktemp("few")
    for part, count in (("train", 1000), ("t10k", 300)):
        for kind, head, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{part}-{kind}-ubyte"
            content = gzip.decompress((IDX / f"{name}.gz").read_bytes())
            length = struct.pack(">I", count)
            (folder / name).write_bytes(
                content[:4] + length + content[8:head] + content[head : head + count * size]
            )
    return folder


@pytest.fixture(scope="module")
def initial(tmp_path_factory, few):
    return logs("initialization.yaml", tmp_path_factory.mktemp("initial"), f"data.path={few}")


STD = {
    ("tanh", "fan_in_uniform"): [0.451, 0.243, 0.138, 0.079, 0.046],
    ("tanh", "glorot_uniform"): [0.595, 0.466, 0.395, 0.347, 0.316],
    ("sigmoid", "fan_in_uniform"): [0.133, 0.072, 0.073, 0.072, 0.071],
    ("relu", "he_uniform"): [0.858, 0.870, 0.865, 0.864, 0.844],
}
RATIO = {
    ("tanh", "fan_in_uniform"): (0.06, 0.12),
    ("tanh", "glorot_uniform"): (0.35, 0.55),
    ("sigmoid", "fan_in_uniform"): (0, 2e-3),
    ("relu", "he_uniform"): (0.8, 1.25),
}


@pytest.mark.parametrize("name", STD, ids="-".join)
def test_activations_and_gradients_before_the_first_update(initial, name):
    np.testing.assert_allclose(initial[name].layers("activation_std"), STD[name], rtol=0.1)
    signal = initial[name].layers("dL_dz_std")
    low, high = RATIO[name]
    assert low < signal[0] / signal[-1] < high


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [(("tanh", "fan_in_uniform"), 0.44, 0.52), (("tanh", "glorot_uniform"), 0.65, 0.80)],
    ids=["standard", "normalized"],
)
def test_jacobians_between_hidden_layers(initial, name, low, high):
    """Their mean singular value: the paper has about .5 and .8."""
    between = initial[name].layers("jacobian")[1:]
    assert between.min() > low
    assert between.max() < high


def test_the_gradient_of_the_weights_hides_what_vanishes(initial):
    """The paper's trap: with tanh and the standard initializer it is as large in every layer."""
    hidden = initial["tanh", "fan_in_uniform"].layers("gradient_norm")[1:]  # of equal shape
    assert hidden.max() / hidden.min() < 1.2


def test_training_shows_which_first_weights_learn(tmp_path):
    """3000 updates: sigmoid stays at chance while its top layer falls to 0, figure 2: below 0.2 by
    update 2000."""
    found = logs("training.yaml", tmp_path)
    sigmoid = found["sigmoid", "fan_in_uniform"]
    assert sigmoid.error >= 85
    (shorter,) = logs("training.yaml", tmp_path / "2000", "steps=2000", trials=1).values()
    assert sigmoid.layers("activation_mean")[-1] > 0.45
    for log in (shorter, sigmoid):
        assert log.layers("activation_mean", at=-1)[-1] < 0.2
    tanh, normalized = found["tanh", "fan_in_uniform"], found["tanh", "glorot_uniform"]
    assert normalized.error <= tanh.error - 1.5
    relu, he = found["relu", "fan_in_uniform"], found["relu", "he_uniform"]
    assert he.error <= relu.error - 4
    cured = Log(load(CONFIGS / "batch_norm.yaml"), tmp_path / "cured")
    assert cured.error <= 35


def bias_gradients(experiment, seeds, folder):
    """‖∂C/∂b‖ of each hidden layer before the first update, (seeds, layers), out of histograms."""
    layers, norms = len(experiment.model.layers) - 1, []
    for seed in range(seeds):
        log = Log(experiment.model_copy(update={"seed": seed}), folder / str(seed)).log
        tags = [f"gradients/dense_{k}/bias" for k in range(1, layers + 1)]
        norms.append([log.Histograms(tag)[0].histogram_value.sum_squares ** 0.5 for tag in tags])
    return np.array(norms)


def test_nielsen_s_gradients_of_biases(tmp_path, few):
    """Four hidden layers: the median of seeds within 1.5 of his."""
    experiment = load(CONFIGS / "nielsen.yaml", f"data.path={few}")
    median = np.median(bias_gradients(experiment, 10, tmp_path), axis=0)
    ratio = median / [0.0026, 0.0118, 0.0600, 0.2679]
    assert ratio.max() < 1.5
    assert ratio.min() > 1 / 1.5
    assert (np.diff(median) > 0).all()


def test_the_deeper_the_less_of_the_gradient_reaches_the_first_layer(tmp_path, few):
    """Two, three and four hidden layers: first to last as 0.206, 0.043 and 0.0083."""
    sweep = read(CONFIGS / "nielsen_depth.yaml", [f"data.path={few}"])
    shares = []
    for trial in sweep.trials:
        folder = tmp_path / str(trial.number)
        norms = bias_gradients(trial.experiment(sweep.repeats[0]), len(sweep.seeds), folder)
        shares.append(np.median(norms[:, 0] / norms[:, -1]))
    np.testing.assert_array_less(shares / np.array([0.206, 0.043, 0.0083]), 2)
    assert shares[0] > shares[1] > shares[2]
