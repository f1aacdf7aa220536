"""Data sets: their examples as read or drawn, and the splits that training receives.

This file must not know any particular data set, the source of its bytes, or how it is split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.data.encoding import Columns
from backproplab.data.folds import Fold
from backproplab.data.preparation import Preparation
from backproplab.data.scaling import Scaled
from backproplab.data.splitting import SplitBy, Stratified
from backproplab.spec import Count, Family, Fraction, Off
from backproplab.tables import Table, read_table
from backproplab.task import Task


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs ``(n, *input_shape)`` and their targets, row by row.

    targets: ``(n,)`` int64 labels in ``0 … outputs-1``, or ``(n, outputs)`` real numbers.
    weights: what each example counts in loss and metrics, ``(n,)``; None if all count alike.
    """

    inputs: Array
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Array) -> Examples:
        """The examples at ``indices``, in that order."""
        weights = None if self.weights is None else self.weights[indices]
        return Examples(self.inputs[indices], self.targets[indices], weights)


@dataclass(frozen=True, eq=False)
class Pixels:
    """How flat, scaled inputs are images of ``shape`` (height, width): x · scale + shift."""

    shape: tuple[int, ...]
    shift: Array | float = 0.0
    scale: Array | float = 1.0

    def __call__(self, inputs: Array) -> Array:
        """The pixels (n, *shape) as they were read."""
        return (inputs * self.scale + self.shift).reshape(len(inputs), *self.shape)


@dataclass(frozen=True, eq=False)
class Others:
    """Examples in other files, to be predicted: inputs (n, *shape) as they were read.

    key: what their names are.  names: of each.  classes: of each; empty where they are not known.
    """

    inputs: Array
    key: str
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)


