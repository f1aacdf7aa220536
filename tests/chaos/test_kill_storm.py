"""Runs drawn at random, killed at random moments up to three times, and resumed.

"100 runs drawn at random are killed with SIGKILL at random moments, up to three times each, then
resumed: metrics.csv, weights, best weights and event values byte-identical to the uninterrupted
run, each TensorBoard step once, no temporary file left. The same with a stop in mid-epoch by
Ctrl-C." What is drawn is fixed by a seed; the moment is what the clock makes of it.
"""

import json
import random
import signal
import time
from collections import Counter

import pytest

from tests.chaos.drawn import write
from tests.chaos.processes import forms, until
from tests.chaos.remains import check_tidy, differences, remains

ENDS = {"completed": 0, "diverged": 3}
STOPPED = 128 + signal.SIGINT


def run_in(folder):
    """The run's folder, once it is there."""
    return next(folder.glob("runs/*/run"), None)


class Storm:
    """A run of a config that is left alone, and one that is not."""

    def __init__(self, zygote, folder, number):
        self.zygote, self.folder = zygote, folder
        self.chance = random.Random(number)
        self.words = ["train", write(number, folder), "--progress", "none"]
        (folder / "whole").mkdir()
        (folder / "broken").mkdir()
        start = time.monotonic()
        self.code = zygote.run(self.words, folder / "whole", pace={})
        self.seconds = time.monotonic() - start
        self.whole = remains(run_in(folder / "whole"))
        assert self.code == ENDS[self.whole["record"]["status"]], (folder / "whole/err").read_text()
        self.seen = Counter()

    def begin_or_resume(self):
        """Start it anew, or from where it is."""
        broken = self.folder / "broken"
        words = ["resume", run_in(broken)] if run_in(broken) else self.words
        floor = self.chance.choice([0.0, 0.005, 0.02, 0.1])
        pace = {"FIRST_SAVE": floor, "LEAST": floor, "COSTS": self.chance.choice([0, 2])}
        return self.zygote.start(words, broken, pace=pace)

    def break_off(self, number):
        """A signal at a moment that is random, once the run has a folder or from the start on."""
        child = self.begin_or_resume()
        if self.chance.random() < 0.9:
            until(lambda: run_in(self.folder / "broken") or child.poll() is not None)
        child.poll(self.chance.uniform(0, self.seconds))
        there = child.signal(number)
        code = child.wait()
        stopped = -signal.SIGKILL if number == signal.SIGKILL else STOPPED
        assert code == self.code or (there and code == stopped), child.err
        self.seen[code] += 1
        return code

    def finish(self):
        """Let it end, or what is left of its end after its last record, and compare."""
        refused = 5 if self.status == "diverged" else self.code
        child = self.begin_or_resume()
        assert child.wait() == refused, child.err
        run = run_in(self.folder / "broken")
        check_tidy(run)
        assert differences(remains(run), self.whole) == [], self.seen

    @property
    def status(self):
        run = run_in(self.folder / "broken")
        return json.loads((run / "run.json").read_text())["status"] if run else None

    @property
    def goes_on(self):
        return self.status not in ENDS


@pytest.mark.parametrize("number", forms(100, short=8))
def test_killed_and_resumed(zygote, tmp_path, number):
    storm = Storm(zygote, tmp_path, number)
    for _ in range(storm.chance.randint(1, 3)):
        if storm.goes_on:
            storm.break_off(signal.SIGKILL)
    storm.finish()


@pytest.mark.parametrize("number", forms(100, short=6))
def test_stopped_and_resumed(zygote, tmp_path, number):
    storm = Storm(zygote, tmp_path, 1000 + number)
    for _ in range(storm.chance.randint(1, 3)):
        if (
            storm.goes_on
            and storm.break_off(signal.SIGINT) == STOPPED
            and run_in(tmp_path / "broken")
        ):
            if storm.status in ENDS:  # in the milliseconds between the last record and the exit
                break
            assert storm.status == "interrupted"
            assert "its position is saved" in (tmp_path / "broken/err").read_text()
    storm.finish()
