"""Landscapes against what is known: of a linear regression every line is a parabola."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

from backproplab.autograd import Tensor
from backproplab.config import Experiment
from backproplab.errors import DataError, RunError
from backproplab.experiment import run
from backproplab.landscape import trained, view
from backproplab.landscape.directions import filter_normalized, principal
from backproplab.landscape.path import walked
from backproplab.landscape.surface import around, between, crossed
from backproplab.learners import fingerprint

LINEAR = {
    "data": {"name": "diabetes", "standardize_targets": True, "validation_split": 0.2},
    "model": {"hidden": []},
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "epochs": 4,
    "dtype": "float64",
    "threads": 1,
    "tensorboard": {"telemetry": False, "histograms": 0},
}
NETWORK = LINEAR | {
    "data": {"name": "circle", "samples": 80},
    "model": {"layers": [{"dense": 6}, "batch_norm", "tanh", {"dropout": 0.1}, {"dense": 1}]},
    "optimizer": "adam",
    "dtype": "float32",
}


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    """folder = trained_run(tree, seed): each is trained once a module."""
    made, root = {}, tmp_path_factory.mktemp("runs")

    def of(tree, seed=1):
        key = f"{'linear' if tree is LINEAR else 'network'}-{seed}"
        if key not in made:
            made[key] = root / "20261129-000000" / key
            run(Experiment.model_validate(tree | {"seed": seed}), made[key])
        return made[key]

    return of


@pytest.fixture
def linear(trained_run):
    return trained(trained_run(LINEAR))


@pytest.fixture
def network(trained_run):
    return trained(trained_run(NETWORK))


def quadratic(run, split, points):
    """Mean (x w + b - y)² by NumPy."""
    of = run.splits[split]
    views = [run.parameters.named(point) for point in points]
    outputs = [of.inputs @ v["dense_1/kernel"] + v["dense_1/bias"] for v in views]
    return [np.mean((o - of.encoded) ** 2) for o in outputs]


def test_the_losses_of_many_weights_are_those_of_each(network):
    chance = np.random.default_rng(0)
    moves = chance.normal(0, 0.3, (70, len(network.center))).astype(np.float32)
    moves[:, len(network.parameters) :] = 0  # a variance stays positive
    points = network.center + moves
    of, parts = network.splits["train"], network.parts
    for point, loss in zip(points, network.losses(points), strict=True):
        views = {n: Tensor(v) for n, v in network.parameters.named(point).items()}
        outputs = parts.network(views, Tensor(of.inputs))
        exact = parts.loss(outputs, Tensor(of.encoded)).value.mean()
        assert loss == pytest.approx(exact, rel=1e-5)


def test_a_plane_through_a_linear_regression_is_its_quadratic(linear):
    line, plane = around(linear, 7, 0.5)
    first, second = (filter_normalized(linear.parameters, n) for n in range(2))
    for split, losses in line.losses.items():
        points = linear.center + line.places[:, None] * first
        np.testing.assert_allclose(losses, quadratic(linear, split, points), rtol=1e-10)
    for y, row in zip(plane.up, plane.losses, strict=True):
        points = linear.center + y * second + plane.across[:, None] * first
        np.testing.assert_allclose(row, quadratic(linear, "train", points), rtol=1e-10)


def test_the_line_between_two_linear_regressions_is_a_parabola(trained_run):
    one, two = (trained(trained_run(LINEAR, seed)) for seed in (1, 2))
    line = between(one, two, 13)
    assert (line.places[0], line.places[-1]) == (-0.5, 1.5)
    for split, losses in line.losses.items():
        np.testing.assert_allclose(np.diff(losses, 3), 0, atol=1e-12)
        here, there = np.interp([0, 1], line.places, losses)
        np.testing.assert_allclose(here, one.losses(one.center[None], split)[0], rtol=1e-12)
        np.testing.assert_allclose(there, one.losses(two.center[None], split)[0], rtol=1e-12)


def test_the_eigenvalues_of_a_linear_regression(linear):
    """Its Hessian is 2 XᵀX / n, with a column of ones for the bias."""
    x = linear.splits["train"].inputs
    ones = np.column_stack([x, np.ones(len(x))])
    exact = np.linalg.eigvalsh(2 * ones.T @ ones / len(x))
    np.testing.assert_allclose(linear.spectrum.largest, exact[::-1][:3], rtol=1e-3)
    assert linear.spectrum.least == pytest.approx(exact[0], abs=1e-3 * exact[-1])


def test_each_filter_of_a_direction_is_as_long_as_the_run_s(network):
    """A filter of a dense layer is a column of its kernel (in, out)."""
    direction = filter_normalized(network.parameters, 0)
    parts = network.parameters.named(direction)
    for name, weights in network.parameters.views.items():
        if name.endswith("kernel"):
            lengths = np.linalg.norm(weights, axis=0)
            np.testing.assert_allclose(np.linalg.norm(parts[name], axis=0), lengths, rtol=1e-5)
        else:
            assert not parts[name].any()
    np.testing.assert_array_equal(direction, filter_normalized(network.parameters, 0))
    assert not np.allclose(direction, filter_normalized(network.parameters, 1))


def test_principal_directions_are_those_of_numpy_s_covariance():
    chance = np.random.default_rng(1)
    path = np.cumsum(chance.normal(size=(12, 5)) * [4, 3, 1, 1, 1], axis=0)
    directions, shares = principal(path)
    moves = path[:-1] - path[-1]
    values, vectors = np.linalg.eigh(moves.T @ moves)
    for direction, vector in zip(directions, vectors.T[::-1], strict=False):
        assert abs(direction @ vector) == pytest.approx(1)
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())


def test_the_path_of_a_single_step_has_a_plane_too():
    directions, shares = principal(np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(directions[0], [1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(shares, [1, 0])


def test_the_path_ends_at_the_recorded_weights(network):
    """Its places are those of the weights of every epoch; the loss of the last is the run's."""
    path = walked(network, 9)
    assert path.places.shape == (network.parts.experiment.epochs + 1, 2)
    np.testing.assert_allclose(path.places[-1], 0, atol=1e-6)
    assert path.shares.sum() <= 1 + 1e-12
    record = json.loads((network.folder / "run.json").read_text())
    assert fingerprint(network.parameters.views) == record["hashes"]["weights"]
    own = network.losses(network.center[None])
    at_end = crossed(network, network.center, [network.center * 0] * 2, np.zeros(1), np.zeros(1))
    assert at_end.losses[0, 0] == own[0]
    for places, axis in zip(path.places.T, (path.plane.across, path.plane.up), strict=True):
        assert axis[0] < places.min() <= places.max() < axis[-1]


