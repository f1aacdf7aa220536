"""``sweep --resume``: every way to name a session, and what differs where it is another sweep."""

import json
import sys
from pathlib import Path

import pytest

from backproplab import cli
from backproplab.errors import RunError
from backproplab.sweep import library, read

BASE = "data: {name: moons, samples: 60}\nmodel: {hidden: [3]}\nepochs: 2\nthreads: 1\n"
GRID = "grid: {learning_rate: [0.1, 0.03]}\n"
SEARCH = "method: random\nnum_trials: 2\nparameters: {learning_rate: {min: 0.01, max: 0.1}}\n"


@pytest.fixture
def begun(tmp_path, monkeypatch, workers):
    """A sweep whose second run has not been made."""
    import shutil

    monkeypatch.chdir(tmp_path)
    write(tmp_path, GRID)
    session = library.run(read("s.yaml"), "r")
    shutil.rmtree(session / "learning_rate-0.03")
    return session


def write(folder, sweep, base=BASE):
    (folder / "base.yaml").write_text(base)
    (folder / "s.yaml").write_text(f"base: base.yaml\n{sweep}")


def command(monkeypatch, *words):
    arguments = ["backproplab", "sweep", *words, "--resume", "--progress", "none"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code or 0


NAMES = {
    "relative": lambda s: ([f"r/{s.name}"], "."),
    "trailing slash": lambda s: ([f"r/{s.name}/"], "."),
    "dots": lambda s: ([f"r/../r/./{s.name}"], "."),
    "absolute": lambda s: ([str(s.absolute())], "/"),
    "from within": lambda s: (["."], f"r/{s.name}"),
    "from a run": lambda s: ([".."], f"r/{s.name}/learning_rate-0.1"),
    "its file": lambda s: ([f"r/{s.name}/sweep.json"], "."),
    "name in the log directory": lambda s: ([s.name, "--log-dir", "r"], "."),
    "another log directory": lambda s: ([f"r/{s.name}", "--log-dir", "other"], "."),
    "the sweep's file": lambda s: (["s.yaml", "--log-dir", "r"], "."),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_a_session(begun, monkeypatch, capsys, name):
    words, where = NAMES[name](begun)
    home = Path.cwd()
    monkeypatch.chdir(where)
    assert command(monkeypatch, *words) == 0
    assert (home / begun / "learning_rate-0.03" / "run.json").exists()
    assert "2 of 2 runs" in capsys.readouterr().out
    sessions = [path.parent for path in home.glob("*/*/sweep.json")]
    assert sessions == [home / begun]


def test_the_session_that_is_named_and_no_newer_one_of_the_same_sweep(begun, monkeypatch):
    library.run(read("s.yaml"), "r")
    assert command(monkeypatch, f"r/{begun.name}") == 0
    assert (begun / "learning_rate-0.03" / "run.json").exists()


DIFFERENCES = {
    "a key of the base": (GRID, BASE.replace("epochs: 2", "epochs: 3"), "base.epochs: 2 there, 3"),
    "a key inside": (GRID, BASE.replace("60", "70"), "base.data.samples: 60 there, 70 here"),
    "a new key": (GRID, f"{BASE}dtype: float64\n", 'base.dtype: nothing there, "float64" here'),
    "a missing key": (GRID, BASE.replace("threads: 1\n", ""), "base.threads: 1 there, nothing"),
    "values": (
        "grid: {learning_rate: [0.1, 0.3]}\n",
        BASE,
        "grid.learning_rate: [0.1, 0.03] there, [0.1, 0.3] here",
    ),
    "the values' order": (
        "grid: {learning_rate: [0.03, 0.1]}\n",
        BASE,
        "grid.learning_rate: [0.1, 0.03] there, [0.03, 0.1] here",
    ),
    "another path": ("grid: {batch_size: [8, 16]}\n", BASE, "grid.batch_size: nothing there"),
    "seeds": (f"{GRID}seeds: 2\n", BASE, "seeds: nothing there, 2 here"),
    "the metric": (f"{GRID}metric: loss\n", BASE, 'metric: nothing there, "loss" here'),
    "a search": (SEARCH, BASE, 'method: nothing there, "random" here'),
    "branches": (
        "branches: [{learning_rate: 0.1}, {learning_rate: 0.03}]\n",
        BASE,
        "branches: nothing there",
    ),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_what_differs_is_said(begun, tmp_path, kind):
    sweep, base, said = DIFFERENCES[kind]
    write(tmp_path, sweep, base)
    with pytest.raises(RunError) as caught:
        library.run(read("s.yaml"), "r", resume=True)
    assert f"r: no sweep like this one was begun here; {begun} differs in " in str(caught.value)
    assert said in str(caught.value)
    with pytest.raises(RunError) as caught:
        library.run(read("s.yaml"), "r", resume=begun)
    assert said in str(caught.value)
    assert not (begun / "learning_rate-0.03").exists()


@pytest.mark.parametrize("free", ["lockstep: 'off'", "max_trials: 5"])
def test_what_changes_no_result_may_differ(begun, tmp_path, free):
    write(tmp_path, f"{GRID}{free}\n")
    assert library.run(read("s.yaml"), "r", resume=True) == begun


def test_the_order_of_keys_counts(tmp_path, monkeypatch, workers):
    """Runs are named and numbered by it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "grid: {learning_rate: [0.1], batch_size: [8, 9]}\n")
    session = library.run(read("s.yaml"), "r")
    write(tmp_path, "grid: {batch_size: [8, 9], learning_rate: [0.1]}\n")
    with pytest.raises(RunError, match=f"{session} differs in the order of its keys"):
        library.run(read("s.yaml"), "r", resume=True)


def test_words_over_a_session_are_another_sweep(begun, monkeypatch, capsys):
    assert command(monkeypatch, f"r/{begun.name}", "epochs=3") == RunError.exit_code
    assert "differs in base.epochs: 2 there, 3 here" in capsys.readouterr().err


def test_no_other_sweep_is_near(begun, tmp_path):
    write(tmp_path, f"name: other\n{GRID}")
    with pytest.raises(RunError, match="begun here — leave out --resume to begin it"):
        library.run(read("s.yaml"), "r", resume=True)
    assert json.loads((begun / "sweep.json").read_text())["name"] == "s"
