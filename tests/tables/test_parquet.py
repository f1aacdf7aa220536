"""Parquet: what its types say, against the CSV of the same table and against what was written."""

import numpy as np
import pandas
import pytest

from backproplab.data import Dataset, Parquet, load
from backproplab.errors import DataError
from backproplab.tables import Feature, read_table
from tests.tables.frames import ROWS, frame, written

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow  # installed for these


def of(path, **settings) -> Dataset:
    return Dataset.parse({"path": str(path), "target": "label", **settings})


def test_the_types_say_what_the_columns_are(tmp_path) -> None:
    columns = frame()
    path = written(tmp_path / "f.parquet", columns, index=np.arange(ROWS) + 5)
    data = of(path)
    assert isinstance(data, Parquet)
    target, roles = data.roles(data.table())
    kinds = {role.name: role.kind if isinstance(role, Feature) else "-" for role in roles}
    assert kinds.pop("__index_level_0__") == "-"
    assert kinds == {name: kind for name, (kind, _) in columns.items()}
    assert (target.kind, target.classes) == ("classification", ("a", "b"))


def test_the_values_are_those_that_were_written(tmp_path) -> None:
    columns = frame()
    table = read_table(written(tmp_path / "f.pq", columns))
    for name in ("whole", "narrow", "real", "single", "gaps", "nullable", "money"):
        expected = np.array(pandas.Series(columns[name][1]).astype("float64"))
        np.testing.assert_array_equal(table.columns[name].values, expected)
    for name in ("text", "digits", "words", "codes", "label"):
        found = [table.columns[name].text(i) if not gap else ""
                 for i, gap in enumerate(table.columns[name].missing)]  # fmt: skip
        assert found == [str(x) for x in columns[name][1]]
    assert table.columns["maybe"].missing.tolist() == [False, True, False] * (ROWS // 3)
    assert table.columns["zone"].text(0).endswith(("00:00:00", "23:00:00"))  # in UTC
    assert table.columns["long"].text(3) == str(2**60 + 3)  # every digit


@pytest.mark.parametrize("split", [None, "random", {"time": "day"}, {"group": "text"}])
def test_it_gives_the_bits_of_the_csv_of_the_same_table(split, tmp_path) -> None:
    names = ("whole", "real", "gaps", "text", "day", "truth", "label")
    columns = {name: frame()[name] for name in names}
    if isinstance(split, dict) and "group" in split:
        columns["text"] = ("categorical", ["u", "v", "w"] * (ROWS // 3))
    path = written(tmp_path / "f.parquet", columns)
    pandas.DataFrame({n: v for n, (_, v) in columns.items()}).to_csv(
        tmp_path / "f.csv", index=False
    )
    settings = {"split": split} if split else {}
    parquet, csv = (load(of(p, **settings), 3) for p in (path, tmp_path / "f.csv"))
    assert parquet.fingerprint == csv.fingerprint
    records = [part.preparation.record for part in (parquet, csv)]
    for record in records:  # a truth value is spelled as in the file
        record["columns"] = [
            {k: v for k, v in c.items() if k != "words"} for c in record["columns"]
        ]
    assert records[0] == records[1]


def test_the_config_is_stronger_than_the_types(tmp_path) -> None:
    path = written(tmp_path / "f.parquet", frame())
    asked = {"narrow": "categorical", "digits": "numeric", "real": "ignore", "day": "date"}
    data = of(path, columns=asked, missing=["Ulm", "3"])
    table = data.table()
    kinds = {r.name: r.kind for r in data.roles(table)[1] if isinstance(r, Feature)}
    assert (kinds["narrow"], kinds["digits"], kinds["day"]) == ("categorical", "numeric", "date")
    assert "real" not in kinds
    assert set(table.columns["text"].levels) == {"Köln"}
    assert table.columns["digits"].levels == ("1", "2")
    with pytest.raises(DataError, match="column 'list': list is no number, text or date"):
        of(path, columns={"list": "numeric"}).roles(table)
    with pytest.raises(DataError, match="column 'span': duration"):
        of(path, target="span").roles(table)