def test_a_path_that_ends_elsewhere_is_refused(network, tmp_path):
    record = json.loads((network.folder / "run.json").read_text())
    record["hashes"]["weights"] = "0" * 64
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="ends at other weights than were recorded"):
        walked(type(network)(copy, network.parts, network.parameters, "last"), 5)


def test_runs_of_other_networks_have_no_line_between_them(linear, network):
    with pytest.raises(RunError, match="has other weights than"):
        between(linear, network, 5)


def test_weights_without_a_finite_loss_are_refused(trained_run):
    broken = trained(trained_run(LINEAR))
    broken.center[0] = np.nan
    with pytest.raises(RunError, match="last weights is not finite — try --weights best"):
        view(broken, None, False, 5, 1.0)


def test_changed_data_are_refused(network, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(network.folder, copy)
    record = json.loads((copy / "run.json").read_text())
    record["hashes"]["data"] = "another"
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="the data have changed"):
        trained(copy)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("what", ["around", "between", "path"])
def test_every_figure_is_well_formed_and_the_same_each_time(network, trained_run, what, theme):
    other = trained(trained_run(NETWORK, 2)) if what == "between" else None
    views = [view(network, other, what == "path", 5, 1.0) for _ in range(2)]
    first, again = (shown.figure(theme) for shown in views)
    assert first == again
    words = "".join(ElementTree.fromstring(first).itertext())
    assert network.name in words
    assert {"around": "second random direction", "between": other and other.name,
            "path": "second principal direction"}[what] in words  # fmt: skip
    assert json.loads(json.dumps(views[0].tree(), allow_nan=False))["run"] == network.name
    assert "curvature" in dict(views[0].sentences())