STRATIFIED = Stratified()
COMPRESSED = ("compressed", "unpack it, and name the file that is in it")
SPREADSHEET = ("a spreadsheet", "save it as CSV in UTF-8, and name that file")
FOREIGN = {  # suffixes of files that are no data, with what they are and what to do
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".rar", ".tar"), COMPRESSED),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), SPREADSHEET),
}


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as read or drawn, before it is split and scaled.

    test: its own test split, if it has one.
    unit: inputs that are not standardized are divided by it (255: pixels become ``0 … 1``).
    image: (height, width) of inputs that are flat images.
    one_scale: standardized, all features have one mean and one deviation.
    names: of inputs that have some.
    columns: of a table: its features, instead of inputs.
    split: how its examples are divided.  keys: of each example, by which it is.
    remarks: what is to be known of the data, a phrase each.
    """

    examples: Examples
    task: Task
    test: Examples | None = None
    unit: float = 1.0
    image: tuple[int, ...] = ()
    one_scale: bool = False
    names: tuple[str, ...] = ()
    columns: Columns | None = None
    split: SplitBy = STRATIFIED
    keys: Array | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Splits:
    """The scaled examples for training, validation and testing.

    pixels: gives back the images that the inputs are; None if they are none.
    rows: of each training example its row (from 0) in the data as they were read.
    held: the same of the validation and the test examples that were taken from these data.
    preparation: what made the inputs and targets of what was read.
    remarks: what is to be known of the data, a phrase each.
    """

    train: Examples
    validation: Examples | None
    test: Examples | None
    task: Task
    preparation: Preparation
    pixels: Pixels | None = None
    rows: Array | None = None
    held: Mapping[str, Array] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input."""
        return self.train.inputs.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, dtype and bytes of every array: equal for equal data only."""
        digest = hashlib.sha256()
        for name in ("train", "validation", "test"):
            examples: Examples | None = getattr(self, name)
            for array in _arrays(examples) if examples else ():
                digest.update(f"{name} {array.shape} {array.dtype.str};".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _arrays(examples: Examples) -> list[Array]:
    arrays = examples.inputs, examples.targets, examples.weights
    return [array for array in arrays if array is not None]


class Dataset(Family):
    """The family of data sets. A member reads its examples; ``load`` splits and scales them.

    A bare path is the data set that reads files with its suffix: ``data: flowers.csv``.

    validation_split: share of the examples used for validation, not for training; 0: none.
    test_split: the same for testing; only for sets without test examples of their own.
    fold: of a cross-validation, ``{of: 5, index: 0}``: its rows are the test split, and the
        validation split is a share of the rest; all folds of a seed divide the same rows.
    standardize: scale every input feature to mean 0 and variance 1 on the training split; by
        minmax to 0 … 1, from the least value to the largest; false: leave it as it is.
    train_samples: number of training examples that are used, of each class in proportion; a smaller
        number uses some of those of a larger one.
    label_noise: share of the training labels that are replaced by another class; of a regression,
        the standard deviation of noise added to the targets, in units of theirs.
    """

    required = ("read",)
    brings_test: ClassVar[bool] = False
    suffixes: ClassVar[tuple[str, ...]] = ()

    validation_split: Annotated[Fraction, Off(0.0)] = 0.2
    test_split: Annotated[Fraction, Off(0.0)] = 0.0
    fold: Annotated[Fold | None, Off()] = None
    standardize: Scaled = True
    train_samples: Annotated[Count | None, Off()] = None
    label_noise: Annotated[Fraction | None, Off()] = None

    @property
    def title(self) -> str:
        """What people call it: its name; a file's own, where the data are a file of the user's."""
        return PurePath(getattr(self, "path", "")).name if self.suffixes else self.name

    @classmethod
    def named_by(cls, text: str) -> tuple[str, dict[str, Any], str]:
        name = cls.reader(text)
        return (name, {"path": text}, "") if name else super().named_by(text)

    @classmethod
    def reader(cls, file: str) -> str:
        """The name of the member that reads files with this suffix; empty where none does."""
        ending = "/" if file.endswith("/") else PurePath(file).suffix.lower()
        return next((name for name, own in cls.members.items() if ending in own.suffixes), "")

    @classmethod
    def dissect(cls, value: Any) -> tuple[str, dict[str, Any], str]:
        """A mapping without a name is of the data set that reads its path."""
        if isinstance(value, dict) and "name" not in value and isinstance(value.get("path"), str):
            name, fields, _ = cls.named_by(value["path"])
            return name, dict(value), "" if fields else "path"
        known = [each.model_fields.keys() for each in cls.members.values()]
        nameless = isinstance(value, dict) and "name" not in value
        if nameless and any(value.keys() <= keys for keys in known):
            what = "needs a path, such as {path: FILE.csv}, or a name"
            raise PydanticCustomError("member_form", "{what}", {"what": what})
        return super().dissect(value)

    @classmethod
    def unknown(cls, name: str) -> str:
        suffix = PurePath(name).suffix.lower()
        if kind := FOREIGN.get(suffix):
            return f"'{name}' is {kind[0]}"
        return f"no data set reads '{name}'" if suffix or "/" in name else super().unknown(name)

    @classmethod
    def nearest(cls, name: str) -> str:
        suffix = PurePath(name).suffix.lower()
        if kind := FOREIGN.get(suffix):
            return kind[1]
        if not suffix:
            folder = f"a folder of images is written with a slash at its end: {name}/"
            return ("" if "/" in name else super().nearest(name)) or folder
        suffixes = [known for each in cls.members.values() for known in each.suffixes]
        if near := get_close_matches(suffix, suffixes, n=1):
            return f"did you mean '{PurePath(name).with_suffix(near[0])}'?"
        known = " ".join(sorted(ending for ending in suffixes if ending != "/"))
        return f"files are read by their suffix, {known}: save it as one of these"

    @property
    def memory(self) -> int:
        """Bytes that reading it may take at once; 0 where that is not known, or little."""
        return 0

    def read(self, generator: np.random.Generator) -> RawData:
        """All examples of the set; ``generator`` (stream ``data``) is the only random source."""
        raise NotImplementedError

    def other(self, path: Path, texts: Collection[str] = ()) -> Table | Array | Others:
        """The examples in another file, to predict: a table, or inputs (n, *shape) as read.

        texts: columns that are no numbers. Raises DataError.
        """
        return read_table(path, texts=texts)

    def folded(self, fold: Fold | None) -> Self:
        """The same data with this fold as the test split."""
        return self.model_copy(update={"fold": fold})

    @property
    def fold_problem(self) -> str:
        """Why there can be no folds; empty if there can."""
        if self.brings_test:
            return f"{self.name} brings its own test examples, and a fold would be another test"
        if self.test_split:
            return "a fold is the test split, so that test_split must be 0"
        if self.divided_by.is_given:
            return "the split is given by a column"
        return ""

    @property
    def divided_by(self) -> SplitBy:
        """How the examples are divided."""
        return STRATIFIED

    @model_validator(mode="after")
    def _splits_fit(self) -> Self:
        fault = ""
        if self.fold and self.fold_problem:
            what = {"fault": self.fold_problem, "path": "fold"}
            raise PydanticCustomError("fold", "{fault}", what)
        if self.brings_test and self.test_split:
            fault = f"must be 0: {self.name} brings its own test examples"
        elif self.validation_split + self.test_split >= 1:
            fault = "must leave training examples: with validation_split it reaches 1"
        if fault:
            raise PydanticCustomError("split", "{fault}", {"fault": fault, "path": "test_split"})
        return self


class RegressionDataset(Dataset):
    """A data set with real targets.

    standardize_targets: scale every target column to mean 0 and variance 1 on the training split;
    losses are then in units of the targets' standard deviation.
    """

    standardize_targets: bool = False
