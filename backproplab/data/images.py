"""MNIST and Fashion-MNIST: finding and reading their four files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

import numpy as np

from backproplab.data.dataset import Dataset, Examples, RawData
from backproplab.data.idx import read_idx
from backproplab.errors import DataError, Problem, reason
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
        return RawData(_flat(train), task, _flat(test), 255.0, train.inputs.shape[1:])

    def _pair(self, images: Path, labels: Path) -> Examples:
        """The images and their labels. Raises DataError unless there is one label each."""
        inputs, targets = read_idx(images, 3), read_idx(labels, 1)
        if len(inputs) != len(targets):
            raise _fault(labels, f"{len(targets)} labels, but {len(inputs)} images in {images}")
        last, row = len(self.labels) - 1, int(targets.argmax())
        if targets[row] > last:
            raise _fault(labels, f"label {targets[row]} of example {row} is not in 0 to {last}")
        return Examples(inputs, targets.astype(np.int64))

    def _find(self) -> list[Path]:
        """The four files, from the first folder that has them all.

        Capitals, ``.`` or ``_`` for ``-``, and ``.gz`` make no difference, if one file only fits.
        """
        folders, seen = list(self._folders()), []
        for folder in folders:
            names, fault = _names(folder)
            fit = [_fitting(file, names) for file in FILES]
            if all(len(choices) == 1 for choices in fit):
                return [folder / choices[0] for choices in fit]
            seen.append(f"{folder} {fault or _lack(fit, names)}")
        hint = f"{self.install}set data.path=FOLDER or {VARIABLE}=FOLDER"
        raise DataError(str(Problem(
            f"data set {self.name}",
            f"none of the folders {', '.join(map(str, folders))} has all of {', '.join(FILES)}"
            f" (plain or .gz): {'; '.join(seen)}",
            hint,
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


def _flat(images: Examples) -> Examples:
    return Examples(images.inputs.reshape(len(images), -1), images.targets)


def _names(folder: Path) -> tuple[list[str], str]:
    """The names in a folder, and why there are none."""
    try:
        return sorted(entry.name for entry in folder.iterdir()), ""
    except FileNotFoundError:
        return [], "does not exist"
    except NotADirectoryError:
        return [], "is a file, not a folder"
    except (OSError, ValueError) as error:
        return [], f"cannot be read: {reason(error)}"


def _plain(name: str) -> str:
    """A name without what unpackers and browsers change in it."""
    short = re.sub(r"[-._ ]+", "-", name.lower().removesuffix(".gz"))
    return re.sub(r"\btest\b", "t10k", short)


def _fitting(file: str, names: Sequence[str]) -> list[str]:
    """The names that may mean the file; the exact one alone if it is there."""
    exact = next((name for name in (file, f"{file}.gz") if name in names), None)
    return [exact] if exact else [name for name in names if _plain(name) == _plain(file)]


def _lack(fit: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """What a folder lacks, and what is nearest in it."""
    spare = [name for name in names if not any(name in choices for choices in fit)]
    several = [f"both {' and '.join(choices)}" for choices in fit if len(choices) > 1]
    missing = [file for file, choices in zip(FILES, fit, strict=True) if not choices]
    lacks = [f"no {file}{_nearest(file, spare)}" for file in missing]
    if len(missing) == len(FILES) and not any(_nearest(file, spare) for file in missing):
        lacks = [f"none of the files, but {len(names)} others" if names else "no files"]
    return f"has {', '.join([*several, *lacks])}"


def _nearest(file: str, names: Sequence[str]) -> str:
    """``(but emnist-train-images-idx3-ubyte)``: a name that holds the file's, or is like it."""
    plain = {_plain(name): name for name in names}
    inside = [name for short, name in plain.items() if _plain(file) in short]
    kind = file.partition("-idx")[0]  # train-images
    near = inside or [name for short, name in plain.items() if kind in short]
    near = near or [plain[n] for n in get_close_matches(_plain(file), plain, n=1, cutoff=0.7)]
    return f" (but {near[0]})" if near else ""


def _fault(where: Path, what: str) -> DataError:
    return DataError(str(Problem(str(where), what, "get all four files again from one source")))
