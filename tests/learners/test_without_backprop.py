"""Learners without backprop: their operators, their references, acceptance lines of
anchors/learners.md 1, 3 and 5b."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from cmaes import CMA, SepCMA
from scipy.integrate import solve_ivp

import backproplab as bpl
from backproplab.autograd import Tensor
from backproplab.config import Experiment
from backproplab.diagnosis import verdict
from backproplab.errors import ConfigError
from backproplab.experiment import build, run
from backproplab.learners import NoBrake, Span, population
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.evolution_strategy import centered_ranks
from backproplab.learners.population import PopulationLoss

CONFIGS = Path(__file__).parents[2] / "configs" / "learners"
QUIET = {"telemetry": False, "histograms": 0, "images": False, "graph": False}
IRIS = {
    "data": {"name": "iris", "validation_split": 0, "standardize": True},
    "model": {"hidden": [8], "activation": "tanh"},
    "threads": 1,
    "tensorboard": QUIET,
}


def parts_of(learner, **more):
    tree = IRIS | {"learner": learner, "steps": 20} | more
    return build(Experiment.model_validate(tree))


def begun(learner, **more):
    parts = parts_of(learner, **more)
    return parts, parts.experiment.learner.begin(parts.material)


def config(name, *words):
    quiet = [f"tensorboard.{key}={str(value).lower()}" for key, value in QUIET.items()]
    return bpl.load(CONFIGS / f"{name}.yaml", *quiet, *words)


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["split"] == "train"]


# --- many weight vectors at once

NETWORKS = {
    "dense": {"hidden": [8], "activation": "tanh"},
    "linear": {"hidden": []},
    "normalized": {"layers": [{"dense": 5}, "layer_norm", "relu", {"dense": 3}]},
    "residual": {"layers": [{"residual": {"layers": [{"dense": 4}, "relu"]}}, {"dense": 3}]},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_member_has_the_loss_that_it_has_alone(monkeypatch, name, dtype):
    """To the last bit, whatever is computed with it, and that of a pass through the network."""
    parts = parts_of("genetic", model=NETWORKS[name], dtype=dtype)
    network, train = parts.network, parts.material.train
    draws = np.random.default_rng(0).standard_normal((13, network.size)).astype(dtype)
    found = []
    for chunk in (1, 2**14, 2**21):
        monkeypatch.setattr(population, "CHUNK", chunk)
        found.append(PopulationLoss(parts.material, network, parts.loss)(draws, NoBrake()))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    parameters = network.parameters(np.dtype(dtype))
    for vector, loss in zip(draws, found[0], strict=True):
        parameters.flat[...] = vector
        outputs = network(parameters.tensors(), Tensor(train.inputs))
        alone = np.mean(parts.loss(outputs, Tensor(train.encoded)).value, dtype=np.float64)
        assert loss == pytest.approx(alone, rel=1e-6)


def test_a_population_of_many_examples_is_walked_in_tiles():
    parts = parts_of("genetic", data={"name": "circle", "samples": 2500, "validation_split": 0})
    draws = np.random.default_rng(0).standard_normal((3, parts.network.size), np.float32)
    whole = PopulationLoss(parts.material, parts.network, parts.loss)
    small = PopulationLoss(parts.material, parts.network, parts.loss)
    assert whole.tile < 2500
    small.tile = 70
    one, other = (of(draws, NoBrake()) for of in (whole, small))
    assert one == pytest.approx(other, rel=1e-6)


def test_a_loss_that_is_not_a_number_is_the_worst():
    parts = parts_of("genetic")
    draws = np.zeros((3, parts.network.size), np.float32)
    draws[0] = np.nan
    draws[1] = 1e38
    with np.errstate(all="ignore"):
        losses = PopulationLoss(parts.material, parts.network, parts.loss)(draws, NoBrake())
    assert losses.tolist() == [math.inf, math.inf, pytest.approx(math.log(3))]


# --- random guess


def test_random_guess_keeps_the_best_and_says_when_it_was_found():
    parts, learning = begun({"random_guess": {"scale": 0.5}})
    made = learning.advance(Span(0, 300), {}, NoBrake())
    draws = parts.material.stream("learner").standard_normal((300, learning.size), np.float32)
    losses = learning.losses(draws * np.float32(0.5), NoBrake())
    assert np.array_equal(learning.parameters.flat, draws[np.argmin(losses)] * np.float32(0.5))
    steps, values = made.scalars["guess_loss"]
    assert values == sorted(values, reverse=True)
    assert values == [losses[step - 1] for step in steps]
    assert (steps[0], values[-1]) == (1, losses.min())


@pytest.mark.slow
def test_100_updates_beat_10_000_guesses(tmp_path):
    """Anchor 1 (d): on all of five seeds; the best of 10 000 guesses lies between 0.2 and 0.4."""
    for seed in range(5):
        guess = run(config("random_guess", f"seed={seed}"), tmp_path / f"guess-{seed}")
        descent = config(
            "random_guess", f"seed={seed}", "learner=gradient_descent", "optimizer=sgd",
            "learning_rate=0.5", "batch_mode=batch", "epochs=100", "steps=null",
        )  # fmt: skip
        updates = run(descent, tmp_path / f"descent-{seed}")
        assert 0.2 < guess.metrics["loss"] < 0.4
        assert updates.metrics["loss"] < min(0.2, guess.metrics["loss"])
        assert guess.progress.passes.row == {
            "forward_passes": 10_000, "backward_passes": 0,
            "forward_examples": 1_500_000, "backward_examples": 0,
        }  # fmt: skip


# --- genetic algorithm


def test_a_generation_is_elites_and_mutated_children_of_the_best():
    settings = {"population": 12, "parents": 3, "elites": 2, "sigma": 1e-3}
    _, learning = begun({"genetic": settings})
    learning.advance(Span(0, 1), {}, NoBrake())
    before, fitness = learning.members.copy(), learning.fitness.copy()
    assert np.array_equal(fitness, np.sort(fitness)[::-1])
    bred = learning._bred()
    assert np.array_equal(bred[:2], before[:2])
    nearest = np.argmin(np.linalg.norm(bred[2:, None] - before, axis=-1), axis=1)
    assert set(nearest) <= {0, 1, 2}
    mutations = bred[2:] - before[nearest]
    assert np.std(mutations) == pytest.approx(1e-3, rel=0.1)


def test_uniform_crossover_takes_each_weight_from_one_of_two_parents():
    settings = {"population": 200, "parents": 2, "elites": 0, "sigma": 1e-7, "crossover": "uniform"}
    _, learning = begun({"genetic": settings})
    learning.advance(Span(0, 1), {}, NoBrake())
    one, other = learning.members[:2].copy()
    children = learning._bred()
    near = np.minimum(np.abs(children - one), np.abs(children - other))
    assert near.max() < 1e-5
    differ = one != other
    share = np.mean(np.abs(children - one)[:, differ] < np.abs(children - other)[:, differ])
    assert share == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("fields", "what"), [
    ({"parents": 51}, "parents: at most 50 of a population of 50"),
    ({"population": 4, "parents": 2, "elites": 4}, "elites: at most 3 of a population of 4"),
])  # fmt: skip
def test_sizes_that_do_not_fit(tmp_path, fields, what):
    text = json.dumps(IRIS | {"learner": {"genetic": fields}, "steps": 5})
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=what):
        bpl.load(tmp_path / "c.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("crossover", ["none", "uniform"])
def test_the_genetic_algorithm_learns_iris(tmp_path, crossover):
    """Anchor 3: loss ≤ 0.05 and accuracy ≥ 0.98 for at least 4 of 5 seeds, by forward passes alone,
    and better than as many guesses."""
    good = 0
    for seed in range(5):
        words = f"seed={seed}", f"learner.crossover={crossover}", "evaluate_every=1"
        result = run(config("genetic", *words), tmp_path / str(seed))
        table = rows(tmp_path / str(seed))
        fitness = [float(row["best_fitness"]) for row in table]
        assert fitness == sorted(fitness)
        assert [-float(row["loss"]) for row in table] == pytest.approx(fitness, rel=1e-12)
        passes = result.progress.passes
        assert (passes.forward_passes, passes.backward_passes) == (10_000, 0)
        guesses = config("random_guess", f"seed={seed}", "model={hidden: [8], activation: tanh}")
        assert result.metrics["loss"] < run(guesses, tmp_path / f"g{seed}").metrics["loss"]
        good += result.metrics["loss"] <= 0.05 and result.metrics["accuracy"] >= 0.98
    assert good >= 4


# --- CMA-ES


@pytest.mark.parametrize(("covariance", "kind"), [("full", CMA), ("diagonal", SepCMA)])
def test_cma_es_is_the_package_asked_and_told(covariance, kind):
    parts, learning = begun({"cma_es": {"covariance": covariance}})
    seed = int(parts.material.stream("learner").integers(2**32))
    theirs = kind(mean=learning.parameters.flat.astype(np.float64), sigma=0.5, seed=seed)
    assert theirs.population_size == 4 + math.floor(3 * math.log(learning.size))
    least = math.inf
    for _ in range(8):
        members = [theirs.ask() for _ in range(theirs.population_size)]
        losses = learning.losses(np.array(members), NoBrake())
        theirs.tell(list(zip(members, losses.tolist(), strict=True)))
        least = min(least, losses.min())
    learning.advance(Span(0, 8), {}, NoBrake())
    assert np.array_equal(learning.optimizer.mean, theirs.mean)
    assert learning.least == least
    (row,) = learning.measure("train", NoBrake())
    assert row["loss"] == pytest.approx(least, rel=1e-12)


def test_a_full_covariance_of_many_weights_is_refused():
    with pytest.raises(ConfigError, match="full is for at most 500 weights, the model has 803"):
        parts_of("cma_es", model={"hidden": [100]})
    parts_of({"cma_es": {"covariance": "diagonal"}}, model={"hidden": [100]})


@pytest.mark.slow
def test_cma_es_learns_iris(tmp_path):
    assert run(config("cma_es"), tmp_path / "run").metrics["loss"] <= 0.05


# --- evolution strategy


def test_its_estimate_is_the_gradient_of_the_smoothed_loss():
    """Without shaping, on a linear network, whose loss is smooth; against backprop."""
    settings = {"population": 40_000, "sigma": 0.01, "shaping": "none"}
    parts, learning = begun({"evolution_strategy": settings}, model={"hidden": []}, dtype="float64")
    noise = learning.noise(20_000)
    learning._estimate(learning._losses(noise, NoBrake()), noise)
    chance = np.random.default_rng(0)
    source = BackpropSource(parts.network, parts.loss, learning.parameters, chance)
    source(parts.material.train.inputs, parts.material.train.encoded)
    exact = source.gradient.flat
    error = np.linalg.norm(learning.gradient.flat - exact) / np.linalg.norm(exact)
    assert error < 4 * math.sqrt(len(exact) / 20_000)


def test_ranks_ignore_by_how_much():
    ranks = centered_ranks(np.array([[3.0, -1.0], [1e9, 0.0]]))
    assert ranks == pytest.approx(np.array([[1 / 6, -0.5], [0.5, -1 / 6]]))


@pytest.mark.slow
def test_the_evolution_strategy_learns_iris(tmp_path):
    result = run(config("evolution_strategy"), tmp_path / "run")
    assert result.metrics["loss"] <= 0.05
    assert result.progress.passes.backward_passes == 0


# --- gradient flow

# least squares on diabetes, inputs standardized, targets centered, L = ½ mean; anchors/learners.md 5b
FLOW = {1: 1523.274578620158, 10: 1439.3571361877778, 100: 1431.868155439303}


@pytest.mark.parametrize("until", FLOW)
def test_gradient_flow_of_least_squares_has_the_closed_form(tmp_path, until):
    """mse is twice that loss, so that its flow takes half the time."""
    experiment = config("gradient_flow", f"learner.until={until / 2}")
    result = run(experiment, tmp_path / "run")
    plain = config("gradient_flow", "data.standardize_targets=false")
    variance = np.var(build(plain).splits.train.targets)  # the loss is that of standardized ones
    assert result.progress.stop_reason == "until_reached"
    assert result.progress.step < experiment.learner.most_steps  # so they say nothing of its length
    assert build(experiment).length.place(1, 40) == "solver step 40"
    assert result.metrics["loss"] * variance / 2 == pytest.approx(FLOW[until], rel=1e-6)
    (last,) = rows(tmp_path / "run")[-1:]
    assert float(last["flow_time"]) == until / 2
    assert last["forward_passes"] == last["backward_passes"]


def test_euler_is_gradient_descent_in_batch_mode():
    """Anchor 5b: the same trajectory to 1e-10, in float64; the step is the learning rate."""
    flow = {"gradient_flow": {"solver": "euler", "step": 0.1, "until": 20}}
    _, flowing = begun(flow, dtype="float64", steps=200)
    descent = {"batch_mode": "batch", "optimizer": "sgd", "learning_rate": 0.1, "epochs": 200}
    _, descending = begun("gradient_descent", dtype="float64", steps=200, **descent)
    rows = np.arange(150)
    for step in range(200):
        flowing.advance(Span(step, 1), {}, NoBrake())
        descending.advance(Span(step, 1, rows, 150, whole=True), {}, NoBrake())
        gap = flowing.parameters.flat - descending.parameters.flat
        assert np.abs(gap).max() < 1e-10
    assert flowing.passes(1, 0) == descending.passes(1, 150)


def test_dopri5_makes_scipys_steps_on_a_network():
    """SciPy's RK45 on -∇L: the same times, and the same gradients counted."""
    until, rtol, atol = 3.0, 1e-5, 1e-8
    settings = {"gradient_flow": {"until": until, "rtol": rtol, "atol": atol}}
    parts, flowing = begun(settings, steps=10_000)
    parameters = parts.network.parameters(np.float64)
    source = BackpropSource(parts.network, parts.loss, parameters, np.random.default_rng(0))
    data = parts.material.train.inputs.astype(np.float64), parts.material.train.encoded

    def slope(t, theta):
        parameters.flat[...] = theta
        source(*data)
        return -source.gradient.flat

    theirs = solve_ivp(slope, (0, until), flowing.theta, method="RK45", rtol=rtol, atol=atol)
    made = flowing.advance(Span(0, 10_000), {}, NoBrake())
    assert made.ended == {0: "until_reached"}
    assert made.scalars["solver_step_time"][1] == pytest.approx(theirs.t[1:].tolist(), rel=1e-6)
    assert flowing.theta == pytest.approx(theirs.y[:, -1], rel=1e-6)
    assert flowing.passes(made.done, 0).backward_passes == theirs.nfev


