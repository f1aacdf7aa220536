"""Kernel regression: acceptance lines of anchors/learners.md 4.

Reference values: closed forms worked out with NumPy and recorded there; Monte Carlo and quadrature by
SciPy; neural-tangents' conventions (targets, ridge relative to the mean trace).
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import erf, erfc
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import StratifiedKFold
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from threadpoolctl import threadpool_limits

import backproplab as bpl
from backproplab import environment
from backproplab.autograd import Tensor, backward
from backproplab.config import Experiment
from backproplab.data import load
from backproplab.data.dataset import Examples, RawData, RegressionDataset
from backproplab.errors import ConfigError
from backproplab.experiment import build, run
from backproplab.learners import Learner, NoBrake, Span, Split, linearized
from backproplab.learners.kernels import Kernel, Ntk, erf_dual, relu_dual
from backproplab.learners.linearized import Linearized
from backproplab.nn import Model
from backproplab.report.outcomes import Outcome
from backproplab.task import Task

CONFIGS = Path(__file__).parents[2] / "configs" / "learners"
IDX = Path("/usr/share/datasets/fashion-mnist")
X = np.array([[1.0, 2.0], [3.0, -1.0]])
QUIET = {"telemetry": False, "histograms": 0, "images": False, "graph": False}


def kernel(name="ntk", **fields):
    return Kernel.parse({"name": name, **fields})


# --- infinite kernels


def test_reference_kernels_of_two_points():
    """To 1e-12: the numbers of the anchors, and where those have fewer digits, to those."""
    plain = {"sigma_w2": 2.0, "sigma_b2": 0.0}
    ntk, nngp = kernel(**plain).between(X, X), kernel("nngp", **plain).between(X, X)
    np.testing.assert_allclose(ntk, [[10, 3.318503673888268], [3.318503673888268, 20]], rtol=1e-12)
    np.testing.assert_allclose(
        nngp, [[5, 2.7733364385874015], [2.7733364385874015, 10]], rtol=1e-12
    )
    deep = kernel(depth=2, sigma_w2=2.0, sigma_b2=0.05).between(X, X)
    between = 6.124213923611848
    np.testing.assert_allclose(deep, [[15.3, between], [between, 30.3]], rtol=1e-12)


def below(z):
    """The normal distribution function."""
    return erfc(-z / np.sqrt(2)) / 2


def bell(z):
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


# f(u), and E[f(v)] of v ~ N(m, d²), which are known; the same of f'
GIVEN = {
    "relu": (relu_dual, [
        (lambda u: max(u, 0.0), lambda m, d: m * below(m / d) + d * bell(m / d)),
        (lambda u: float(u > 0), lambda m, d: below(m / d)),
    ]),
    "erf": (erf_dual, [
        (erf, lambda m, d: erf(m / np.sqrt(1 + 2 * d * d))),
        (lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u),
         lambda m, d: 2 / np.sqrt(np.pi * (1 + 2 * d * d)) * np.exp(-m * m / (1 + 2 * d * d))),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("covariance", [[1.3, 0.4, 0.7], [2.0, -1.1, 0.9], [0.5, 0.4999, 0.5]])
def test_dual_activations_are_the_expectations_that_they_stand_for(name, covariance):
    """E[f(u) E[f(v) | u]], with v ~ N(c u / s, t - c² / s) given u, by SciPy's quadrature over u."""
    s, c, t = covariance
    dual, functions = GIVEN[name]
    found = dual(*(np.array([[x]]) for x in (c, s, t)))
    for value, (f, mean) in zip(found, functions, strict=True):
        inner = lambda u, f=f, mean=mean: (
            bell(u) * f(np.sqrt(s) * u) * mean(c / np.sqrt(s) * u, np.sqrt(t - c * c / s))
        )
        parts = [quad(inner, *ends, epsabs=1e-13, epsrel=1e-12)[0] for ends in ((-12, 0), (0, 12))]
        assert value.item() == pytest.approx(sum(parts), rel=1e-10)


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("name", ["ntk", "nngp"])
def test_an_infinite_kernel_is_symmetric_and_positive(name, activation):
    x = np.random.default_rng(0).standard_normal((40, 7))
    x[7] = x[3]  # equal points, whose correlation is 1
    found = kernel(name, depth=3, activation=activation).between(x, x)
    np.testing.assert_allclose(found, found.T, rtol=1e-12)
    assert np.linalg.eigvalsh(found).min() >= -1e-10
    np.testing.assert_allclose(found[3, 7], found[3, 3], rtol=1e-12)


