"""Files that are no table, or a broken one: each is refused with file, line and exit code 4."""

import csv
import gzip
import io
import os
import pickle
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from backproplab.data import Dataset, load
from backproplab.errors import DataError

GOOD = "age,city,label\n" + "".join(
    f"{20 + i},{'Ulm' if i % 2 else 'Bonn'},{'ab'[i % 3 % 2]}\n" for i in range(12)
)


def changed(line: int, text: str) -> bytes:
    """The good file with another text in a line, counted from 1."""
    lines = GOOD.splitlines()
    lines[line - 1] = text
    return ("\n".join(lines) + "\n").encode()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.eye(3))
    return file.getvalue()


# what is in the file, more settings, what the message says (":5" is a line)
DAMAGE = {
    "empty": (b"", {}, ": is empty"),
    "blank lines only": (b"\n  \n\r\n", {}, ": is empty"),
    "a byte order mark only": (b"\xef\xbb\xbf", {}, ": is empty"),
    "a header only": (b"age,city,label\n", {}, "has a header and no rows"),
    "comments only": (b"# nothing\n# here\n", {}, "holds no rows"),
    "a row too long": (changed(5, "23,Bonn,a,9"), {}, ":5: 4 fields, expected 3"),
    "the first row too long": (changed(2, "23,Bonn,a,9"), {}, ":2: 4 fields, expected 3"),
    "a row too short": (changed(7, "23,Bonn"), {}, ":7: 2 fields, expected 3"),
    "the last row cut": (GOOD.encode()[:-8], {}, ":13: 1 fields, expected 3"),
    "a quote that is never closed": (changed(4, '22,"Bonn,a'), {}, ":4: a quote is opened and never closed"),
    "a quote within quotes": (changed(4, '22,"Bo"nn",a\n1,2,3,4'), {}, ":4: not a CSV record"),
    "text in a number column": (changed(6, "abc,Ulm,a"), {}, ":6: column 'age': 'abc' is not a number"),
    "text after a thousand rows": (
        b"x,y\n" + b"1.5,0\n2.5,1\n" * 1000 + b"abc,1\n", {}, ":2002: column 'x': 'abc' is not a number",
    ),
    "a formula": (changed(6, "=cmd|'/c calc'!A0,Ulm,a"), {}, ":6: column 'age': '=cmd|"),
    "a decimal comma between commas": (changed(6, '"21,5",Ulm,a'), {}, ":6: column 'age': '21,5' is not a number"),
    "infinity": (changed(6, "inf,Ulm,a"), {}, ":6: column 'age': 'inf' is not a number"),
    "infinity after a thousand rows": (
        b"x,y\n" + b"1.5,0\n2.5,1\n" * 1000 + b"inf,1\n", {}, ":2002: column 'x': inf is not a finite number",
    ),
    "a number too large": (changed(6, "1e999,Ulm,a"), {}, ":6: column 'age': inf is not a finite number"),
    "a missing target": (changed(6, "25,Ulm,"), {}, ":6: column 'label': the target (by its name) is missing in 1 row"),
    "a target asked as a number": (
        GOOD.encode(), {"task": "regression"}, ":2: column 'label': 'a' is not a number",
    ),
    "one class": (b"x,y\n1,a\n2,a\n3,a\n", {"target": "y"}, "column 'y': every row has the class 'a'"),
    "no such target": (GOOD.encode(), {"target": "lable"}, "no column 'lable' — did you mean 'label'?"),
    "no such id": (GOOD.encode(), {"id": "nr"}, "data.id: there is no column 'nr'"),
    "no such column": (GOOD.encode(), {"columns": {"agee": "numeric"}}, "no column 'agee' — did you mean 'age'?"),
    "no such group": (GOOD.encode(), {"split": {"group": "who"}}, "data.split.group: there is no column 'who'"),
    "a group that is empty": (changed(6, "25,,a"), {"split": {"group": "city"}}, ":6: column 'city': is empty"),
    "a split with another word": (
        GOOD.encode(), {"split": {"column": "city"}}, ":2: column 'city': 'Bonn' is none of train",
    ),
    "a time that is none": (GOOD.encode(), {"split": {"time": "city"}}, "column 'city': 'Bonn' is no number and no date"),
    "no boolean": (GOOD.encode(), {"columns": {"city": "boolean"}}, "column 'city': is no boolean"),
    "categories asked as numbers": (
        GOOD.encode(), {"columns": {"city": "numeric"}}, ":2: column 'city': 'Bonn' is not a number",
    ),
    "a date of another format": (
        b"d,y\n" + b"2024-01-02,0\n2024-02-03,1\n" * 5, {"columns": {"d": "%d.%m.%Y"}},
        ":2: column 'd': '2024-01-02' is no date as %d.%m.%Y",
    ),
    "a day or a month first": (b"d,y\n" + b"01/02/2024,0\n03/04/2024,1\n" * 5, {}, ":2: column 'd': '01/02/2024' may be"),
    "a name twice": (b"a,b,a\n1,2,3\n", {}, ":1: several columns are named 'a'"),
    "too many columns": (b",".join(b"c%d" % i for i in range(30_000)) + b"\n" + b"1," * 29_999 + b"1\n", {}, ":1: 30,000 columns"),
    "a million equal names": (b"a," * 2**19 + b"\n" + b"1," * 2**19 + b"\n", {}, ":1: "),
    "a cell that never ends": (b"a,b\n1,2\n" + b'"' + b"x" * 200_000 + b'",3\n', {}, ":3: "),
    "nothing but texts": (b"a,y\n" + b"".join(b"t%d,%d\n" % (i, i % 2) for i in range(9)), {}, "no column to learn from: a (text"),
    "only an id and a target": (b"id,y\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(9)), {}, "no column to learn from"),
    "every column empty": (b",,\n,,\n,,\n", {}, ": "),
    "a NUL byte": (changed(5, "23,Bo\0nn,a"), {}, ":5: holds a NUL byte"),
    "Latin-1": (changed(5, "23,Köln,a").decode().encode("latin-1"), {}, ":5: byte 0xf6 is not utf-8"),
    "UTF-16": (GOOD.encode("utf-16"), {}, "the content is UTF-16 text, not CSV"),
    "an unknown encoding": (changed(5, "23,Köln,a"), {"encoding": "latin-99"}, "unknown encoding 'latin-99'"),
    "a spreadsheet": (archive(), {}, "the content is a ZIP archive"),
    "a NumPy array": (array(), {}, "the content is a NumPy array"),
    "a pickle": (pickle.dumps([1, 2], protocol=4), {}, "a Python pickle, which is never loaded"),
    "gzip": (gzip.compress(GOOD.encode()), {}, "compressed by gzip"),
    "a web page": (b"<!doctype html><title>404</title>", {}, "a web page"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", {}, "a pointer of Git LFS"),
    "Parquet": (b"PAR1" + bytes(50), {}, "the content is Parquet"),
    "another delimiter": (GOOD.encode(), {"delimiter": ";", "target": "label"}, "no column 'label'"),
}  # fmt: skip


def described(path, **settings) -> Dataset:
    return Dataset.parse({"name": "csv", "path": str(path), **settings})


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if "million" in n else n for n in DAMAGE],
)
def test_each_damage_has_its_message(name, tmp_path) -> None:
    content, settings, message = DAMAGE[name]
    (path := tmp_path / "f.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        load(described(path, **settings), 0)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert len(str(error.value)) < 500
    assert csv.field_size_limit() >= 131_072


def test_the_good_file_is_good(tmp_path) -> None:
    (path := tmp_path / "f.csv").write_text(GOOD)
    assert len(load(described(path), 0).train) == 10


@pytest.mark.parametrize(
    "kind", ["missing", "near", "folder", "pipe", "device", "loop", "no folder"]
)
def test_what_is_no_file(kind, tmp_path) -> None:
    path, words = tmp_path / "flowers.csv", "there is no such file"
    if kind == "near":
        (tmp_path / "flower.csv").write_text(GOOD)
        words = "did you mean 'flower.csv'?"
    elif kind == "folder":
        path.mkdir()
        words = "it is a directory"
    elif kind == "pipe":
        os.mkfifo(path)
        words = "it is a pipe"
    elif kind == "device":
        path.symlink_to("/dev/zero")
        words = "it is a device"
    elif kind == "loop":
        path.symlink_to(path)
        words = "cannot read"
    elif kind == "no folder":
        path, words = tmp_path / "gone" / "f.csv", "there is no folder"
    with pytest.raises(DataError, match=r"flowers\.csv|f\.csv") as error:
        load(described(path), 0)
    assert words in str(error.value)


def test_a_command_ends_with_4_and_writes_nothing(tmp_path) -> None:
    (tmp_path / "f.csv").write_bytes(changed(6, "abc,Ulm,a"))
    (tmp_path / "c.yaml").write_text("data: f.csv\n")
    done = subprocess.run(
        [sys.executable, "-m", "backproplab", "train", "c.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert f"{tmp_path / 'f.csv'}:6: column 'age': 'abc' is not a number" in done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c.yaml", "f.csv"]


def test_a_sparse_file_of_a_terabyte_takes_no_memory(tmp_path) -> None:
    path = tmp_path / "f.csv"
    with path.open("wb") as file:
        file.truncate(2**40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="larger than"):
        load(described(path), 0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024
