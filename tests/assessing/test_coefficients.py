"""Coefficients of a linear regression: names, units, least squares on the same rows."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import backproplab as bpl
from backproplab.assessing.coefficients import Coefficients, least_squares
from backproplab.config import Experiment
from backproplab.data import load
from backproplab.errors import RunError

DIABETES = {"name": "diabetes", "validation_split": 0.0, "standardize_targets": True}
QUIET = {"tensorboard": {"telemetry": False, "histograms": 0}}
SHORT = {"model": {"hidden": []}, "epochs": 3, "dtype": "float64", **QUIET}
# anchors/learners.md, section 13: scikit-learn's diabetes, all 442 rows standardized
REFERENCE = [
    *(-0.47612, -11.40687, 24.72655, 15.42940, -37.67995),
    *(22.67616, 4.80614, 8.42204, 35.73445, 3.21667),
]
INTERCEPT = 152.13348416289597


def trained(folder, **keys):
    tree = {"data": DIABETES, **SHORT, "optimizer": "sgd", "batch_mode": "batch", **keys}
    return bpl.model(bpl.run(Experiment.model_validate(tree), folder).folder, "last")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "linear", learning_rate=0.1)


def test_least_squares_is_the_reference(model):
    found = Coefficients.of(model)
    np.testing.assert_allclose(found.exact.slopes, REFERENCE, atol=5e-6)
    assert found.exact.intercept == pytest.approx(INTERCEPT, rel=1e-12)
    assert found.is_unique
    bundle = load_diabetes()
    raw = LinearRegression().fit(bundle.data, bundle.target)  # of the columns as they are
    of_columns = found.exact.of_columns(model.preparation)
    np.testing.assert_allclose(of_columns.slopes, raw.coef_, rtol=1e-9)
    assert of_columns.intercept == pytest.approx(raw.intercept_, rel=1e-12)
    assert found.names == tuple(bundle.feature_names)


def test_its_own_line_predicts_what_it_predicts(model):
    own = Coefficients.of(model).trained.of_columns(model.preparation)
    data = load_diabetes().data
    np.testing.assert_allclose(data @ own.slopes + own.intercept, model.predict(data), rtol=1e-9)


@pytest.mark.slow
def test_gradient_descent_ends_at_least_squares(tmp_path):
    found = Coefficients.of(trained(tmp_path / "run", learning_rate=0.24, epochs=5000))
    assert found.distance < 1e-3 * np.abs(found.exact.slopes).max()


def test_rows_count_by_their_weights_and_categories_are_inputs(tmp_path):
    chance = np.random.default_rng(0)
    x, city = chance.normal(5, 3, 90), chance.choice(["Köln", "Ulm"], 90)
    y = 2 * x + 7 * (city == "Ulm") + chance.normal(size=90)
    rows = [f"{a},{b},{1 + i % 3},{c}" for i, (a, b, c) in enumerate(zip(x, city, y, strict=True))]
    (tmp_path / "t.csv").write_text("x,city,counts,y\n" + "\n".join(rows) + "\n")
    data = {"name": "csv", "path": str(tmp_path / "t.csv"), "weights": "counts"}
    data |= {"validation_split": 0.2}
    model = trained(tmp_path / "run", data=data, learning_rate=0.1, optimizer="adam")
    found = Coefficients.of(model)
    assert found.names == ("x", "city=Köln", "city=Ulm")
    assert (found.rank, found.is_unique) == (2, False)
    splits = load(model.experiment.data, model.experiment.seed, np.float64)
    train = splits.rows
    table = np.column_stack([x, city == "Ulm"])[train]
    theirs = LinearRegression().fit(table, y[train], sample_weight=1.0 + train % 3)
    slopes = found.exact.of_columns(model.preparation).slopes
    assert slopes[0] == pytest.approx(theirs.coef_[0], rel=1e-9)
    assert slopes[2] - slopes[1] == pytest.approx(theirs.coef_[1], rel=1e-9)
    line, _ = least_squares(splits.train, model.preparation)
    np.testing.assert_allclose(line.slopes, found.exact.slopes)


@pytest.mark.parametrize(
    "keys",
    [{"model": {"hidden": [2]}}, {"data": {"name": "iris"}}, {"model": {"layers": [{"dense": {"units": 1, "activation": "tanh"}}]}}],
    ids=["hidden", "classes", "activation"],
)  # fmt: skip
def test_other_models_have_no_coefficients(keys, tmp_path):
    model = trained(tmp_path / "run", learning_rate=0.01, **keys)
    with pytest.raises(RunError, match=r"no linear regression of one target.*hidden=\[\]"):
        Coefficients.of(model)


def test_the_command_lists_them(model, monkeypatch, capsys):
    from backproplab.cli.evaluate import command

    command(str(model.folder), coefficients=True, weights="last")
    shown = capsys.readouterr().out
    assert "least squares" in shown
    assert "(intercept)" in shown
    command(str(model.folder), coefficients=True, weights="last", as_json=True)
    found = json.loads(capsys.readouterr().out)["coefficients"]
    assert found["bmi"]["least_squares_per_deviation"] == pytest.approx(24.72655, abs=5e-6)
