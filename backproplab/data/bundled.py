"""The small real data sets that scikit-learn ships.

They are read from its files in a few milliseconds, because importing scikit-learn takes a second.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.data.dataset import Dataset, Examples, RawData, RegressionDataset
from backproplab.spec import Positive
from backproplab.task import Task

MEASURED = (  # of cell nuclei
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity"),
    *("concave points", "symmetry", "fractal dimension"),
)


def _bundle(name: str) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")()


class BundledClasses(Dataset):
    """A classification set of scikit-learn, with scikit-learn's name.

    file: its table; each row is an example: features, then class. header: lines before the rows.
    image: height and width, if the features are pixels. features: their names, if they are none.
    """

    file: ClassVar[str]
    header: ClassVar[int] = 1
    image: ClassVar[tuple[int, ...]] = ()
    labels: ClassVar[tuple[str, ...]]
    features: ClassVar[tuple[str, ...]] = ()

    def read(self, generator: np.random.Generator) -> RawData:
        table = self._table()
        examples = Examples(table[:, :-1], table[:, -1].astype(np.int64))
        task = Task("classification", len(self.labels), self.labels)
        return RawData(examples, task, image=self.image, names=self.features)

    def _table(self) -> Array:
        """The table from scikit-learn's file, or from its function if the file is not there."""
        package = find_spec("sklearn")
        for home in (package and package.submodule_search_locations) or ():
            path = Path(home, "datasets", "data", self.file)
            if path.is_file():
                return np.loadtxt(path, delimiter=",", skiprows=self.header)
        bundle = _bundle(self.name)
        return np.column_stack([bundle.data, bundle.target])


class Digits(BundledClasses, name="digits"):
    """1797 handwritten digits, 8 × 8 pixels of 0 to 16, flat: 64 features, 10 classes.

    scale: of pixels that are not standardized; 0.0625 gives values of 0 to 1.
    nudged: each digit five times: as it is, and moved by a pixel up, down, left and right;
        copies of one digit may be in several splits.
    """

    file, header, image = "digits.csv.gz", 0, (8, 8)
    labels = tuple("0123456789")

    scale: Positive = 1.0
    nudged: bool = False

    def read(self, generator: np.random.Generator) -> RawData:
        whole = replace(super().read(generator), unit=1 / self.scale)
        if not self.nudged:
            return whole
        images = np.pad(whole.examples.inputs.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
        places = ((1, 1), (2, 1), (0, 1), (1, 2), (1, 0))
        moved = [images[:, y : y + 8, x : x + 8].reshape(len(images), 64) for y, x in places]
        examples = Examples(np.concatenate(moved), np.tile(whole.examples.targets, len(places)))
        return replace(whole, examples=examples)


class Iris(BundledClasses, name="iris"):
    """Fisher's 150 iris flowers: 4 lengths in cm, 3 species."""

    file = "iris.csv"
    labels = ("setosa", "versicolor", "virginica")
    features = "sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"


class Wine(BundledClasses, name="wine"):
    """178 wines: 13 chemical measurements on very different scales, 3 cultivars."""

    file = "wine_data.csv"
    labels = ("class_0", "class_1", "class_2")
    features = (
        *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols"),
        *("flavanoids", "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue"),
        *("od280/od315_of_diluted_wines", "proline"),
    )


class BreastCancer(BundledClasses, name="breast_cancer"):
    """569 tumors (Wisconsin): 30 measurements of cell nuclei, malignant or benign."""

    file = "breast_cancer.csv"
    labels = ("malignant", "benign")
    features = (*(f"mean {m}" for m in MEASURED), *(f"{m} error" for m in MEASURED),
                *(f"worst {m}" for m in MEASURED))  # fmt: skip


class Diabetes(RegressionDataset, name="diabetes"):
    """442 patients: 10 features, the disease's progression a year later (25 to 346)."""

    def read(self, generator: np.random.Generator) -> RawData:
        bundle = _bundle(self.name)
        examples = Examples(bundle.data, bundle.target[:, None])
        return RawData(examples, Task("regression", 1), names=tuple(bundle.feature_names))
