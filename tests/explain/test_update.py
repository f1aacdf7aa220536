"""One update of a network by one example: every number, against the formulas written out in NumPy."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

from backproplab import explain
from backproplab.errors import ConfigError
from backproplab.experiment.reading import parts_of
from backproplab.explain import examples, unit_svg
from backproplab.explain.lines import joined
from backproplab.explain.network import drawing_of, report_of, shown
from backproplab.explain.units import unit_net
from backproplab.explain.update import of_config
from backproplab.palette import THEMES

SMALL = """\
name: small
dtype: float64
data: {name: circle, samples: 20}
model: {hidden: [2], activation: tanh}
optimizer: sgd
learning_rate: 0.1
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def small(written):
    return of_config(written(SMALL), [])


def test_every_number_is_that_of_the_equations(small):
    # Nielsen, Neural Networks and Deep Learning, chapter 2: BP1 to BP4, for a sigmoid cross-entropy
    old = {name: p.old for name, p in small.parameters.items()}
    x, t = small.values[0].array, small.target
    z1 = x @ old["dense_1/kernel"] + old["dense_1/bias"]
    a1 = np.tanh(z1)
    z2 = a1 @ old["dense_2/kernel"] + old["dense_2/bias"]
    delta2 = 1 / (1 + np.exp(-z2)) - t
    da1 = old["dense_2/kernel"] @ delta2
    delta1 = da1 * (1 - a1**2)
    gradients = {
        "dense_1/kernel": np.outer(x, delta1),
        "dense_1/bias": delta1,
        "dense_2/kernel": np.outer(a1, delta2),
        "dense_2/bias": delta2,
    }
    assert [value.name for value in small.values] == ["x", "dense_1", "tanh(dense_1)", "dense_2"]
    for value, array, gradient in zip(
        small.values,
        (x, z1, a1, z2),
        (old["dense_1/kernel"] @ delta1, delta1, da1, delta2),
        strict=True,
    ):
        np.testing.assert_allclose(value.array, array, rtol=1e-12)
        np.testing.assert_allclose(value.gradient, gradient, rtol=1e-12)
    np.testing.assert_allclose(small.values[2].slope, 1 - a1**2, rtol=1e-12)
    for name, p in small.parameters.items():
        np.testing.assert_allclose(p.gradient, gradients[name], rtol=1e-12)
        np.testing.assert_allclose(p.new, old[name] - 0.1 * gradients[name], rtol=1e-12)
    assert small.loss == pytest.approx(np.logaddexp(0, z2).item() - (t * z2).item(), rel=1e-12)


def test_adam_s_first_step_is_about_the_learning_rate(written):
    seen = of_config(written(SMALL), ["optimizer=adam", "learning_rate=0.01"])
    for p in seen.parameters.values():
        floor = 1e-7 / np.sqrt(1 - 0.999)  # epsilon, beside the root of the corrected square
        step = -0.01 * p.gradient / (np.abs(p.gradient) + floor)
        np.testing.assert_allclose(p.new - p.old, step, rtol=1e-9)


def test_the_report_shows_every_number_of_a_small_network(written):
    """Too wide to be shown unit by unit, small enough to be shown in full."""
    report = report_of(of_config(written(SMALL), ["model.hidden=[4]"]))
    forward, backward = ([joined(line) for line in section.body] for section in report.sections[:2])
    moved = report.sections[-1].body
    assert report.title == "small: one update by the first example, 2-4-1 tanh, 17 parameters"
    assert [line.split(" = ")[0] for line in forward] == [
        "x", "dense_1/kernel", "dense_1/bias", "dense_1", "tanh(dense_1)",
        "dense_2/kernel", "dense_2/bias", "dense_2", "target", "L",
    ]  # fmt: skip
    assert backward[1].startswith("dL/d(dense_2/kernel) = tanh(dense_1)^T dL/d(dense_2) = [[")
    assert any(
        line.startswith("dL/d(dense_1) = dL/d(tanh(dense_1)) * tanh' = [") for line in backward
    )
    assert len(moved.rows) == 17
    assert moved.headers == ("parameter", "old", "gradient", "new")
    assert "norm" not in "".join(forward + backward)


