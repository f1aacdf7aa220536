"""A package's warning is a note at the end, not a line in the middle of a live display."""

import sys
import warnings

import numpy as np
import pytest

from backproplab import cli
from backproplab.data.synthetic import Moons
from backproplab.notes import collected
from backproplab.sweep.job import Work, run_slice


def overflow() -> None:
    np.exp(np.array([1000.0]))


def test_a_warning_is_counted_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with collected() as found:
        warnings.simplefilter("always")
        overflow()
        overflow()
    ((note, count),) = found.items()
    assert note.startswith("RuntimeWarning: overflow encountered in exp (test_notes.py:")
    assert count == 2
    assert capsys.readouterr() == ("", "")


def test_what_is_raised_or_ignored_stays_so() -> None:
    with collected() as found:
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            overflow()
        warnings.simplefilter("ignore")
        overflow()
    assert not found
    before = warnings.showwarning
    with collected():
        assert warnings.showwarning is not before
    assert warnings.showwarning is before


def warning(method):  # type: ignore[no-untyped-def]
    def called(*args, **kwargs):  # type: ignore[no-untyped-def]
        overflow()
        return method(*args, **kwargs)

    return called


CONFIG = "data: {name: moons, samples: 60}\nmodel: {hidden: [3]}\nepochs: 2\nthreads: 1\n"


@pytest.mark.filterwarnings("default")
def test_a_worker_sends_them_with_its_outcome(monkeypatch, tmp_path, capsys):  # type: ignore[no-untyped-def]
    from backproplab.config import load

    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.setattr(Moons, "read", warning(Moons.read))
    (outcome,) = run_slice([Work(load(tmp_path / "c.yaml"))])
    assert outcome.status == "completed"
    assert [note.partition(" (")[0] for note in outcome.notes] == [
        "RuntimeWarning: overflow encountered in exp"
    ]
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("default")
def test_a_command_says_them_last(monkeypatch, tmp_path, capsys):  # type: ignore[no-untyped-def]
    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Moons, "read", warning(Moons.read))
    monkeypatch.setattr(sys, "argv", ["backproplab", "train", "c.yaml", "--progress", "line"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    *others, last = capsys.readouterr().err.splitlines()
    assert last.startswith("backproplab: note: RuntimeWarning: overflow encountered in exp (")
    assert not any("Warning" in line for line in others)
