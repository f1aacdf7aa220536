"""Telemetry at looks: when, what, and that it changes nothing."""

import json
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from backproplab.autograd import Tensor
from backproplab.config import Experiment
from backproplab.data import load as load_data
from backproplab.experiment import build, run
from backproplab.journal import load
from backproplab.learners import NoBrake
from backproplab.learners.crew import DescentCrew
from backproplab.loop import Length
from backproplab.nn import Activation
from backproplab.telemetry.figures import figures, noise_scale, spreads
from backproplab.telemetry.jacobians import jacobian_sizes
from backproplab.telemetry.schedule import Looks, spaced

OFF = {"telemetry": False, "histograms": 0}
DATA = {"name": "iris", "validation_split": 0.2}
MODEL = {
    "layers": [
        {"dense": {"units": 6, "activation": "tanh"}},
        "batch_norm",
        "relu",
        {"dropout": 0.3},
        {"dense": 3},
    ]
}


def experiment(**fields):
    return Experiment.model_validate(
        {
            "data": DATA,
            "model": {"hidden": [5], "activation": "tanh"},
            "epochs": 4,
            "batch_size": 16,
            **fields,
        }
    )


def inside(**fields):
    """The network of the experiment at its beginning, with the examples that a look takes."""
    return build(experiment(dtype="float64", **fields)).descent().inside


def events(path, split="train"):
    log = EventAccumulator(
        str(path / split), {"scalars": 0, "histograms": 0, "tensors": 0}
    ).Reload()
    tags = log.Tags()
    histograms = {
        tag: {e.step: e.histogram_value for e in log.Histograms(tag)} for tag in tags["histograms"]
    }
    return (
        {tag: {e.step: e.value for e in log.Scalars(tag)} for tag in tags["scalars"]},
        histograms,
        log,
    )


# --- when


@given(st.integers(1, 10**7), st.integers(1, 50))
def test_looks_are_few_and_hold_the_first_and_the_last_epoch(epochs, each):
    looks = spaced(Length(epochs, each))
    assert looks == tuple(sorted(set(looks)))
    assert len(looks) <= 15
    assert looks[:2] == (0, 1)
    assert looks[-1] == epochs


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_longer_run_has_all_looks_of_a_shorter_one_but_its_last(epochs, more):
    shorter, longer = spaced(Length(epochs, 7)), spaced(Length(epochs + more, 7))
    assert set(shorter[:-1]) <= set(longer)
    assert set(shorter) >= {look for look in longer if look < epochs}
    assert all(after <= 3 * before for before, after in pairwise(longer[1:]))


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 4), st.data())
def test_the_next_look_is_the_end_of_an_epoch_or_the_step_before(epochs, each, every, data):
    length = Length(epochs, each, data.draw(st.none() | st.integers(1, epochs * each)))
    chosen = tuple(sorted(data.draw(st.sets(st.integers(1, length.count)))))
    looks = Looks(length, every=every) if every else Looks(length, chosen)
    wanted = range(1, length.count + 1, every) if every else chosen
    ends = {length.end_of(epoch - 1) for epoch in wanted}
    times = sorted((ends | {end - 1 for end in ends}) - {0})
    for step in range(length.end_of(length.count - 1)):
        assert looks.next(step) == next((at for at in times if at > step), np.inf)
        assert looks.at(step + 1) == (step + 1 in ends)


# --- what


