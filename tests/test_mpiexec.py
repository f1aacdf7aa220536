"""mpiexec -n N backproplab train: real ranks of a real MPI, stopped, killed and resumed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backproplab.journal import LAST, load

pytestmark = pytest.mark.slow

MPIEXEC = Path(sys.executable).parent / "mpiexec"
SECONDS = 120  # by then a command that hangs is ended
CONFIG = """
data: {name: digits, test_split: 0.1}
model: {layers: [{dense: 32}, relu, {dropout: 0.3}, {dense: 10}]}
clipping: {global_norm: 1.0}
tensorboard: {update_freq: batch}
steps: 200
epochs: 20
"""

# Does WHAT when rank RANK is about to make its update number 100; saves as often as it can.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from backproplab import signals
from backproplab.learners.updates import Updates
from backproplab.loop import pace

rank, what, *words = sys.argv[1:]
pace.FIRST_SAVE = pace.LEAST = pace.COSTS = 0
follow = Updates.follow

def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

def stopping(self, rate, t):
    if t == 100 and os.environ["PMI_RANK"] == rank:
        if what == "raise":
            raise ValueError("boom")
        name, _, whom = what.removeprefix("twice ").partition(" to ")
        if what.startswith("twice"):
            signals.ONE_REQUEST = 0
        launcher = parent(parent(os.getpid()))  # above it is the proxy of this machine
        for _ in range(1 + what.startswith("twice")):
            os.kill(launcher if whom == "mpiexec" else os.getpid(), getattr(signal, name))
    follow(self, rate, t)

Updates.follow = stopping
sys.argv = ["backproplab", *words]
from backproplab.__main__ import main
main()
"""


@pytest.fixture(autouse=True, scope="module")
def _mpi():
    pytest.importorskip("mpi4py")
    if not MPIEXEC.exists():
        pytest.skip("no mpiexec")


def ended(folder, *command):
    """The command in this folder: exit code, stdout, stderr. Fails if it hangs."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def backproplab(folder, ranks, *words):
    """`mpiexec -n RANKS backproplab WORDS`; for one rank without mpiexec."""
    launcher = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    return ended(folder, *launcher, sys.executable, "-m", "backproplab", *words)


def trained(folder, ranks, root, *overrides):
    """The folder of a run that is trained to its end."""
    (folder / "c.yaml").write_text(CONFIG)
    code, _, err = backproplab(folder, ranks, "train", "c.yaml", "--log-dir", root, *overrides)
    assert code == 0, err
    assert err.count("epoch  1/20") == 1  # rank 0 alone speaks
    return run_in(folder / root)


def run_in(root):
    (run,) = root.glob("[0-9]*/c")
    return run


def record(run):
    return json.loads((run / "run.json").read_text())


def weights(run):
    arrays = load(run / LAST).arrays
    found = [arrays[name].ravel() for name in sorted(arrays) if "/weights/" in name]
    return np.concatenate(found).astype(float)


def distance(run, other):
    """The relative norm of the difference of all weights."""
    return np.linalg.norm(weights(run) - weights(other)) / np.linalg.norm(weights(other))


# batches of 37 and a last one of 36: unequal shares; of batches of 3, one rank of four has none
@pytest.mark.parametrize(
    ("ranks", "dtype", "size", "most"),
    [(2, "float64", 37, 1e-12), (4, "float64", 3, 1e-12), (2, "float32", 37, 1e-6)],
)
def test_ranks_train_what_one_process_trains(tmp_path, saved, ranks, dtype, size, most):
    words = f"dtype={dtype}", f"batch_size={size}"
    alone = trained(tmp_path, 1, "alone", *words)
    runs = [trained(tmp_path, ranks, root, *words) for root in ("first", "second")]
    assert distance(runs[0], alone) < most
    assert saved(runs[0]) == saved(runs[1])  # the same ranks, the same bytes
    table = (alone / "metrics.csv").read_text()
    assert (runs[0] / "metrics.csv").read_text().count("\n") == table.count("\n")
    assert [record(run)["ranks"] for run in (alone, *runs)] == [1, ranks, ranks]
    assert len(list(runs[0].glob("*/events*"))) == len(list(alone.glob("*/events*")))


# --- stopped, killed, failed


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two ranks that nothing disturbs."""
    return trained(tmp_path_factory.mktemp("whole"), 2, "runs", "dtype=float64")


