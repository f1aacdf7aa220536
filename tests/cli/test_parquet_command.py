"""Parquet from the shell: what learned from one format takes the other; pyarrow is not needed until then."""

import sys

import pandas
import pytest

from backproplab.errors import ConfigError
from tests.tables.frames import frame, written


@pytest.mark.slow
def test_a_run_takes_either_format_whatever_it_learned_from(backproplab, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    names = ("whole", "gaps", "text", "day", "time", "truth", "label")
    made = {}
    for name, seed in (("old", 0), ("new", 1)):
        made[name] = {key: frame(seed)[key] for key in names}
        written(tmp_path / f"{name}.parquet", made[name])
        table = pandas.DataFrame({key: values for key, (_, values) in made[name].items()})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    found = {}
    for kind in ("csv", "parquet"):
        (tmp_path / f"{kind}.yaml").write_text(
            f"data: {{path: old.{kind}, target: label}}\nepochs: 2\nthreads: 1\ntensorboard: off\n"
        )
        assert backproplab(f"train {kind}.yaml --progress none").code == 0
        for other in ("csv", "parquet"):
            predicted = backproplab(f"predict {kind} new.{other} --proba")
            measured = backproplab(f"evaluate {kind} new.{other} --json")
            assert (predicted.code, measured.code) == (0, 0)
            found[kind, other] = predicted.out, measured.out
    assert len(set(found.values())) == 1


def test_without_pyarrow_it_says_what_to_install(backproplab, tmp_path, monkeypatch) -> None:
    (tmp_path / "f.parquet").write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    (tmp_path / "c.yaml").write_text("data: f.parquet\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = backproplab("train c.yaml")
    assert ended.code == ConfigError.exit_code
    assert "needs pip install 'backproplab[parquet]'" in ended.err
