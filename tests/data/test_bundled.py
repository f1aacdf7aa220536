"""The bundled sets are scikit-learn's, and cost nothing until they are read."""

import subprocess
import sys

import numpy as np
import pytest

from backproplab.data.bundled import BundledClasses, Digits
from backproplab.streams import stream


@pytest.mark.parametrize(
    ("name", "examples", "features", "classes"),
    [
        ("digits", 1797, 64, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("iris", 150, 4, [50, 50, 50]),
        ("wine", 178, 13, [59, 71, 48]),
        ("breast_cancer", 569, 30, [212, 357]),
    ],
)
def test_sizes_are_those_of_the_uci_repository(make, name, examples, features, classes) -> None:
    read = make(name).read(stream(0, "data")).examples
    assert read.inputs.shape == (examples, features)
    assert np.bincount(read.targets).tolist() == classes


def test_least_squares_on_diabetes_is_the_published_one(make) -> None:
    """R² and intercept as scikit-learn's LinearRegression reports them on all 442 patients."""
    examples = make("diabetes").read(stream(0, "data")).examples
    X = np.column_stack([np.ones(442), examples.inputs])
    w, *_ = np.linalg.lstsq(X, examples.targets, rcond=None)
    residual = examples.targets - X @ w
    assert 1 - residual.var() / examples.targets.var() == pytest.approx(0.5177484222203499)
    assert w[0, 0] == pytest.approx(152.13348416289597)


CLASSES = {cls.name: cls for cls in BundledClasses.__subclasses__()}


@pytest.mark.parametrize("name", CLASSES)
def test_the_tables_are_what_scikit_learn_makes_of_them(name, make) -> None:
    from sklearn import datasets

    bundle = getattr(datasets, f"load_{name}")()
    source = make(name).read(stream(0, "data"))
    assert np.array_equal(source.examples.inputs, bundle.data)
    assert np.array_equal(source.examples.targets, bundle.target)
    assert source.task.labels == tuple(map(str, bundle.target_names))


def test_a_table_that_has_moved_is_had_from_scikit_learns_function() -> None:
    class Moved(Digits):
        file = "nowhere.csv"

    moved, here = (cls().read(stream(0, "data")).examples for cls in (Moved, Digits))
    assert np.array_equal(moved.inputs, here.inputs)
    assert np.array_equal(moved.targets, here.targets)


@pytest.mark.parametrize("name", CLASSES)
def test_reading_a_table_does_not_import_scikit_learn(name) -> None:
    code = (
        "import sys; from backproplab.data import Dataset, load;"
        f"load(Dataset.members[{name!r}](), 0); sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
