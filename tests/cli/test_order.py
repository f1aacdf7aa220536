"""Every command takes the session that was started last for the newest, whatever its clock said.

A session is named by the local time: in another time zone, or when daylight saving ends, a later
one has an earlier name.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backproplab.runs.folders import MARKER

ZONES = ["Asia/Tokyo", "UTC", "America/New_York"]  # of one instant, each has an earlier local time
CONFIG = "data: {name: circle, samples: 40}\nmodel: {hidden: [2]}\nepochs: 1\n"
DAYLIGHT_SAVING_ENDS = """
from datetime import datetime
from pathlib import Path
from backproplab.config import load
from backproplab.experiment import run
from backproplab.runs import create_session, open_log_root
for name, minute, fold in [("summer", 50, 0), ("winter", 10, 1)]:
    now = datetime(2019, 10, 27, 2, minute, fold=fold)
    run(load(Path("c.yaml"), f"name={name}"), create_session(open_log_root(Path("runs")), now=now) / name)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def in_zone(monkeypatch):
    """Sets this process's time zone."""

    def set_zone(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def start(folder, zone, *argv):
    """Run Python in a process of its own, in this time zone."""
    environment = os.environ | {"TZ": zone}
    subprocess.run(
        [sys.executable, *argv], env=environment, cwd=folder, check=True, capture_output=True
    )


def check_order(backproplab, names):
    """names: of runs in sessions of their own, in the order in which they were started."""
    newest = names[-1]
    assert re.findall(r"\d  (\S+) +✓ completed", backproplab("runs").out) == names[::-1]
    for words in ("show", "show latest", "show 1"):
        assert backproplab(words).out.startswith(f"✓ completed  {newest} "), words
    assert backproplab("show 2").out.startswith(f"✓ completed  {names[-2]} ")
    assert backproplab("diff 1 2").out.splitlines()[0].split() == ["config", newest, names[-2]]
    page = re.search(r"report-\S+", backproplab("report").out)[0]
    shown = {"report": Path(page).read_text(encoding="utf-8")}
    for words in ("compare", "compare --format json", "export"):
        shown[words] = backproplab(words).out
    for words, text in shown.items():
        assert [name for name in names if name in text] == [newest], words


@pytest.mark.slow
def test_the_last_run_is_the_newest(backproplab, folder, in_zone):
    names = [f"in-{zone.rpartition('/')[2]}" for zone in ZONES]
    for zone, name in zip(ZONES, names, strict=True):
        start(folder, zone, "-m", "backproplab", "train", "c.yaml", "--name", name)
    sessions = {path.parent: path.parent.parent.name for path in folder.glob("runs/*/*/run.json")}
    newest = next(session for run, session in sessions.items() if run.name == names[-1])
    for zone in ZONES:
        in_zone(zone)
        check_order(backproplab, names)
        assert f"kept: {newest}" in backproplab("clean --keep 1 --dry-run").out.splitlines()

    markers = {run.parent: run.parent / MARKER for run in sessions}
    for marker in markers.values():  # what version 0.1 wrote, at that time
        found = json.loads(marker.read_text())
        when = found.pop("created")
        marker.write_text(json.dumps(found))
        os.utime(marker, (when, when))
    check_order(backproplab, names)
    assert f"kept: {newest}" in backproplab("clean --keep 1 --dry-run").out.splitlines()

    for number, session in enumerate(reversed(markers)):
        session.rename(session.with_name(f"my-{number}"))
    check_order(backproplab, names)

    for session in folder.glob("runs/my-*"):
        when = (session / MARKER).stat().st_mtime
        (session / MARKER).unlink()
        os.utime(session, (when, when))
    check_order(backproplab, names)


def test_a_session_of_the_hour_that_comes_twice(backproplab, folder, in_zone):
    start(folder, "Europe/Berlin", "-c", DAYLIGHT_SAVING_ENDS)
    assert sorted(path.name for path in folder.glob("runs/2*")) == [
        "20191027-021000",
        "20191027-025000",
    ]
    for zone in (*ZONES, "Europe/Berlin"):
        in_zone(zone)
        check_order(backproplab, ["summer", "winter"])


@pytest.mark.slow
def test_the_last_sweep_is_resumed_and_kept(backproplab, folder, in_zone):
    for zone in ZONES:
        start(
            folder, zone, "-m", "backproplab", "sweep", "c.yaml", "learning_rate=0.1,0.2", "-j", "1"
        )
    sweeps = sorted(folder.glob("runs/*/sweep.json"), key=lambda path: path.stat().st_mtime)
    newest = sweeps[-1].parent
    assert newest.name == min(path.parent.name for path in sweeps)
    for zone in ZONES:
        in_zone(zone)
        resumed = backproplab("sweep c.yaml learning_rate=0.1,0.2 -j 1 --resume")
        assert f"table   runs/{newest.name}/results.csv" in resumed.out.splitlines()
    assert backproplab("clean --keep 1 --yes").code == 0
    assert list(folder.glob("runs/2*")) == [newest]