ENDS = {  # rank, what: exit code, a line that is printed, the status
    ("0", "SIGINT to mpiexec"): (130, "c was stopped; its position is saved", "interrupted"),
    ("0", "SIGTERM to mpiexec"): (143, "c was stopped; its position is saved", "interrupted"),
    ("1", "SIGTERM"): (143, "c was stopped; its position is saved", "interrupted"),
    ("1", "twice SIGTERM"): (143, "rank 1: stopped at once by a signal", "failed"),
    ("1", "SIGKILL"): (9, "", "running"),
    ("0", "raise"): (1, "a bug in backproplab: ValueError: boom", "failed"),
    ("1", "raise"): (1, "rank 1: ValueError: boom", "failed"),
}


@pytest.mark.parametrize(("rank", "what"), ENDS)
def test_nothing_hangs_and_the_checkpoint_resumes(tmp_path, saved, whole, rank, what):
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "stop.py").write_text(SCRIPT)
    command = [MPIEXEC, "-n", "2", sys.executable, "stop.py", rank, what]
    code, _, err = ended(tmp_path, *command, "train", "c.yaml", "dtype=float64")
    assert (code, record(run_in(tmp_path / "runs"))["status"]) == (
        ENDS[rank, what][0],
        ENDS[rank, what][2],
    )
    assert ENDS[rank, what][1] in err
    run = run_in(tmp_path / "runs")
    assert load(run / LAST).state["position"]["progress"]["step"] in range(2, 105)
    for ranks in (1, 3) if what == "SIGKILL" else ():
        other = tmp_path / f"runs-{ranks}"
        shutil.copytree(tmp_path / "runs", other)
        code, _, err = backproplab(tmp_path, ranks, "resume", "latest", "--log-dir", other.name)
        assert code == 0, err
        assert record(run_in(other))["inexact"] == f"ranks: 2, now {ranks}"
        assert record(run_in(other))["ranks"] == ranks
        assert distance(run_in(other), whole) < 1e-12
    code, _, err = backproplab(tmp_path, 2, "resume", "latest")
    assert code == 0, err
    assert saved(run) == saved(whole)
    assert (run / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert "inexact" not in record(run)


# --- ranks that were given different things


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train c.yaml learning_rate=0.5", "config: rank 1 has learning_rate: 0.5, rank 0 learning_rate: 0.001"),
        ("train other/../c.yaml d.yaml", "the ranks do different things: give all the same command"),
        ("train missing.yaml", "rank 1: missing.yaml: no such file"),
    ],
)  # fmt: skip
def test_ranks_that_differ_are_told_and_write_nothing(tmp_path, words, told):
    for name in ("c.yaml", "d.yaml"):
        (tmp_path / name).write_text(CONFIG)
    (tmp_path / "other").mkdir()
    one = ["-n", "1", sys.executable, "-m", "backproplab"]
    code, _, err = ended(tmp_path, MPIEXEC, *one, "train", "c.yaml", ":", *one, *words.split())
    assert code in (1, 2), err
    assert told in err
    assert not (tmp_path / "runs").exists()


def test_ranks_with_different_data_are_told(tmp_path, write_images):
    places = [tmp_path / "0", tmp_path / "1"]
    write_images(places[0] / "images")
    write_images(places[1] / "images", train_labels=np.arange(50) % 9)
    one = [sys.executable, "-m", "backproplab", "train", "c.yaml"]
    for place in places:
        (place / "c.yaml").write_text("data: {mnist: {path: images}}\nepochs: 1\n")
    command = [
        MPIEXEC,
        "-n",
        "1",
        "-wdir",
        places[0],
        *one,
        ":",
        "-n",
        "1",
        "-wdir",
        places[1],
        *one,
    ]
    code, _, err = ended(tmp_path, *command)
    assert code == 2, err
    assert "data: rank 1 has" in err
    assert not any((place / "runs").exists() for place in places)
