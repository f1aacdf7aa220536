"""Data sets that are a table in the user's own file, text or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.data.column_kind import ColumnKind
from backproplab.data.dataset import Examples, RawData, RegressionDataset
from backproplab.data.encoding import Columns
from backproplab.data.scaling import ColumnsScaled
from backproplab.data.splitting import Random, SplitBy, Stratified
from backproplab.spec import PathText
from backproplab.tables import (
    Feature,
    Form,
    Omitted,
    Role,
    Shaping,
    Table,
    Target,
    cells_of,
    infer,
    infer_target,
    listed,
    measured,
    memory_of,
    no_feature,
    read_parquet,
    read_table,
    read_text,
)
from backproplab.tables.parquet import SUFFIXES as PARQUET
from backproplab.task import Task

NO_HEADER = "no header found (data.header=true takes the first row for one)"
MIB = 2**20
CLASSES, OMITTED = 4, 6  # shown


def _one_letter(value: str) -> str:
    """The letter between two cells. Raises an error for more than one."""
    known = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}
    value = known.get(value, value)
    if len(value) > 1:
        raise PydanticCustomError("delimiter", "must be one letter, or tab")
    return value


class TableData(RegressionDataset):
    """A table: a row for each example, a column for each feature and the target.

    target: the column to predict; by default one called target, label, class or y,
    else the last one.  task: classification, regression, or auto, by the target's values.
    columns: what columns are where the guess is wrong: numeric, categorical, boolean, ignore,
    ``{date: '%d.%m.%Y'}``, ``{embedding: 8}`` for a category as a vector of 8 numbers that is
    learned, or of numbers ``log``, ``minmax``, ``quantile``, ``standard``, or
    ``{clip: [0, 500], log: true, scale: minmax}``.
    missing: texts that mean a missing value, beside empty cells.
    id: a column that names the rows: no feature, written with predictions.
    weights: a column that says what each row counts in loss and metrics, from 0: no feature.
    split: random, stratified (the default with classes), ``{group: COLUMN}``, ``{time: COLUMN}``,
    or ``{column: COLUMN}`` with the words train, validation and test.
    standardize: scale every input to mean 0 and variance 1 on the training split; by minmax to
    0 … 1, from the least value to the largest; by quantile numbers to 0 … 1 by their rank, and the
    others by minmax; false: leave them as they are.
    """

    target: str = ""
    task: Literal["auto", "classification", "regression"] = "auto"
    columns: Annotated[dict[str, Annotated[str, ColumnKind()]], Field(default_factory=dict)]
    missing: Annotated[tuple[str, ...], Field(strict=False)] = ()
    id: str = ""
    weights: str = ""
    split: SplitBy | None = None
    standardize: ColumnsScaled = True
    standardize_targets: bool = True

    @model_validator(mode="after")
    def _column_is_named(self) -> Self:
        split = self.split
        if split and not split.column and not isinstance(split, Random | Stratified):
            fault = f"needs a column: split: {{{split.name}: COLUMN}}"
            raise PydanticCustomError("split_column", "{fault}", {"fault": fault, "path": "split"})
        return self

    def __hash__(self) -> int:
        return hash(repr(self))  # a mapping has none

    @property
    def divided_by(self) -> SplitBy:
        return self.split or super().divided_by

    @property
    def form(self) -> Form:
        """How a text file is written, as far as the config says."""
        return Form(missing=self.missing)

    @property
    def formats(self) -> dict[str, str]:
        """The formats of dates that the config gives."""
        return {name: kind for name, kind in self.columns.items() if "%" in kind}

    @property
    def texts(self) -> set[str]:
        """The columns that the config says to be no numbers."""
        numbers = {
            name
            for name, kind in self.columns.items()
            if kind in ("numeric", "ignore") or Shaping.parse(kind)
        }
        return ({*self.columns} - numbers) | ({self.id} - {""})

    def table(self) -> Table:
        """The whole table. Raises DataError."""
        raise NotImplementedError

    def other(self, path: Path, texts: Collection[str] = ()) -> Table:
        return read_table(path, self.form, {*self.texts, *texts})

    def read(self, generator: np.random.Generator) -> RawData:
        table = self.table()
        target, roles = self.roles(table)
        features = [role for role in roles if isinstance(role, Feature)]
        if not features:
            raise no_feature(table, roles)
        classes = target.kind == "classification"
        outputs = len(target.classes) if classes else 1
        split = self.divided_by
        return RawData(
            Examples(np.empty((len(table), 0)), target.read(table), self.counts(table)),
            Task(target.kind, outputs, target.classes, target.name),
            columns=Columns.of(table, features),
            keys=split.read(table, self.formats),
            split=split,
            remarks=(*remarks(roles, target), *([] if table.header else [NO_HEADER])),
        )

    def counts(self, table: Table) -> Array | None:
        """What each row counts, (n,); None where all count alike. Raises DataError with the line
        of a row without a number from 0."""
        if not self.weights:
            return None
        table.column(self.weights, "data.weights")
        values = np.asarray(measured(table, Feature(self.weights, "numeric")))[:, 0]
        wrong = ~(values >= 0)
        if wrong.any():
            what = "is empty" if np.isnan(values[wrong][0]) else "is below 0"
            raise table.fault(self.weights, int(np.argmax(wrong)), f"{what}, and it is a weight")
        return values

    def roles(self, table: Table) -> tuple[Target, list[Role]]:
        """The target, and what each column is. Raises DataError for what cannot be decided."""
        target = infer_target(table, self.target, self.task)
        skipped = {target.name: "the target"}
        if self.id:
            table.column(self.id, "data.id")
            skipped[self.id] = "the id"
        if self.weights:
            table.column(self.weights, "data.weights")
            skipped[self.weights] = "the weights"
        if self.split and self.split.column and self.split.name in ("group", "column"):
            table.column(self.split.column, f"data.split.{self.split.name}")
            skipped[self.split.column] = f"the {self.split.name} of the split"
        return target, infer(table, self.columns, skipped)


class InFile(RegressionDataset):
    """Data in a file. path: the file."""

    path: PathText


class TableFile(TableData, InFile):  # in this order the path is the first key
    """A table in a file."""


class Csv(TableFile, name="csv"):
    """A table in a text file.

    delimiter, decimal, header, encoding: how the file is written; found where they are left out.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab", ".txt", ".data")

    path: PathText  # again, for ``{csv: FILE}`` sets the first field
    delimiter: Annotated[str, AfterValidator(_one_letter)] = ""
    decimal: Literal["", ".", ","] = ""
    header: bool | None = None
    encoding: str = "utf-8"

    @property
    def memory(self) -> int:
        return memory_of(Path(self.path), self.delimiter)

    @property
    def form(self) -> Form:
        return Form(self.delimiter, self.decimal, self.header, self.encoding, self.missing)

    def table(self) -> Table:
        return read_text(Path(self.path), self.form, self.texts)


class Parquet(TableFile, name="parquet"):
    """A table in a Parquet file, whose types say what its columns are."""

    suffixes: ClassVar[tuple[str, ...]] = PARQUET

    path: PathText

    @property
    def memory(self) -> int:
        cells, unpacked = cells_of(Path(self.path))
        return 150 * MIB + 2 * unpacked + 32 * cells if cells else 0

    def table(self) -> Table:
        return read_parquet(Path(self.path), self.missing, self.texts)


def remarks(roles: list[Role], target: Target) -> Iterator[str]:
    """What is predicted, what is learned from and what is left out, a phrase each."""
    classes = f": {listed(list(target.classes), CLASSES)}" if target.classes else ""
    yield f"target {target.name}{classes}" + (f" ({target.why})" if target.why else "")
    features = [role for role in roles if isinstance(role, Feature)]
    kinds = Counter("embedded" if role.units else role.kind for role in features)
    yield ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    left = [role for role in roles if isinstance(role, Omitted) and role.name != target.name]
    for role in left[:OMITTED]:
        yield f"without {role.name} ({role.why})"
    if len(left) > OMITTED:
        yield f"without {len(left) - OMITTED:,} more"
