"""The exported file predicts as the run does, in a process that has NumPy alone."""

import csv
import io
import json
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab.config import load
from backproplab.errors import RunError
from backproplab.exporting import is_numpy_file, numpy_file
from backproplab.nn import Activation, Layer

COMMON = {"epochs": 1, "threads": 1, "tensorboard": "off", "seed": 3}
# for each: the data, the layers
NETWORKS = {
    "dense": ("iris", [{"dense": 8}, "tanh", {"dropout": 0.3}, {"dense": 3}]),
    "normalized": ("wine", [{"dense": 6}, "batch_norm", "relu", {"dense": 5}, "layer_norm", {"dense": 3}]),
    "one output": ("breast_cancer", [{"dense": {"units": 7, "activation": "relu"}}, {"dense": {"units": 1, "bias": False}}]),
    "numbers": ("diabetes", [{"dense": 5}, "relu", {"dense": 1}]),
    "images": (
        "digits",
        [{"reshape": [8, 8, 1]}, {"conv2d": {"filters": 3, "kernel": 3, "padding": "same", "activation": "relu"}},
         {"residual": {"layers": [{"conv2d": {"filters": 3, "kernel": 3, "padding": 1, "dilation": 1}}], "activation": "relu"}},
         {"max_pool": {"window": 3, "stride": 2, "padding": "same"}}, {"conv2d": {"filters": 4, "kernel": 2, "dilation": 2}},
         {"avg_pool": {"window": 2, "stride": 1, "padding": "same"}}, "flatten", {"dense": 10}],
    ),
    "sequences": (
        "digits",
        [{"reshape": [64, 1]}, {"conv1d": {"filters": 3, "kernel": 5, "stride": 2}}, {"max_pool": 2},
         "batch_norm", "global_avg_pool", {"dense": 10}],
    ),
    "global maximum": ("digits", [{"reshape": [8, 8, 1]}, {"conv2d": 3}, "global_max_pool", {"dense": 10}]),
}  # fmt: skip
NETWORKS |= {
    f"activation {name}": ("iris", [{"dense": 6}, name, {"dense": 3}])
    for name in Activation.members
}


def trained(tmp_path, **settings):
    (tmp_path / "c.yaml").write_text(json.dumps(COMMON | settings))
    return bpl.model(bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run").folder)


def exported(tmp_path, model) -> dict:
    (path := tmp_path / "exported.py").write_text(numpy_file(model), encoding="utf-8")
    names: dict = {"__name__": "exported"}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)
    return names


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_gives_what_the_run_gives(name, tmp_path) -> None:
    data, layers = NETWORKS[name]
    scale = {"standardize_targets": True} if data == "diabetes" else {}
    model = trained(tmp_path, data={"name": data} | scale, model={"layers": layers})
    rows = model.experiment.data.read(np.random.default_rng(0)).examples.inputs[:40]
    names = exported(tmp_path, model)
    np.testing.assert_allclose(
        names["outputs"](rows), model.outputs(model.intake.inputs(rows)), rtol=1e-4, atol=1e-5
    )
    found, expected = names["predict"](rows), model.predict(rows)
    if model.classes:
        assert np.array_equal(found, expected)
        np.testing.assert_allclose(
            names["probabilities"](rows), model.probabilities(rows), atol=1e-5
        )
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_every_layer_is_exported_or_refused_by_name(tmp_path) -> None:
    from backproplab.exporting.describing import ACTIVATIONS, KINDS

    tried = {
        key
        for _, layers in NETWORKS.values()
        for each in layers
        for key in ([each] if isinstance(each, str) else each)
    }
    assert (KINDS | ACTIVATIONS) - tried == {"embedding", "embed_columns"}  # below, and of a table
    assert set(Layer.members) >= KINDS | ACTIVATIONS


def test_an_embedding(tmp_path) -> None:
    numbers = np.random.default_rng(0).integers(0, 5, (60, 4))
    np.savez(tmp_path / "f.npz", x=numbers, y=(numbers[:, 0] > 2).astype(int))
    layers = [{"embedding": {"vocabulary": 5, "units": 3}}, "flatten", {"dense": 2}]
    data = {"name": "npz", "path": str(tmp_path / "f.npz"), "standardize": False}
    model = trained(tmp_path, data=data, model={"layers": layers}, loss="softmax_cross_entropy")
    assert np.array_equal(exported(tmp_path, model)["predict"](numbers), model.predict(numbers))


SHAPES = ["numeric", "log", "clip 20 50 minmax", "quantile", "clip 20 70 log quantile"]


def mixed(tmp_path, rows=200, shape="numeric"):
    random = np.random.default_rng(1)
    lines = ["age,city,day,member,note,label"]
    for i in range(rows):
        age = "" if i % 9 == 4 else "?" if i % 9 == 7 else f"{random.uniform(18, 80):.1f}"
        city = random.choice(["Köln", "Ulm", '"Bonn, Rhein"', ""])
        day = f"{random.integers(1, 28):02d}.{random.integers(1, 13):02d}.2024 {random.integers(0, 24):02d}:00"
        lines.append(f"{age},{city},{day},{random.choice(['Yes', 'No'])},n{i},{'abc'[i % 3]}")
    (tmp_path / "f.csv").write_text("\n".join(lines) + "\n")
    columns = {"day": {"date": "%d.%m.%Y %H:%M"}, "age": shape}
    return {"name": "csv", "path": str(tmp_path / "f.csv"), "target": "label", "columns": columns}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_is_prepared_as_in_training(shape, tmp_path) -> None:
    model = trained(tmp_path, data=mixed(tmp_path, shape=shape))
    (tmp_path / "new.csv").write_text(
        "city,age,member,day,more\nParis,,YES,01.02.2024 13:00,1\nUlm,31.5,No,05.12.2023 00:00,2\n,?,maybe,01.01.2024 01:00,3\n"
    )
    names = exported(tmp_path, model)
    with (tmp_path / "new.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    np.testing.assert_allclose(
        names["prepare"](columns), model.intake.inputs(tmp_path / "new.csv"), rtol=1e-6, atol=1e-6
    )
    assert np.array_equal(names["predict"](columns), model.predict(tmp_path / "new.csv"))
    with pytest.raises(ValueError, match="columns are missing: age, day"):
        names["predict"]({"city": ["Ulm"], "member": ["Yes"]})


