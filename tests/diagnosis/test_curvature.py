"""λ and the noise scale against what is known exactly of linear models."""

import json

import numpy as np
import pytest

from backproplab.diagnosis import Case
from backproplab.diagnosis.curvature import curvature, noise_scale, summary

LINEAR = {
    "data": {"name": "diabetes", "standardize_targets": True, "validation_split": 0},
    "model": {"hidden": []},
    "optimizer": "sgd",
    "learning_rate": 0.2,
    "batch_mode": "batch",
    "epochs": 40,
    "dtype": "float64",
}


def test_the_largest_eigenvalue_of_a_linear_model(trained):
    """The Hessian of mean (x w + b - y)² is 2 XᵀX / n, with a column of ones for b."""
    end = Case(trained(LINEAR)).end
    x = end.parts.splits.train.inputs
    ones = np.column_stack([x, np.ones(len(x))])
    largest = np.linalg.eigvalsh(2 * ones.T @ ones / len(x)).max()
    assert curvature(end) == pytest.approx(largest, rel=1e-3)
    said, facts = summary(end, 0.2)
    assert facts["product"] == pytest.approx(0.2 * largest, rel=1e-3)
    assert "2 is where it diverges" in said


def test_the_noise_scale_of_a_linear_model(trained):
    """tr Σ / ‖G‖² from the gradient of every single example, at the first step: within a third."""
    end = Case(trained(LINEAR | {"epochs": 1})).end
    train, w = end.parts.material.train, end.descent.weights
    residual = train.inputs @ w["dense_1/kernel"] + w["dense_1/bias"] - train.encoded
    each = np.column_stack([2 * residual * train.inputs, 2 * residual])
    exact = each.var(axis=0).sum() / np.square(each.mean(axis=0)).sum()
    assert noise_scale(end) == pytest.approx(exact, rel=1 / 3)


def test_it_is_shown_on_demand(trained, monkeypatch, capsys):
    from backproplab.cli import main

    folder = trained(LINEAR | {"epochs": 2})
    for words, code in ((["--curvature"], 0), (["--curvature", "--json"], 0)):
        monkeypatch.setattr("sys.argv", ["backproplab", "diagnose", str(folder), *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert (end.value.code or 0) == code
        out = capsys.readouterr().out
    assert json.loads(out)["curvature"]["product"] > 1
