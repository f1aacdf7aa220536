"""Texts that are numbers or dates, in the forms that tables have. This file knows no columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from backproplab.arrays import Array
from backproplab.tables.dialect import CODE, NUMBER

COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d*)(,\d+)?([eE][-+]?\d+)?")  # 1.234,5
THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")  # 1,234.5
SAMPLE = 200  # texts by which a form is ruled out
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
DATES = (*ISO, "%Y/%m/%d", *(f.replace("/", s) for s in "./-" for f in ("%d/%m/%Y", "%m/%d/%Y")))
PARTS = ("year", "month", "day", "weekday")


def numbers_of(texts: Sequence[str], comma: bool = False) -> Array:
    """The number that each text is, NaN for one that is none; inf and nan are none.

    Where none of the first texts is one, none is.
    comma: ``1,5`` is 1.5, unless every number is written with a point.
    """
    other_form = _with_comma if comma else _with_thousands
    few = texts[:SAMPLE]
    if np.isnan([_numbers(few, _plain), _numbers(few, other_form)]).all():
        return np.full(len(texts), np.nan)
    plain = _numbers(texts, _plain)
    if not np.isnan(plain).any():
        return plain
    other = _numbers(texts, other_form)
    return other if np.isnan(other).sum() < np.isnan(plain).sum() else plain


def has_codes(texts: Sequence[str]) -> bool:
    """Whether some are digits that are no number, such as 01234."""
    return any(CODE.fullmatch(text) for text in texts)


def _numbers(texts: Sequence[str], read: Callable[[str], float]) -> Array:
    return np.array([read(text) for text in texts], np.float64)


def _plain(text: str) -> float:
    return float(text) if NUMBER.fullmatch(text) else np.nan


def _with_comma(text: str) -> float:
    if not COMMA.fullmatch(text) or not any(map(str.isdigit, text)):
        return _plain(text)
    return float(text.replace(".", "").replace(",", "."))


def _with_thousands(text: str) -> float:
    return float(text.replace(",", "")) if THOUSANDS.fullmatch(text) else _plain(text)


def formats_of(texts: Sequence[str]) -> list[str]:
    """The formats in which every text is a date; more than one where it is ambiguous."""
    few = texts[:SAMPLE]
    found = [form for form in DATES if all(is_date(text, form) for text in few)]
    return [form for form in found if all(is_date(text, form) for text in texts[SAMPLE:])]


def is_date(text: str, form: str) -> bool:
    """Whether the text is a date of this format of ``strptime``."""
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def parts_of(form: str) -> tuple[str, ...]:
    """The numbers that a date of this format becomes."""
    return (*PARTS, "hour") if "%H" in form or "%I" in form else PARTS


def dates_of(texts: Sequence[str], form: str, parts: int) -> Array:
    """The first ``parts`` numbers of each date (n, parts), NaN for a text that is none."""
    rows = [_parts(text, form)[:parts] if is_date(text, form) else [] for text in texts]
    empty = [np.nan] * parts
    return np.array([row or empty for row in rows], np.float64).reshape(-1, parts)


def _parts(text: str, form: str) -> list[int]:
    date = datetime.strptime(text, form)
    return [date.year, date.month, date.day, date.weekday(), date.hour]


def instants_of(texts: Sequence[str], form: str) -> Array:
    """Seconds from 1970 to each date, NaN for a text that is none."""
    zero = datetime(1970, 1, 1)
    dates = [datetime.strptime(text, form) if is_date(text, form) else None for text in texts]
    return np.array([(date - zero).total_seconds() if date else np.nan for date in dates])
