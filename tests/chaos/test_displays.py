"""A display that fails never ends the work.

``train … 2>&1 | head -2``, a closed stdout or stderr, ``/dev/full``: training goes on silently and
ends with exit code 0. What the user asked to see is lost, the run is not.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.chaos.processes import ENVIRONMENT, SECONDS
from tests.chaos.remains import check_tidy

pytestmark = pytest.mark.slow

TREE = {"data": {"name": "moons", "samples": 100}, "model": {"hidden": [4]}, "epochs": 60}
ENDS = {
    "head": "{command} 2>&1 | head -2",
    "head of nothing": "{command} 2>&1 | true",
    "stderr into head": "{command} 2>&1 >/dev/null | head -1",
    "no stdout": "{command} >&-",
    "no stderr": "{command} 2>&-",
    "no streams": "{command} <&- >&- 2>&-",
    "full stdout": "{command} >/dev/full",
    "full stderr": "{command} 2>/dev/full",
    "full both": "{command} >/dev/full 2>&1",
}


def done(command, cwd):
    script = f"set -o pipefail; {command}"
    return subprocess.run(["bash", "-c", script], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, check=False)  # fmt: skip


@pytest.mark.parametrize(
    ("end", "progress"),
    [*((end, "line") for end in ENDS), ("head", "bar"), ("no stderr", "bar"), ("full both", "bar")],
)
def test_train(tmp_path, end, progress):
    (tmp_path / "run.yaml").write_text(json.dumps(TREE))
    command = f"{sys.executable} -m backproplab train run.yaml --progress {progress}"
    ended = done(ENDS[end].format(command=command), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    (run,) = tmp_path.glob("runs/*/run")
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["epochs"]) == ("completed", 60)
    check_tidy(run)


@pytest.mark.parametrize("end", ["head of nothing", "no streams", "full both"])
def test_sweep_and_resume(tmp_path, end):
    """Their tables and summaries as well."""
    (tmp_path / "run.yaml").write_text(json.dumps(TREE | {"epochs": 5}))
    python = f"{sys.executable} -m backproplab"
    command = f"{python} sweep run.yaml learning_rate=0.1,0.01 -j 2 --log-dir swept"
    ended = done(ENDS[end].format(command=command), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(list(tmp_path.glob("swept/*/*/run.json"))) == 2
    assert list(tmp_path.glob("swept/*/results.csv"))
    assert done(f"{python} train run.yaml --progress none", tmp_path).returncode == 0
    (run,) = tmp_path.glob("runs/*/run")
    command = f"{python} resume {run.relative_to(tmp_path)} --epochs 9"
    ended = done(ENDS[end].format(command=command), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((run / "run.json").read_text())["epochs"] == 9


def test_a_terminal_that_goes_away(tmp_path):
    """The bar on a pseudo-terminal whose other end is closed in the middle: HUP ends it, saved."""
    (tmp_path / "run.yaml").write_text(json.dumps(TREE | {"epochs": 10**6}))
    master, slave = os.openpty()
    command = [
        "setsid",
        "--ctty",
        sys.executable,
        "-m",
        "backproplab",
        "train",
        "run.yaml",
        "--progress",
        "bar",
    ]
    child = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=ENVIRONMENT | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while b"accuracy" not in shown:
        shown += os.read(master, 4096)
    os.close(master)
    assert child.wait(SECONDS) == 129
    (run,) = tmp_path.glob("runs/*/run")
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (run / "checkpoints/last.safetensors").exists()
