"""Look-alikes of the usual teaching files: their form, their traps, and what is right for each.

Every file is drawn, none is copied. ``expected`` holds what was made, so that the tests compare
with that and not with what was read: the kind of each column, ``-`` for one that is no feature.
The shapes are those of iris, titanic, adult, and so on, as their public copies have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

NUMERIC, CATEGORY, BOOLEAN, DATE, NONE = "numeric", "categorical", "boolean", "date", "-"
Cell = Callable[[np.random.Generator, int], str]


@dataclass
class Shape:
    """A file to write, and the answer key.

    columns: name -> (kind, its cells).  target: the last column unless it is named.
    task: classification or regression.
    """

    rows: int
    columns: dict[str, tuple[str, Cell]]
    target: str
    task: str
    classes: tuple[str, ...] = ()
    delimiter: str = ","
    header: bool = True
    end: str = "\n"
    bom: bool = False
    quoted: bool = False
    tail: str = ""
    ends: tuple[str, str] = ("", "")  # after the header, after each row
    comment: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        if self.header:
            return list(self.columns)
        return [f"column_{i + 1}" for i in range(len(self.columns))]

    @property
    def kinds(self) -> dict[str, str]:
        kinds = [kind for kind, _ in self.columns.values()]
        return {n: k for n, k in zip(self.names, kinds, strict=True) if n != self.target}

    def write(self, path: Path) -> Path:
        random = np.random.default_rng(7)
        columns = [[cell(random, i) for i in range(self.rows)] for _, cell in self.columns.values()]
        mark = '"' if self.quoted else ""
        lines = [self.comment] if self.comment else []
        if self.header:
            names = self.delimiter.join(f"{mark}{name}{mark}" for name in self.columns)
            lines.append(names + self.ends[0])
        lines += [self.delimiter.join(row) + self.ends[1] for row in zip(*columns, strict=True)]
        text = self.end.join([*lines, self.tail])
        path.write_bytes((b"\xef\xbb\xbf" if self.bom else b"") + text.encode())
        return path


def real(
    low: float = 0.0, high: float = 10.0, digits: int = 1, missing: float = 0.0, mark: str = ""
) -> Cell:
    def cell(random: np.random.Generator, i: int) -> str:
        value = f"{random.uniform(low, high):.{digits}f}"
        return mark if random.random() < missing else value

    return cell


def whole(low: int, high: int, missing: float = 0.0, mark: str = "", form: str = "d") -> Cell:
    def cell(random: np.random.Generator, i: int) -> str:
        value = format(int(random.integers(low, high)), form)
        return mark if random.random() < missing else value

    return cell


def one_of(*levels: str, missing: float = 0.0, mark: str = "") -> Cell:
    def cell(random: np.random.Generator, i: int) -> str:
        value = levels[i] if i < len(levels) else str(random.choice(levels))
        return mark if i >= len(levels) and random.random() < missing else value

    return cell


def sorted_by(*levels: str, rows: int) -> Cell:
    return lambda random, i: levels[i * len(levels) // rows]


def comma(value: Cell) -> Cell:
    return lambda random, i: value(random, i).replace(".", ",")


def always(text: str) -> Cell:
    return lambda random, i: text


def counting(start: int = 1, step: int = 1) -> Cell:
    return lambda random, i: str(start + step * i)


def padded(cell: Cell, before: str = "", after: str = "") -> Cell:
    return lambda random, i: f"{before}{cell(random, i)}{after}"


def day(form: str, first: int = 1, last: int = 28) -> Cell:
    from datetime import date, timedelta

    def cell(random: np.random.Generator, i: int) -> str:
        return (date(2021, 1, 1) + timedelta(int(random.integers(0, 700)))).strftime(form)

    return cell


def measurements(count: int, cell: Cell, prefix: str = "m") -> dict[str, tuple[str, Cell]]:
    return {f"{prefix}{i}": (NUMERIC, cell) for i in range(count)}


SPECIES = ("setosa", "versicolor", "virginica")
SHAPES = {
    "iris with a header, sorted by class": Shape(
        150, measurements(4, real()) | {"species": (NONE, sorted_by(*SPECIES, rows=150))},
        "species", "classification", SPECIES,
    ),
    "iris without a header, a blank last line": Shape(
        150, measurements(4, real()) | {"c": (NONE, sorted_by(*SPECIES, rows=150))},
        "column_5", "classification", SPECIES, header=False, tail="\n",
    ),
    "titanic": Shape(
        300,
        {
            "PassengerId": (NONE, counting()), "Survived": (NONE, one_of("0", "1")),
            "Pclass": (NUMERIC, whole(1, 4)),
            "Name": (NONE, lambda r, i: f'"Smith{i}, Mr. ""Jo"" John"'),
            "Sex": (CATEGORY, one_of("male", "female")),
            "Age": (NUMERIC, real(1, 80, missing=0.2)),
            "Ticket": (NONE, lambda r, i: f"A/5 {i}" if i % 4 else str(10_000 + 7 * i)),
            "Fare": (NUMERIC, real(0, 99, 4)),
            "Cabin": (NONE, lambda r, i: "" if i % 4 else f"C{i}"),
            "Embarked": (CATEGORY, one_of("S", "C", "Q", missing=0.02)),
        },
        "Survived", "classification", ("0", "1"), settings={"target": "Survived"},
    ),
    "titanic of another source: truth values, a copy of the target": Shape(
        200,
        {
            "survived": (NONE, lambda r, i: str(i % 2)), "sex": (CATEGORY, one_of("male", "female")),
            "age": (NUMERIC, real(1, 80, missing=0.2)), "adult_male": (BOOLEAN, one_of("True", "False")),
            "deck": (CATEGORY, one_of("A", "B", "C", missing=0.7)),
            "alive": (BOOLEAN, lambda r, i: "yes" if i % 2 else "no"),
        },
        "survived", "classification", ("0", "1"),
    ),
    "adult: a blank after each comma, question marks": Shape(
        300,
        {
            "age": (NUMERIC, whole(17, 90)),
            "work": (CATEGORY, padded(one_of("Private", "State-gov", missing=0.1, mark="?"), " ")),
            "fnlwgt": (NUMERIC, padded(whole(10_000, 900_000), " ")),
            "hours": (NUMERIC, padded(whole(1, 99), " ")),
            "country": (CATEGORY, padded(one_of("Cuba", "India", missing=0.1, mark="?"), " ")),
            "income": (NONE, padded(one_of("<=50K", ">50K"), " ")),
        },
        "column_6", "classification", ("<=50K", ">50K"), header=False, tail="\n",
    ),
    "California housing": Shape(
        300,
        measurements(7, real(0, 900, 2)) | {
            "total_bedrooms": (NUMERIC, real(1, 900, missing=0.05)),
            "median_house_value": (NONE, real(20_000, 500_001)),
            "ocean_proximity": (CATEGORY, one_of("INLAND", "<1H OCEAN", "NEAR BAY")),
        },
        "median_house_value", "regression",
    ),
    "wine quality: semicolons, quoted names": Shape(
        300, measurements(11, real(0, 9, 3), "acid ") | {"quality": (NONE, one_of(*"345678"))},
        "quality", "classification", tuple("345678"), delimiter=";", quoted=True,
    ),
    "penguins: target first, rows without measurements": Shape(
        200,
        {
            "species": (NONE, one_of("Adelie", "Gentoo")), "island": (CATEGORY, one_of("Dream", "Biscoe")),
            "bill": (NUMERIC, real(30, 60, missing=0.02)), "mass": (NUMERIC, whole(2700, 6300, 0.02)),
            "sex": (CATEGORY, one_of("Male", "Female", missing=0.05)),
        },
        "species", "classification", ("Adelie", "Gentoo"),
    ),
    "heart: question marks make numbers text": Shape(
        300,
        measurements(11, real(0, 99)) | {
            "ca": (NUMERIC, whole(0, 4, 0.02, "?", ".1f")), "thal": (NUMERIC, whole(3, 8, 0.02, "?", ".1f")),
            "num": (NONE, one_of(*"01234")),
        },
        "column_14", "classification", tuple("01234"), header=False,
    ),
    "mushrooms: letters, a constant, a question mark, target first": Shape(
        300,
        {
            "class": (NONE, one_of("e", "p")), "cap": (CATEGORY, one_of(*"bcxf")),
            "bruises": (BOOLEAN, one_of("t", "f")), "odor": (CATEGORY, one_of(*"aln")),
            "root": (CATEGORY, one_of("b", "c", missing=0.3, mark="?")), "veil": (NONE, always("p")),
            "pop": (CATEGORY, one_of(*"yvs")),
        },
        "column_1", "classification", ("e", "p"), header=False, settings={"target": "column_1"},
    ),
    "bank marketing: semicolons, unknown as a word, months": Shape(
        300,
        {
            "age": (NUMERIC, whole(18, 90)), "job": (CATEGORY, one_of('"admin."', '"unknown"', '"student"')),
            "default": (BOOLEAN, one_of('"no"', '"yes"')), "balance": (NUMERIC, whole(-900, 9000)),
            "month": (CATEGORY, one_of('"may"', '"jun"', '"jul"')), "pdays": (NUMERIC, whole(-1, 400)),
            "y": (NONE, one_of('"no"', '"yes"')),
        },
        "y", "classification", ("no", "yes"), delimiter=";", quoted=True,
    ),
    "breast cancer, a comma ends the header": Shape(
        200,
        {"id": (NONE, counting(842_302, 137)), "diagnosis": (NONE, one_of("M", "B"))}
        | measurements(10, real(0, 30, 3)),
        "diagnosis", "classification", ("B", "M"), ends=(",", ""),
    ),
    "a comma ends every row": Shape(
        100, measurements(3, real()) | {"kind": (NONE, one_of("a", "b"))},
        "kind", "classification", ("a", "b"), ends=("", ","), settings={"target": "kind"},
    ),
    "breast cancer, original: classes 2 and 4, question marks": Shape(
        300,
        {"id": (NUMERIC, whole(60_000, 60_250))} | measurements(8, whole(1, 11))
        | {"nuclei": (NUMERIC, whole(1, 11, 0.03, "?")), "class": (NONE, one_of("2", "4"))},
        "column_11", "classification", ("2", "4"), header=False,
    ),
    "abalone: many whole numbers": Shape(
        400,
        {"sex": (CATEGORY, one_of(*"MFI"))} | measurements(7, real(0, 1, 4)) | {"rings": (NONE, whole(1, 29))},
        "column_9", "regression", header=False,
    ),
    "auto-mpg: blanks, a tab before a quoted name": Shape(
        200,
        {"mpg": (NONE, real(9, 46))} | measurements(2, padded(real(), "  "))
        | {"horsepower": (NUMERIC, padded(whole(46, 230, 0.02, "?"), " ")),
           "name": (NONE, lambda r, i: f'\t"ford model {i}"')},
        "column_1", "regression", delimiter=" ", header=False, settings={"target": "column_1"},
    ),
    "mpg with a header and empty cells": Shape(
        200,
        {"mpg": (NONE, real(9, 46)), "horsepower": (NUMERIC, whole(46, 230, 0.03)),
         "origin": (CATEGORY, one_of("usa", "japan", "europe"))},
        "mpg", "regression", settings={"target": "mpg"},
    ),
    "Boston housing: columns of blanks, a blank first": Shape(
        200,
        {"a": (NUMERIC, padded(real(0, 9, 4), " "))} | measurements(3, padded(real(0, 99, 2), "  "))
        | {"medv": (NONE, padded(real(5, 50), "  "))},
        "column_5", "regression", delimiter=" ", header=False,
    ),
    "horse colic: codes with leading zeros, many question marks": Shape(
        200,
        {"surgery": (NUMERIC, whole(1, 3, 0.01, "?")), "pulse": (NUMERIC, whole(30, 150, 0.3, "?")),
         "site": (CATEGORY, one_of("02208", "00000", "03111")), "outcome": (NONE, one_of("1", "2", "3"))},
        "column_4", "classification", ("1", "2", "3"), header=False,
    ),
    "breast cancer of 286: ranges in single quotes": Shape(
        200,
        {"age": (CATEGORY, one_of("'30-39'", "'40-49'")), "size": (CATEGORY, one_of("'15-19'", "'0-4'")),
         "irradiated": (CATEGORY, one_of("'yes'", "'no'")),
         "class": (NONE, one_of("'recurrence'", "'none'"))},
        "column_4", "classification", ("'none'", "'recurrence'"), header=False,
    ),
    "pima: zeros for missing": Shape(
        200, measurements(8, whole(0, 99)) | {"outcome": (NONE, one_of("0", "1"))},
        "column_9", "classification", ("0", "1"), header=False,
    ),
    "wine: target first, numbers without a leading zero": Shape(
        178,
        {"class": (NONE, one_of("1", "2", "3"))} | measurements(3, lambda r, i: f".{r.integers(10, 99)}"),
        "column_1", "classification", ("1", "2", "3"), header=False, settings={"target": "column_1"},
    ),
    "banknotes: CRLF": Shape(
        200, measurements(4, real(-9, 9, 5)) | {"class": (NONE, one_of("0", "1"))},
        "column_5", "classification", ("0", "1"), header=False, end="\r\n",
    ),
    "diamonds: an unnamed index, quoted names": Shape(
        200,
        {"": (NONE, counting()), "carat": (NUMERIC, real(0, 5, 2)),
         "cut": (CATEGORY, one_of('"Ideal"', '"Good"')), "price": (NONE, whole(326, 18_000))},
        "price", "regression", quoted=True,
    ),
    "credit card fraud: rare positives": Shape(
        600,
        {"Time": (NUMERIC, whole(0, 172_792))} | measurements(5, real(-9, 9, 6), "V")
        | {"Class": (NONE, lambda r, i: str(int(i % 200 == 7)))},
        "Class", "classification", ("0", "1"),
    ),
    "a German spreadsheet: semicolons, decimal commas, days first, a BOM": Shape(
        200,
        {"Größe": (NUMERIC, comma(real(1, 2, 2))), "Datum": (DATE, day("%d.%m.%Y")),
         "Land": (CATEGORY, one_of("NA", "DE")), "Kundennr_id": (NONE, counting(1000, 3)),
         "Preis": (NONE, comma(real(1, 999, 2)))},
        "Preis", "regression", delimiter=";", bom=True, end="\r\n",
    ),
    "thousands, ISO dates, a comment line, tabs": Shape(
        200,
        {"income": (NUMERIC, lambda r, i: f"{r.integers(1_000, 99_000):,}"), "day": (DATE, day("%Y-%m-%d")),
         "active": (BOOLEAN, one_of("on", "off")), "label": (NONE, one_of("a", "b"))},
        "label", "classification", ("a", "b"), delimiter="\t", comment="# from the shop",
    ),
}  # fmt: skip
