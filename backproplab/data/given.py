"""Data that a program gives: arrays or a data frame, known in a process by their SHA-256.

A config records the SHA-256 alone. Another process must be given the same data again, or be sent
them; this one keeps the last few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.data.array_files import ArraySet, as_labels
from backproplab.data.dataset import Dataset
from backproplab.data.npz import finite
from backproplab.data.tabular import TableData
from backproplab.errors import DataError, Problem
from backproplab.spec import Spec
from backproplab.tables import Column, Numbers, Table, Texts, table_of
from backproplab.task import Task

KEPT = 8  # given data that a process keeps
HINT = (
    "give data=(X, y), or a data frame: bpl.run(experiment, folder, data=…), "
    "bpl.resume(folder, data=…), bpl.sweep.read(file, data=…)"
)
NAMES = "X", "y"


@dataclass(frozen=True, eq=False)
class Given:
    """Arrays by name, or the columns of a data frame by name."""

    parts: Mapping[str, Array | Column]
    is_table: bool

    @cached_property
    def sha256(self) -> str:
        """Over names, types, shapes and values."""
        digest = hashlib.sha256(b"table" if self.is_table else b"arrays")
        for name, part in self.parts.items():
            levels = part.levels if isinstance(part, Texts) else ()
            array = part
            if not isinstance(part, np.ndarray):
                array = part.values if isinstance(part, Numbers) else part.codes
            assert isinstance(array, np.ndarray)
            digest.update(repr((name, array.shape, array.dtype.str, levels)).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def table(self) -> Table:
        columns = {name: x for name, x in self.parts.items() if not isinstance(x, np.ndarray)}
        return Table("the data frame", columns, len(next(iter(columns.values()))))


_known: dict[str, Given] = {}


def keep(given: Iterable[Given]) -> None:
    """Know what was given, here or in another process."""
    for each in given:
        _known.pop(each.sha256, None)
        _known[each.sha256] = each
        while len(_known) > KEPT:
            del _known[next(iter(_known))]


def known(sha256: str) -> Given:
    """Raises DataError for data that this process was not given."""
    if sha256 in _known:
        return _known[sha256]
    if not sha256:
        raise DataError(str(Problem("data", "they come from a program, which gave none", HINT)))
    others = [f"{other[:12]}…" for other in _known]
    were = f"; SHA-256 of those given here: {', '.join(others)}" if others else ""
    what = f"the data with SHA-256 {sha256[:12]}… were given by a program, not read from a file"
    raise DataError(str(Problem("data", what + were, HINT)))


def given(data: Any) -> Given:
    """What a program gives: a data frame; or (X, y), where X may be one. Arrays are copied.

    Raises DataError for anything else.
    """
    if hasattr(data, "columns"):
        return _of_frame(data)
    if not isinstance(data, tuple) or len(data) != 2:
        raise DataError(str(Problem("data", f"a {type(data).__name__} is no (X, y)", HINT)))
    x, y = data
    if hasattr(x, "columns"):
        name = str(getattr(y, "name", None) or "target")
        if name in map(str, x.columns):
            what = f"X has a column '{name}', as y is called"
            raise DataError(str(Problem("data", what, "rename one of them")))
        return _of_frame(x.assign(**{name: np.asarray(y)}))
    return Given({name: _array(name, x) for name, x in zip(NAMES, data, strict=True)}, False)


def _of_frame(frame: Any) -> Given:
    names = [str(name) for name in frame.columns]
    if not len(frame) or len(set(names)) < max(len(names), 1):
        what = "the data frame needs rows, and a name for each column"
        raise DataError(str(Problem("data", what)))
    return Given(table_of(frame).columns, True)


def _array(name: str, values: Any) -> Array:
    """A copy that nobody changes. Raises DataError for what is not of numbers or texts."""
    array = np.array(values)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        what = f"{name} has the type {array.dtype}, which is neither numbers nor texts"
        raise DataError(str(Problem("data", what)))
    array.flags.writeable = False
    return array


def labels_of(y: Any, task: Task) -> Array:
    """Targets that a program gives, as training holds them: classes by name, or by number where no
    class is called so. Raises DataError."""
    values = _array(NAMES[1], y)
    finite(Path("data"), NAMES[1], values)
    numbers = values.dtype.kind in "biuf" and not any(map(_is_number, task.labels))
    if task.kind == "classification" and numbers:
        task = replace(task, labels=tuple(map(str, range(task.outputs))))
    return as_labels(Path("data"), NAMES[1], values, task)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


Sha = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]


class Arrays(ArraySet, name="arrays"):
    """Arrays of a program, ``bpl.run(experiment, folder, data=(X, y))``.

    sha256: of them, which is recorded; to train again they must be given again.
    """

    sha256: Sha = ""

    @property
    def where(self) -> Path:
        return Path("data")

    @property
    def known_inputs(self) -> tuple[str, ...]:
        return (NAMES[0],)

    def arrays(self) -> dict[str, Array]:
        found = known(self.sha256).parts
        return {name: x for name, x in found.items() if isinstance(x, np.ndarray)}

    def pair(self, arrays: Mapping[str, Array]) -> tuple[str, str]:
        return NAMES


class Frame(TableData, name="frame"):
    """A data frame of a program, ``bpl.run(experiment, folder, data=frame)``.

    sha256: of it, which is recorded; to train again it must be given again.
    """

    sha256: Sha = ""

    def table(self) -> Table:
        return known(self.sha256).table


def given_to(data: Spec) -> tuple[Given, ...]:
    """What the data set was given, to be sent elsewhere; nothing for others. Raises DataError."""
    return (known(data.sha256),) if isinstance(data, Arrays | Frame) else ()


def on_given(dataset: Dataset, data: Any) -> Dataset:
    """The data set of what a program gives, with the keys of ``dataset`` that it has, too.

    This process knows the data from now on. Raises DataError for what is no data, or other data
    than the data set names.
    """
    found = given(data)
    keep([found])
    pinned = getattr(dataset, "sha256", "")
    if pinned and pinned != found.sha256:
        what = f"these have the SHA-256 {found.sha256[:12]}…, those of the config {pinned[:12]}…"
        raise DataError(str(Problem("data", what, "give the same ones, or train anew")))
    kind = Frame if found.is_table else Arrays
    keys = kind.model_fields.keys() & type(dataset).model_fields.keys()
    fields = {key: getattr(dataset, key) for key in keys}
    return kind.model_validate({**fields, "sha256": found.sha256})