def test_a_network_of_two_layers_by_hand():
    """z = x W + b, a = tanh z, L = mean of -ln softmax(a V + c)[y]: every figure by its formula."""
    look = inside()
    x, y = look.inputs, look.encoded
    w = look.parameters.views
    a = np.tanh(z := x @ w["dense_1/kernel"] + w["dense_1/bias"])
    logits = a @ w["dense_2/kernel"] + w["dense_2/bias"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    d2 = (p - np.eye(3)[y]) / len(x)
    d1 = d2 @ w["dense_2/kernel"].T * (1 - a**2)
    (row,) = figures(look)
    expected = {
        "z_mean/dense_1": z.mean(), "z_std/dense_1": z.std(),
        "activation_mean/dense_1": a.mean(), "activation_std/dense_1": a.std(),
        "activation_mean/dense_2": logits.mean(), "activation_std/dense_2": logits.std(),
        "dL_dz_mean/dense_1": d1.mean(), "dL_dz_std/dense_1": d1.std(),
        "dL_dz_mean/dense_2": d2.mean(), "dL_dz_std/dense_2": d2.std(),
        "weight_norm/dense_1": np.linalg.norm(w["dense_1/kernel"]),
        "weight_norm/dense_2": np.linalg.norm(w["dense_2/kernel"]),
        "gradient_norm/dense_1": np.hypot(np.linalg.norm(x.T @ d1), np.linalg.norm(d1.sum(0))),
        "gradient_norm/dense_2": np.hypot(np.linalg.norm(a.T @ d2), np.linalg.norm(d2.sum(0))),
        "saturated_values/dense_1": (abs(a) > 0.99).mean(),
        "saturated_units/dense_1": ((abs(a) > 0.99).mean(0) > 0.9).mean(),
    }  # fmt: skip
    assert row == pytest.approx({f"telemetry/{tag}": v for tag, v in expected.items()}, abs=1e-15)
    (found,) = spreads(look)
    assert found["gradients/dense_1/bias"].squares == pytest.approx((d1.sum(0) ** 2).sum())
    assert found["outputs/dense_1"].sum == pytest.approx(a.sum())
    assert found["weights/dense_2/kernel"].max == w["dense_2/kernel"].max()
    assert {len(spread.counts) for tag, spread in found.items() if "kernel" in tag} == {30}


LAYERS = {
    "layer_norm": ["layer_norm"],
    "an activation first": ["tanh"],
    "activations apart": [{"dense": 5}, "layer_norm", "relu"],
    "blocks in a block": [{"residual": {"layers": ["tanh", {"residual": {"layers": [{"dense": 4}, "relu"]}}, {"dense": 4}]}}, "relu"],
    "residual": [{"residual": {"layers": [{"dense": {"units": 4, "activation": "relu"}}], "activation": "tanh"}}],
    "ode": [{"ode": {"layers": [{"dense": 4}, "tanh"], "steps": 3}}],
    "ode by adjoint": [{"ode": {"layers": ["tanh", {"dense": 4}], "steps": 3, "gradient": "adjoint"}}],
    "convolution": [{"reshape": [4, 1]}, {"conv1d": {"filters": 3, "kernel": 2, "activation": "relu"}}, {"max_pool": 2}, "flatten"],
} | {name: [{"dense": {"units": 5, "activation": name}}] for name in Activation.members}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_is_that_of_a_training_step(name):
    """Where no layer differs in training; layer by layer and in one graph."""
    model = {"layers": [*LAYERS[name], {"dense": 3}]}
    descent = build(experiment(dtype="float64", model=model)).descent()
    train, look = descent.material.train, descent.inside
    descent.updates.fill(train.inputs, train.encoded, None, NoBrake())
    for key, view in descent.gradient.views.items():
        np.testing.assert_allclose(look.gradient[key][0], view, rtol=1e-9, atol=1e-15)


def test_layers_within_a_block_are_seen_and_hidden_ones_have_the_activation_that_follows():
    look = inside(model={"layers": [*LAYERS["blocks in a block"], {"dense": 3}]})
    block = "residual_1/residual_1"
    assert [layer.name for layer in look.layers] == [
        "residual_1/tanh_1", f"{block}/dense_1", f"{block}/relu_1", block,
        "residual_1/dense_1", "residual_1", "relu_1", "dense_1",
    ]  # fmt: skip
    assert [(layer.name, layer.activation.name) for layer in look.hidden] == [
        (f"{block}/dense_1", "relu"),
        ("residual_1/dense_1", "relu"),
    ]
    np.testing.assert_array_equal(look.hidden[1].delta, look.layers[-2].delta)


@pytest.mark.parametrize("seeds", [(1, 2, 3), (1, 1, 1)], ids=["own data", "the same data"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_member_of_a_crew_finds_what_it_would_alone(name, seeds):
    """To the last bit; with as many members as there are, it is computed once."""
    model = {"layers": [*LAYERS[name], {"dense": 3}]}
    rates = (0.1, 0.2, 0.3)
    trees = [
        {"model": model, "seed": s, "learning_rate": r} for s, r in zip(seeds, rates, strict=True)
    ]
    data = cache(load_data)
    members = [build(experiment(**tree), data).descent() for tree in trees]
    for scale, member in enumerate(members, start=1):
        member.parameters.trainable[...] *= scale
    kinds = (figures, spreads, noise_scale, jacobian_sizes)
    alone = [[member.inspect(kind) for kind in kinds] for member in members]
    DescentCrew(members)
    assert [[member.inspect(kind) for kind in kinds] for member in members] == alone


@pytest.mark.parametrize("name", Activation.members)
def test_dead_and_saturated_are_what_the_activation_says(name):
    """Dead: no slope there. Knees: within 1 % of a bound, and far inputs are beyond them."""
    activation = Activation.members[name]()
    f = lambda x: activation(Tensor(np.float64(x))).value.item()
    if activation.dead is not None:
        assert f(-1.0) == f(-2.0) == activation.dead
    if activation.knees:
        low, high = activation.knees
        assert f(-1e9) < low < f(0) < high < f(1e9)
    bounded = abs(f(1e9)) < 10
    assert bounded == bool(activation.knees)


def test_shares_of_dead_and_stuck_units_by_channel():
    convolution = [
        {"reshape": [2, 2, 1]},
        {"conv2d": {"filters": 4, "kernel": 1, "activation": "relu"}},
        "flatten",
    ]
    look = inside(
        model={
            "layers": [*convolution, {"dense": {"units": 4, "activation": "sigmoid"}}, {"dense": 3}]
        }
    )
    views = look.parameters.views
    views["conv2d_1/kernel"][...], views["conv2d_1/bias"][...] = 0, (1, -1, 1, -1)
    views["dense_1/kernel"][...], views["dense_1/bias"][...] = 0, (50, -50, 50, 0)
    (row,) = figures(look)
    assert row["telemetry/dead_units/conv2d_1"] == 0.5
    assert (
        row["telemetry/saturated_units/dense_1"]
        == row["telemetry/saturated_values/dense_1"]
        == 0.75
    )
    assert "telemetry/dead_units/dense_1" not in row
    assert not any("dead" in tag or "saturated" in tag for tag in row if tag.endswith("dense_2"))


def test_gradient_noise_is_that_of_the_gradients_of_single_examples():
    """tr(Σ) / |G|² (McCandlish et al. 2018, equation 2.9), estimated as in their appendix A.1, whose
    mean over many ways to form groups is the unbiased trace."""
    look = inside()
    each = np.array(
        [
            np.concatenate([g.ravel() for g in look.on(slice(k, k + 1)).gradient.values()])
            for k in range(120)
        ]
    )

    def estimates(rows):
        small = (rows.reshape(15, 8, -1).mean(1) ** 2).sum(1).mean()
        large = (rows.mean(0) ** 2).sum()
        return (small - large) / (1 / 8 - 1 / 120), (120 * large - 8 * small) / (120 - 8)

    noise, signal = estimates(each)
    assert noise_scale(look)[0]["telemetry/gradient_noise"] == pytest.approx(noise / signal)
    rng = np.random.default_rng(0)
    mean = np.mean([estimates(rng.permutation(each))[0] for _ in range(300)])
    assert mean == pytest.approx(each.var(axis=0, ddof=1).sum(), rel=0.05)


def test_jacobians_are_those_of_central_differences():
    """Each from what a layer with a kernel is given to what the next one is given."""
    model = [*LAYERS["convolution"], "layer_norm", "tanh", {"dense": {"units": 5, "activation": "tanh"}},
             {"residual": {"layers": [{"dense": 5}], "activation": "tanh"}}, {"dense": 3}]  # fmt: skip
    look = inside(model={"layers": model})
    (row,) = jacobian_sizes(look)
    places, weights = look.network.places, look.parameters.tensors()
    ends = {"conv1d_1": (0, 6), "dense_1": (6, 7), "residual_1": (7, 8), "dense_2": (8, 9)}
    assert list(row) == [f"telemetry/jacobian/{name}" for name in ends]

    def between(x, start, end):
        for place in places[start:end]:
            x = place.apply(weights, Tensor(x), None).value
        return x

    for name, (start, end) in ends.items():
        means = []
        for x in between(look.inputs[:2], 0, start):
            steps = 1e-6 * np.eye(x.size).reshape(-1, *x.shape)
            change = (between(x + steps, start, end) - between(x - steps, start, end)) / 2e-6
            means.append(np.linalg.svd(change.reshape(x.size, -1), compute_uv=False).mean())
        assert row[f"telemetry/jacobian/{name}"] == pytest.approx(np.mean(means), rel=1e-6)


def test_a_jacobian_that_is_not_finite_is_nan_and_a_large_one_is_left_out():
    broken = inside()
    broken.parameters.views["dense_1/kernel"][0, 0] = np.inf
    with np.errstate(all="ignore"):
        assert np.isnan(jacobian_sizes(broken)[0]["telemetry/jacobian/dense_1"])
    wide = inside(model={"hidden": [2049, 2]})
    assert list(jacobian_sizes(wide)[0]) == ["telemetry/jacobian/dense_3"]


# --- in a run


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The default logs, and none, of one config with dropout and batch normalization."""
    root = tmp_path_factory.mktemp("watched")
    run(experiment(model=MODEL), root / "on")
    run(experiment(model=MODEL, tensorboard=OFF), root / "off")
    return root


def test_it_changes_no_bit(watched):
    on, off = (json.loads((watched / name / "run.json").read_text()) for name in ("on", "off"))
    assert on["hashes"] == off["hashes"]
    assert (watched / "on/metrics.csv").read_bytes() == (watched / "off/metrics.csv").read_bytes()
    assert not any(tag.startswith("telemetry") for tag in events(watched / "off")[0])


def test_steps_are_those_of_epochs_and_one_before(watched):
    scalars, histograms, _ = events(watched / "on")
    telemetry = {
        tag: list(points) for tag, points in scalars.items() if tag.startswith("telemetry/")
    }
    updates = {tag: steps for tag, steps in telemetry.items() if "update_ratio" in tag}
    assert {tuple(steps) for tag, steps in telemetry.items() if tag not in updates} == {
        (-1, 0, 2, 3)
    }
    assert {tuple(steps) for steps in updates.values()} == {(0, 2, 3)}
    assert list(scalars["epoch_loss"]) == [0, 1, 2, 3]
    assert list(histograms["weights/dense_1/kernel"]) == [-1, 2, 3]
    assert list(histograms["updates/dense_1/kernel"]) == [2, 3]
    assert min(telemetry) > "epoch_"
    assert min(histograms) > "epoch_"


def test_the_update_is_the_last_one(watched, tmp_path):
    """Of the last epoch: the weights of the run that is one update shorter, subtracted."""
    ends = {}
    for steps in (31, 32):
        run(experiment(model=MODEL, tensorboard=OFF, steps=steps), tmp_path / str(steps))
        arrays = load(tmp_path / str(steps) / "checkpoints/last.safetensors").arrays
        ends[steps] = {w: arrays[f"learner/weights/dense_1/{w}"] for w in ("kernel", "bias")}
    update = {w: ends[32][w] - ends[31][w] for w in ends[31]}
    norms = [
        np.sqrt(sum((x.astype(float) ** 2).sum() for x in arrays.values()))
        for arrays in (update, ends[32])
    ]
    scalars, histograms, _ = events(watched / "on")
    assert scalars["telemetry/update_ratio/dense_1"][3] == pytest.approx(
        norms[0] / norms[1], rel=1e-5
    )
    spread = histograms["updates/dense_1/kernel"][3]
    assert (spread.min, spread.max) == (update["kernel"].min(), update["kernel"].max())


def test_custom_scalars_show_all_layers_of_one_kind_and_both_splits(watched):
    scalars, _, log = events(watched / "on")
    (tensor,) = log.Tensors("custom_scalars__config__")
    layout = Layout.FromString(tensor.tensor_proto.string_val[0])
    drawn = {
        chart.title: list(chart.multiline.tag)
        for category in layout.category
        for chart in category.chart
    }
    assert drawn["loss"] == ["epoch_loss$"]
    assert drawn["accuracy"] == ["epoch_accuracy$"]
    kinds = {tag.split("/")[1] for tag in scalars if tag.startswith("telemetry/")}
    assert {patterns[0] for title, patterns in drawn.items()} >= {
        f"telemetry/{kind}/.+" for kind in kinds
    }


def test_histograms_every_n_epochs(tmp_path):
    run(experiment(tensorboard={"histograms": 2, "telemetry": False}), tmp_path / "run")
    scalars, histograms, _ = events(tmp_path / "run")
    assert list(histograms["outputs/dense_1"]) == list(histograms["updates/dense_1/bias"]) == [0, 2]
    assert not any(tag.startswith("telemetry") for tag in scalars)


def test_gradient_noise_and_jacobians_on_request(tmp_path):
    run(experiment(tensorboard={"gradient_noise": True, "jacobians": True}), tmp_path / "run")
    scalars = events(tmp_path / "run")[0]
    for figure in ("gradient_noise", "jacobian/dense_1", "jacobian/dense_2"):
        assert list(scalars[f"telemetry/{figure}"]) == [-1, 0, 2, 3]


def test_a_look_takes_256_examples_or_fewer_of_wide_layers():
    data = {"name": "spiral", "samples": 700, "validation_split": 0.2}
    descent = build(experiment(data=data, model={"hidden": [8]})).descent()
    assert descent.inside.examples == 256
    wide = build(experiment(data=data, model={"hidden": [2**18]})).descent()
    assert wide.inside.examples == 63
