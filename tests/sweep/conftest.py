"""Sweeps from the shell in a folder of their own, and a Dask cluster of real processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from backproplab.sweep import executors, library
from backproplab.sweep.executors import Workers

SECONDS = 120  # a deadline, not an expectation
LIVES = 3  # of a run: its worker's deaths in tests; a run is given up at the fifth
# The command, with slices as short as told. What is handed out is written down, a line a run.
COMMAND = """
import sys
from backproplab.sweep import driver
driver.SLICE, handed, submit = float(sys.argv.pop(1)), sys.argv.pop(1), driver.Driver._submit
def noted(self, crew):
    with open(handed, "a") as file:
        file.writelines(f"{job.folder}\\n" for job in crew)
    return submit(self, crew)
driver.Driver._submit = noted
from backproplab.__main__ import main
main()
"""


def workers_of(pid):
    """The processes that multiprocessing has started, or forked from its fork server."""
    found = children_of(pid)
    spawned = [child for child in found if b"spawn_main" in words_of(child)]
    return spawned + [worker for server in servers_of(pid) for worker in children_of(server)]


def servers_of(pid):
    return [child for child in children_of(pid) if b"forkserver" in words_of(child)]


def children_of(pid):
    """Those of every thread: a thread's children are its own."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += (task / "children").read_text().split()
    return [int(child) for child in found]


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _hear_signals():
    """What started the tests may ignore signals, which children inherit."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


class Shell:
    """`backproplab sweep s.yaml …` in a folder, each in a process group of its own."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, base, sweep):
        (self.folder / "base.yaml").write_text(base)
        (self.folder / "s.yaml").write_text(f"base: base.yaml\n{sweep}")

    workers_of = staticmethod(workers_of)
    servers_of = staticmethod(servers_of)

    def start(self, *words, root="runs", slice=30, launcher=()):
        python = [*launcher] or [sys.executable, "-c", COMMAND, str(slice), f"{root}.handed"]
        command = [*python, "sweep", "s.yaml", "--log-dir", root, *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_signals,  # noqa: PLW1509  # it only sets three handlers
        )

    def run(self, *words, **how):
        """Exit code, stdout, stderr."""
        with self.start(*words, **how) as process:
            try:
                out, err = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return process.returncode, out, err

    def table(self, *words, root="runs", **how):
        """results.csv of a sweep that is run to its end."""
        code, _, err = self.run(*words, root=root, **how)
        assert code == 0, err
        return self.results(root)

    def session(self, root="runs"):
        (session,) = [path.parent for path in (self.folder / root).glob("[!.]*/sweep.json")]
        return session

    def results(self, root="runs"):
        return (self.session(root) / "results.csv").read_bytes()

    def rows(self, root="runs"):
        return list(csv.DictReader(self.results(root).decode().splitlines()))

    def records(self, root="runs"):
        """run.json of each run, by its name."""
        paths = sorted((self.folder / root).glob("[!.]*/[!.]*/run.json"))
        return {path.parent.name: json.loads(path.read_text()) for path in paths}

    def handed(self, root="runs"):
        """The runs in the order in which they were handed out, slice for slice."""
        file = self.folder / f"{root}.handed"
        return file.read_text().split() if file.exists() else []

    def killed_and_resumed(self, root, chance, times, *words, **how):
        """Kill the whole group at a random moment, resume, kill …; then let it end. How often."""
        kills = 0
        for _ in range(times):
            process = self.begin_or_resume(root, *words, **how)
            seen = len(self.handed(root)) + chance.randint(1, 3)
            while process.poll() is None and len(self.handed(root)) < seen:
                time.sleep(0.01)
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.3))
            kills += process.poll() is None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            _, err = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), err
        process = self.begin_or_resume(root, *words, **how)
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err
        return kills

    def workers_killed(self, process, root, parent, chance, times):
        """One of the parent's workers, each time that another run has ended. How often.

        Few enough for any one run, as a run whose worker dies each time is given up.
        """
        killed = ended = 0
        while killed < times and process.poll() is None:
            if max(Counter(self.handed(root)).values(), default=0) > LIVES:
                break
            time.sleep(0.01)
            if (now := len(list((self.folder / root).glob("[!.]*/[!.]*/run.json")))) > ended:
                ended = now
                time.sleep(chance.uniform(0, 0.7))
                with suppress(ProcessLookupError, IndexError):
                    os.kill(chance.choice(workers_of(parent)), signal.SIGKILL)
                    killed += 1
        return killed

    def begin_or_resume(self, root, *words, **how):
        begun = list((self.folder / root).glob("[!.]*/sweep.json"))
        return self.start(*words, *(["--resume"] if begun else []), root=root, **how)


class Here(Executor):
    """Runs a job at once, in the test's own process. lost: a run whose worker dies."""

    def __init__(self, lost=""):
        self.lost = lost

    def submit(self, job, /, *args, **kwargs):
        future = Future()
        if self.lost in [work.experiment.name for work in args[0]]:
            future.set_exception(BrokenExecutor("the process ended"))
        else:
            future.set_result(job(*args, **kwargs))
        return future


@pytest.fixture
def workers(monkeypatch):
    """Sweeps run in this process; ``workers(lost="name")`` for one whose workers all die."""

    def use(lost=""):
        @contextmanager
        def opened(*_, **__):
            yield Workers(Here(lost), lambda: 2, (BrokenExecutor,), "here")

        for module in (library, executors):
            monkeypatch.setattr(module, "open_executor", opened)

    use()
    return use


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def until(condition):
    """What the condition gives, once it gives something."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


class started_cluster:
    """A Dask scheduler and its workers, on ports of their own choice. ``spec``: for --executor."""

    def __init__(self, folder, workers, nthreads=1):
        self.folder, self.workers, self.nthreads = folder, workers, nthreads

    def start(self, name, *words):
        log = (self.folder / f"{name}.log").open("w")
        command = [sys.executable, "-m", "distributed.cli.dask_" + name, *words, "--no-dashboard"]
        with log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)

    def __enter__(self):
        from distributed import Client

        told = self.folder / "scheduler.json"
        here = ["--scheduler-file", str(told), "--host", "127.0.0.1"]
        self.scheduler = self.start("scheduler", *here, "--port", "0")
        until(lambda: told.exists() and told.read_text().strip().endswith("}"))
        many = [
            "--nworkers",
            str(self.workers),
            "--nthreads",
            str(self.nthreads),
            "--death-timeout",
            "15",
        ]
        self.spec = "dask:" + json.loads(told.read_text())["address"]
        if not self.workers:
            return self
        self.nanny = self.start("worker", *here, *many, "--local-directory", str(self.folder))
        with Client(self.spec.removeprefix("dask:"), set_as_default=False) as client:
            client.wait_for_workers(self.workers, timeout=SECONDS)
        return self

    def __exit__(self, *_):
        processes = [self.nanny, self.scheduler] if self.workers else [self.scheduler]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def start_cluster():
    pytest.importorskip("distributed")
    return started_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, start_cluster):
    """A scheduler with two workers."""
    with start_cluster(tmp_path_factory.mktemp("dask"), workers=2) as found:
        yield found
