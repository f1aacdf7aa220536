"""MNIST and Fashion-MNIST: finding and reading their four files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.data.dataset import Dataset, Examples, Others, RawData
from backproplab.data.idx import read_idx
from backproplab.errors import DataError, Problem, reason
from backproplab.files import cache_folder
from backproplab.spec import PathText, absolute
from backproplab.tables import Table
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

    path: the folder of the files. Empty: ``$BACKPROPLAB_DATA/<name>``, ``$BACKPROPLAB_DATA``, where
    ``data fetch`` puts them, then the folder of Debian's package. Inputs are flat; without
    ``standardize`` they are in 0 … 1.
    one_scale: with ``standardize``, by one mean and one deviation of all pixels.
    """

    brings_test: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""
    source: ClassVar[str] = ""  # the folder that they can be fetched from
    sha256: ClassVar[tuple[str, ...]] = ()  # of the packed files there, in the order of FILES

    path: PathText = ""
    one_scale: bool = False

    def read(self, generator: np.random.Generator) -> RawData:
        train_images, train_labels, test_images, test_labels = self._find()
        names = self.labels or _classes(train_labels)
        train = _pair(train_images, train_labels, names)
        test = _pair(test_images, test_labels, names)
        if train.inputs.shape[1:] != test.inputs.shape[1:]:
            raise _fault(test_images, f"its images differ in size from those in {train_images}")
        task = Task("classification", len(names), names)
        image = train.inputs.shape[1:]
        pair = _flat(train), task, _flat(test)
        return RawData(*pair, unit=255.0, image=image, one_scale=self.one_scale)

    def other(self, path: Path, texts: Collection[str] = ()) -> Table | Array | Others:
        if path.suffix.lower() == ".csv":
            return super().other(path, texts)
        images = read_idx(path, 3)
        return images.reshape(len(images), -1)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of training images and labels, test images and labels."""
        return FILES

    def _find(self) -> list[Path]:
        """The four files, from the first folder that has them all.

        Capitals, ``.`` or ``_`` for ``-``, and ``.gz`` make no difference, if one file only fits.
        """
        folders, seen, other = list(self._folders()), [], ""
        for folder in folders:
            names, fault = _names(folder)
            fit = [_fitting(file, names) for file in self.files]
            if all(len(choices) == 1 for choices in fit):
                return [folder / choices[0] for choices in fit]
            seen.append(f"{folder} {fault or _lack(self.files, fit, names)}")
            fields = f"name: idx, path: {folder}, prefix"
            other = other or "or ".join(f"data: {{{fields}: {p}}} " for p in _prefixes(names)[:3])
        hint = other.strip() or f"{self.install}set data.path=FOLDER or {VARIABLE}=FOLDER"
        raise DataError(str(Problem(
            f"data set {self.name}",
            f"none of the folders {', '.join(map(str, folders))} has all of {', '.join(self.files)}"
            f" (plain or .gz): {'; '.join(seen)}",
            hint,
        )))  # fmt: skip

    def _folders(self) -> Iterator[Path]:
        if self.path:
            yield Path(self.path)
            return
        if root := os.environ.get(VARIABLE):
            yield from (self.kept(), Path(absolute(root)))
        else:
            yield self.kept()
        yield Path("/usr/share/datasets") / self.name.replace("_", "-")

    @classmethod
    def kept(cls) -> Path:
        """The folder that they are fetched to: in ``$BACKPROPLAB_DATA``, or in the cache."""
        root = os.environ.get(VARIABLE)
        return (Path(absolute(root)) if root else cache_folder() / "data") / cls.name


class FashionMnist(ImageFiles, name="fashion_mnist"):
    """60 000 + 10 000 articles of clothing, 28 × 28 pixels, 10 classes (arXiv 1708.07747)."""

    install = "backproplab data fetch fashion_mnist, or apt-get install dataset-fashion-mnist, or "
    source = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
    sha256 = (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    )
    labels = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


class Mnist(ImageFiles, name="mnist"):
    """60 000 + 10 000 handwritten digits, 28 × 28 pixels, 10 classes."""

    install = "backproplab data fetch mnist, or "
    source = "https://storage.googleapis.com/cvdf-datasets/mnist/"
    sha256 = (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    )
    labels = tuple("0123456789")


class Idx(ImageFiles, name="idx"):
    """Gray images in four IDX files, of any size and classes, such as EMNIST's.

    path: the folder of the files.  prefix: before their names: ``emnist-letters-``. The classes are
    the labels of the training images, from 0, from 1, or any others.
    """

    path: PathText
    prefix: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(self.prefix + file for file in FILES)


def _classes(labels: Path) -> tuple[str, ...]:
    """The names of the labels that a file has. Raises DataError."""
    return tuple(str(label) for label in np.unique(read_idx(labels, 1)))


def _pair(images: Path, labels: Path, names: Sequence[str]) -> Examples:
    """The images and their labels. Raises DataError unless there is one label each.

    names: of the classes, which are the labels as texts or, if they are words, counted from 0.
    """
    inputs, targets = read_idx(images, 3), read_idx(labels, 1)
    if len(inputs) != len(targets):
        raise _fault(labels, f"{len(targets)} labels, but {len(inputs)} images in {images}")
    known = [int(name) if name.isdecimal() else i for i, name in enumerate(names)]
    place = np.full(256, -1)
    place[known] = np.arange(len(known))
    unknown = np.where(place[targets] < 0, targets.astype(np.int64), -1)
    if unknown.max() >= 0:
        row = int(unknown.argmax())
        valid = (
            f"{known[0]} to {known[-1]}" if known == [*range(known[0], known[-1] + 1)] else known
        )
        raise _fault(labels, f"label {targets[row]} of example {row} is not in {valid}")
    return Examples(inputs, place[targets])


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


def _prefixes(names: Sequence[str]) -> list[str]:
    """Those with which all four files are there."""
    found = [re.match(r"(.+?)train[-._ ]images", name, re.IGNORECASE) for name in names]
    prefixes = sorted({match[1] for match in found if match})
    return [p for p in prefixes if all(len(_fitting(p + file, names)) == 1 for file in FILES)]


def _lack(files: Sequence[str], fit: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """What a folder lacks, and what is nearest in it."""
    spare = [name for name in names if not any(name in choices for choices in fit)]
    several = [f"both {' and '.join(choices)}" for choices in fit if len(choices) > 1]
    missing = [file for file, choices in zip(files, fit, strict=True) if not choices]
    lacks = [f"no {file}{_nearest(file, spare)}" for file in missing]
    if len(missing) == len(files) and not any(_nearest(file, spare) for file in missing):
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
