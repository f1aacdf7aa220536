"""What the storms have found, each in the smallest form that shows it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from backproplab import environment
from backproplab.cli import printing
from backproplab.errors import DamageError
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.journal import LAST, PREVIOUS, Journal
from backproplab.signals import LATEST, LEFT, StopNow, leave, listening

IDENTITY = {"run": "1", "config": "", "data": "", "numerics": {}}


class Counted:
    """A part of a position: a number."""

    name, file = "counted", ""

    def __init__(self):
        self.value = 0

    def state(self):
        return {}, {"value": self.value}

    def restore(self, arrays, state):
        self.value = state["value"]


def journal(folder):
    found = Journal(folder, ["loss"], ["train"], IDENTITY)
    found.open()
    return found


def test_a_kill_between_the_two_names_of_a_checkpoint_leaves_no_temporary_file(tmp_path):
    """Then both names are of one file, and a rename of one to the other does nothing."""
    folder = DiskFolder(tmp_path)
    first = journal(folder)
    first.commit([Counted()])
    folder.alias(LAST, PREVIOUS)  # and here it is killed
    first.commit([Counted()])
    assert sorted(folder.names("checkpoints")) == [LAST, PREVIOUS]
    first.close()


def test_a_missing_checkpoint_beside_another_one_is_no_beginning():
    folder = MemoryFolder()
    written = journal(folder)
    assert written.read() is None
    assert written.read(PREVIOUS) is None
    written.commit([Counted()])
    with pytest.raises(DamageError, match="there is no such checkpoint"):
        written.read(PREVIOUS)


def test_from_the_one_before_it_becomes_the_last_one_before_logs_are_cut(tmp_path):
    folder, part = DiskFolder(tmp_path), Counted()
    written = journal(folder)
    for part.value in (1, 2):
        written.row(part.value, part.value, "train", {"loss": 0.5})
        written.commit([part])
    written.close()
    again = Journal(folder, ["loss"], ["train"], IDENTITY)
    before = again.read(PREVIOUS)
    again.reopen(before.state["logs"], append=True, name=PREVIOUS)
    again.close()
    assert again.read().state == before.state
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1:] == ["1,1,train,0.5"]


@pytest.fixture
def fresh():
    """No signal has come before, and none after."""
    assert not LEFT
    yield
    LEFT.clear()
    LATEST.clear()


def test_a_signal_that_python_swallowed_ends_the_work_before_it_begins(fresh):
    with suppress(StopNow):  # as Python does in the callback of a weak reference
        leave(signal.SIGTERM, None)
    with pytest.raises(StopNow), listening(print):
        pytest.fail("it began")


def test_a_signal_within_a_second_does_not_disturb_the_end_of_the_first(fresh):
    with pytest.raises(StopNow):
        leave(signal.SIGINT, None)
    for _ in range(5):
        leave(signal.SIGINT, None)


def test_a_table_into_a_pipe_without_reader_is_an_error_of_the_pipe(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        out = printing.console()
        with pytest.raises(BrokenPipeError):
            out.print("x" * 100_000)
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_git_is_asked_without_taking_a_lock(monkeypatch):
    """A run that is killed while git refreshes its index would leave the lock behind."""
    asked = []
    real = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda words, **how: asked.append(words) or real(words, **how)
    )
    environment._git.__wrapped__()
    assert all("--no-optional-locks" in words for words in asked)


LATE = """
import os, sys
from backproplab import __main__, signals

class Late:
    def __init__(self, kill=os.kill, pid=os.getpid()):
        self.kill, self.pid = kill, pid
    def __del__(self):
        self.kill(self.pid, int(sys_argv[1]))

sys_argv, late = sys.argv.copy(), Late()
signals.LATEST[:] = [0.0]
sys.argv[1:] = ["--help"]
__main__.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_of_a_request_does_not_kill_an_interpreter_that_is_ending(number):
    """Python takes its handlers away before it deletes what modules hold."""
    command = [sys.executable, "-c", LATE, str(int(number))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
