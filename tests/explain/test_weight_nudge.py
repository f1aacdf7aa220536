"""A weight's nudge carried from unit to unit up to C, and every path from a weight to C."""

import numpy as np
import pytest

from backproplab import explain
from backproplab.errors import ConfigError
from backproplab.explain import unit_paths, weight_nudge
from backproplab.explain.lines import joined
from backproplab.explain.units import unit_net
from backproplab.explain.update import of_config
from tests.explain.test_update import SMALL

WORD = "dense_1/kernel[0,1]=0.001"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(SMALL)
    return path


def loss_of(update, name, index, step):
    """C of the 2-2-1 network with tanh and a sigmoid's cross-entropy, in NumPy."""
    w = {key: p.old.copy() for key, p in update.parameters.items()}
    w[name][index] += step
    x, t = update.values[0].array, update.target
    z1 = x @ w["dense_1/kernel"] + w["dense_1/bias"]
    z2 = np.tanh(z1) @ w["dense_2/kernel"] + w["dense_2/bias"]
    return float((np.logaddexp(0, z2) - t * z2)[0]), z1, z2


def test_each_change_is_that_of_the_network_written_out(config):
    update = of_config(config, [])
    net = unit_net(update)
    asked = weight_nudge.read([WORD], update, net)
    units, cost = weight_nudge.changes(update, asked)
    before, z1, z2 = loss_of(update, "dense_1/kernel", (0, 1), 0)
    after, moved1, moved2 = loss_of(update, "dense_1/kernel", (0, 1), 0.001)
    assert [unit.name for unit in units] == ["z1_2", "a1_2", "z2_1"]
    expected = [moved1[1] - z1[1], np.tanh(moved1[1]) - np.tanh(z1[1]), (moved2 - z2)[0]]
    assert [unit.change for unit in units] == pytest.approx(expected, rel=1e-9)
    assert cost.change == pytest.approx(after - before, rel=1e-8)
    gradient = update.parameters["dense_1/kernel"].gradient[0, 1]
    delta = net.layers[0].delta[1]
    assert cost.slope == pytest.approx(0.001 * gradient, rel=1e-12)
    assert cost.slope == pytest.approx(delta * units[0].change, rel=1e-9)  # δ Δz


@pytest.mark.parametrize("step", [1e-1, 1e-2, 1e-3, 1e-4])
def test_the_first_order_misses_the_square_of_the_step(config, step):
    update = of_config(config, [])
    asked = weight_nudge.Nudge("dense_1/kernel", (0, 1), step)
    _, cost = weight_nudge.changes(update, asked)
    _, twice = weight_nudge.changes(update, weight_nudge.Nudge(asked.name, asked.index, 2 * step))
    ratio = (twice.change - twice.slope) / (cost.change - cost.slope)
    assert ratio == pytest.approx(4, rel=3 * step + 1e-3)


def test_the_report_shows_the_three_products(config):
    shown = explain.of_config(config, [WORD], nudge=True).report
    table, beside = shown.sections[-2], [joined(line) for line in shown.sections[-1].body]
    assert table.aside == "dense_1/kernel[0,1] moves by dw = 0.001"
    assert [row[0] for row in table.body.rows] == ["z1_2", "a1_2", "z2_1", "C"]
    assert beside[0].startswith("change of C = ")
    assert beside[1].startswith("dC/dw * dw = ")
    assert beside[2].startswith("delta1_2 * (change of z1_2) = ")
    values = [float(line.rpartition(" = ")[2]) for line in beside[:3]]
    assert values[0] == pytest.approx(values[1], rel=0.01)
    assert values[2] == pytest.approx(values[1], rel=1e-9)


def test_a_weight_has_the_name_of_the_table_too(config):
    update = of_config(config, [])
    net = unit_net(update)
    for unit, name, index in (
        ("w1_21", "dense_1/kernel", (0, 1)),
        ("w2_12", "dense_2/kernel", (1, 0)),
        ("b1_2", "dense_1/bias", (1,)),
    ):
        assert weight_nudge.read([f"{unit}=-1e-3"], update, net) == weight_nudge.Nudge(
            name, index, -1e-3
        )


@pytest.mark.parametrize(
    "model",
    [
        "{hidden: [70, 3]}",
        "{layers: [{dense: {units: 4, activation: relu}}, layer_norm, {dense: 1}]}",
    ],
)
def test_other_networks_are_carried_through_by_their_layers(config, model):
    update = of_config(config, [f"model={model}"])
    units, cost = weight_nudge.changes(update, weight_nudge.read([WORD], update, unit_net(update)))
    gradient = update.parameters["dense_1/kernel"].gradient[0, 1]
    assert cost.slope == pytest.approx(0.001 * gradient, rel=1e-9, abs=1e-18)
    if "70" in model:
        assert units[0].name == "norm of z1"
    sections = explain.of_config(config, [f"model={model}", WORD], nudge=True).report.sections
    assert sections[-2].title == "Nudge"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one weight and its change, got 0 — write --nudge dense_1/kernel"),
        ([WORD, "w1_11=1"], "got 2"),
        (["dense_3/kernel[0,0]=1"], "no such weight — did you mean 'dense_2/kernel'"),
        (["dense_1/kernel[2,0]=1"], r"has shape \(2, 2\) — from \[0,0\] to \[1,1\]"),
        (["dense_1/kernel[-1,0]=1"], r"has shape \(2, 2\)"),
        (["dense_1/kernel[0]=1"], r"has shape \(2, 2\)"),
        (["dense_1/kernel[a,b]=1"], "cannot read the index"),
        (["dense_1/kernel[0,0]=much"], "must be a number, not 0"),
        (["dense_1/kernel[0,0]=inf"], "must be a number, not 0"),
        (["dense_1/kernel[0,0]=0"], "must be a number, not 0"),
        (["w9_99=1"], "no such weight — one of w1_11, w1_12"),
    ],
)
def test_what_cannot_be_nudged_is_named(config, words, message):
    with pytest.raises(ConfigError, match=message):
        explain.of_config(config, words, nudge=True)


@pytest.mark.parametrize("hidden", ["[]", "[2]", "[3]", "[2, 2]"])
def test_the_products_along_the_paths_add_up_to_the_gradients(config, hidden):
    net = unit_net(of_config(config, [f"model.hidden={hidden}"]))
    rows = unit_paths.section(net).body.rows
    paths = [row for row in rows if row[2] != "sum"]
    assert len(paths) == unit_paths.number_of_paths(net)
    sums, weight = {}, ""
    for name, _, product, _, value in rows:
        weight = name or weight
        if product != "sum":
            sums[weight] = sums.get(weight, 0) + float(value)
    gradients = {m.name: m.gradient for moved in net.moved for m in moved}
    assert sums.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert sums[name] == pytest.approx(gradient, rel=1e-4, abs=1e-7)


def test_the_2_2_1_network_has_nine_paths_and_a_larger_one_their_number(config):
    rows = unit_paths.section(unit_net(of_config(config, []))).body.rows
    assert len(rows) == 9
    assert rows[1][:3] == ("w1_12", "z1_1 -> z2_1 -> C", "x_2 * tanh'(z1_1) * w2_11 * delta2_1")
    # 9 weights with 3 · 2 ways on, 12 with 2, 8 with one
    wide = of_config(config, ["model.hidden=[3, 3]", "loss=softmax_cross_entropy"])
    assert joined(unit_paths.section(unit_net(wide)).body[0]).startswith("86 paths lead from")
