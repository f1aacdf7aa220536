"""Columns of a table as the inputs of a network: fitted on some rows, applied to any.

Numbers, truth values and parts of dates are shaped and scaled, and a missing one is the mean of
the training rows. A category is one-hot, or a code for the vector that a network learns for it; a
missing text is a category of its own if the training rows have one, a text that they do not have is
all zeros, or the code 0. What is fitted is plain numbers, kept with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from backproplab.arrays import Array
from backproplab.data.preprocessing import Scaler
from backproplab.errors import DataError, Problem
from backproplab.tables import Feature, Shaping, Table, Texts, listed, measured, ranks

QUANTILES = 200  # at most, of a column
APART = 3  # missing columns that have a message each, with what is near


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
        if len(gone := [f.name for f in features if f.name not in table.columns]) > APART:
            what = f"there are no columns {listed([repr(name) for name in gone])}"
            there = f"columns: {listed(list(table.columns))}"
            raise DataError(str(Problem(table.name, what, there)))
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

    def fit(self, rows: Array, standardize: bool | str) -> Encoder:
        """The encoder that these rows give; no other row has an influence."""
        scale = standardize if isinstance(standardize, str) else "standard" if standardize else ""
        return Encoder(tuple(
            (Coded if feature.units else OneHot).fit(feature, values, rows)
            if isinstance(values, Texts)
            else Filled.fit(feature, values, rows, scale)
            for feature, values in zip(self.features, self.values, strict=True)
        ))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Filled:
    """Numbers, shaped: a missing one is ``fill``; then (x − shift) / scale. Arrays of (parts,).

    quantiles: of numbers that become their rank instead, ascending.
    """

    feature: Feature
    fill: Array
    scaler: Scaler
    quantiles: Array | None = None

    @classmethod
    def fit(cls, feature: Feature, values: Array, rows: Array, scale: str) -> Filled:
        """scale: of the table, one of SCALES, empty for none; that of the column is stronger."""
        scale, part = feature.shaping.scale or scale, feature.shaping(values[rows])
        missing = np.isnan(part)
        counts = np.maximum((~missing).sum(axis=0), 1)
        fill = np.where(missing, 0.0, part).sum(axis=0) / counts
        same = Scaler(np.zeros_like(fill), np.ones_like(fill))
        if not scale:
            return cls(feature, fill, same)
        if scale == "quantile" and feature.kind == "numeric":
            known = part[~missing] if counts[0] and not missing.all() else fill
            places = np.linspace(0, 1, min(QUANTILES, len(known)))
            return cls(feature, fill, same, np.maximum.accumulate(np.quantile(known, places)))
        filled = np.where(missing, fill, part)
        fit = Scaler.fit if scale == "standard" else Scaler.between
        return cls(feature, fill, fit(filled, np.arange(len(rows))))

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the column's parts; ``log(income)`` where the input is on another scale."""
        names = self.feature.parts
        if self.feature.shaping.log:
            names = tuple(f"log({name})" for name in names)
        return names if self.quantiles is None else tuple(f"quantile({name})" for name in names)

    def unknown(self, values: Array) -> int:
        """How many rows have no value."""
        return int(np.isnan(values).any(axis=1).sum())

    def __call__(self, values: Array, rows: Array, out: Array) -> None:
        part = self.feature.shaping(values[rows])
        filled = np.where(np.isnan(part), self.fill, part)
        if self.quantiles is not None:
            out[:, 0] = ranks(filled[:, 0], self.quantiles)
            return
        np.divide(filled - self.scaler.shift, self.scaler.scale, out=out, casting="same_kind")

    @property
    def record(self) -> dict[str, Any]:
        found = {"fill": self.fill.tolist(), **self.scaler.record}
        return found | ({} if self.quantiles is None else {"quantiles": self.quantiles.tolist()})