def test_a_larger_network_shows_shapes_and_norms(written):
    seen = of_config(written(SMALL), ["model.hidden=[30]"])
    forward = [joined(line) for line in report_of(seen).sections[0].body]
    moved = report_of(seen).sections[-1].body
    assert any(line.startswith("dense_1/kernel = (2, 30) of norm ") for line in forward)
    assert moved.headers[-1] == "norm of the step"
    assert len(moved.rows) == 4
    assert all(len(line) < 300 for line in forward)


def test_layers_of_every_kind_pass_through(written):
    seen = of_config(
        written(
            "data: digits\nmodel: {layers: [{dense: {units: 12, activation: relu}}, {dropout: 0.5}, selu, {dense: 10}]}\n"
        ),
        [],
    )
    names = ["x", "dense_1", "relu(dense_1)", "dropout_1", "selu_1", "dense_2"]
    assert [value.name for value in seen.values] == names
    text = "\n".join(map(joined, report_of(seen).sections[1].body))
    assert "dL/d(dropout_1) = dL/d(selu_1) * selu'" in text
    assert "through dropout_1" in text


def test_the_drawing_leads_from_the_data_to_the_loss(small):
    drawing = drawing_of(small)
    assert [box.key for box in drawing.boxes] == [
        "x", "dense_1/kernel", "dense_1/bias", "dense_1", "tanh(dense_1)",
        "dense_2/kernel", "dense_2/bias", "dense_2", "target", "L",
    ]  # fmt: skip
    ends = {(drawing.boxes[a.source].key, drawing.boxes[a.target].key) for a in drawing.arrows}
    assert ("dense_1", "tanh(dense_1)") in ends
    assert ("target", "L") in ends
    assert len(ends) == 9


@pytest.mark.parametrize(
    ("array", "limit", "text"),
    [
        (np.array([[1.0, -0.5], [0.25, 1e-9]]), 4, "[[1, -0.5], [0.25, 1e-09]]"),
        (np.ones((3, 4)), 4, "(3, 4) of norm 3.4641"),
        (np.array(3), 4, "3"),
        (np.ones(60) / 3, 60, "[" + ", ".join(["0.333333"] * 60) + "]"),
    ],
)
def test_arrays_are_written_on_one_line(array, limit, text):
    assert shown(array, limit) == text


def test_a_config_that_cannot_be_built_names_its_line(written):
    with pytest.raises(ConfigError, match=r"c\.yaml:2:7: loss: binary_cross_entropy needs two"):
        of_config(written("data: iris\nloss: binary_cross_entropy\n"), [])


def test_a_small_network_is_shown_unit_by_unit(small):
    net = unit_net(small)
    kernel = small.parameters["dense_1/kernel"]
    for name, index in (("w1_11", (0, 0)), ("w1_12", (1, 0)), ("w1_21", (0, 1)), ("w1_22", (1, 1))):
        (moved,) = (m for m in net.moved[0] if m.name == name)
        assert (moved.old, moved.gradient) == (kernel.old[index], kernel.gradient[index])
    first, last = net.layers
    output = 1 / (1 + np.exp(-last.z))
    np.testing.assert_allclose(last.delta, output - net.y, rtol=1e-12)  # Nielsen's equation 1
    np.testing.assert_allclose(
        first.delta, (last.kernel.T @ last.delta) * (1 - first.a**2), rtol=1e-12
    )
    np.testing.assert_allclose(net.output, output, rtol=1e-12)
    assert net.after < net.loss


