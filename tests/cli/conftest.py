"""``backproplab(…)`` as a user types it, in this process, in a folder of its own."""

import shlex
import sys
from dataclasses import dataclass

import pytest

from backproplab.cli import main


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def backproplab(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BACKPROPLAB_LOG_DIR", raising=False)

    def call(words):
        monkeypatch.setattr(sys, "argv", ["backproplab", *shlex.split(words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ended(code, out, err)

    return call
