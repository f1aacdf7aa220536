"""Processes to be killed: of a zygote, or from the shell. Not a test."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 120  # a deadline, not an expectation
EAGER = {"FIRST_SAVE": 0.01, "LEAST": 0.01, "COSTS": 1}  # of loop.pace: many checkpoints
ENVIRONMENT = os.environ | {
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
}


def default_signals():
    """In a new process: pytest may run where signals are ignored, and that is inherited."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def shell(words, cwd, python=("-m", "backproplab"), **how):
    """``backproplab …`` from its first instruction on, in a process group of its own."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how}
    how.setdefault("preexec_fn", default_signals)
    environment = ENVIRONMENT | how.pop("env", {})
    command = [sys.executable, *python, *words]
    return subprocess.Popen(command, cwd=cwd, env=environment, start_new_session=True, **how)


def ended(words, cwd, **how):
    """Exit code, stdout, stderr of a command that is left alone."""
    process = shell(words, cwd, **how)
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, out, err


def until(condition, what="it did not happen"):
    """What the condition gives, once it gives something."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.002)
    return found


class Zygote:
    """Starts commands, one at a time, without their imports."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote"],
            cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip

    def start(self, words, cwd, pace=EAGER, **more):
        """A child that appends to ``out`` and ``err`` in its folder."""
        streams = {"stdout": "out", "stderr": "err"}
        job = {"words": list(map(str, words)), "cwd": str(cwd), "env": {}, "pace": pace}
        self.process.stdin.write(json.dumps(job | streams | more).encode() + b"\n")
        return Child(self.process.stdout, Path(cwd))

    def run(self, words, cwd, **how):
        """Exit code of a command that is left alone."""
        return self.start(words, cwd, **how).wait()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(SECONDS)


class Child:
    """A command at work. code: its exit code, once it is known."""

    def __init__(self, answers, cwd):
        self.answers, self.cwd, self.code = answers, cwd, None
        self.pid = int(answers.readline())

    def poll(self, seconds=0.0):
        """The exit code, waited for so long; None while it works."""
        if self.code is None and select.select([self.answers], [], [], seconds)[0]:
            self.code = int(self.answers.readline())
        return self.code

    def wait(self):
        code = self.poll(SECONDS)
        if code is None:
            self.signal(signal.SIGKILL)
            raise AssertionError(f"{self.pid} did not end: {self.err}")
        return code

    def signal(self, number, group=False):
        """Whether it was still there to be signalled. group: and the processes that it started."""
        if self.poll() is None:
            (os.killpg if group else os.kill)(self.pid, number)
            return True
        return False

    @property
    def err(self):
        return (self.cwd / "err").read_text()


def forms(count, short):
    """A parameter for each number: the first ``short`` are slow, the others chaos."""
    marks = (pytest.mark.slow, pytest.mark.chaos)
    return [pytest.param(n, marks=marks[n >= short]) for n in range(count)]
