"""Several ranks of an MPI launcher: what each would do for itself is refused, whoever launched."""

import os
import subprocess
import sys

import pytest

from backproplab import cli
from backproplab.environment import LAUNCHERS, launched_processes

WORDS = {
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
def test_a_command_that_ranks_cannot_share_is_refused_under_every_launcher(
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
    monkeypatch.setenv("PMI_SIZE", "2")
    assert code(monkeypatch, "runs") in (0, None)
    assert code(monkeypatch, "train", "--help") in (0, None)


@pytest.mark.parametrize(("launcher", "which"), LAUNCHERS.items())
def test_every_rank_but_the_first_is_silent(alone, monkeypatch, capsys, launcher, which):
    for rank, heard in (("0", True), ("1", False)):
        monkeypatch.setenv(launcher, "2")
        monkeypatch.setenv(which, rank)
        monkeypatch.setattr(sys, "stdout", sys.stdout)
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        assert code(monkeypatch, "train", "--nothing") == 2
        assert bool(capsys.readouterr().err) is heard
    sys.stdout.close()


@pytest.mark.parametrize("command", cli.TOGETHER)
def test_ranks_need_mpi4py(alone, monkeypatch, capsys, command):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert code(monkeypatch, command, "c.yaml") == 2
    assert "pip install 'backproplab[mpi]'" in capsys.readouterr().err
    assert [path.name for path in alone.iterdir()] == ["c.yaml"]


@pytest.mark.slow
def test_a_launcher_of_another_mpi_is_refused(alone):
    """mpi4py would find itself alone in each of the processes, and each would train all of it."""
    pytest.importorskip("mpi4py")
    command = [sys.executable, "-m", "backproplab", "train", "c.yaml"]
    launched = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | launched
    )
    assert done.returncode == 2
    assert "2 processes were launched, and mpi4py knows of 1" in done.stderr
    assert not (alone / "runs").exists()