def test_euler_has_no_tolerance(tmp_path):
    flow = {"gradient_flow": {"solver": "euler", "rtol": 0.1}}
    (tmp_path / "c.yaml").write_text(json.dumps(IRIS | {"learner": flow}))
    with pytest.raises(ConfigError, match="rtol: euler's steps have a fixed length"):
        bpl.load(tmp_path / "c.yaml")


def test_a_flow_that_explodes_is_diverged():
    flow = {"gradient_flow": {"solver": "euler", "step": 1e300, "until": 1e305}}
    _, learning = begun(flow, model={"layers": [{"dense": 3}]}, loss="mse")
    with np.errstate(all="ignore"):
        made = learning.advance(Span(0, 50), {}, NoBrake())
    assert "try a smaller learner.step (now 1e+300)" in made.diverged[0].message


def test_a_flow_that_diverges_is_told_so_and_diagnosed(tmp_path):
    """Without a learning rate there is none to try; the message says what to do."""
    flow = {"gradient_flow": {"solver": "euler", "step": 1e30, "until": 1e32}}
    tree = IRIS | {"learner": flow, "loss": "mse", "model": {"hidden": [8]}}
    result = run(Experiment.model_validate(tree), tmp_path / "run")
    assert result.status == "diverged"
    assert re.match(r"diverged at solver step \d+: .*smaller learner.step", result.message)
    found = verdict(result.folder)
    assert (found.word, found.command) == ("diverged", "")


# --- layers that only a training pass gives a meaning


@pytest.mark.parametrize("name", ["random_guess", "genetic", "cma_es", "gradient_flow"])
@pytest.mark.parametrize(("layer", "hint"), [
    ({"dropout": 0.5}, "dropout_1 acts in training passes, .* — remove it"),
    ("batch_norm", "batch_norm_1 acts in training passes, .* — use layer_norm"),
    ({"residual": {"layers": [{"dropout": 0.5}]}}, "residual_1 acts in training passes"),
])  # fmt: skip
def test_a_layer_that_acts_in_training_passes_is_refused(name, layer, hint):
    with pytest.raises(ConfigError, match=hint):
        parts_of(name, model={"layers": [layer, {"dense": 3}]})
