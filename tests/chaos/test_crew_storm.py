"""Crews drawn at random and killed: members that continue alone, and sweeps that are resumed.

A member's checkpoint does not know with whom it trained. So a crew on the disk is killed, or
stopped, and each member is resumed alone; a sweep of crews in slices is killed with its workers and
resumed as a sweep. Both leave what each run leaves that trains alone and undisturbed.
"""

import json
import random
import signal
import time
from collections import Counter

import pytest
import yaml

from tests.chaos.drawn import drawn
from tests.chaos.processes import forms, until
from tests.chaos.remains import check_tidy, differences, remains

MEMBERS = 4
CREW = """
import sys
from pathlib import Path
from backproplab.config import load
from backproplab.experiment.crew import train_slice
from backproplab.files import DiskFolder
from backproplab.loop import Pace
from backproplab.signals import Stop, listening
stop, files = Stop(), [Path(name) for name in sys.argv[1:]]
with listening(stop.request):
    folders = [DiskFolder(Path("crew") / file.stem) for file in files]
    ends = train_slice([load(file) for file in files], folders, [None] * len(files), Pace(stop))
for end in ends:
    if isinstance(end, Exception):
        raise end
"""


def members(number, folder):
    """The configs of a crew: of one shape, each with numbers of its own."""
    chance = random.Random(f"crew {number}")
    tree = drawn(number)
    for k in range(MEMBERS):
        own = {"seed": 7 * k + number, "learning_rate": chance.choice([0.003, 0.01, 0.02])}
        if chance.random() < 0.3:
            own["epochs"] = max(tree["epochs"] // 2, 1)
        file = folder / f"m{k}.yaml"
        file.write_text(yaml.safe_dump(tree | own))
        yield file


@pytest.mark.parametrize("number", forms(50, short=2))
def test_members_of_a_crew_that_is_killed_continue_alone(zygote, tmp_path, number):
    chance = random.Random(number)
    files = list(members(number, tmp_path))
    begun = time.monotonic()
    (tmp_path / "alone").mkdir()
    for file in files:  # as runs of a sweep, too, which draw no pictures
        zygote.start([file], tmp_path / "alone", pace={}, program=CREW).wait()
    took = time.monotonic() - begun
    whole = {file.stem: tmp_path / "alone/crew" / file.stem for file in files}
    floor = chance.choice([0.0, 0.02])
    pace = {"FIRST_SAVE": floor, "LEAST": floor, "COSTS": chance.choice([0, 2])}
    child = zygote.start(files, tmp_path, pace=pace, program=CREW)
    until(lambda: (tmp_path / "crew/m0").exists() or child.poll() is not None)
    child.poll(chance.uniform(0, took / 2))
    child.signal(chance.choice([signal.SIGKILL, signal.SIGINT]))
    child.wait()
    seen = Counter()
    for name, expected in whole.items():
        run = tmp_path / "crew" / name
        wanted = remains(expected, signs=False)
        if not run.exists():
            continue
        status = json.loads((run / "run.json").read_text())["status"]
        seen[status] += 1
        code = zygote.run(["resume", run, "--progress", "none"], tmp_path)
        assert code in ((5,) if status == "diverged" else (0, 3)), child.err
        assert differences(remains(run, signs=False), wanted) == [], seen
        check_tidy(run)


@pytest.mark.parametrize("number", forms(30, short=1))
def test_sweeps_of_crews_that_are_killed(zygote, tmp_path, number):
    chance = random.Random(f"sweep {number}")
    tree = drawn(number) | {"name": "run"}
    base, file = tmp_path / "base.yaml", tmp_path / "s.yaml"
    base.write_text(yaml.safe_dump(tree))
    grid = {"learning_rate": [0.003, 0.01, 0.02]}
    seeds = {"base": "base.yaml", "seeds": 3, "grid": grid}
    file.write_text(yaml.safe_dump(seeds))
    words = ["sweep", file, "-j", str(chance.choice([1, 2])), "--progress", "none"]
    begun = time.monotonic()
    assert zygote.run([*words, "--log-dir", "whole"], tmp_path) in (0, 1, 3)
    took = time.monotonic() - begun
    for _ in range(chance.randint(1, 3)):
        there = list(tmp_path.glob("broken/*/sweep.json"))
        again = ["--resume"] if there else []
        child = zygote.start(
            [*words, "--log-dir", "broken", *again], tmp_path, slice=chance.choice([0.2, 0.5])
        )
        until(lambda c=child: list(tmp_path.glob("broken/*/sweep.json")) or c.poll() is not None)
        child.poll(chance.uniform(0, took))
        if not child.signal(signal.SIGKILL, group=True):
            break
        child.wait()
    resumed = ["--resume"] if list(tmp_path.glob("broken/*/sweep.json")) else []
    assert zygote.run([*words, "--log-dir", "broken", *resumed], tmp_path, slice=0.5) in (0, 1, 3)
    (whole,) = [f.parent for f in tmp_path.glob("whole/*/sweep.json")]
    (broken,) = [f.parent for f in tmp_path.glob("broken/*/sweep.json")]
    runs = sorted(path.parent.name for path in whole.glob("*/run.json"))
    assert len(runs) == 9
    for name in runs:
        check_tidy(broken / name)
        expected = remains(whole / name, sizes=False, signs=False)
        assert differences(remains(broken / name, sizes=False, signs=False), expected) == [], name
    assert (broken / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()
    assert not [
        path.name for path in broken.iterdir() if path.name.startswith((".partial", ".before"))
    ]
