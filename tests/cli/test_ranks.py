"""Several ranks of an MPI launcher would each do all of a command: refused, whoever launched."""

import subprocess
import sys
from pathlib import Path

import pytest

from backproplab import cli
from backproplab.environment import LAUNCHERS, launched_processes

WORDS = {
    "train": ["train", "c.yaml"],
    "resume": ["resume"],
    "find-lr": ["find-lr", "c.yaml"],
    "sweep": ["sweep", "c.yaml", "learning_rate=0.1,0.2"],
}


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A folder with a config, and no launcher around."""
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("data: iris\nepochs: 1\n")
    return tmp_path


def code(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["backproplab", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("command", cli.ALONE)
def test_every_command_that_trains_is_refused_under_every_launcher(
    alone, monkeypatch, capsys, command, launcher
):
    monkeypatch.setenv(launcher, "2")
    assert code(monkeypatch, *WORDS[command]) == 2
    assert "2 processes would each do all of it" in capsys.readouterr().err
    assert [path.name for path in alone.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("size", ["", "1", "many"])
def test_one_process_is_one_process(alone, monkeypatch, launcher, size):
    monkeypatch.setenv(launcher, size)
    assert launched_processes() == 1


def test_what_only_looks_may_run_in_several(alone, monkeypatch):
    monkeypatch.setenv(LAUNCHERS[0], "2")
    assert code(monkeypatch, "runs") in (0, None)
    assert code(monkeypatch, "train", "--help") in (0, None)


@pytest.mark.slow
def test_mpiexec_trains_nothing(alone):
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no mpiexec")
    command = [mpiexec, "-n", "2", sys.executable, "-m", "backproplab", "train", "c.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert not (alone / "runs").exists()
