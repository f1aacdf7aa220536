"""The ntk parametrization: its formula, and that everything works with it as with any network.

Formula: Jacot et al. 2018, and neural-tangents' ``stax.Dense``: √(W_var / fan_in) x W + √b_var b.
"""

import json

import numpy as np
import pytest

import backproplab as bpl
from backproplab import gradcheck
from backproplab.autograd import Tensor
from backproplab.checking import check
from backproplab.config import Experiment, load, located, read, to_yaml, tree_of
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.experiment.crew import shape_of, train_slice
from backproplab.explain import network as explained
from backproplab.explain.update import update
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.loop import Pace
from backproplab.nn import Layer, Model
from backproplab.nn.parametrization import FORMS, UNIT
from backproplab.nn.structure import Block
from backproplab.registry import families
from tests.nn.test_layers import EXAMPLES
from tests.stopping import StopAt

NTK = {"ntk": {"sigma_w2": 1.7, "sigma_b2": 0.3}}
LAYERS = [
    {"reshape": [4, 3, 2]},
    {"conv2d": {"filters": 2, "kernel": [2, 3], "padding": "same", "activation": "tanh"}},
    {"reshape": [12, 2]},
    {"conv1d": {"filters": 3, "kernel": 3, "bias": False}},
    "max_pool",
    "flatten",
    {"dense": 6},
    {"residual": {"layers": ["relu", {"dense": {"units": 6, "activation": "silu"}}]}},
    {"dropout": 0.1},
    {"dense": 2},
]
FACTORS = {  # √(sigma_w2 / fan_in): 2·3·2 weights a filter, 3·2, then the units before
    "conv2d_1": 12, "conv1d_1": 6, "dense_1": 15, "residual_1/dense_1": 6, "dense_2": 6,
}  # fmt: skip
BASE = {
    "data": {"name": "spiral", "samples": 90, "validation_split": 0.2},
    "model": {"hidden": [6, 5], "activation": "tanh", "parametrization": NTK},
    "optimizer": "momentum",
    "learning_rate": 0.1,
    "batch_size": 16,
    "epochs": 4,
    "threads": 1,
    "tensorboard": {"histograms": 2, "jacobians": True},
}


def experiment(**more):
    return Experiment.model_validate(json.loads(json.dumps(BASE)) | more)


def network(layers=LAYERS, shape=(24,), outputs=2):
    return Model.model_validate({"layers": layers, "parametrization": NTK}).network(shape, outputs)


def drawn(net, population=()):
    parameters = net.parameters(np.float64, population)
    net.initialize(parameters, np.random.default_rng(0))
    return parameters


def test_it_is_the_standard_network_of_weights_times_their_factors():
    net, plain = network(), Model.model_validate({"layers": LAYERS}).network((24,), 2)
    weights = drawn(net).tensors()
    scaled = {}
    for name, tensor in weights.items():
        layer, _, kind = name.rpartition("/")
        scaled[name] = tensor * (
            np.sqrt(1.7 / FACTORS[layer]) if kind == "kernel" else np.sqrt(0.3)
        )
    x = Tensor(np.random.default_rng(1).standard_normal((5, 24)))
    np.testing.assert_allclose(net(weights, x).value, plain(scaled, x).value, rtol=1e-12)
    with np.testing.assert_raises(AssertionError):
        np.testing.assert_allclose(net(weights, x).value, plain(weights, x).value, rtol=0.1)


def test_all_weights_and_biases_are_drawn_from_n_0_1():
    net = Model.model_validate({"hidden": [300], "parametrization": "ntk"}).network((300,), 1)
    for name, view in drawn(net).views.items():
        if view.size >= 300:
            size = 5 / np.sqrt(view.size)
            assert view.mean() == pytest.approx(0, abs=size), name
            assert view.var() == pytest.approx(1, abs=1.5 * size), name


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_size_of_what_passes_does_not_depend_on_width(activation):
    """sigma_w2 E[f(z)²] + sigma_b2, with z ~ N(0, 2 |x|² / n + 0.05): for relu half of z's."""
    x = np.random.default_rng(1).standard_normal((1, 20))
    before = 2 * np.mean(x**2) + 0.05
    half = before / 2 if activation == "relu" else np.mean(
        np.tanh(np.sqrt(before) * np.random.default_rng(2).standard_normal(10**6)) ** 2
    )  # fmt: skip
    model = {"hidden": [400], "activation": activation, "parametrization": "ntk"}
    net = Model.model_validate(model).network((20,), 1)
    outputs = net(drawn(net, (400,)).tensors(), Tensor(x)).value
    assert outputs.var() == pytest.approx(2 * half + 0.05, rel=0.2)


def test_gradients_are_right_to_order_two():
    layers = [
        {"dense": {"units": 3, "activation": "tanh"}},
        {"residual": [{"dense": 3}]},
        {"dense": 1},
    ]
    net = network(layers, (2,), 1)
    weights = drawn(net).views
    x = Tensor(np.random.default_rng(3).standard_normal((4, 2)))
    gradcheck(lambda *w: net(dict(zip(weights, w, strict=True)), x), *weights.values())


@pytest.mark.parametrize("name", families()["gradient"])
def test_every_source_gives_the_gradient_of_backprop(name):
    found = []
    for kind in ("backprop", name):
        own = {"gradient_descent": {"gradient": kind}}
        parts = build(experiment(dtype="float64", learner=own))
        descent, train = parts.descent(), parts.material.train
        descent.updates.source(train.inputs, train.encoded)
        found.append(descent.gradient.flat.copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-8)
    if name != "numeric":
        np.testing.assert_allclose(found[1], found[0], rtol=1e-11, atol=1e-14)


