"""Sources of gradients from a shell: what is refused, where, and what is said first."""

import csv
import json

import pytest


@pytest.mark.parametrize(("layers", "at", "what"), [
    ([{"dense": 4}, {"dropout": 0.5}, {"dense": 1}], 1, "dropout"),
    (["batch_norm", {"dense": 1}], 0, "batch_norm"),
    ([{"residual": [{"dense": 2}]}, {"dense": 1}], 0, "residual"),
    ([{"reshape": [2, 1, 1]}, {"conv2d": {"filters": 1, "kernel": 1}}, "flatten", {"dense": 1}], 0,
     "reshape"),
])  # fmt: skip
def test_analytic_refuses_a_layer_by_its_name_and_line(tmp_path, layers, at, what, backproplab):
    (tmp_path / "c.yaml").write_text(
        "data: circle\nlearner: {gradient_descent: analytic}\nmodel:\n  layers:\n"
        + "".join(f"    - {json.dumps(layer)}\n" for layer in layers)
    )
    ended = backproplab("train c.yaml")
    assert ended.code == 2
    assert f"c.yaml:{5 + at}:" in ended.err
    assert f"model.layers.{at}: analytic gradients are written for dense layers" in ended.err
    assert f"not for {what}" in ended.err


def test_too_many_passes_are_refused_unless_they_are_forced(tmp_path, backproplab):
    (tmp_path / "c.yaml").write_text(
        "data: circle\nmodel: {hidden: [250, 250]}\nepochs: 1\n"
        "learner:\n  gradient_descent: {gradient: numeric}\n"
    )
    for command in ("train c.yaml --dry-run", "sweep c.yaml learning_rate=0.1,0.2 --dry-run"):
        ended = backproplab(command)
        assert ended.code == 2
        assert "learner.gradient: numeric takes 127,502 forward passes" in ended.err
        assert "c.yaml:5:" in ended.err
        assert "--force" in ended.err
        assert backproplab(f"{command} --force").code == 0
    (tmp_path / "c.yaml").rename(tmp_path / "config.yaml")
    assert backproplab("train config.yaml --dry-run").code == 2
    (tmp_path / "run.json").write_text("{}")  # of a run, which was forced when it began
    assert backproplab("train config.yaml --dry-run").code == 0


def test_what_numeric_costs_is_said_first(tmp_path, backproplab):
    (tmp_path / "c.yaml").write_text(
        "data: circle\nmodel: {hidden: [10]}\nlearner: {gradient_descent: numeric}\n"
        "batch_mode: batch\nepochs: 7\n"
    )
    assert (
        "82 forward passes an update, 574 in all: about "
        in backproplab("train c.yaml --dry-run").err
    )


def test_a_sweep_gives_the_course_s_cost_table(tmp_path, backproplab):
    """Strategy, weights, passes, loss; and curves over passes in the report."""
    (tmp_path / "c.yaml").write_text(
        "base:\n  data: {name: sine, samples: 40}\n  model: {activation: tanh}\n"
        "  learner: gradient_descent\n  batch_mode: batch\n  epochs: 3\n  dtype: float64\n"
        "  optimizer: sgd\nmetric: {name: loss, at: last}\n"
        "grid:\n  learner.gradient: [backprop, analytic, numeric]\n  model.hidden: [[3], [9]]\n"
    )
    ended = backproplab("sweep c.yaml -j 1 --progress none")
    assert ended.code == 0, ended.err
    heads = ended.out.splitlines()[2]
    for head in ("learner.gradient", "parameters", "forward passes", "backward passes", "seconds"):
        assert head in heads
    (session,) = (tmp_path / "runs").glob("2*")
    rows = list(csv.DictReader((session / "results.csv").read_text().splitlines()))
    found = {(row["learner.gradient"], row["model.hidden"]): row for row in rows}
    for hidden, weights in (("[3]", 10), ("[9]", 28)):
        losses = set()
        for source, forward, backward in (
            ("backprop", 3, 3), ("analytic", 3, 3), ("numeric", 3 * 2 * weights, 0)
        ):  # fmt: skip
            row = found[source, hidden]
            counts = [row["parameters"], row["forward_passes"], row["backward_passes"]]
            assert counts == [str(weights), str(forward), str(backward)]
            assert row["forward_examples"] == str(32 * forward)
            losses.add(f"{float(row['loss']):.6f}")
        assert len(losses) == 1
    ended = backproplab("report")
    assert ended.code == 0, ended.err
    assert ">pass</text>" in next(tmp_path.rglob("*.html")).read_text()