def test_the_file_runs_where_there_is_numpy_alone(tmp_path) -> None:
    model = trained(tmp_path, data=mixed(tmp_path))
    text = numpy_file(model)
    assert is_numpy_file(text.encode())
    (tmp_path / "alone.py").write_text(text, encoding="utf-8")
    own = "import sys; sys.modules.update(dict.fromkeys(['backproplab', 'pandas', 'sklearn', 'scipy'])); "
    program = (
        own
        + "import runpy; sys.argv = ['alone.py', 'f.csv']; runpy.run_path('alone.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = [row["prediction"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert found == model.predict(tmp_path / "f.csv").tolist()


def test_it_writes_the_id_as_predict_does(tmp_path, monkeypatch, capsys) -> None:
    lines = ["customer,x,label", *(f"K{i:03},{i % 7},{'ab'[i % 2]}" for i in range(200))]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    data = {"name": "csv", "path": str(tmp_path / "f.csv"), "id": "customer"}
    model = trained(tmp_path, data=data)
    (tmp_path / "alone.py").write_text(numpy_file(model), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["alone.py", str(tmp_path / "f.csv")])
    runpy.run_path(str(tmp_path / "alone.py"), run_name="__main__")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["row", "customer", "prediction"]
    assert [row["customer"] for row in rows] == [f"K{i:03}" for i in range(200)]


WORDS = ('"one, two"', '"three ""3"""')


def test_its_answers_are_csv_and_may_be_cut_off(tmp_path) -> None:
    """Classes with commas and quotes; probabilities; a reader who leaves."""
    lines = ["x,label", *(f"{i % 7},{WORDS[i % 2]}" for i in range(2000))]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    model = trained(tmp_path, data=str(tmp_path / "f.csv"))
    (tmp_path / "alone.py").write_text(numpy_file(model), encoding="utf-8")
    start = [sys.executable, "alone.py"]
    own = {"cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run([*start, "f.csv", "--proba"], check=True, **own)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["prediction"] for row in rows] == model.predict(tmp_path / "f.csv").tolist()
    found = [[float(row[f"p_{name}"]) for name in model.classes] for row in rows]
    np.testing.assert_allclose(found, model.probabilities(tmp_path / "f.csv"), atol=1e-5)
    done = subprocess.run(f"{shlex.join(start)} f.csv | head -1", shell=True, check=False, **own)
    assert (done.stdout, done.stderr) == ("row,prediction\n", "")
    assert "alone.py ROWS.csv" in subprocess.run(start, check=False, **own).stderr


FILES = {
    "f.csv": ("age;day;city;member\n1,5;01.02.2024 13:00;Ulm;yes\n;05.12.2023 00:00;;no\n", ""),
    "empty.csv": ("age,day,city,member\n", ""),
    "short.csv": ("age,day,city\n1,2\n", "row 2 has 2 cells, the first 3"),
    "lacks.csv": ("age,city,member\n1,Ulm,yes\n", "columns are missing: day"),
    "words.csv": (
        "age,day,city,member\nold,01.02.2024 13:00,Ulm,yes\n",
        "could not convert string to float: 'old'",
    ),
    "gone.csv": (None, "No such file"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_file_reads_as_people_write_or_says_why_not(
    name, tmp_path, monkeypatch, capsys
) -> None:
    model = trained(tmp_path, data=mixed(tmp_path))
    (tmp_path / "alone.py").write_text(numpy_file(model), encoding="utf-8")
    text, fault = FILES[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "argv", ["alone.py", str(tmp_path / name)])
    if fault:
        with pytest.raises(SystemExit, match=fault):
            runpy.run_path(str(tmp_path / "alone.py"), run_name="__main__")
        return
    runpy.run_path(str(tmp_path / "alone.py"), run_name="__main__")
    found = [row["prediction"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert found == (model.predict(tmp_path / name).tolist() if name == "f.csv" else [])


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        ({"layers": [{"ode": {"layers": [{"dense": 4}, "tanh"]}}, {"dense": 3}]}, "ode_1, Ode"),
        ({"hidden": [4], "parametrization": "ntk"}, "dense_1, "),
    ],
)
def test_a_layer_without_a_rule_is_refused(model, layer, tmp_path) -> None:
    used = trained(tmp_path, data={"name": "iris"}, model=model)
    with pytest.raises(RunError, match=f"the layer {layer}.* has no export"):
        numpy_file(used)


def test_the_code_of_the_file_needs_numpy_alone() -> None:
    source = (Path(bpl.__file__).parent / "exporting" / "standalone.py").read_text()
    assert "backproplab." not in source
