"""Shaping: what a config may say of a column's numbers, and the ranks of scikit-learn."""

import numpy as np
import pytest

from backproplab.tables import Shaping, ranks

TEXTS = ["log", "minmax", "quantile", "standard", "clip 0 500", "clip -1.5 1e+22 log minmax"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_it_is_written(text) -> None:
    shaping = Shaping.parse(text)
    assert shaping
    assert Shaping.parse(str(shaping)) == shaping


@pytest.mark.parametrize(
    "text",
    ["", "lg", "minmax log", "clip 5", "clip 5 5", "clip 0 inf", "clip a b", "log log", "numeric"],
)
def test_another_text_is_no_shaping(text) -> None:
    assert Shaping.parse(text) is None


@pytest.mark.parametrize(
    "fields",
    [{"clip": [0]}, {"clip": 3}, {"clip": ["0", "1"]}, {"clip": [0, True]}, {"log": 1},
     {"log": "yes"}, {"scale": "max"}, {"scale": None}, {"more": 1}, {"clip": [float("nan"), 1]}],
)  # fmt: skip
def test_other_fields_are_no_shaping(fields) -> None:
    assert Shaping.of(fields) is None


def test_fields_say_what_a_text_says() -> None:
    fields = {"clip": [0, 500.5], "log": True, "scale": "minmax"}
    assert Shaping.of(fields) == Shaping.parse("clip 0 500.5 log minmax")


def test_the_logarithm_has_both_signs() -> None:
    values = np.array([-9.0, 0.0, 9.0, np.nan])
    found = Shaping(log=True)(values)
    np.testing.assert_array_equal(found, [-np.log1p(9), 0, np.log1p(9), np.nan])


@pytest.mark.parametrize("knots", [1, 2, 7, 200])
@pytest.mark.parametrize("values", ["normal", "many zeros", "whole numbers", "constant"])
def test_ranks_are_those_of_scikit_learn(values, knots) -> None:
    """QuantileTransformer of scikit-learn 1.9 on the same rows, and on new ones."""
    from sklearn.preprocessing import QuantileTransformer

    random = np.random.default_rng(4)
    fitted = {
        "normal": random.normal(size=300),
        "many zeros": np.maximum(random.normal(size=300), 0),
        "whole numbers": random.integers(0, 4, 300).astype(float),
        "constant": np.full(300, 2.5),
    }[values]
    reference = QuantileTransformer(n_quantiles=knots).fit(fitted[:, None])
    new = np.concatenate([fitted, random.normal(size=100) * 3, [-1e9, 0, 1e9]])
    expected = reference.transform(new[:, None])[:, 0]
    quantiles = np.quantile(fitted, np.linspace(0, 1, knots))
    np.testing.assert_allclose(ranks(new, quantiles), expected, atol=1e-12)
