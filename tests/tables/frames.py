"""A data frame with a column of every type, and the kind that each is read as from Parquet."""

import decimal

import numpy as np
import pandas

ROWS = 60


def frame(seed=0, rows=ROWS):
    """Columns of every type that a data frame can have, and the kind that each is read as."""
    random = np.random.default_rng(seed)
    days = pandas.Timestamp("2020-01-01") + pandas.to_timedelta(random.integers(0, 900, rows), "D")
    return {
        "whole": ("numeric", random.integers(0, 99, rows)),
        "narrow": ("numeric", random.integers(0, 99, rows).astype(np.uint8)),
        "real": ("numeric", random.normal(size=rows)),
        "single": ("numeric", random.normal(size=rows).astype(np.float32)),
        "gaps": ("numeric", np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows))),
        "nullable": ("numeric", pandas.array([1, None, 5] * (rows // 3), dtype="Int64")),
        "money": ("numeric", [decimal.Decimal(f"{x}.25") for x in random.integers(0, 9, rows)]),
        "text": ("categorical", random.choice(["Köln", "Ulm", ""], rows)),
        "digits": ("categorical", random.choice(["1", "2", "3"], rows)),
        "words": ("categorical", random.choice(["yes", "no"], rows)),
        "codes": ("categorical", pandas.Categorical(random.choice([80331, 1234], rows))),
        "truth": ("boolean", random.random(rows) < 0.5),
        "maybe": ("boolean", pandas.array([True, None, False] * (rows // 3), dtype="boolean")),
        "day": ("date", [day.date() for day in days]),
        "time": ("date", days + pandas.to_timedelta(random.integers(0, 86_400, rows), "s")),
        "zone": ("date", (days + pandas.Timedelta("1h")).tz_localize("Europe/Berlin")),
        "moment": ("date", days + pandas.to_timedelta(random.integers(1, 10**6, rows), "us")),
        "long": ("-", np.arange(rows) + 2**60),
        "empty": ("-", [None] * rows),
        "always": ("-", ["here"] * rows),
        "prose": ("-", [f"sentence {i}" for i in range(rows)]),
        "list": ("-", [[1, 2]] * rows),
        "bytes": ("-", [b"x"] * rows),
        "span": ("-", pandas.to_timedelta(np.arange(rows), "s")),
        "label": ("-", random.choice(["a", "b"], rows)),
    }  # fmt: skip


def written(path, columns, index=None):
    made = pandas.DataFrame({name: values for name, (_, values) in columns.items()}, index=index)
    made.to_parquet(path)
    return path