def test_points_at_0_have_a_kernel_of_the_biases_alone():
    zero = np.zeros((1, 3))
    assert kernel(sigma_b2=0.0).between(zero, np.ones((1, 3))).item() == 0
    assert np.isfinite(kernel(depth=3).between(zero, zero)).all()


# --- the empirical kernel


def linear(width, units=4, outputs=1, seed=0, **more):
    model = {"hidden": [width], "activation": "relu", "parametrization": "ntk"} | more
    network = Model.model_validate(model).network((units,), outputs)
    parameters = network.parameters(np.float64)
    network.initialize(parameters, np.random.default_rng(seed))
    return Linearized(network, parameters)


LAYERS = [
    {"reshape": [2, 2, 1]},
    {"conv2d": {"filters": 2, "kernel": 2, "activation": "tanh"}},
    "flatten",
    {"residual": {"layers": ["silu", {"dense": 2}]}},
    {"dense": 3},
]
NORMALIZED = [{"dense": 5}, "layer_norm", "tanh", {"dense": 3}]
UNSET = {"hidden": None, "activation": None}
NETWORKS = {
    "dense": {"activation": "tanh"},
    "conv2d, residual": UNSET | {"layers": LAYERS},
    "standard, layer_norm": UNSET | {"layers": NORMALIZED, "parametrization": "standard"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_empirical_kernel_is_that_of_each_example_s_own_jacobian(name):
    """To 1e-12 by one backward pass an example and output; symmetric, no eigenvalue below -1e-10."""
    net = linear(6, outputs=3, **NETWORKS[name])
    x = np.random.default_rng(1).standard_normal((7, 4))
    rows = []
    for example in x:
        for output in range(3):
            leaves = {n: Tensor(w, None, True) for n, w in net.weights.items()}
            y = net.network(leaves, Tensor(example[None]))[0, output]
            found = backward(y, Tensor(np.ones(())), list(leaves.values()))
            rows.append(np.concatenate([g.value.ravel() for g in found]))
    whole = net.kernel(x, NoBrake())
    np.testing.assert_allclose(net.jacobian(x).reshape(21, -1), rows, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole, np.array(rows) @ np.array(rows).T, rtol=1e-12, atol=1e-12)
    assert np.array_equal(whole, whole.T)
    assert np.linalg.eigvalsh(whole).min() >= -1e-10


def test_blocks_of_examples_give_the_same_kernel_and_count_every_jacobian(monkeypatch):
    net, x = linear(6, outputs=3), np.random.default_rng(1).standard_normal((7, 4))
    whole, once = net.kernel(x, NoBrake()), net.passes(7)
    assert once.row == {"forward_passes": 1, "backward_passes": 3,
                        "forward_examples": 7, "backward_examples": 21}  # fmt: skip
    calls = []
    monkeypatch.setattr(
        linearized, "BLOCK", 3 * linearized.BLOCK // linearized.block_length(net.network)
    )
    monkeypatch.setattr(Linearized, "jacobian", counting(calls, Linearized.jacobian))
    assert linearized.block_length(net.network) == 3
    np.testing.assert_allclose(net.kernel(x, NoBrake()), whole, rtol=1e-13, atol=1e-13)
    passes = net.passes(7)
    assert passes.forward_examples == sum(calls) == 16  # 3 once more and 3 twice more than once
    assert (passes.forward_passes, passes.backward_passes) == (3, 9)


def counting(calls, function):
    def counted(self, inputs):
        calls.append(len(inputs))
        return function(self, inputs)

    return counted


def test_products_with_the_jacobian_are_those_of_the_kernel():
    net = linear(6, outputs=3, activation="tanh")
    chance = np.random.default_rng(2)
    x, z, a = (chance.standard_normal(shape) for shape in ((7, 4), (5, 4), (7, 3)))
    left, right = net.jacobian(z).reshape(15, -1), net.jacobian(x).reshape(21, -1)
    expected = net(z) + (left @ right.T @ a.ravel()).reshape(5, 3)
    np.testing.assert_allclose(net.moved(z, net.gradient(x, a)), expected, rtol=1e-12)


def test_the_empirical_kernel_nears_the_infinite_one_as_one_over_root_width():
    """Relative distance in the Frobenius norm, the mean of some draws: a slope of -1/2 ± 0.1."""
    x = np.random.default_rng(0).standard_normal((10, 4))
    limit, widths, found = Ntk().between(x, x), (16, 64, 256, 1024), []
    for width in widths:
        nets = [linear(width, seed=seed) for seed in range(20)]
        off = [np.linalg.norm(net.kernel(x, NoBrake()) - limit) for net in nets]
        found.append(np.mean(off) / np.linalg.norm(limit))
    slope = np.polyfit(np.log(widths), np.log(found), 1)[0]
    assert -0.6 <= slope <= -0.4
    assert found[0] < 0.8  # and the limit is the right one, not just any that they near


def test_without_the_parametrization_the_kernel_does_not_near_the_limit():
    x = np.random.default_rng(0).standard_normal((10, 4))
    limit, off = Ntk().between(x, x), []
    for width in (64, 1024):
        net = linear(width, parametrization="standard", initializer="he_normal")
        off.append(np.linalg.norm(net.kernel(x, NoBrake()) - limit) / np.linalg.norm(limit))
    assert off[1] > off[0] > 1


# --- the dynamics


def experiment(settings, **more):
    tree = {
        "data": {"name": "diabetes", "validation_split": 0.2, "standardize_targets": True},
        "learner": {"kernel_regression": settings},
        "dtype": "float64",
        "threads": 1,
        "tensorboard": QUIET,
    }
    return Experiment.model_validate(tree | more)


def begun(learner, **more):
    parts = build(experiment(learner, **more))
    return parts.experiment.learner.begin(parts.material)


SMALL = {"hidden": [8], "activation": "tanh", "parametrization": "ntk"}
KERNELS = {
    "ntk": ({"kernel": "ntk"}, {}),
    "nngp": ({"kernel": {"nngp": {"activation": "erf"}}}, {}),
    "empirical": ({"kernel": "empirical"}, {"model": SMALL}),
}


@pytest.mark.parametrize("ridge", [0.0, 0.01])
@pytest.mark.parametrize("name", KERNELS)
def test_the_closed_form_solves_the_differential_equation(name, ridge):
    """da/dt = (Y - f₀ - (Θ + ridge) a) / N by SciPy's RK45, at each of three times."""
    learner, more = KERNELS[name]
    learning = begun(learner | {"time": 30.0, "ridge": ridge}, steps=3, **more)
    theta, train = learning.machine.kernel(NoBrake()), learning.material.train
    start = learning.predict(train.inputs)
    theta_ridge = theta + ridge * np.mean(np.diag(theta)) * np.eye(len(theta))
    residual = (train.encoded - start).ravel()
    flow = lambda t, a: (residual - theta_ridge @ a) / residual.size
    exact = solve_ivp(flow, (0, 30), 0 * residual, t_eval=[10, 20, 30], rtol=1e-10, atol=1e-13)
    for step in range(3):
        learning.advance(Span(step, 1), {}, NoBrake())
        assert learning.time == 10 * (step + 1)
        np.testing.assert_allclose(
            learning.coefficients.ravel(), exact.y[:, step], rtol=1e-6, atol=1e-10
        )
        expected = start.ravel() + theta @ exact.y[:, step]
        np.testing.assert_allclose(learning.predict(train.inputs).ravel(), expected, atol=1e-7)


@pytest.mark.parametrize("name", KERNELS)
def test_the_limit_is_kernel_ridge_regression(name):
    learner, more = KERNELS[name]
    learning = begun(learner | {"ridge": 0.01}, steps=5, **more)
    theta, train = learning.machine.kernel(NoBrake()), learning.material.train
    residual = (train.encoded - learning.predict(train.inputs)).ravel()
    times = []
    for step in range(5):
        learning.advance(Span(step, 1), {}, NoBrake())
        times.append(learning.time)
    ridge = 0.01 * np.mean(np.diag(theta)) * np.eye(len(theta))
    np.testing.assert_allclose(
        learning.coefficients.ravel(), np.linalg.solve(theta + ridge, residual), rtol=1e-8
    )
    assert math.isinf(times.pop())
    np.testing.assert_allclose(np.diff(np.log(times)), np.log(times[1] / times[0]))


def test_without_a_ridge_directions_that_cannot_be_learned_stay_still(tmp_path):
    """Each example twice: the kernel is singular."""
    learning = begun({"ridge": 0.0}, data={"name": "twice"})
    learning.advance(Span(0, 1), {}, NoBrake())
    assert np.isfinite(learning.coefficients).all()
    train = learning.material.train
    np.testing.assert_allclose(learning.predict(train.inputs), train.targets, atol=1e-6)


class Twice(RegressionDataset, name="twice"):
    def read(self, generator):
        x = np.random.default_rng(0).standard_normal((20, 3))
        both = np.concatenate([x, x])
        return RawData(Examples(both, np.sin(both[:, :1])), Task("regression", 1))


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradient_descent_with_small_steps_follows_it(tmp_path, outputs):
    """A linear model is its own linearization: 500 updates with the rate 0.02 are t = 10."""
    data = {"name": "iris", "standardize": True} if outputs == 3 else {"name": "diabetes"}
    more = {"data": data, "model": {"hidden": [], "parametrization": "ntk"}}
    if outputs == 1:
        data["standardize_targets"] = True
    closed = run(
        experiment({"kernel": "empirical", "time": 10.0, "ridge": 0}, **more), tmp_path / "closed"
    )
    descent = {"optimizer": "sgd", "learning_rate": 0.02, "loss": "centered_half_mse",
               "batch_mode": "batch", "epochs": 500, "learner": "gradient_descent"}  # fmt: skip
    walked = run(experiment({}, **more | descent), tmp_path / "walked")
    for key in ("loss", "val_loss"):
        assert walked.metrics[key] == pytest.approx(closed.metrics[key], rel=0.01)


# --- what a run reports, and refuses


def test_a_run_counts_the_passes_of_its_jacobians_and_its_time(tmp_path):
    result = run(experiment({"kernel": "empirical", "time": 8.0}, model=SMALL, steps=4), tmp_path)
    n = len(build(result.experiment).splits.train)
    assert result.progress.passes.row == {
        "forward_passes": 1, "backward_passes": 1, "forward_examples": n, "backward_examples": n,
    }  # fmt: skip
    header, *rows = [
        line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()
    ]
    times = [row[header.index("flow_time")] for row in rows if row[2] == "train"]
    assert times == ["2.0", "4.0", "6.0", "8.0"]
    assert {"loss", "mae", "r2", "val_loss", "val_r2"} <= result.metrics.keys()


def test_an_infinite_kernel_makes_no_passes_and_needs_no_model(tmp_path):
    result = run(experiment({}), tmp_path)
    assert set(result.progress.passes.row.values()) == {0}
    events = EventAccumulator(str(tmp_path / "train")).Reload()
    assert {"epoch_loss", "epoch_mae", "epoch_r2"} == {*events.Tags()["scalars"]}
    assert "model:" not in (tmp_path / "config.yaml").read_text()
    assert result.metrics["loss"] < 0.5


def test_what_predicts_is_saved_and_predicts_again(tmp_path):
    """From the last checkpoint's coefficients and the training inputs, in NumPy alone."""
    from backproplab.journal import LAST, load

    result = run(experiment({}), tmp_path)
    coefficients = load(tmp_path / LAST).arrays["learner/coefficients"]
    (best,) = (tmp_path / "checkpoints").glob("best-*")
    weights = load(best).arrays
    assert coefficients.dtype == np.float64
    assert np.array_equal(weights["kernel_machine/coefficients"], coefficients)
    found = Ntk().between(
        build(result.experiment).splits.validation.inputs, weights["kernel_machine/inputs"]
    )
    targets = build(result.experiment).splits.validation.targets
    loss = np.mean((found @ coefficients - targets) ** 2) / 2
    assert loss == pytest.approx(result.metrics["val_loss"], rel=1e-9)


def test_a_value_that_cannot_be_read_is_reported_wherever_an_override_moves_it(tmp_path):
    """learner.ridge rewrites the learner's short form; only an override of the value itself helps."""
    (tmp_path / "c.yaml").write_text("data: iris\nlearner: {kernel_regression: {time: 1_0}}\n")
    with pytest.raises(ConfigError, match=r"c\.yaml:2:37: .*underscores"):
        bpl.load(tmp_path / "c.yaml", "learner.ridge=0")
    assert bpl.load(tmp_path / "c.yaml", "learner.time=5").learner.time == 5


@pytest.mark.parametrize("text", ["inf", ".inf", "'inf'", "12.5"])
def test_time_is_a_number_or_inf(tmp_path, text):
    (tmp_path / "c.yaml").write_text(
        f"data: iris\nlearner: {{kernel_regression: {{time: {text}, ridge: 0}}}}\n"
    )
    found = bpl.load(tmp_path / "c.yaml").learner.time
    assert found == (12.5 if text == "12.5" else "inf")
    for word in (f"learner.time={text}", "learner.ridge=0"):
        assert bpl.load(tmp_path / "c.yaml", word).learner.time == found


def test_keys_of_a_network_are_refused_for_an_infinite_kernel_alone():
    whole = {"model": SMALL, "optimizer": "sgd", "learning_rate": 0.1}
    for given, refused in (({}, 3), ({"kernel": "empirical"}, 2)):
        with pytest.raises(ValueError, match="validation error") as error:
            experiment(given, **whole)
        assert error.value.error_count() == refused
    with pytest.raises(ConfigError, match="remove it, or append model=null"):
        bpl.load(CONFIGS / "kernel_digits.yaml", "model.hidden=[3]")


def test_layers_that_act_in_training_passes_are_refused():
    layers = [{"dense": 4}, "batch_norm", {"dropout": 0.1}, {"dense": 1}]
    with pytest.raises(ConfigError) as refused:
        build(experiment({"kernel": "empirical"}, model={"layers": layers}))
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("name", ["ntk", "empirical"])
def test_a_kernel_that_does_not_fit_is_refused_before_anything_is_allocated(
    monkeypatch, name, steps
):
    """The kernel in float64, of several outputs their square times; with eigenvectors five of them."""
    learner, more = KERNELS[name]
    data = {"name": "moons", "samples": 5000, "validation_split": 0}
    e = experiment(learner, data=data, steps=steps, **more)
    monkeypatch.setattr(environment, "free_memory", lambda: 10**12)
    matrix = 8 * (5000 * (2 if name == "empirical" else 1)) ** 2
    needed = e.learner.memory(build(e).material)
    assert needed >= (1 if steps == 1 else 5) * matrix
    monkeypatch.setattr(environment, "free_memory", lambda: needed - 1)
    with pytest.raises(
        ConfigError, match=r"kernel_regression needs .* GiB for 5,000 training examples"
    ):
        build(e)


def test_a_kernel_that_is_not_finite_ends_the_run_as_diverged(tmp_path):
    learner = {"kernel": {"ntk": {"depth": 110, "sigma_w2": 1e6}}}
    result = run(experiment(learner), tmp_path)
    assert result.status == "diverged"
    assert "the kernel stopped being finite" in result.message


@pytest.mark.parametrize(("ridge", "steps"), [(1e-3, 1), (1e-3, 3), (0.0, 1)])
def test_a_kernel_of_zeros_ends_the_run_as_diverged(tmp_path, ridge, steps):
    """Inputs and biases that are 0, with any way to solve it."""
    learner = {"kernel": {"ntk": {"sigma_b2": 0.0}}, "ridge": ridge}
    result = run(experiment(learner, data={"name": "nothing"}, steps=steps), tmp_path)
    assert (result.status, result.progress.step) == ("diverged", 0)
    assert "the kernel cannot be solved" in result.message


class Nothing(RegressionDataset, name="nothing"):
    def read(self, generator):
        targets = np.random.default_rng(0).standard_normal((20, 1))
        return RawData(Examples(np.zeros((20, 3)), targets), Task("regression", 1))


@pytest.mark.parametrize("name", KERNELS)
def test_the_best_coefficients_are_put_back(tmp_path, name):
    learner, more = KERNELS[name]
    stopping = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    e = experiment(learner | {"ridge": 0}, steps=30, early_stopping=stopping, **more)
    result = run(e, tmp_path)
    assert result.restored_epoch
    assert result.metrics["val_loss"] == result.best["val_loss"]


def test_a_run_that_its_time_ends_is_not_called_unfinished():
    """In reports: where a learner says when it ends, the last evaluation is often the best."""
    ended = (5,), (5,), 0.1, 0.1, (), 1, 1
    assert Outcome(*ended).word == "still improving"
    assert Outcome(*ended, timed=True).word == "level"
    assert all(Learner.members[name].timed for name in ("gradient_flow", "kernel_regression"))


@pytest.mark.parametrize("name", KERNELS)
def test_a_signal_within_the_kernel_leaves_the_step_undone(name):
    learner, more = KERNELS[name]
    learning = begun(learner, **more)

    class Now(NoBrake):
        def within_step(self):
            return True

    assert learning.advance(Span(0, 1), {}, Now()).done == 0
    assert not learning.coefficients.any()


def test_the_comparison_with_networks_is_a_sound_sweep():
    """Every trial is built with its data: four widths, trained and in closed form, three seeds."""
    sweep = bpl.sweep.read(CONFIGS / "closed_form.yaml")
    assert (len(sweep.trials), len(sweep.seeds)) == (8, 3)
    for trial in sweep.trials:
        build(trial.experiment(sweep.repeats[0]))


# --- acceptance on data


def regressed(inputs, encoded):
    """The learner's own Learning, fitted to these examples alone."""
    parts = build(experiment({}, data={"name": "digits", "validation_split": 0}))
    split = Split(inputs, encoded.argmax(axis=1), encoded)
    material = replace(parts.material, splits={"train": split})
    learning = parts.experiment.learner.begin(material)
    with threadpool_limits(1):
        learning.advance(Span(0, 1), {}, NoBrake())
    return learning


@pytest.mark.slow
def test_digits_in_five_folds():
    """At least 0.985 on average with depth 1: the anchors have 0.9894."""
    inputs, classes = load_digits(return_X_y=True)
    inputs, right = inputs * 0.0625, 0
    encoded = np.eye(10)[classes] - 0.1
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(inputs, classes):
        outputs = regressed(inputs[train], encoded[train]).predict(inputs[test])
        right += (outputs.argmax(axis=1) == classes[test]).sum()
    assert right / len(classes) >= 0.985


@pytest.mark.slow
@pytest.mark.skipif(not IDX.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_a_thousand_images_of_fashion_mnist():
    """At least 0.81 of the first 1 000 test images from the first 1 000: the anchors have 0.824."""
    data = {"name": "fashion_mnist", "validation_split": 0, "standardize": False}
    splits = load(Experiment.model_validate({"data": data}).data, 0, np.dtype("float64"))
    first = np.arange(1000) if splits.rows is None else np.argsort(splits.rows)[:1000]
    train, test = splits.train.take(first), splits.test.take(np.arange(1000))
    learning = regressed(train.inputs, np.eye(10)[train.targets] - 0.1)
    assert np.mean(learning.predict(test.inputs).argmax(axis=1) == test.targets) >= 0.81


class IrisPair(RegressionDataset, name="iris_pair"):
    """Iris classes 1 and 2 as -1 and 1."""

    def read(self, generator):
        inputs, classes = load_iris(return_X_y=True)
        pair = classes > 0
        targets = np.where(classes[pair] == 2, 1.0, -1.0)[:, None]
        return RawData(Examples(inputs[pair], targets), Task("regression", 1))


@pytest.mark.slow
def test_a_wide_network_trains_as_its_closed_form_says(tmp_path):
    """Test RMSE between them at most 0.05 with 1 024 units, and 10 times more with 16."""
    found = {}
    for width in (16, 1024):
        more = {
            "data": {"name": "iris_pair", "validation_split": 0.4},
            "model": {"hidden": [width], "activation": "tanh", "parametrization": "ntk"},
        }
        closed, walked = [], []
        for seed in range(3):
            parts = build(
                experiment({"kernel": "empirical", "time": 400.0, "ridge": 0}, seed=seed, **more)
            )
            learning = parts.experiment.learner.begin(parts.material)
            learning.advance(Span(0, 1), {}, NoBrake())
            inputs = parts.material.splits["validation"].inputs
            closed.append(learning.predict(inputs))
            descent = {"optimizer": "sgd", "learning_rate": 1.0, "loss": "half_mse", "seed": seed,
                       "batch_mode": "batch", "epochs": 400, "learner": "gradient_descent"}  # fmt: skip
            parts = build(experiment({}, **more | descent))
            learning = parts.descent()
            learning.advance(
                Span(0, 400, np.tile(np.arange(60), 400), 60, whole=True), {}, NoBrake()
            )
            walked.append(learning.predict(inputs))
        found[width] = np.sqrt(np.mean(np.square(np.array(closed) - np.array(walked))))
    assert found[1024] <= 0.05
    assert found[16] >= 10 * found[1024]
