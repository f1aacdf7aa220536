"""Every command that any output prints does what it says, typed in another folder."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

COMMAND = re.compile(
    r"\bbackproplab (?:train|resume|sweep|tensorboard|runs|report|show|compare|config) .*"
)
QUICK = "data: {name: mnist, path: d}\nepochs: 2\nbatch_size: 10\nmodel: {hidden: [4]}\n"
PLACE = "a folder; 'odd"


def idx(path, array):
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a config whose data are beside it, and a name that must be quoted."""
    here = tmp_path / PLACE
    (here / "d").mkdir(parents=True)
    for name, n in (("train", 30), ("t10k", 10)):
        labels = np.arange(n) % 10
        idx(here / "d" / f"{name}-labels-idx1-ubyte", labels)
        idx(here / "d" / f"{name}-images-idx3-ubyte", labels[:, None, None] * np.ones((1, 2, 2)))
    (here / "c.yaml").write_text(QUICK)
    (here / "s.yaml").write_text("base: c.yaml\ngrid: {learning_rate: [0.1, 0.01]}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(here)
    return here


def printed(ended):
    """The commands in an output, without the words of a hint around them."""
    found = COMMAND.findall(ended.out + "\n" + ended.err)
    return [command.removeprefix("backproplab ").partition(" — ")[0] for command in found]


def test_the_commands_after_training(backproplab, place, tmp_path, monkeypatch):
    commands = printed(backproplab("train c.yaml data.path=d --progress none"))
    assert [command.split()[0] for command in commands] == ["tensorboard", "train"]
    monkeypatch.chdir(tmp_path / "elsewhere")
    show, repeat = commands
    listing = shlex.join(["runs", "--log-dir", str(place / "runs")])
    listed = backproplab(listing)
    assert " c " in listed.out
    assert backproplab(repeat + " --progress none").code == 0
    assert len(backproplab(listing).out.splitlines()) == len(listed.out.splitlines()) + 1
    assert not list((tmp_path / "elsewhere").iterdir())
    started = backproplab(show)
    (stop,) = printed(started)
    assert "stopped TensorBoard" in backproplab(stop).out


@pytest.mark.parametrize("root", ["runs", "else where"])
def test_the_stop_command_stops_the_one_that_was_started(
    backproplab, place, tmp_path, monkeypatch, root
):
    backproplab(f"train c.yaml --progress none --log-dir '{root}'")
    for words in (f"'{root}'", f"--log-dir '{root}'"):
        monkeypatch.chdir(place)
        (stop,) = printed(backproplab(f"tensorboard {words}"))
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert "stopped TensorBoard" in backproplab(stop).out


def test_the_commands_after_a_sweep(backproplab, place, tmp_path, monkeypatch):
    commands = printed(backproplab("sweep s.yaml -j 1 --log-dir r"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert {command.split()[0] for command in commands} == {"compare", "report", "sweep"}
    for command in commands:
        ended = backproplab(command)
        assert ended.code == 0, ended.err
        for stop in printed(ended):
            assert backproplab(stop).code == 0


def test_a_hint_of_resume_continues_the_sweep(backproplab, place, tmp_path, monkeypatch):
    backproplab("sweep s.yaml -j 1 --log-dir r")
    run = next(path.parent for path in (place / "r").glob("*/*/run.json"))
    (command,) = printed(backproplab(f"resume {shlex.quote(str(run))} --log-dir r"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert backproplab(command).code == 0


def test_the_hint_for_a_sweep_and_a_first_config(backproplab, place, tmp_path, monkeypatch):
    (hint,) = printed(backproplab("train s.yaml"))
    made = printed(backproplab("config init first.yaml"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert backproplab(f"{hint} --dry-run").code == 0
    assert backproplab(f"{made[0]} --dry-run").code == 0


@pytest.mark.slow
def test_the_commands_of_a_run_that_was_stopped(place, tmp_path):
    """Continue it, and train what was not begun; with a word whose path is of this folder."""
    program = [sys.executable, "-m", "backproplab"]
    (place / "b.yaml").write_text(QUICK)
    words = ["train", "c.yaml", "b.yaml", "data.path=d", "epochs=100000", "--log-dir", "r"]
    started = subprocess.Popen([*program, *words], cwd=place, stdout=-1, stderr=-1, text=True)
    for line in started.stderr:
        if "epoch" in line and "/100000" in line:
            started.terminate()
            break
    out, _ = started.communicate(timeout=60)
    commands = [c.removeprefix("backproplab ") for c in COMMAND.findall(out)]
    again = next(c for c in commands if c.startswith("resume"))
    rest = next(c for c in commands if " b.yaml" in c or "b.yaml'" in c)
    assert str(place / "d") in shlex.split(rest)[2]
    elsewhere = tmp_path / "elsewhere"
    done = subprocess.run(
        [*program, *shlex.split(rest), "epochs=1"],
        cwd=elsewhere,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "given twice" in done.stderr  # everything else of it is right
    other = [w for w in shlex.split(rest) if not w.startswith("epochs=")]
    done = subprocess.run(
        [*program, *other, "epochs=1"], cwd=elsewhere, check=True, capture_output=True
    )
    assert len(list((place / "r").glob("*/b/run.json"))) == 1
    resumed = subprocess.Popen(
        [*program, *shlex.split(again)], cwd=elsewhere, stdout=-1, stderr=-1, text=True
    )
    for line in resumed.stderr:
        if "/100000" in line:
            resumed.terminate()
            break
    resumed.communicate(timeout=60)
    assert resumed.returncode == 143
    assert not list(elsewhere.iterdir())
