"""What each column tells of the target, against numbers found another way."""

import numpy as np
import pytest

from backproplab.data import Csv
from backproplab.tables import profiles


def profiled(path, rows, target="y", **settings):
    names = list(rows)
    lines = [",".join(map(str, row)) for row in zip(*rows.values(), strict=True)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    data = Csv(path=str(path), target=target, columns={}, **settings)
    table = data.other(path)
    found, roles = data.roles(table)
    return {each.role.name: each for each in profiles(table, found, roles)}


@pytest.fixture
def noise():
    return np.random.default_rng(0)


def test_a_copy_of_the_target_is_a_leak(tmp_path, noise):
    y = noise.integers(0, 2, 400)
    rows = {
        "alive": np.where(y, "yes", "no"),
        "x": noise.normal(size=400),
        "twice": 2 * y + 1,
        "y": y,
    }
    found = profiled(tmp_path / "f.csv", rows)
    assert {name for name, each in found.items() if each.is_leak} == {"alive", "twice"}
    assert found["y"].tells is None
    assert found["x"].tells < 0.3


def test_what_a_category_tells_of_a_number_is_the_share_of_variance(tmp_path, noise):
    """η² as the R² of scikit-learn's LinearRegression on one-hot columns."""
    from sklearn.linear_model import LinearRegression

    city = noise.choice(["a", "b", "c"], 300)
    y = np.round((city == "b") * 2 + noise.normal(size=300), 4)
    hot = np.stack([city == level for level in "abc"], axis=1)
    expected = LinearRegression().fit(hot, y).score(hot, y)
    assert profiled(tmp_path / "f.csv", {"city": city, "y": y})["city"].tells == pytest.approx(
        expected
    )


def test_what_a_category_tells_of_a_class_is_the_share_of_errors_avoided(tmp_path):
    """6 of 10 are right by the most frequent class, 9 of 10 by that of each city."""
    rows = {"city": ["u"] * 50 + ["v"] * 50, "y": ["p"] * 50 + ["p"] * 10 + ["q"] * 40}
    assert profiled(tmp_path / "f.csv", rows)["city"].tells == pytest.approx(1 - 10 / 40)


def test_counts_values_and_missing(tmp_path):
    rows = {"x": [1, "", 3.5, 9] * 25, "city": ["u", "v", "v", ""] * 25, "y": [0, 1] * 50}
    found = profiled(tmp_path / "f.csv", rows)
    x, city = found["x"], found["city"]
    assert (x.distinct, x.missing, x.values, sum(x.counts)) == (3, 25, "1 … 9", 75)
    assert (city.distinct, city.missing, city.values, city.counts) == (2, 25, "v, u", (50, 25))


def test_a_column_of_many_values_tells_nothing_that_counts(tmp_path, noise):
    rows = {"name": [f"n{i}" for i in range(100)], "y": noise.integers(0, 2, 100)}
    assert profiled(tmp_path / "f.csv", rows | {"x": noise.normal(size=100)})["name"].tells is None
