"""``~`` in every path, directories that can only be looked at, and CSV files as spreadsheets read them."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import backproplab as package
from backproplab import runs
from backproplab.errors import MachineError
from backproplab.runs import board, create_session, open_log_root

CONFIG = "data: {name: circle, samples: 60}\nmodel: {hidden: [3]}\nepochs: 1\nthreads: 1\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    (folder / "c.yaml").write_text(CONFIG)
    return folder


PATHS = {  # words, and the file below the home that they make or use
    "train ~/c.yaml --log-dir ~/x --progress none": "x/.backproplab",
    "train ~/c.yaml --log-dir=~/x --progress none": "x/.backproplab",
    "sweep ~/c.yaml learning_rate=0.1,0.2 --log-dir=~/x --dry-run": "c.yaml",
    "check ~/c.yaml": "c.yaml",
    "config show ~/c.yaml": "c.yaml",
    "config init ~/new.yaml": "new.yaml",
    "explain ~/c.yaml --svg=~/e.svg --dot ~/e.dot --markdown=~/e.md": "e.md",
    "find-lr ~/c.yaml --figure=~/f.svg": "f.svg",
    "runs --log-dir=~/x": "",
}


@pytest.mark.parametrize("words", PATHS)
def test_a_tilde_is_the_home(backproplab, home, tmp_path, words):
    ended = backproplab(words)
    assert ended.code == (1 if "find-lr" in words and "lowers the loss" in ended.err else 0)
    assert (home / PATHS[words]).exists()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("~")]


def test_a_tilde_in_the_environment_and_in_outputs(backproplab, home, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKPROPLAB_LOG_DIR", "~/logs")
    assert backproplab("train ~/c.yaml --progress none").code == 0
    assert (home / "logs" / ".backproplab").exists()
    for words, name in (("export --csv=~/e.csv", "e.csv"), ("report --out=~/r.html", "r.html")):
        assert backproplab(words).code == 0
        assert (home / name).exists()
    (run,) = (home / "logs").glob("*/c")
    assert backproplab(f"show ~/logs/{run.parent.name}/c").code == 0
    assert not (tmp_path / "~").exists()


def test_a_home_that_nobody_knows_is_no_folder(backproplab, home, tmp_path):
    ended = backproplab("train ~/c.yaml --log-dir ~nobody-at-all/x")
    assert ended.code == 2
    assert "~nobody-at-all" in ended.err
    assert not (tmp_path / "~nobody-at-all").exists()


def test_an_empty_directory_is_looked_at_and_not_marked(backproplab, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = backproplab("tensorboard empty")
    assert ended.code == 5
    assert "there are no runs to show" in ended.err
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.fixture
def foreign(tmp_path):
    """A directory of another program's event files."""
    folder = tmp_path / "keras" / "run" / "train"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1").touch()
    return tmp_path / "keras"


def test_a_directory_that_is_not_ours_gets_nothing_of_ours(foreign, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKPROPLAB_CACHE", str(tmp_path / "cache"))
    record, log = board._free_place(foreign)
    assert record.parent == log.parent == tmp_path / "cache" / "tensorboard"
    assert record.parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "cache" / "tensorboard").rmdir()
    (tmp_path / "cache" / "tensorboard").touch()  # a cache that cannot be used
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert board._free_place(foreign)[0].parent == tmp_path / f"backproplab-{os.geteuid()}"


def test_our_own_log_root_keeps_its_record(tmp_path):
    root = open_log_root(tmp_path / "runs")
    assert board._free_place(root) == (root / board.RECORD, root / board.LOG)


READ_ONLY = """
import sys
from pathlib import Path
from backproplab.runs import start, stop, find
root = Path(sys.argv[1])
board = start(root)
assert find(root) == board
print(board.pid, stop(board))
"""


CAN_MOUNT = shutil.which("unshare") is not None and subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode == 0  # fmt: skip
MOUNT = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$1" -c "$2" "$0"'


@pytest.mark.slow
@pytest.mark.skipif(not CAN_MOUNT, reason="needs unshare and mount")
@pytest.mark.parametrize("whose", ["ours", "foreign"])
def test_a_read_only_directory_can_be_looked_at(tmp_path, whose):
    root = open_log_root(tmp_path / "runs") if whose == "ours" else tmp_path / "runs"
    (root / "session" / "run" / "train").mkdir(parents=True)
    (root / "session" / "run" / "train" / "events.out.tfevents.1").touch()
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"BACKPROPLAB_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(Path(package.__file__).parent.parent)}  # fmt: skip
    command = ["unshare", "-Urm", "sh", "-c", MOUNT, str(root), sys.executable, READ_ONLY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("True\n"), done.stderr


def written_tables(backproplab, tmp_path):
    """Every CSV that we write of a run called ``=cmd`` with a text ``@SUM(1)`` and a rate below 0."""
    session = create_session(open_log_root(tmp_path / "runs"))
    for name, optimizer in (("=cmd", "@SUM(1)"), ("plain", "sgd")):
        folder = session / name
        folder.mkdir()
        record = {"format": 1, "status": "completed", "epochs": 1, "metrics": {"loss": -0.5}}
        (folder / "run.json").write_text(json.dumps(record))
        (folder / "config.yaml").write_text(f"data: circle\noptimizer: '{optimizer}'\n")
        (folder / "metrics.csv").write_text("epoch,step,split,loss\n1,1,train,-0.5\n")
    yield backproplab("export").out
    yield backproplab("compare --format csv").out
    yield backproplab("compare --format csv --cols run,optimizer,loss").out


def test_no_cell_of_a_csv_is_a_formula(backproplab, tmp_path):
    for text in written_tables(backproplab, tmp_path):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert "'@SUM(1)" in cells
        assert "-0.5" in cells
        for cell in cells:
            if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
                float(cell)


def test_a_session_that_vanished_is_not_made_again(tmp_path):
    session = create_session(open_log_root(tmp_path / "runs"))
    (session / ".backproplab").unlink()
    session.rmdir()
    with pytest.raises(MachineError, match=f"{session}: cannot write: the folder was deleted"):
        runs.experiment_folder(session, "exp1")
