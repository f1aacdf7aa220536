"""A run that begins with the weights of another one, and layers that stay as they are."""

import json
import pickle
import shutil

import numpy as np
import pytest

from backproplab.config import load
from backproplab.errors import ConfigError, RunError
from backproplab.experiment import build, model, resume, run
from backproplab.experiment.crew import train_slice
from backproplab.experiment.reading import parts_of
from backproplab.files import MemoryFolder
from backproplab.journal import LAST, saved
from backproplab.journal import load as checkpoint
from backproplab.journal.checkpoint import decode
from backproplab.loop import Pace
from backproplab.runs.metrics_table import read_metrics
from backproplab.sweep.job import Work, packed, run_slice
from backproplab.sweep.trials import key_of

LAYERS = "[{dense: 16}, batch_norm, relu, {dropout: 0.2}, {dense: 8}, relu, {dense: 10}]"
BASE = f"data: {{name: digits, train_samples: 200}}\nmodel: {{layers: {LAYERS}}}\nepochs: 2\nthreads: 1\n"
FROZEN = "dense_1", "batch_norm_1", "dropout_1"
BEGUN = """
init_from: {run: first, layers: [dense_1, batch_norm_1, dense_2]}
freeze: [dense_1, batch_norm_1, dropout_1]
optimizer: {adamw: {weight_decay: 0.1, l2: 0.01}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the run ``first``, and the config ``c.yaml`` of one that begins with it."""
    made = tmp_path_factory.mktemp("fine_tuning")
    (made / "first.yaml").write_text(BASE)
    (made / "c.yaml").write_text(BASE + BEGUN)
    run(load(made / "first.yaml"), made / "first")
    return made


def weights(run):
    arrays = checkpoint(run / LAST).arrays
    return {n.removeprefix("learner/"): x for n, x in arrays.items() if n.startswith("learner/")}


def is_frozen(name):
    return any(f"/{layer}/" in f"/{name}" for layer in FROZEN)


def first_weights(folder):
    return {f"weights/{n}": x for n, x in saved.read_weights(folder / "first")[0].items()}


@pytest.mark.parametrize("engine", ["native", "replay", "eager"])
def test_frozen_layers_stay_to_the_bit_and_the_others_move(folder, tmp_path, engine):
    run(load(folder / "c.yaml", f"engine={engine}"), tmp_path / "run")
    before, after = first_weights(folder), weights(tmp_path / "run")
    for name, array in before.items():
        same = array.tobytes() == after[name].tobytes()
        assert same == is_frozen(name), name
    moved = {name.rpartition("/")[0] for name in after if not name.startswith("weights/")}
    assert moved
    assert not any(is_frozen(name) for name in after if not name.startswith("weights/"))


def test_it_is_the_same_resumed_and_in_a_crew(folder, tmp_path):
    short = "tensorboard.telemetry=false"
    run(load(folder / "c.yaml", short, "epochs=3"), tmp_path / "whole")
    run(load(folder / "c.yaml", short, "epochs=2"), tmp_path / "resumed")
    resume(tmp_path / "resumed", epochs=3)
    whole = (tmp_path / "whole" / "metrics.csv").read_bytes()
    assert (tmp_path / "resumed" / "metrics.csv").read_bytes() == whole
    members = [load(folder / "c.yaml", short, "epochs=3", f"seed={s}") for s in (42, 43, 44, 45)]
    folders = [MemoryFolder() for _ in members]
    train_slice(members, folders, [None] * 4, Pace())
    assert folders[0].files["metrics.csv"] == whole
    arrays = decode(folders[3].files[LAST]).arrays
    for name, array in first_weights(folder).items():
        assert (array.tobytes() == arrays[f"learner/{name}"].tobytes()) == is_frozen(name)


def test_a_frozen_layer_computes_what_it_does_in_evaluation(folder, tmp_path):
    """Frozen whole but for the last layer, the run is that of the last layer on what it is given."""
    words = "freeze=[dense_1, batch_norm_1, relu_1, dropout_1, dense_2, relu_2]", "optimizer=sgd"
    experiment = load(folder / "c.yaml", *words, "batch_mode=batch", "steps=1", "learning_rate=0.5")
    run(experiment, tmp_path / "run")
    parts_of_first = model(tmp_path / "run")
    train = build(experiment).splits.train
    start = first_weights(folder) | {
        name: x for name, x in weights(tmp_path / "run").items() if is_frozen(name)
    }
    x = train.inputs @ start["weights/dense_1/kernel"] + start["weights/dense_1/bias"]
    norm = {n: start[f"weights/batch_norm_1/{n}"] for n in ("mean", "variance", "scale", "shift")}
    x = (x - norm["mean"]) / np.sqrt(norm["variance"] + 1e-3) * norm["scale"] + norm["shift"]
    x = np.maximum(x, 0) @ start["weights/dense_2/kernel"] + start["weights/dense_2/bias"]
    hidden = np.maximum(x, 0)
    gradients = {n: x for n, x in weights(tmp_path / "run").items() if n.startswith("gradients/")}
    after = parts_of_first.parameters.views
    kernel = after["dense_3/kernel"] + 0.5 * gradients["gradients/dense_3/kernel"]
    bias = after["dense_3/bias"] + 0.5 * gradients["gradients/dense_3/bias"]
    z = hidden @ kernel + bias
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), train.targets] -= 1
    expected = hidden.T @ p / len(p)
    np.testing.assert_allclose(gradients["gradients/dense_3/kernel"], expected, atol=2e-6)