def test_each_equation_is_named_at_its_place(small):
    backward = [joined(line) for line in report_of(small).sections[1].body]
    assert [line[:3] for line in backward] == [
        "(1)",
        "(2)",
        "(2)",
        *["(4)"] * 2,
        "(3)",
        *["(4)"] * 4,
        *["(3)"] * 2,
    ]
    assert backward[0].startswith("(1) delta2_1 = yhat_1 - y_1 = ")
    assert backward[1].startswith("(2) delta1_1 = w2_11 * delta2_1 * tanh'(z1_1) = ")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_of_a_2_2_1_network_fits_a_slide(small, theme):
    root = ElementTree.fromstring(unit_svg.render(unit_net(small), "2-2-1", theme))
    assert float(root.get("width")) <= 1200
    assert len([x for x in root.iter() if x.get("class") == "node"]) == 2 + 2 + 1


@pytest.mark.parametrize("hidden", ["[2]", "[3]", "[2, 2]", "[3, 3]", "[]"])
def test_no_label_of_the_picture_lies_on_another(written, hidden):
    picture = unit_svg._Picture(
        unit_net(of_config(written(SMALL), [f"model.hidden={hidden}"])), THEMES["light"]
    )
    list(picture.graph())
    for one, other in combinations(picture.taken, 2):
        assert not one.overlaps(other)


def test_what_is_too_large_for_units_is_shown_by_layers(written):
    assert unit_net(of_config(written(SMALL), ["model.hidden=[4]"])) is None


def test_the_step_of_several_examples_is_that_of_their_mean(written):
    parts = parts_of(written(SMALL), [])
    shown = examples.examples(parts, 4)
    for _, each, mean, old, new in shown.rows():
        assert mean == pytest.approx(np.mean(each), rel=1e-12, abs=1e-15)
        assert new == pytest.approx(old - 0.1 / 4 * sum(each), rel=1e-12)
    assert [name for name, *_ in shown.rows()][:6] == [
        "w1_11",
        "w1_12",
        "w1_21",
        "w1_22",
        "b1_1",
        "b1_2",
    ]
    assert len({net.loss for net in shown.nets}) == 4


def test_each_example_has_its_errors_and_gradients(written):
    sections = explain.of_config(written(SMALL), [], 3).report.sections
    deltas, gradients = sections[-3].body, sections[-2].body
    assert deltas.headers == ("example", "x", "y", "C", "delta1_1", "delta1_2", "delta2_1")
    assert len(deltas.rows) == 3
    assert gradients.headers == ("weight", "dC1", "dC2", "dC3", "mean", "step", "after")
    assert len(gradients.rows) == 9


@pytest.mark.parametrize(
    ("words", "count", "said"),
    [([], 9, "choose 1 to 8"), (["model.hidden=[9]"], 2, "at most three units")],
)
def test_examples_that_cannot_be_shown(written, words, count, said):
    with pytest.raises(ConfigError, match=said):
        explain.of_config(written(SMALL), words, count)


def test_markdown_says_whether_the_step_helped(tmp_path):
    """Its loss before and after, which is no equation."""
    file = tmp_path / "c.yaml"
    file.write_text("data: circle\nmodel: {hidden: [2], activation: tanh}\noptimizer: sgd\n")
    text = explain.of_config(file).markdown()
    assert re.search(r"```text\nC: \d\.\d+ -> \d\.\d+   the step helped\n```", text)


@pytest.mark.parametrize(
    ("hidden", "count"), [("[8,8]", 273), ("[5]", 21), ("[4]", 17)]
)  # Σ over layers of (inputs + 1) · units · the units of each later layer
def test_the_number_of_paths_of_a_network_that_is_not_shown_by_units(written, hidden, count):
    text = "data: circle\n"
    report = report_of(of_config(written(text), [f"model.hidden={hidden}"]))
    (paths,) = [section for section in report.sections if section.title == "Paths"]
    more = "; at most 64 are listed" if count > 64 else ""
    assert joined(paths.body[0]) == f"{count} paths lead from the weights to L{more}"
