"""Embedded categories: one code a row, a vector that is learned, 0 for what training has not seen."""

import csv
import json

import numpy as np
import pytest

import backproplab as bpl
from backproplab.config import Experiment, load
from backproplab.data import load as load_data
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.experiment.crew import train_slice
from backproplab.exporting import numpy_file
from backproplab.exporting.onnx_file import onnx_file
from backproplab.files import MemoryFolder
from backproplab.loop import Pace

CITIES = [f"city {n}" for n in range(30)]
DATA = "{path: t.csv, target: buys, columns: {city: {embedding: 4}, color: {embedding: 2}}}"
QUIET = "tensorboard: off\nthreads: 1\nlearning_rate: 0.02\n"


def write(path, rows=300, seed=0, new=()):
    chance = np.random.default_rng(seed)
    worth = np.random.default_rng(9).normal(size=len(CITIES))
    lines = ["age,city,color,buys"]
    for _ in range(rows):
        city, color = int(chance.integers(len(CITIES))), chance.choice(["red", "blue", ""])
        age = chance.normal()
        name = new[city % len(new)] if new and city < 5 else CITIES[city]
        lines.append(f"{age},{name},{color},{'yes' if worth[city] + age / 3 > 0 else 'no'}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def config(tmp_path):
    write(tmp_path / "t.csv")

    def of(*words, data=DATA, more="model: {hidden: [6]}\nepochs: 12\n"):
        (tmp_path / "c.yaml").write_text(f"data: {data}\n{more}{QUIET}")
        return load(tmp_path / "c.yaml", *words)

    return of


def test_a_category_is_one_code_by_the_training_rows(config):
    parts = build(config())
    encoder, train = parts.splits.preparation.inputs, parts.splits.train.inputs
    assert encoder.names == ("age", "city", "color")
    city = encoder.fitted[1]
    assert parts.splits.preparation.embedded == ((1, len(city.levels) + 1, 4), (2, 4, 2))
    assert set(train[:, 1]) == set(range(1, len(city.levels) + 1))
    assert set(train[:, 2]) == {1, 2, 3}  # two colors, and none
    assert parts.network.places[0].name == "embed_columns_1"
    shapes = {name: w.shape for name, w in parts.network.weights.items()}
    assert shapes["embed_columns_1/table_1"] == (31, 4)
    assert shapes["dense_1/kernel"] == (1 + 4 + 2, 6)


@pytest.mark.slow
def test_it_learns_what_the_cities_are_worth(config, tmp_path):
    metrics = bpl.run(config("epochs=40"), tmp_path / "run").metrics
    assert metrics["accuracy"] > 0.93
    assert metrics["val_accuracy"] > 0.8


def test_unseen_and_missing_texts_are_row_0_and_a_category(config, tmp_path):
    bpl.run(config("epochs=2"), tmp_path / "run")
    model = bpl.model(tmp_path / "run")
    (tmp_path / "new.csv").write_text(
        "age,city,color\n1,city 3,red\n1,Paris,red\n1,,green\n1,city 3,\n"
    )
    codes = model.intake.inputs(tmp_path / "new.csv")[:, 1:]
    names = model.preparation.inputs.fitted[1].levels
    assert codes[:, 0].tolist() == [names.index("city 3") + 1, 0, 0, names.index("city 3") + 1]
    assert codes[1:, 1].tolist() == [codes[0, 1], 0, 3]
    remarks = list(model.intake.remarks(model.intake.opened(tmp_path / "new.csv")))
    assert any("unseen: city 2 (Paris)" in remark for remark in remarks)
    record = json.loads((tmp_path / "run" / "preparation.json").read_text())
    assert record["columns"][1]["units"] == 4


@pytest.mark.slow
def test_exports_agree_on_new_texts(config, tmp_path):
    bpl.run(config("epochs=3"), tmp_path / "run")
    model = bpl.model(tmp_path / "run")
    new = write(tmp_path / "new.csv", 60, 5, new=("Paris", "Rom", ""))
    names = {}
    exec(numpy_file(model), names)
    with new.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {key: [row[key] for row in rows] for key in rows[0]}
    np.testing.assert_allclose(names["probabilities"](cells), model.probabilities(new), atol=1e-5)
    pytest.importorskip("onnxruntime")
    _, difference = onnx_file(model)  # raises above 1e-5
    assert difference < 1e-5


@pytest.mark.slow
def test_a_run_that_continues_and_one_in_a_crew_are_those_alone(config, tmp_path):
    whole = config("epochs=4")
    bpl.run(whole, tmp_path / "whole")
    bpl.run(config("epochs=2"), tmp_path / "run")
    bpl.resume(tmp_path / "run", epochs=4)
    assert hashes(tmp_path / "run") == hashes(tmp_path / "whole")
    others = [whole, config("epochs=4", "learning_rate=0.1")]
    folders = [MemoryFolder(), MemoryFolder()]
    train_slice(others, folders, [None, None], Pace(), [None, None])
    crew = json.loads(folders[0].files["run.json"])["hashes"]
    assert crew == hashes(tmp_path / "whole")


def hashes(run):
    return json.loads((run / "run.json").read_text())["hashes"]


@pytest.mark.slow
def test_one_unit_vectors_are_one_hot_regression(config, tmp_path):
    """A table of vectors before a dense layer is a dense layer on one-hot inputs."""
    experiment = config(more="model: {hidden: []}\nepochs: 3\n")
    bpl.run(experiment, tmp_path / "run")
    model = bpl.model(tmp_path / "run")
    views, x = model.parameters.views, load_data(experiment.data, experiment.seed).train.inputs
    kernel = views["dense_1/kernel"]
    expected = x[:, :1] @ kernel[:1] + views["dense_1/bias"]
    first = 1
    for place in (1, 2):
        table = views[f"embed_columns_1/table_{place}"]
        hot = np.equal(x[:, place, None], np.arange(len(table))).astype(np.float32)
        expected = expected + hot @ (table @ kernel[first : first + table.shape[1]])
        first += table.shape[1]
    np.testing.assert_allclose(model.outputs(x), expected, atol=1e-5)


def test_codes_are_no_unscaled_inputs_and_no_attack_moves_them(config, tmp_path):
    bpl.run(config("epochs=2"), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["start"]["inputs"] < 2
    model = bpl.model(tmp_path / "run")
    examples = model.examples()["validation"]
    moved = model.attacked(examples, 0.1).inputs - examples.inputs
    assert np.abs(moved[:, 0]).max() > 0.05
    assert not moved[:, 1:].any()


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        (DATA, "model: {hidden: [4], parametrization: ntk}\n", "no form in the ntk"),
        (DATA.replace("embedding: 4", "embedding: 0"), "", "with 1 to 4,096 units"),
        (DATA.replace("embedding: 4", "embedding: x"), "", "with 1 to 4,096 units"),
        (DATA, "model: {layers: [{dense: 4}, {conv1d: 2}, {dense: 1}]}\n", "model.layers.1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is(data, more, message, config):
    with pytest.raises(ConfigError, match=message):
        build(config(data=data, more=more))


def test_a_learner_that_takes_no_codes_is_refused(config):
    words = "learner=kernel_regression", "learning_rate=null"
    with pytest.raises(ConfigError, match="which kernel_regression has none of — make it categ"):
        build(config(*words, more=""))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["majority", "linear", "random_forest", "gradient_boosting"])
def test_a_baseline_takes_an_embedded_category_as_one_hot(name, config, tmp_path):
    """The same answers as where the config says categorical; boosting divides the codes: better."""
    words = f"learner={name}", "learning_rate=null"
    plain = DATA.replace("embedding: 4", "categorical").replace("{categorical}", "categorical")
    plain = plain.replace("{embedding: 2}", "categorical")
    rows = [
        bpl.run(config(*words, data=data, more=""), tmp_path / f"run{i}").metrics
        for i, data in enumerate((DATA, plain))
    ]
    if name == "gradient_boosting":
        assert rows[0]["val_accuracy"] > rows[1]["val_accuracy"]
    else:
        np.testing.assert_allclose(rows[0]["val_loss"], rows[1]["val_loss"], rtol=0.2)


def test_the_config_of_a_run_says_the_same(config):
    from backproplab.config import to_yaml

    experiment = config()
    text = to_yaml(experiment)
    assert "city: embedding 4" in text.replace("'", "")
    tree = {**experiment.model_dump(mode="json")["data"]}
    assert Experiment.model_validate({"data": tree}).data == experiment.data
