"""The ONNX file gives what the run and its NumPy file give, in onnxruntime."""

import csv
import sys

import numpy as np
import pytest

from backproplab.errors import RunError
from backproplab.exporting import numpy_file, onnx_file
from tests.exporting.test_numpy_file import NETWORKS, SHAPES, mixed, trained

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow


def session(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "float32") for name in NETWORKS), ("images", "float64")]
)
def test_every_layer_gives_what_the_run_gives(name, dtype, tmp_path):
    data, layers = NETWORKS[name]
    scale = {"standardize_targets": True} if data == "diabetes" else {}
    model = trained(tmp_path, data={"name": data} | scale, model={"layers": layers}, dtype=dtype)
    content, difference = onnx_file(model)
    assert difference <= 1e-5
    rows = model.experiment.data.read(np.random.default_rng(0)).examples.inputs[:40]
    for part in (rows, rows[:1], rows[:0]):
        found = session(content).run(None, {"inputs": part.astype(float)})
        if model.classes:
            assert np.array_equal(found[0], model.predict(part))
            np.testing.assert_allclose(found[1], model.probabilities(part), atol=1e-5)
        else:
            np.testing.assert_allclose(found[0][:, 0], model.predict(part), rtol=1e-5)
        assert len(found[0]) == len(part)


ROWS = """city,age,member,day,more
Paris,,YES,01.02.2024 13:00,1
Ulm,31.5,No,05.12.2023 00:00,2
"Bonn, Rhein",1e6,no,29.02.2000 23:00,3
,44,maybe,31.12.1999 07:00,4
Köln,-3.25,yes,,5
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mixed_table_of_rows_that_were_not_in_training(shape, tmp_path):
    """Missing, unseen and far values, dates: the run, its NumPy file and ONNX agree."""
    data = mixed(tmp_path, shape=shape)
    model = trained(tmp_path, data=data, model={"hidden": [16]})
    (tmp_path / "new.csv").write_text(ROWS)
    with (tmp_path / "new.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in ("age", "city", "day", "member")}
    names = {"__name__": "exported"}
    exec(numpy_file(model), names)
    content, difference = onnx_file(model)
    feed = {n: np.array(cells, object)[:, None] for n, cells in columns.items() if n != "age"}
    feed["age"] = np.array([float(x or "nan") for x in columns["age"]])[:, None]
    classes, found = session(content).run(None, feed)
    expected = model.probabilities(tmp_path / "new.csv")
    assert difference <= 1e-5
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(names["probabilities"](columns), expected, atol=1e-5)
    assert classes.tolist() == model.predict(tmp_path / "new.csv").tolist()
    inputs = {each.name: each.type for each in session(content).get_inputs()}
    assert inputs == dict.fromkeys(("city", "day", "member"), "tensor(string)") | {"age": "tensor(double)"}  # fmt: skip


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y", "%m-%d-%Y", "%H:%M %d.%m.%Y"])  # fmt: skip
def test_dates_of_every_format_have_their_weekday(form, tmp_path):
    days = np.datetime64("1996-02-20") + np.arange(0, 6000, 37)
    lines = [f"{day.item().strftime(form)},{day.item().weekday() % 2}" for day in days]
    (tmp_path / "f.csv").write_text("\n".join(["day,even", *lines, ""]))
    columns = {"day": {"date": form}}
    model = trained(tmp_path, data={"name": "csv", "path": str(tmp_path / "f.csv"), "columns": columns})  # fmt: skip
    assert onnx_file(model)[1] <= 1e-5


def test_a_large_number_loses_no_digits(tmp_path):
    """Deviation 2 around 1e7: in float32 the scaled numbers would be wrong by .25."""
    x = 1e7 + 2 * np.random.default_rng(0).normal(size=(200, 3))
    np.savez(tmp_path / "f.npz", x=x, y=(x[:, 0] > 1e7).astype(int))
    model = trained(tmp_path, data={"name": "npz", "path": str(tmp_path / "f.npz")})
    content, _ = onnx_file(model)
    found = session(content).run(["probabilities"], {"inputs": x[:50]})[0]
    np.testing.assert_allclose(found, model.probabilities(x[:50]), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"data": {"name": "iris"}, "model": {"layers": [{"ode": {"layers": [{"dense": 4}, "tanh"]}}, {"dense": 3}]}}, "the layer ode_1, Ode"),
        ({"data": {"name": "iris"}, "model": {"hidden": [4], "parametrization": "ntk"}}, "the layer dense_1, "),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_refused_by_name(settings, named, tmp_path):
    with pytest.raises(RunError, match=f"{named}.* has no export"):
        onnx_file(trained(tmp_path, **settings))


def test_a_format_of_dates_without_a_rule_is_refused_by_name(tmp_path):
    days = np.datetime64("1996-02-20") + np.arange(0, 3000, 37)
    lines = [f"{day.item().strftime('%d %b %Y')},{i % 2}" for i, day in enumerate(days)]
    (tmp_path / "f.csv").write_text("\n".join(["day,even", *lines, ""]))
    columns = {"day": {"date": "%d %b %Y"}}
    model = trained(tmp_path, data={"name": "csv", "path": str(tmp_path / "f.csv"), "columns": columns})  # fmt: skip
    with pytest.raises(RunError, match="the column day, a date of the format %d %b %Y, has no"):
        onnx_file(model)


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    """A wrong rule, as an epsilon that the graph does not have, is found before the file is."""
    layers = [{"dense": 4}, "layer_norm", {"dense": 3}]
    model = trained(tmp_path, data={"name": "iris"}, model={"layers": layers})
    room = sys.modules["backproplab.exporting.onnx_file"]
    monkeypatch.setattr(room, "described", _with_epsilon(room.described))
    with pytest.raises(RunError, match="onnxruntime differs from the run by"):
        onnx_file(model)


def _with_epsilon(described):
    def wrong(model):
        found = described(model)
        for layer in found["layers"]:
            if "epsilon" in layer:
                layer["epsilon"] = 1.0
        return found

    return wrong
