"""predict --keep: the predictions beside the rows that they are of."""

import csv
import io

import numpy as np

import backproplab as bpl
from backproplab.config import load

ROWS = 'age,city,row,note,buys\n31.5,Ulm,7,a,no\n,Köln,8,,yes\n1e3,"Bonn, Rhein",9,c,yes\n'


def trained(folder):
    chance = np.random.default_rng(0)
    lines = [f"{a},{'Ulm' if a % 2 else 'Köln'},{'yes' if a > 40 else 'no'}" for a in chance.integers(18, 80, 60)]  # fmt: skip
    (folder / "f.csv").write_text("\n".join(["age,city,buys", *lines, ""]))
    (folder / "c.yaml").write_text("data: {name: csv, path: f.csv}\nepochs: 1\n")
    bpl.run(load(folder / "c.yaml"), folder / "run")


def test_the_columns_of_the_table_stay_beside_the_predictions(tmp_path, backproplab):
    trained(tmp_path)
    (tmp_path / "new.csv").write_text(ROWS)
    plain = backproplab("predict run new.csv --proba")
    kept = backproplab("predict run new.csv --proba --keep")
    assert kept.code == 0, kept.err
    found = list(csv.DictReader(io.StringIO(kept.out)))
    given = list(csv.DictReader(io.StringIO(ROWS)))
    before = list(csv.DictReader(io.StringIO(plain.out)))
    assert list(found[0]) == [*before[0], "age", "city", "note", "buys"]
    assert [row["row"] for row in found] == ["1", "2", "3"]  # the column called so is left out
    for new, old, own in zip(found, before, given, strict=True):
        assert {name: new[name] for name in old} == old
        same = own | {"age": own["age"].replace("1e3", "1000")}
        assert {n: x for n, x in same.items() if n != "row"}.items() <= new.items()


def test_an_array_has_no_columns_to_keep(tmp_path, backproplab):
    (tmp_path / "c.yaml").write_text("data: {name: npz, path: f.npz}\nepochs: 1\n")
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "f.npz", x=x, y=(x[:, 0] > 0).astype(int))
    bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run")
    ended = backproplab("predict run f.npz --keep")
    assert ended.code == 2
    assert "--keep: an array has no columns" in ended.err