def test_check_finds_every_gradient_right():
    result = check(
        experiment(model={"layers": [*LAYERS[6:9], {"dense": 1}], "parametrization": NTK})
    )
    assert {row.verdict(1e-6) for row in result.gradients} == {"right"}


def test_a_crew_is_its_members_and_a_resumed_run_the_whole_one(tmp_path, saved):
    group = [experiment(seed=seed, learning_rate=0.1 / (seed + 1)) for seed in range(3)]
    assert len({shape_of(e) for e in group}) == 1
    together = [MemoryFolder() for _ in group]
    train_slice(group, together, [None] * 3, Pace())
    for number, (e, folder) in enumerate(zip(group, together, strict=True)):
        place = tmp_path / str(number)
        train_slice([e], [DiskFolder(place)], [None], Pace())
        assert saved(folder) == saved(place)
        assert folder.read("metrics.csv") == (place / "metrics.csv").read_bytes()
    for callbacks, place in (([StopAt(7)], "stopped"), ([StopAt(0)], "whole")):
        bpl.run(group[0], tmp_path / place, callbacks)
    bpl.resume(tmp_path / "stopped", callbacks=[StopAt(0)])
    assert saved(tmp_path / "stopped") == saved(tmp_path / "whole")


def test_other_sigmas_are_another_shape():
    model = BASE["model"] | {"parametrization": {"ntk": {"sigma_w2": 1.0}}}
    assert shape_of(experiment(model=model)) != shape_of(experiment())


def test_replay_computes_what_eager_does(tmp_path, saved):
    for engine in ("replay", "eager"):
        bpl.run(experiment(engine=engine), tmp_path / engine)
    arrays = [saved(tmp_path / engine)[2] for engine in ("replay", "eager")]
    assert arrays[0] == arrays[1]


def test_explain_shows_the_factors():
    model = {"hidden": [2], "activation": "tanh", "parametrization": NTK}
    report = explained.report_of(update(build(experiment(model=model))))
    forward, lines, *_ = (str(section.body) for section in report.sections)  # no unit by unit
    assert "dense_1 = 0.921954 x kernel + 0.547723 bias" in forward
    assert "dL/d(dense_1/kernel) = 0.921954 x^T dL/d(dense_1)" in lines
    assert "dL/d(dense_1/bias) = 0.547723 dL/d(dense_1)" in lines
    assert "dL/d(x) = 0.921954 dL/d(dense_1) kernel^T" in lines


def test_the_network_says_its_parametrization():
    assert str(network([{"dense": 3}, {"dense": 2}], (4,))) == "4-3-2 ntk"


# --- what a config says


def test_the_default_is_not_written_so_that_earlier_configs_stay():
    plain = Model.model_validate({"hidden": [3], "parametrization": "standard"})
    assert plain == Model.model_validate({"hidden": [3], "parametrization": None})
    assert "parametrization" not in tree_of(experiment(model={"hidden": [3]}))["model"]


def test_a_resolved_config_gives_the_experiment_back(tmp_path):
    e = experiment(name="c")
    (tmp_path / "c.yaml").write_text(to_yaml(e))
    assert load(tmp_path / "c.yaml") == e
    assert e.model.initializer == UNIT
    assert load(tmp_path / "c.yaml", "model.parametrization=off", "model.initializer=null") == (
        experiment(name="c", model={"hidden": [6, 5], "activation": "tanh"})
    )


WITHOUT_FORM = [
    name
    for name, member in Layer.members.items()
    if member.weights is not Layer.weights
    and member not in FORMS
    and not issubclass(member, Block)  # whose layers have theirs
]


def test_layers_without_a_form_are_found():
    assert {"embedding", "batch_norm", "layer_norm"} <= {*WITHOUT_FORM}
    assert {"dense", "conv1d", "conv2d"} == {form.name for form in FORMS}


@pytest.mark.parametrize("name", WITHOUT_FORM)
def test_layers_without_a_form_are_refused_by_name_with_their_line(name, tmp_path):
    inner = json.dumps({name: EXAMPLES[name][0][0]})  # of whatever shape: this comes first
    (tmp_path / "c.yaml").write_text(
        f"data: spiral\nmodel:\n  parametrization: ntk\n  layers:\n    - {inner}\n"
        f"    - residual: {{layers: [relu, {inner}]}}\n"
        "    - dense: {units: 2, initializer: zeros}\n    - dense: 1\n"
    )
    found, document = read(tmp_path / "c.yaml")
    with pytest.raises(ConfigError) as refused:
        build(found)
    first, second, third = located(refused.value, document).problems
    lines = [problem.where.split(":")[1] for problem in (first, second, third)]
    assert lines == ["5", "6", "7"]
    assert first.what == f"model.layers.0: {name} has no form in the ntk parametrization"
    assert second.what == f"model.layers.1.layers.1: {name} has no form in the ntk parametrization"
    assert third.what.startswith("model.layers.2.initializer: the ntk parametrization draws")


def test_an_initializer_is_refused_with_its_line(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: spiral\nmodel:\n  parametrization: ntk\n  initializer: he_normal\n"
    )
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "c.yaml")
    (problem,) = refused.value.problems
    assert problem.where == f"{tmp_path / 'c.yaml'}:4:16"
    assert problem.what.startswith("model.initializer: the ntk parametrization draws from N(0, 1)")