@dataclass(frozen=True, eq=False)
class OneHot:
    """A category: a 1 for its level. missing: whether the last column is for missing texts."""

    feature: Feature
    levels: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, feature: Feature, values: Texts, rows: Array) -> Self:
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

    @property
    def count(self) -> int:
        """The number of levels, missing texts among them."""
        return len(self.levels) + self.missing

    def unknown(self, values: Texts) -> int:
        """How many rows have a text that is no level."""
        return int((self._places(values)[values.codes] == self.count).sum())

    def _places(self, values: Texts) -> Array:
        """By level, and at the end of missing texts: the place among the levels; past the end for
        none."""
        none, column = self.count, {level: i for i, level in enumerate(self.levels)}
        missing = len(self.levels) if self.missing else none
        return np.array([*(column.get(level, none) for level in values.levels), missing])

    def __call__(self, values: Texts, rows: Array, out: Array) -> None:
        place = self._places(values)[values.codes[rows]]
        out[:] = np.equal(place[:, None], np.arange(self.count))

    @property
    def record(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "missing": self.missing}


@dataclass(frozen=True, eq=False)
class Coded(OneHot):
    """A category as one number, the row of its vector: from 1 by level, 0 for an unseen text."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.feature.name,)

    def __call__(self, values: Texts, rows: Array, out: Array) -> None:
        place = self._places(values)[values.codes[rows]]
        out[:, 0] = np.where(place == self.count, 0, place + 1)


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
    def embedded(self) -> tuple[tuple[int, int, int], ...]:
        """Of each embedded category the place of its code, its number of codes, its units."""
        starts = accumulate((len(each.names) for each in self.fitted), initial=0)
        return tuple(
            (place, each.count + 1, each.feature.units)
            for place, each in zip(starts, self.fitted, strict=False)
            if isinstance(each, Coded)
        )

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
        """What training has not seen: ``missing: age 7, fare 1``, ``unseen: sex 3 (x, y)``."""
        found: dict[str, list[str]] = {"missing": [], "unseen": []}
        for each, values in zip(self.fitted, columns.values, strict=True):
            if count := each.unknown(values):  # type: ignore[arg-type]
                unseen = each.unseen(values)[:3] if isinstance(values, Texts) else []  # type: ignore
                texts = f" ({', '.join(unseen)})" if unseen else ""
                kind = "unseen" if unseen else "missing"
                found[kind].append(f"{each.feature.name} {count:,}{texts}")
        yield from (f"{kind}: {listed(texts)}" for kind, texts in found.items() if texts)

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
    words: dict[str, Any] = {"words": list(feature.words)} if feature.kind == "boolean" else {}
    words |= {"units": feature.units} if feature.units else {}
    words |= {"clip": list(feature.shaping.clip)} if feature.shaping.clip else {}
    words |= {"log": True} if feature.shaping.log else {}
    return {key: value for key, value in (known | words).items() if value}


def _read(entry: Mapping[str, Any]) -> Filled | OneHot:
    words = entry.get("words", ("", ""))
    units, form = int(entry.get("units", 0)), entry.get("format", "")
    clip = [float(end) for end in entry.get("clip", ())]
    shaping = Shaping((clip[0], clip[1]) if clip else None, bool(entry.get("log")))
    feature = Feature(entry["name"], entry["kind"], "", form, (words[0], words[1]), units, shaping)
    if feature.kind == "categorical":
        kind = Coded if units else OneHot
        return kind(feature, tuple(map(str, entry["levels"])), bool(entry["missing"]))
    fill, scaler = np.array(entry["fill"], np.float64), Scaler.read(entry)
    if {fill.shape, np.shape(scaler.shift), np.shape(scaler.scale)} != {(len(feature.parts),)}:
        raise ValueError(f"column {feature.name}: not as many numbers as parts")
    quantiles = np.array(entry["quantiles"], np.float64) if "quantiles" in entry else None
    if quantiles is not None and not (quantiles.ndim == 1 and len(quantiles)):
        raise ValueError(f"column {feature.name}: no list of quantiles")
    return Filled(feature, fill, scaler, quantiles)
