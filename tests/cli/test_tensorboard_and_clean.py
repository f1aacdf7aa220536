"""The whole round with real TensorBoards: train, look, clean."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.journal import load

pytestmark = pytest.mark.slow

CONFIG = "data: {name: circle, samples: 100}\nmodel: {hidden: [4]}\nepochs: 3\n"
TAGS = {
    "train": {
        *("epoch_loss", "epoch_accuracy", "epoch_learning_rate"),
        *("passes/loss", "passes/accuracy"),
        *("best/loss", "best/val_loss", "best/val_accuracy"),
    },
    "validation": {"epoch_loss", "epoch_accuracy", "passes/loss", "passes/accuracy"},
}
EXACTLY = {f"{experiment}/{split}" for experiment in ("exp1", "exp2") for split in TAGS}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in; TensorBoards register in it, not among those of other tests."""
    (tmp_path / "info").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "info"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    work = tmp_path / "work"
    work.mkdir()
    for name in ("exp1", "exp2"):
        (work / f"{name}.yaml").write_text(CONFIG)
    return work


def backproplab(place, words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "backproplab", *shlex.split(words)], cwd=place, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


def ask(port, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return json.load(answer)


def until(question, seconds=30):
    """The first true answer to a question that is asked again and again."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, "no answer in time"
        time.sleep(0.1)
    return answer


def is_alive(pid):
    """False for a zombie too, which a container's init may never collect."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def by_hand(folder):
    """A TensorBoard that somebody else started: (process, port)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if port := re.search(r"http://[^:]+:(\d+)", line):
            return process, int(port[1])
    raise AssertionError("TensorBoard did not start")


def without_layers(tags):
    """Without those of layers."""
    return {tag for tag in tags if not tag.startswith("telemetry/")}


def test_the_event_files_by_tensorboard_s_own_reader(place):
    backproplab(place, "train exp1.yaml exp2.yaml --progress none")
    (session,) = [p for p in (place / "runs").iterdir() if p.is_dir()]
    found = {str(p.parent.relative_to(session)) for p in session.rglob("events.out.tfevents.*")}
    assert found == EXACTLY
    for run in EXACTLY:
        log = EventAccumulator(str(session / run), {"scalars": 0, "histograms": 0}).Reload()
        assert without_layers(log.Tags()["scalars"]) == TAGS[run.split("/")[1]]
        assert [event.step for event in log.Scalars("epoch_loss")] == [0, 1, 2]


def test_train_look_clean(place):
    backproplab(place, "train exp1.yaml exp2.yaml --progress none")
    (session,) = [p for p in (place / "runs").iterdir() if p.is_dir()]
    other = place / "other"
    shutil.copytree(session, other)
    precious = place / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    (session / "exp1" / "link").symlink_to(precious)
    foreign, foreign_port = by_hand(other)
    try:
        # a TensorBoard by hand on one session shows exactly the course's four runs
        until(lambda: set(ask(foreign_port, "data/runs")) == EXACTLY)
        tags = ask(foreign_port, "data/plugin/scalars/tags")
        assert {run: without_layers(found) for run, found in tags.items()} == {
            run: TAGS[run.split("/")[1]] for run in EXACTLY
        }

        started = backproplab(place, "tensorboard")
        pid, port = (int(x) for x in re.search(r"pid (\d+), port (\d+)", started).groups())
        assert f"http://127.0.0.1:{port}/s\n" in started
        until(lambda: set(ask(port, "data/runs")) == {f"{session.name}/{run}" for run in EXACTLY})
        assert f"runs already: pid {pid}" in backproplab(place, "tensorboard")

        # a session, and a run of it: each has a TensorBoard of its own, which shows just that
        for words, wanted in ((session.name, EXACTLY), ("exp1", {"exp1/train", "exp1/validation"})):
            shown = backproplab(place, f"tensorboard {words}")
            _, own = (int(x) for x in re.search(r"pid (\d+), port (\d+)", shown).groups())
            until(lambda: set(ask(own, "data/runs")) == wanted)  # noqa: B023
            stop = shlex.split(re.search("stop it with: backproplab (.*)", shown)[1])
            assert "stopped" in backproplab(place, shlex.join(stop))
        foreign_stays = backproplab(place, f"tensorboard runs/{session.name}")
        assert "started" in foreign_stays
        assert f"pid {pid}," not in foreign_stays

        shown = backproplab(place, "clean --dry-run")
        assert f"TensorBoard pid {pid}, port {port}" in shown
        assert session.exists()
        backproplab(place, "clean", code=1)  # nobody to ask
        assert session.exists()

        done = backproplab(place, "clean --yes")
        assert f"stopped TensorBoard pid {pid}" in done
        left = [p.name for p in session.rglob("*") if p.is_symlink() or p.is_file()]
        assert left == ["link"]  # the user's own: it stays, and is named
        assert "link" in done
        assert not is_alive(pid)
        assert (precious / "thesis.tex").read_text() == "years of work"
        assert set(ask(foreign_port, "data/runs")) == EXACTLY
        assert foreign.poll() is None
        assert len(list(other.rglob("events.out.tfevents.*"))) == 6  # two in each train
        assert "nothing of ours" in backproplab(place, "clean --yes")
    finally:
        foreign.terminate()
        foreign.communicate()


def test_the_hash_of_a_run_does_not_depend_on_the_machine_s_mood(place):
    """The same config in another folder, time zone, hash seed and BLAS setting: the same bytes."""
    digests = set()
    for number, env in enumerate(
        [
            {},
            {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
            {"OPENBLAS_NUM_THREADS": "2", "LANG": "C"},
        ]
    ):
        work = place / str(number)
        work.mkdir()
        subprocess.run(
            [sys.executable, "-m", "backproplab", "train", "../exp1.yaml", "model.hidden=[64]", "--progress", "none"],
            cwd=work, check=True, capture_output=True, env=os.environ | env,
        )  # fmt: skip
        (run,) = work.glob("runs/*/exp1")
        digest = hashlib.sha256((run / "metrics.csv").read_bytes())
        for name, array in sorted(load(run / "checkpoints" / "last.safetensors").arrays.items()):
            digest.update(name.encode() + array.tobytes())
        digests.add(digest.hexdigest())
    assert len(digests) == 1
