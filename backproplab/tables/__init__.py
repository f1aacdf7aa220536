"""Tables in files: how a text file is written, the types of Parquet, and what each column means.

This room must not know data sets, splits or networks. pandas and pyarrow are imported when a table
is read.
"""

from backproplab.tables.columns import Column, Numbers, Table, Texts, listed
from backproplab.tables.content import Form, memory_of
from backproplab.tables.kinds import Feature, Omitted, Role, infer, measured, moments, no_feature
from backproplab.tables.parquet import cells_of, read_parquet
from backproplab.tables.profile import Profile, balance, profiles, summary, suspicions
from backproplab.tables.reading import read_table, read_text, table_of
from backproplab.tables.shaping import Shaping, ranks
from backproplab.tables.targets import Target, infer_target

__all__ = [
    "Column",
    "Feature",
    "Form",
    "Numbers",
    "Omitted",
    "Profile",
    "Role",
    "Shaping",
    "Table",
    "Target",
    "Texts",
    "balance",
    "cells_of",
    "infer",
    "infer_target",
    "listed",
    "measured",
    "memory_of",
    "moments",
    "no_feature",
    "profiles",
    "ranks",
    "read_parquet",
    "read_table",
    "read_text",
    "summary",
    "suspicions",
    "table_of",
]
