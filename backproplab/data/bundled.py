"""The small real data sets that scikit-learn brings along; imported when one is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.data.dataset import Dataset, Examples, RegressionDataset, Source
from backproplab.task import Task


def _bundle(name: str) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")()


class BundledClasses(Dataset):
    """A classification set of scikit-learn, under scikit-learn's name for it."""

    def read(self, generator: np.random.Generator) -> Source:
        bundle = _bundle(self.name)
        labels = tuple(str(label) for label in bundle.target_names)
        examples = Examples(bundle.data, bundle.target.astype(np.int64))
        return Source(examples, Task("classification", len(labels), labels))


class Digits(BundledClasses, name="digits"):
    """1797 handwritten digits, 8 × 8 pixels of 0 to 16, flat: 64 features, 10 classes."""


class Iris(BundledClasses, name="iris"):
    """Fisher's 150 iris flowers: 4 lengths in cm, 3 species."""


class Wine(BundledClasses, name="wine"):
    """178 wines: 13 chemical measurements on very different scales, 3 cultivars."""


class BreastCancer(BundledClasses, name="breast_cancer"):
    """569 tumors (Wisconsin): 30 measurements of cell nuclei, malignant or benign."""


class Diabetes(RegressionDataset, name="diabetes"):
    """442 patients: 10 features, the disease's progression a year later (25 to 346)."""

    def read(self, generator: np.random.Generator) -> Source:
        bundle = _bundle(self.name)
        return Source(Examples(bundle.data, bundle.target[:, None]), Task("regression", 1))