def test_layers_that_are_not_named_are_drawn_as_ever(folder, tmp_path):
    begun = build(load(folder / "c.yaml", "freeze=null")).descent().parameters.views
    drawn = build(load(folder / "first.yaml")).descent().parameters.views
    for name, array in first_weights(folder).items():
        own = name.removeprefix("weights/")
        expected = drawn[own] if own.startswith("dense_3") else array
        assert begun[own].tobytes() == expected.tobytes(), name


def test_preprocessing_is_fitted_anew_or_kept(folder, tmp_path):
    words = "data.train_samples=100", "epochs=1"
    for how in ("own", "keep"):
        run(load(folder / "c.yaml", *words, f"init_from.preprocessing={how}"), tmp_path / how)
    first, own, kept = (
        (place / "preparation.json").read_bytes()
        for place in (folder / "first", tmp_path / "own", tmp_path / "keep")
    )
    assert kept == first
    assert own != first
    rows = read_metrics(tmp_path / "keep")
    last = [r for r in rows if r["split"] == "validation"][-1]
    found = model(tmp_path / "keep", "last").evaluate()["validation"][1]
    assert found["loss"] == pytest.approx(float(last["loss"]), abs=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{dense: 8}", "{dense: 4}", "dense_2/kernel is 16 × 8 there, 16 × 4 here; dense_2/bias is 8 there, 4 here — take what fits: init_from.layers: [dense_1, batch_norm_1]"),
        ("[dense_1, batch_norm_1, dense_2]", "[dense_1, dens_2]", "init_from.layers: there is no layer 'dens_2' — did you mean 'dense_2'?"),
        ("[dense_1, batch_norm_1, dropout_1]", "[nothing]", "freeze: there is no layer 'nothing' — the layers are dense_1, batch_norm_1"),
        ("run: first", "run: nowhere", "nowhere: no such folder of a run"),
        ("freeze: ", "learner: {gradient_descent: {gradient: numeric}}\nfreeze: ", "freeze: numeric gradients are of all layers"),
        ("freeze: ", "learner: genetic\nfreeze: ", "freeze: the learner genetic has no use for it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_line(folder, old, new, said):
    (folder / "d.yaml").write_text((BASE + BEGUN).replace(old, new))
    with pytest.raises(ConfigError) as caught:
        parts_of(folder / "d.yaml", [])
    (problem,) = [p for p in caught.value.problems if said in str(p)]
    assert f"{folder / 'd.yaml'}:" in problem.where


def test_unknown_layers_of_both_keys_are_reported_together(folder):
    text = (BASE + BEGUN).replace("[dense_1, batch_norm_1, dense_2]", "[dens_2]")
    (folder / "d.yaml").write_text(text.replace("[dense_1, batch_norm_1, dropout_1]", "[nothing]"))
    with pytest.raises(ConfigError) as caught:
        parts_of(folder / "d.yaml", [])
    said = "\n".join(map(str, caught.value.problems))
    assert "init_from.layers: there is no layer 'dens_2'" in said
    assert "freeze: there is no layer 'nothing'" in said


def test_the_key_follows_the_weights_and_a_changed_run_is_refused(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "first", tmp_path / "first")
    (tmp_path / "c.yaml").write_text(BASE + BEGUN)
    before = load(tmp_path / "c.yaml")
    run(before, tmp_path / "begun")
    resume(tmp_path / "first", epochs=3)
    after = load(tmp_path / "c.yaml")
    assert key_of(before) != key_of(after)
    monkeypatch.setattr(saved, "_known", {})  # as in another process
    with pytest.raises(RunError, match="first has changed: SHA-256"):
        resume(tmp_path / "begun", epochs=3)
    recorded = (tmp_path / "begun" / "config.yaml").read_text()
    assert before.init_from.sha256 in recorded
    assert str(tmp_path / "first") in recorded


def test_weights_travel_to_workers_without_a_shared_disk(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "first", tmp_path / "first")
    (tmp_path / "c.yaml").write_text(BASE + BEGUN)
    experiment = load(tmp_path / "c.yaml", "init_from.preprocessing=keep")
    cargo = pickle.dumps(packed([Work(experiment)]))
    shutil.rmtree(tmp_path / "first")
    monkeypatch.setattr(saved, "_known", {})
    (outcome,) = run_slice(pickle.loads(cargo))
    assert outcome.error == ""
    assert json.loads(outcome.files["run.json"])["status"] == "completed"


def test_frozen_numbers_are_counted_apart(folder):
    """dense_1 of 64 inputs, scale and shift of its batch norm; running statistics never count."""
    network = build(load(folder / "c.yaml")).network
    assert network.frozen_size == 64 * 16 + 16 + 2 * 16
    assert network.size == 16 * 8 + 8 + 8 * 10 + 10
    assert network.frozen(()).frozen_size == 0
