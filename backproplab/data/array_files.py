"""Data sets of arrays, and those of NumPy's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.data.dataset import Examples, Others, RawData, RegressionDataset
from backproplab.data.npz import declared, finite, missing_array, read_arrays
from backproplab.spec import PathText
from backproplab.tables import Table
from backproplab.tables.columns import plain
from backproplab.tables.content import fault
from backproplab.task import Task

PAIRS = (  # names of inputs and targets
    *(("x_train", "y_train"), ("X_train", "y_train"), ("x", "y"), ("X", "y"), ("data", "target")),
    *(("inputs", "targets"), ("images", "labels"), ("features", "labels"), ("arr_0", "arr_1")),
)
SUFFIXES = (".npz", ".npy")
CLASSES = 100  # most distinct whole numbers that are taken for classes


class ArraySet(RegressionDataset):
    """Arrays: inputs (n, …), which are flattened, and targets (n) or (n, k).

    task: classification, regression, or auto: whole numbers, texts and one-hot rows are classes.
    one_scale: with ``standardize``, by one mean and one deviation of all inputs.
    """

    task: Literal["auto", "classification", "regression"] = "auto"
    one_scale: bool = False

    @property
    def where(self) -> Path:
        """What messages name."""
        raise NotImplementedError

    @property
    def known_inputs(self) -> tuple[str, ...]:
        """Names that the inputs may have in a file of examples to predict."""
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """All arrays by name. Raises DataError."""
        raise NotImplementedError

    def pair(self, arrays: Mapping[str, Array]) -> tuple[str, str]:
        """The names of inputs and targets. Raises DataError."""
        raise NotImplementedError

    def read(self, generator: np.random.Generator) -> RawData:
        path, arrays = self.where, self.arrays()
        inputs, targets = self.pair(arrays)
        x, y = self._examples(path, arrays, inputs, targets)
        task, labels = self._task(path, targets or "the last column", y)
        test = None
        names = [name.replace("train", "test") for name in (inputs, targets)]
        if "train" in inputs and all(name in arrays for name in names):
            if self.test_split:
                what = f"data.test_split: must be 0: the file has the test examples {names[0]}"
                raise fault(path, what, "remove test_split")
            tested = self._examples(path, arrays, *names)
            test = Examples(_flat(tested[0]), as_labels(path, names[1], tested[1], task))
        unit = 255.0 if x.dtype == np.uint8 else 1.0
        image = x.shape[1:] if x.ndim == 3 else ()
        examples = Examples(_flat(x), labels)
        return RawData(examples, task, test, unit=unit, image=image, one_scale=self.one_scale)

    def other(self, path: Path, texts: Collection[str] = ()) -> Table | Array | Others:
        if path.suffix.lower() not in SUFFIXES:
            return super().other(path, texts)
        arrays = read_arrays(path)
        name = next((name for name in self.known_inputs if name in arrays), next(iter(arrays)))
        return finite(path, name, _flat(arrays[name]))

    def _examples(
        self, path: Path, arrays: Mapping[str, Array], inputs: str, targets: str
    ) -> tuple[Array, Array]:
        """Inputs (n, …) and targets, checked to be of one length and finite."""
        x, y = arrays[inputs], arrays[targets]
        if not inputs and x.ndim == 2 and x.shape[1] > 1:
            x, y = x[:, :-1], x[:, -1]
        if x.ndim < 2 or x.dtype.kind == "U":
            what = f"array '{inputs}' of shape {x.shape} is no inputs: one row for each example"
            raise fault(path, what, "save numbers of shape (examples, features)")
        if not len(x) or len(x) != len(y):
            what = f"{len(x):,} inputs in '{inputs}', {len(y):,} targets in '{targets}'"
            raise fault(path, what, "an example has inputs and a target")
        return finite(path, inputs, x), finite(path, targets, y)

    def _task(self, path: Path, name: str, y: Array) -> tuple[Task, Array]:
        """What is predicted, and the targets as labels (n,) or numbers (n, k)."""
        classes = _classes(y) if self.task == "auto" else self.task == "classification"
        if not classes:
            if y.dtype.kind == "U":
                raise fault(path, f"array '{name}' holds texts", "set data.task=classification")
            numbers = y.reshape(len(y), -1).astype(np.float64)
            return Task("regression", numbers.shape[1]), numbers
        found = np.unique(_single(y))
        names = tuple(str(x) if y.dtype.kind == "U" else plain(float(x)) for x in found)
        if len(names) < 2:
            raise fault(
                path, f"array '{name}': every target is {names[0]}", "two classes are needed"
            )
        task = Task("classification", len(names), names)
        return task, as_labels(path, name, y, task)


class Npz(ArraySet, name="npz"):
    """Arrays in a file of NumPy.

    inputs, targets: names of the arrays; by default x_train and y_train, x and y, or the like. Of a
        .npy file the last column is the target. Arrays whose names have ``test`` instead of
        ``train`` are the test split. Bytes that are not standardized are divided by 255.
    """

    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES

    path: PathText
    inputs: str = ""
    targets: str = ""

    @property
    def memory(self) -> int:
        return 3 * declared(Path(self.path))

    @property
    def where(self) -> Path:
        return Path(self.path)

    @property
    def known_inputs(self) -> tuple[str, ...]:
        return (self.inputs,)

    def arrays(self) -> dict[str, Array]:
        return read_arrays(self.where)

    def pair(self, arrays: Mapping[str, Array]) -> tuple[str, str]:
        path = self.where
        if list(arrays) == [""]:
            return "", ""
        known = next((pair for pair in PAIRS if pair[0] in arrays and pair[1] in arrays), ("", ""))
        pair = self.inputs or known[0], self.targets or known[1]
        for name, key in zip(pair, ("inputs", "targets"), strict=True):
            if not name:
                what = f"which of its arrays are the {key} is not known"
                raise fault(
                    path, what, f"set data.{key} to one of {', '.join(sorted(arrays)[:10])}"
                )
            if name not in arrays:
                raise missing_array(path, name, dict(arrays))
        return pair


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def _single(y: Array) -> Array:
    """One value for each example: of one-hot rows the place of the 1."""
    return np.argmax(y, axis=1) if _is_one_hot(y) else y.reshape(len(y))


def _is_one_hot(y: Array) -> bool:
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind == "U":
        return False
    return bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _classes(y: Array) -> bool:
    """Whether targets are classes: texts, one-hot rows, or few whole numbers."""
    if y.dtype.kind in "Ub" or _is_one_hot(y):
        return True
    if y.size != len(y) or not (y % 1 == 0).all():
        return False
    distinct = len(np.unique(y))
    most = CLASSES if y.dtype.kind in "iu" else 10
    return distinct == 2 or (distinct <= most and 2 * distinct <= len(y))


def as_labels(path: Path, name: str, y: Array, task: Task) -> Array:
    """The targets as training holds them. Raises DataError for an unknown class."""
    if task.kind == "regression":
        return y.reshape(len(y), -1).astype(np.float64)
    if y.size != len(y) and not _is_one_hot(y):
        raise fault(path, f"array '{name}' of shape {y.shape} is no class for each example", "")
    values = _single(y)
    place = {label: i for i, label in enumerate(task.labels)}
    kinds, index = np.unique(values, return_inverse=True)
    names = [str(x) if y.dtype.kind == "U" else plain(float(x)) for x in kinds]
    unknown = [label for label in names if label not in place]
    if unknown:
        raise fault(path, f"array '{name}': the class {unknown[0]} is not in the training data", "")
    return np.array([place[label] for label in names], np.int64)[index.reshape(-1)]
