"""Columns of a table as the inputs of a network: fitted on some rows, applied to any.

Numbers, truth values and parts of dates are scaled, and a missing one is the mean of the training
rows. A category is one-hot; a missing text is a category of its own if the training rows have one,
a text that they do not have is all zeros. What is fitted is plain numbers, kept with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from backproplab.arrays import Array
from backproplab.data.preprocessing import Scaler
from backproplab.errors import DataError
from backproplab.tables import Feature, Table, Texts, measured


@dataclass(frozen=True, eq=False)
class Columns:
    """The features of a table, column by column, before anything is fitted.

    values: of each feature (n, parts) with NaN for missing, or its texts.
    """

    features: tuple[Feature, ...]
    values: tuple[Array | Texts, ...]

    @classmethod
    def of(cls, table: Table, features: Sequence[Feature]) -> Columns:
        """The features of a table. Raises DataError for a column that is missing or at fault."""
        faults, values = [], []
        for feature in features:
            try:
                values.append(measured(table, feature))
            except DataError as error:
                faults.append(str(error))
        if faults:
            raise DataError("\n".join(faults))
        return cls(tuple(features), tuple(values))

    def __len__(self) -> int:
        return len(self.values[0])

    def fit(self, rows: Array, standardize: bool) -> Encoder:
        """The encoder that these rows give; no other row has an influence."""
        return Encoder(tuple(
            OneHot.fit(feature, values, rows)
            if isinstance(values, Texts)
            else Filled.fit(feature, values, rows, standardize)
            for feature, values in zip(self.features, self.values, strict=True)
        ))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Filled:
    """Numbers: a missing one is ``fill``; then (x − shift) / scale. Arrays of (parts,)."""

    feature: Feature
    fill: Array
    scaler: Scaler

    @classmethod
    def fit(cls, feature: Feature, values: Array, rows: Array, standardize: bool) -> Filled:
        known = ~np.isnan(values[rows])
        counts = np.maximum(known.sum(axis=0), 1)
        fill = np.where(known, values[rows], 0.0).sum(axis=0) / counts
        filled = np.where(np.isnan(values), fill, values)
        zero, one = np.zeros_like(fill), np.ones_like(fill)
        return cls(feature, fill, Scaler.fit(filled, rows) if standardize else Scaler(zero, one))

    @property
    def names(self) -> tuple[str, ...]:
        return self.feature.parts

    def unknown(self, values: Array) -> int:
        """How many rows have no value."""
        return int(np.isnan(values).any(axis=1).sum())

    def __call__(self, values: Array, rows: Array, out: Array) -> None:
        filled = np.where(np.isnan(part := values[rows]), self.fill, part)
        np.divide(filled - self.scaler.shift, self.scaler.scale, out=out, casting="same_kind")

    @property
    def record(self) -> dict[str, Any]:
        return {"fill": self.fill.tolist(), **self.scaler.record}


@dataclass(frozen=True, eq=False)
class OneHot:
    """A category: a 1 for its level. missing: whether the last column is for missing texts."""

    feature: Feature
    levels: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, feature: Feature, values: Texts, rows: Array) -> OneHot:
        present = np.bincount(values.codes[rows] + 1, minlength=len(values.levels) + 1) > 0
        levels = [level for level, there in zip(values.levels, present[1:], strict=True) if there]
        return cls(feature, tuple(levels), bool(present[0]))

    @property
    def names(self) -> tuple[str, ...]:
        levels = (*self.levels, *(("(missing)",) if self.missing else ()))
        return tuple(f"{self.feature.name}={level}" for level in levels)

    def unseen(self, values: Texts) -> list[str]:
        """The texts that the training rows do not have."""
        return [level for level in values.levels if level not in set(self.levels)]

    def unknown(self, values: Texts) -> int:
        """How many rows are all zeros."""
        place = self._places(values)
        return int((place[values.codes] == len(self.names)).sum())

    def _places(self, values: Texts) -> Array:
        """By level, and at the end of missing texts: the column of the 1; past the end for none."""
        none, column = len(self.names), {level: i for i, level in enumerate(self.levels)}
        missing = len(self.levels) if self.missing else none
        return np.array([*(column.get(level, none) for level in values.levels), missing])

    def __call__(self, values: Texts, rows: Array, out: Array) -> None:
        place = self._places(values)[values.codes[rows]]
        out[:] = np.equal(place[:, None], np.arange(len(self.names)))

    @property
    def record(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "missing": self.missing}


@dataclass(frozen=True, eq=False)
class Encoder:
    """Columns (n) -> inputs (n, width), as they were fitted."""

    fitted: tuple[Filled | OneHot, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(each.feature for each in self.fitted)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every input: ``age``, ``sex=male``, ``d.year``."""
        return tuple(name for each in self.fitted for name in each.names)

    @property
    def scaler(self) -> Scaler:
        """Of all inputs; the identity of a category's."""
        own = [
            each.scaler
            if isinstance(each, Filled)
            else Scaler(np.zeros(len(each.names)), np.ones(len(each.names)))
            for each in self.fitted
        ]
        shifts, scales = ([np.asarray(getattr(s, n)) for s in own] for n in ("shift", "scale"))
        return Scaler(np.concatenate(shifts), np.concatenate(scales))

    def __call__(self, columns: Columns, rows: Array, dtype: DTypeLike) -> Array:
        """The inputs of some rows: computed in float64, then cast to ``dtype``."""
        inputs = np.empty((len(rows), len(self.names)), dtype)
        start = 0
        for each, values in zip(self.fitted, columns.values, strict=True):
            end = start + len(each.names)
            each(values, rows, inputs[:, start:end])  # type: ignore[arg-type]
            start = end
        return inputs

    def remarks(self, columns: Columns) -> Iterator[str]:
        """What training has not seen: ``sex: 3 unseen (x, y, z)``, ``age: 7 missing``."""
        for each, values in zip(self.fitted, columns.values, strict=True):
            if count := each.unknown(values):  # type: ignore[arg-type]
                unseen = each.unseen(values)[:3] if isinstance(values, Texts) else []  # type: ignore
                word = f"unseen ({', '.join(unseen)})" if unseen else "missing"
                yield f"{each.feature.name}: {count:,} {word}"

    @property
    def record(self) -> list[dict[str, Any]]:
        """Plain JSON, from which ``read`` makes the same encoder."""
        return [_described(each.feature) | each.record for each in self.fitted]

    @classmethod
    def read(cls, record: Sequence[Mapping[str, Any]]) -> Encoder:
        """The encoder of a record. Raises LookupError, TypeError or ValueError."""
        return cls(tuple(map(_read, record)))


def _described(feature: Feature) -> dict[str, Any]:
    known = {"name": feature.name, "kind": feature.kind, "format": feature.format}
    words = {"words": list(feature.words)} if feature.kind == "boolean" else {}
    return {key: value for key, value in (known | words).items() if value}


def _read(entry: Mapping[str, Any]) -> Filled | OneHot:
    words = entry.get("words", ("", ""))
    feature = Feature(
        entry["name"], entry["kind"], "", entry.get("format", ""), (words[0], words[1])
    )
    if feature.kind == "categorical":
        return OneHot(feature, tuple(map(str, entry["levels"])), bool(entry["missing"]))
    fill, scaler = np.array(entry["fill"], np.float64), Scaler.read(entry)
    if {fill.shape, np.shape(scaler.shift), np.shape(scaler.scale)} != {(len(feature.parts),)}:
        raise ValueError(f"column {feature.name}: not as many numbers as parts")
    return Filled(feature, fill, scaler)
