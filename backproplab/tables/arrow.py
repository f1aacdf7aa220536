"""Columns of pyarrow as ours: what their types say, nothing guessed. This file knows no files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.tables.columns import Column, Declared, Numbers, Texts, are_whole, plain
from backproplab.tables.dialect import CELL

INDEX = "__index_level_"  # how pandas names an index without a name
EXACT = 2**53  # the largest whole number up to which float64 has them all
DATE, TIME, FRACTION = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"


def column_of(
    name: str, array: Any, marks: Collection[str], as_text: bool
) -> tuple[Column, Declared]:
    """The column of an array, and what its type says. as_text: whole numbers keep their digits."""
    from pyarrow import types

    declared = _declared(name, array.type)
    if declared.kind == "ignore":
        return Texts(np.full(len(array), -1), ()), declared
    if declared.kind == "numeric":
        numbers = _numbers(array)
        codes = types.is_integer(array.type) and bool((np.abs(numbers.values) > EXACT).any())
        if not codes and not (as_text and types.is_integer(array.type)):
            return numbers.without(marks), declared
        declared = (
            Declared("categorical", f"{array.type} of more than 15 digits") if codes else declared
        )
    codes, levels = _distinct(array)
    if "%" in declared.kind:
        texts, form = _dates(levels, declared.kind)
        return Texts.of(codes, texts, marks), Declared(form, declared.why)
    texts = [_text(level) for level in levels.to_pylist()]
    if max(map(len, texts), default=0) > CELL:
        raise ValueError(f"column '{name}': a cell of more than {CELL:,} letters")
    return Texts.of(codes, texts, marks), declared


def _declared(name: str, kind: Any) -> Declared:
    """What a type says that a column is."""
    from pyarrow import types

    if name.startswith(INDEX):
        return Declared("ignore", "the index of a data frame")
    value = kind.value_type if types.is_dictionary(kind) else kind
    number = types.is_integer(value) or types.is_floating(value) or types.is_decimal(value)
    if types.is_boolean(value):
        return Declared("boolean", "bool")
    if types.is_date(value) or types.is_timestamp(value):
        return Declared(DATE if types.is_date(value) else TIME, str(value))
    if number and value is kind:
        return Declared("numeric", str(value))
    if number or types.is_string(value) or types.is_large_string(value) or types.is_null(value):
        return Declared("categorical", "categories" if number else str(value))
    return Declared("ignore", f"{str(value).partition('<')[0]} is no number, text or date")


def _numbers(array: Any) -> Numbers:
    from pyarrow import compute, types

    values = compute.cast(array, "float64", safe=False).to_numpy()
    return Numbers(values, types.is_integer(array.type) or are_whole(values))


def _distinct(array: Any) -> tuple[Array, Any]:
    """(code of each row, -1 for missing; pyarrow's array of the distinct values)."""
    from pyarrow import types

    coded = array if types.is_dictionary(array.type) else array.dictionary_encode()
    whole = coded.unify_dictionaries().combine_chunks()
    return whole.indices.fill_null(-1).to_numpy().astype(np.int64), whole.dictionary


def _dates(levels: Any, form: str) -> tuple[list[str], str]:
    """Texts of dates, those with a zone in UTC, and their format; ``""`` for a missing one."""
    values = levels.to_numpy(zero_copy_only=False)
    seconds = values.astype("datetime64[s]")
    if form == TIME and not np.array_equal(seconds.astype(values.dtype), values, equal_nan=True):
        form = FRACTION
    unit = {DATE: "D", TIME: "s", FRACTION: "us"}[form]
    texts = np.datetime_as_string(values.astype(f"datetime64[{unit}]"))
    return ["" if text == "NaT" else text.replace("T", " ") for text in texts.tolist()], form


def _text(level: Any) -> str:
    """A value as texts in a table have it."""
    if isinstance(level, bool):
        return str(level).lower()
    return plain(level) if isinstance(level, float) else "" if level is None else str(level)
