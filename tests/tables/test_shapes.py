"""The usual teaching files are read right, without a word beyond the target."""

import numpy as np
import pytest

from backproplab.data import Dataset, load
from backproplab.tables import Feature
from tests.tables.shapes import SHAPES


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    return {
        name: shape.write(folder / f"{i}.csv") for i, (name, shape) in enumerate(SHAPES.items())
    }


@pytest.mark.parametrize("name", SHAPES)
def test_the_columns_are_what_was_written(name, files) -> None:
    shape = SHAPES[name]
    data = Dataset.parse({"name": "csv", "path": str(files[name]), "target": shape.target})
    table = data.other(files[name])
    target, roles = data.roles(table)
    found = {r.name: r.kind if isinstance(r, Feature) else "-" for r in roles}
    found = {n.replace("unnamed_1", ""): kind for n, kind in found.items() if n != shape.target}
    assert found == shape.kinds
    assert (len(table), target.kind) == (shape.rows, shape.task)
    assert target.classes == shape.classes


@pytest.mark.parametrize("name", SHAPES)
def test_they_become_finite_inputs_of_every_split(name, files) -> None:
    shape = SHAPES[name]
    splits = load(Dataset.parse({"name": "csv", "path": str(files[name]), "target": shape.target,
                                 "test_split": 0.1}), 0)  # fmt: skip
    parts = (splits.train, splits.validation, splits.test)
    assert sum(map(len, parts)) == shape.rows
    assert all(np.isfinite(part.inputs).all() and np.isfinite(part.targets).all() for part in parts)
    assert splits.task.target == shape.target


@pytest.mark.parametrize(
    ("name", "values", "omitted"),
    [
        *((name, range(1, 41), True) for name in ("", "Nr.", "no", "Unnamed: 0", "lfd. Nr", "id")),
        *((name, range(40), True) for name in ("", "obs", "customer_id", "PassengerId")),
        *((name, range(0, 80, 2), name == "id") for name in ("Nr.", "number", "id")),
        ("day", range(1, 41), False),
    ],
)
def test_a_column_that_numbers_the_rows_is_no_feature(name, values, omitted, tmp_path) -> None:
    rows = [f"{value},{value % 3},{value % 5}" for value in values]
    (tmp_path / "f.csv").write_text("\n".join([f"{name},a,y", *rows]) + "\n")
    data = Dataset.parse({"name": "csv", "path": str(tmp_path / "f.csv"), "target": "y"})
    _, roles = data.roles(data.other(tmp_path / "f.csv"))
    assert isinstance(roles[0], Feature) != omitted
