"""The start of a run: kept by the run, computed again to the same bits, and right by hand."""

import json
import shutil

import numpy as np
import pytest

from backproplab.config import Experiment, load
from backproplab.diagnosis import Case
from backproplab.experiment import build, run

DATA = {"name": "circle", "samples": 120, "noise": 0.1}
BASE = {"data": DATA, "learning_rate": 0.1, "optimizer": "sgd", "epochs": 4, "batch_size": 8}
DEEP = {"hidden": [9, 8, 7], "activation": "tanh"}
CONV = [{"conv2d": {"filters": 4, "activation": "relu"}}, "flatten", {"dense": 8}, "batch_norm",
        "gelu", {"dropout": 0.3}, {"dense": 10}]  # fmt: skip
BLOCK = {"residual": {"layers": [{"dense": 6}, "relu"], "activation": "tanh"}}
KINDS = {
    "momentum, clipped": {"optimizer": "momentum", "clipping": {"global_norm": 0.1}},
    "a warm-up": {"schedule": {"cosine": {"warmup_steps": 13}}},
    "a warm-up that never ends": {"schedule": {"cosine": {"warmup_steps": 1300}}},
    "fewer than 20 updates": {"steps": 7},
    "full batch, plateau": {"batch_mode": "batch", "epochs": 25,
                            "schedule": {"reduce_on_plateau": {"patience": 1, "min_delta": 1}}},
    "one at a time": {"batch_mode": "stochastic", "epochs": 1},
    "a residual block": {"model": {"layers": [{"dense": 6}, "relu", BLOCK, {"dense": 1}]}},
    "no hidden layer": {"model": {"hidden": []}},
    "regression": {"data": {"name": "sine", "samples": 90}, "loss": "huber"},
    "L-BFGS": {"optimizer": "lbfgs", "batch_mode": "batch"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_can_be_computed_again(trained, kind, tmp_path):
    """From config, seed and data alone: bit for bit what the run has kept."""
    folder = trained(BASE | {"model": DEEP} | KINDS[kind])
    kept = json.loads((folder / "run.json").read_text())
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "run.json").write_text(json.dumps({k: x for k, x in kept.items() if k != "start"}))
    assert Case(copy).start == kept["start"]
    assert kept["start"]["updates"] == min(kept["steps"], 20)


def test_first_weights_that_cannot_be_drawn_again_are_named(trained, tmp_path):
    copy = shutil.copytree(trained(BASE | {"model": DEEP}), tmp_path / "copy")
    record = json.loads((copy / "run.json").read_text())
    del record["start"]
    record["hashes"]["init"] = "another"
    (copy / "run.json").write_text(json.dumps(record))
    from backproplab.diagnosis import diagnose

    assert "cannot be drawn again" in diagnose(Case(copy)).unknown["D5"]


def test_the_start_by_hand(tmp_path):
    """L_0, b, r, slope, spread and u of a tanh network by formulas in plain NumPy, float64.

    Forward a = tanh(z), z = x W + b; backward δ = (δ Wᵀ) f'(z), f' = 1 - a²: Nielsen, "Neural
    networks and deep learning", equations BP1, BP2.
    """
    config = BASE | {"dtype": "float64", "model": {"hidden": [9, 8], "activation": "tanh"}}
    experiment = Experiment.model_validate(config)
    parts = build(experiment)
    descent, order = parts.descent(), parts.order()
    w = {name: array.copy() for name, array in descent.weights.items()}
    x, y = parts.splits.train.inputs, parts.splits.train.targets
    start = json.loads((run(experiment, tmp_path / "run").folder / "run.json").read_text())["start"]

    def gradients(x, y):
        a1 = np.tanh(x @ w["dense_1/kernel"] + w["dense_1/bias"])
        a2 = np.tanh(a1 @ w["dense_2/kernel"] + w["dense_2/bias"])
        z = (a2 @ w["dense_3/kernel"] + w["dense_3/bias"])[:, 0]
        loss = np.mean(np.logaddexp(0, z) - y * z)
        d3 = ((1 / (1 + np.exp(-z)) - y) / len(y))[:, None]
        d2 = d3 @ w["dense_3/kernel"].T * (1 - a2**2)
        d1 = d2 @ w["dense_2/kernel"].T * (1 - a1**2)
        found = {}
        for at, (below, delta) in enumerate([(x, d1), (a1, d2), (a2, d3)], start=1):
            found[f"dense_{at}/kernel"], found[f"dense_{at}/bias"] = below.T @ delta, delta.sum(0)
        return loss, (d1, d2), (a1, a2), found

    loss, deltas, activations, _ = gradients(x, y)
    p = np.bincount(y) / len(y)
    assert start["loss"] == pytest.approx(loss)
    assert start["chance"] == pytest.approx(-(p @ np.log(p)))
    assert start["majority"] == p.max()
    for layer, delta, a in zip(start["layers"], deltas, activations, strict=True):
        assert layer["signal"] == pytest.approx(np.sqrt(np.mean(delta**2)))
        assert layer["slope"] == pytest.approx(np.mean(1 - a**2))  # f' is at most 1
        assert layer["spread"] == pytest.approx(a.std())
        assert layer["distinct"] == layer["units"]
    ratios = {name: [] for name in w if name.endswith("kernel")}
    for _ in range(20):
        rows = order.upcoming(1)
        order.done(1)
        found = gradients(x[rows], y[rows])[-1]
        for name in ratios:
            ratios[name].append(0.1 * np.linalg.norm(found[name]) / np.linalg.norm(w[name]))
        for name in w:
            w[name] = w[name] - 0.1 * found[name]
    for step in start["steps"]:
        assert step["ratio"] == pytest.approx(np.median(ratios[step["kernel"]]))


def test_keeping_the_start_changes_no_weight(tmp_path, monkeypatch):
    experiment = Experiment.model_validate(BASE | {"model": DEEP})
    kept = json.loads((run(experiment, tmp_path / "kept").folder / "run.json").read_text())
    monkeypatch.setattr("backproplab.experiment.course.watchers", lambda *_: [])
    plain = json.loads((run(experiment, tmp_path / "plain").folder / "run.json").read_text())
    assert "start" not in plain
    assert kept["hashes"] == plain["hashes"]


def test_layers_of_every_kind_are_seen(trained):
    """A convolution's units are its channels; an activation behind a norm belongs to its layer."""
    config = BASE | {"data": "digits", "epochs": 1, "steps": 3}
    config["model"] = {"layers": [{"reshape": [8, 8, 1]}, *CONV]}
    layers = Case(trained(config)).start["layers"]
    assert [(x["name"], x["activation"], x["units"]) for x in layers] == [
        ("conv2d_1", "relu", 4),
        ("dense_1", "gelu", 8),
    ]


def test_a_config_from_the_folder_is_the_run_s(trained):
    folder = trained(BASE | {"model": DEEP})
    assert Case(folder).experiment == load(folder / "config.yaml")
