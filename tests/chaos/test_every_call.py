"""A small run is killed before every system call that changes a file, and so is its ``resume``.

"A kill before every file-changing system call of a small run (strace): no run yet (exit 5, nothing
half-made), begun again, or resumed: the same bytes at the end." A first run under strace counts the
calls; each is then the place of a kill. The same trace shows in which order a commit reaches the
disk, which is what a power cut would see.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.chaos.processes import ENVIRONMENT, SECONDS, default_signals
from tests.chaos.remains import check_tidy, differences, remains

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (make system)")

CALLS = "openat,mkdir,rename,unlink,link,ftruncate,write,fsync,rmdir,unlinkat"
SMALL = {
    "data": {"name": "moons", "samples": 60, "test_split": 0.1},
    "model": {"layers": [{"dense": 3}, "tanh", {"dropout": 0.2}, {"dense": 1}]},
    "epochs": 3,
    "batch_size": 21,
    "threads": 1,
    "early_stopping": {"patience": 5, "restore_best_weights": True},
    "tensorboard": {"histograms": 2},
}
PROGRAM = """
from backproplab.loop import pace
pace.FIRST_SAVE = pace.LEAST = pace.COSTS = 0
from backproplab.__main__ import main
main()
"""
LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")


def traced(words, cwd, *options):
    """The command under strace: its exit code, as Popen counts it."""
    strace = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-o",
        cwd / "trace",
        f"--trace={CALLS}",
        *options,
    ]
    command = [*strace, sys.executable, "-B", "-c", PROGRAM, *words]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=default_signals,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def changes(trace, root):
    """(call, its ordinal among those of its name) of what the main thread changes below ``root``."""
    seen, found, main = Counter(), [], None
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if not match:
            continue
        pid, call, arguments, _ = match.groups()
        main = main or pid
        if pid != main:
            continue
        seen[call] += 1
        reads = call == "openat" and "O_CREAT" not in arguments
        if not reads and (str(root) in arguments or '"runs' in arguments):
            found.append((call, seen[call]))
    return found


class Proof:
    """A run that is whole, and a folder for one that is killed."""

    def __init__(self, zygote, folder):
        self.zygote, self.folder = zygote, folder
        (folder / "run.yaml").write_text(json.dumps(SMALL))
        self.train = ["train", str(folder / "run.yaml"), "--progress", "none"]
        whole = folder / "whole"
        whole.mkdir()
        assert zygote.run(self.train, whole, pace={}) == 0
        self.whole = remains(next(whole.glob("runs/*/run")))

    def place(self, name):
        found = self.folder / name
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir()
        return found

    def kill(self, words, cwd, call, ordinal):
        code = traced(words, cwd, f"--inject={call}:signal=KILL:when={ordinal}")
        assert code in (-signal.SIGKILL, 128 + signal.SIGKILL), code

    def check(self, cwd):
        """What is there now is no run, or becomes the whole one. Which."""
        run = next(cwd.glob("runs/*/run"), None)
        (cwd / "out").unlink(missing_ok=True)
        root = next(cwd.glob("runs"), None)
        code = self.zygote.run(["runs"], cwd)
        assert code == 0 or not root, (cwd / "err").read_text()
        if run is None:
            assert "run" not in [
                line.split()[:1] for line in (cwd / "out").read_text().splitlines()[1:]
            ]
            for path in ["runs/latest/run", "latest"]:
                assert self.zygote.run(["resume", path], cwd) == 5, (cwd / "err").read_text()
            assert self.zygote.run(self.train, cwd) == 0, (cwd / "err").read_text()
            return "no run"
        assert run.name in (cwd / "out").read_text()
        begun = (run / "checkpoints/last.safetensors").exists()
        assert self.zygote.run(["resume", run, "--progress", "none"], cwd) == 0, (
            cwd / "err"
        ).read_text()
        check_tidy(run)
        assert differences(remains(run), self.whole) == []
        assert "verdict" in json.loads((run / "run.json").read_text())
        return "resumed" if begun else "begun again"


@pytest.fixture
def proof(zygote, tmp_path):
    return Proof(zygote, tmp_path)


def sampled(places, count):
    """So many of them, evenly, with the first and the last."""
    last = len(places) - 1
    return [places[round(k * last / (count - 1))] for k in range(count)] if count else places


COUNTS = [pytest.param(15, marks=pytest.mark.slow), pytest.param(0, marks=pytest.mark.chaos)]


@pytest.mark.parametrize("count", COUNTS)
def test_a_run_killed_before_every_change_of_a_file(proof, count):
    cwd = proof.place("counted")
    assert traced(proof.train, cwd) == 0
    places = changes(cwd / "trace", cwd)
    assert len(places) > 100
    seen = Counter()
    for call, ordinal in sampled(places, count):
        cwd = proof.place("killed")
        proof.kill(proof.train, cwd, call, ordinal)
        seen[proof.check(cwd)] += 1
    assert seen.keys() == {"no run", "begun again", "resumed"}, seen
    print(f"{len(places)} calls, {sum(seen.values())} kills: {dict(seen)}")  # noqa: T201


@pytest.mark.parametrize("count", COUNTS)
def test_a_resume_killed_before_every_change_of_a_file(proof, count):
    first = proof.place("first")
    assert traced(proof.train, first) == 0
    renames = [place for place in changes(first / "trace", first) if place[0] == "rename"]
    first = proof.place("first")
    proof.kill(proof.train, first, *renames[len(renames) // 2])
    run = next(first.glob("runs/*/run"))
    words = ["resume", str(run.relative_to(first)), "--progress", "none"]

    def copy(name):
        shutil.rmtree(proof.folder / name, ignore_errors=True)
        return shutil.copytree(first, proof.folder / name, copy_function=shutil.copy2)

    cwd = copy("counted")
    assert traced(words, cwd) == 0
    places = changes(cwd / "trace", cwd)
    assert len(places) > 50
    seen = Counter()
    for call, ordinal in sampled(places, count):
        cwd = copy("killed")
        proof.kill(words, cwd, call, ordinal)
        seen[proof.check(cwd)] += 1
    assert seen.keys() == {"resumed"}, seen
    print(f"{len(places)} calls, {sum(seen.values())} kills: {dict(seen)}")  # noqa: T201


# --- the order in which a commit reaches the disk


class Disk:
    """What a power cut might lose, call by call, and whether a commit relied on any of it.

    dirty: files with bytes that are not synced.  names: folders whose new names are not.
    """

    def __init__(self):
        self.dirty, self.names, self.faults = set(), set(), []
        self.commits = self.best = self.removed = 0

    def take(self, call, arguments):
        paths = re.findall(r'"([^"]*)"', arguments)
        descriptor = re.match(r"\d+<([^>]*)>", arguments)
        if call == "write" and descriptor:
            self.dirty.add(descriptor[1])
        elif call == "fsync" and descriptor:
            self.dirty.discard(descriptor[1])
            self.names.discard(descriptor[1])
        elif (
            call == "openat" and "O_CREAT" in arguments and not paths[0].endswith(".tmp")
        ) or call == "mkdir":
            self.names.add(self.parent(paths[0]))
        elif call in ("rename", "link"):
            self.rename(*paths)
        elif call == "unlink" and "/best-" in paths[0]:
            self.removed += 1
            if self.names & {self.parent(paths[0])}:
                self.fault(f"{paths[0]} deleted before last is durable")

    def parent(self, path):
        return f"{self.root}/{path}".rpartition("/")[0]

    def fault(self, what):
        self.faults.append(what)

    def rename(self, source, target):
        if f"{self.root}/{source}" in self.dirty:
            self.fault(f"{source} renamed before it is synced")
        if target.endswith("/last.safetensors"):
            self.commits += 1
            run = self.parent(target).rpartition("/")[0]
            logs = {
                path for path in self.dirty if path.startswith(run) and not path.endswith(".tmp")
            }
            if logs:
                self.fault(f"last before its logs {logs}")
            waiting = {
                path
                for path in self.names
                if path.startswith(run) and not path.endswith("/checkpoints")
            }
            if waiting:
                self.fault(f"last before the names in {waiting}")
            if self.unnamed_best:
                self.fault("last before its best weights")
        if "/best-" in target:
            self.best += 1
            self.unnamed_best = True
        self.names.add(self.parent(target))

    unnamed_best = False

    def read(self, trace, root):
        self.root = str(root)
        for line in trace.read_text(errors="replace").splitlines():
            match = LINE.match(line)
            if match and int(match[4]) >= 0:
                self.take(match[2], match[3])
                if match[2] == "fsync" and "/checkpoints>" in match[3]:
                    self.unnamed_best = False
        return self


@pytest.mark.slow
def test_the_order_in_which_a_commit_reaches_the_disk(proof):
    """Logs and the folders of new ones, the best weights, last; then what nothing names goes."""
    cwd = proof.place("traced")
    assert traced(proof.train, cwd) == 0
    disk = Disk().read(cwd / "trace", cwd)
    assert disk.faults == []
    assert disk.commits >= 7
    assert disk.best >= 2
    assert disk.removed


def test_the_checker_sees_a_commit_in_the_wrong_order(tmp_path):
    lines = [
        '1 write(4</d/runs/s/run/metrics.csv>, "1", 1) = 1',
        '1 openat(AT_FDCWD</d>, "runs/s/run/checkpoints/.last.tmp", O_WRONLY|O_CREAT) = 5',
        '1 write(5</d/runs/s/run/checkpoints/.last.tmp>, "1", 1) = 1',
        '1 rename("runs/s/run/checkpoints/.last.tmp", "runs/s/run/checkpoints/last.safetensors") = 0',
        '1 unlink("runs/s/run/checkpoints/best-1.safetensors") = 0',
    ]
    (tmp_path / "trace").write_text("\n".join(lines))
    assert len(Disk().read(tmp_path / "trace", "/d").faults) == 3
