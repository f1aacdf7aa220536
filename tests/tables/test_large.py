"""A long table and a wide one: their types without a word beyond the target, and the memory that the documentation states."""

import json
import subprocess
import sys

import numpy as np
import pandas
import pytest

from backproplab.data import Dataset, load

pytestmark = pytest.mark.slow
MIB = 2**20
LONG, WIDE = 200_000, 5_000
PROGRAM = """
import json, re, sys
from pathlib import Path
import numpy, pandas
from backproplab.data import Dataset
from backproplab.experiment.limits import load
from backproplab.tables import Feature

data = Dataset.parse({"path": sys.argv[1], "target": "y"})
splits = load(data, 0, numpy.dtype("float32"))
peak = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss has that of the parent
target, roles = data.roles(data.table())
kinds = {role.name: role.kind if isinstance(role, Feature) else "-" for role in roles}
print(json.dumps([kinds, [target.kind, *target.classes], len(splits.train), splits.input_shape[0], data.memory, peak]))
"""


def long(random):
    """30 columns: numbers, numbers with gaps, whole numbers, categories, truth values, dates."""
    columns = {f"x{i}": ("numeric", np.round(random.normal(size=LONG), 4)) for i in range(14)}
    for i in range(4):
        gaps = random.random(LONG) < 0.1
        columns[f"gap{i}"] = ("numeric", np.where(gaps, np.nan, columns[f"x{i}"][1]))
    for i in range(8):
        levels = [f"level {k}" for k in range(8 + 4 * i)]
        columns[f"c{i}"] = ("categorical", random.choice(levels, LONG))
    columns["k"] = ("numeric", random.integers(0, 50, LONG))
    columns["b"] = ("boolean", random.choice(["yes", "no"], LONG))
    days = pandas.Timestamp("2020-01-01") + pandas.to_timedelta(random.integers(0, 900, LONG), "D")
    columns["d"] = ("date", days.strftime("%Y-%m-%d"))
    columns["y"] = ("-", np.where(columns["x0"][1] > 0, "a", "b"))
    return columns


def wide(random):
    """2 000 rows of 4 999 numbers and the target."""
    numbers = np.round(random.normal(size=(2000, WIDE - 1)), 4)
    columns = {f"f{i}": ("numeric", column) for i, column in enumerate(numbers.T)}
    return columns | {"y": ("-", np.where(numbers[:, 0] > 0, "a", "b"))}


def short(random):
    """60 000 rows of 99 digits: the file has 2 bytes for each cell, which take 24 in memory."""
    digits = random.integers(0, 10, (60_000, 99))
    columns = {f"f{i}": ("numeric", column) for i, column in enumerate(digits.T)}
    return columns | {"y": ("-", np.where(digits[:, 0] > 4, "a", "b"))}


@pytest.fixture(
    scope="module", params=[long, wide, short], ids=["200,000 rows", "5,000 columns", "digits"]
)
def table(request, tmp_path_factory):
    """(path, the kind of each column, rows)"""
    columns = request.param(np.random.default_rng(0))
    path = tmp_path_factory.mktemp("large") / "f.csv"
    frame = pandas.DataFrame({name: values for name, (_, values) in columns.items()})
    frame.to_csv(path, index=False)
    return path, {name: kind for name, (kind, _) in columns.items()}, len(frame)


def test_types_and_memory(table) -> None:
    """The peak is what reading takes, or what the inputs take while they are made, beside the table's numbers."""
    path, kinds, rows = table
    words = [sys.executable, "-c", PROGRAM, str(path)]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert found[0] == kinds
    assert found[1] == ["classification", "a", "b"]
    assert found[2] == 0.8 * rows
    width, stated, peak = found[3], found[4], found[5] / 1024 * MIB
    made = 150 * MIB + 8 * rows * len(kinds) + 2 * 4 * rows * width
    assert peak < max(stated, made)


def test_a_step_gets_arrays_as_from_any_other_data(table, tmp_path) -> None:
    """So that it is no slower: equal type, layout and alignment."""
    path, _, _ = table
    splits = load(Dataset.parse({"path": str(path), "target": "y"}), 0)
    inputs = splits.train.inputs[:500]
    np.savez(tmp_path / "f.npz", x=inputs, y=splits.train.targets[:500])
    other = load(Dataset.parse(str(tmp_path / "f.npz")), 0).train.inputs
    for found in (splits.train.inputs, other):
        assert (found.dtype, found.flags.c_contiguous, found.flags.aligned) == (
            np.float32,
            True,
            True,
        )
