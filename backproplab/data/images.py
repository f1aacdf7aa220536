"""MNIST and Fashion-MNIST: finding and reading their four files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from backproplab.data.dataset import Dataset, Examples, RawData
from backproplab.data.idx import read_idx
from backproplab.errors import DataError, Problem
from backproplab.spec import PathText, absolute
from backproplab.task import Task

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
VARIABLE = "BACKPROPLAB_DATA"


class ImageFiles(Dataset):
    """Gray images in four IDX files (plain or ``.gz``), two of them with 10 000 test images.

    path: the folder of the files. Empty: ``$BACKPROPLAB_DATA/<name>``, ``$BACKPROPLAB_DATA``, then
    the folder of Debian's package. Inputs are flat; without ``standardize`` they are in 0 … 1.
    """

    brings_test: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]]
    install: ClassVar[str] = ""

    path: PathText = ""

    def read(self, generator: np.random.Generator) -> RawData:
        train_images, train_labels, test_images, test_labels = self._find()
        train, test = self._pair(train_images, train_labels), self._pair(test_images, test_labels)
        if train.inputs.shape[1:] != test.inputs.shape[1:]:
            raise _fault(test_images, f"its images differ in size from those in {train_images}")
        task = Task("classification", len(self.labels), self.labels)
        return RawData(train, task, test=test, unit=255.0)

    def _pair(self, images: Path, labels: Path) -> Examples:
        """The images, flat, and their labels. Raises DataError unless there is one label each."""
        inputs, targets = read_idx(images, 3), read_idx(labels, 1)
        if len(inputs) != len(targets):
            raise _fault(labels, f"{len(targets)} labels, but {len(inputs)} images in {images}")
        last, row = len(self.labels) - 1, int(targets.argmax())
        if targets[row] > last:
            raise _fault(labels, f"label {targets[row]} of example {row} is not in 0 to {last}")
        return Examples(inputs.reshape(len(inputs), -1), targets.astype(np.int64))

    def _find(self) -> list[Path]:
        """The four files, from the first folder that has them all."""
        folders = list(self._folders())
        for folder in folders:
            present = _names(folder)
            choices = [next((n for n in (f, f"{f}.gz") if n in present), None) for f in FILES]
            if None not in choices:
                return [folder / choice for choice in choices if choice]
        raise DataError(str(Problem(
            f"data set {self.name}",
            f"none of the folders {', '.join(map(str, folders))} has all of {', '.join(FILES)}"
            " (plain or .gz)",
            f"{self.install}set data.path=FOLDER or {VARIABLE}=FOLDER",
        )))  # fmt: skip

    def _folders(self) -> Iterator[Path]:
        if self.path:
            yield Path(self.path)
            return
        if root := os.environ.get(VARIABLE):
            yield from (Path(absolute(root)) / self.name, Path(absolute(root)))
        yield Path("/usr/share/datasets") / self.name.replace("_", "-")


class FashionMnist(ImageFiles, name="fashion_mnist"):
    """60 000 + 10 000 articles of clothing, 28 × 28 pixels, 10 classes (arXiv 1708.07747)."""

    install = "apt-get install dataset-fashion-mnist, or "
    labels = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


class Mnist(ImageFiles, name="mnist"):
    """60 000 + 10 000 handwritten digits, 28 × 28 pixels, 10 classes."""

    labels = tuple("0123456789")


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except (OSError, ValueError):
        return set()


def _fault(where: Path, what: str) -> DataError:
    return DataError(str(Problem(str(where), what, "get all four files again from one source")))
