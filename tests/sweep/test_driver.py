"""The driver with an executor of the test's own process, so that what a worker does can be told."""

import csv
import json
import shutil
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from backproplab import runs
from backproplab.errors import DamageError, MachineError
from backproplab.loop import Lane
from backproplab.sweep import driver as drivers
from backproplab.sweep.driver import Driver
from backproplab.sweep.executors import Workers
from backproplab.sweep.job import Outcome
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import SweepFolder, identity, sessions_of
from backproplab.sweep.space import read

BASE = "data: {name: moons, samples: 60}\nmodel: {hidden: [3]}\nepochs: 9\nthreads: 1\n"
RATES = "parameters:\n  learning_rate: {min: 1e-3, max: 1.0, distribution: log_uniform}\n"
SEARCH = f"method: random\nnum_trials: 5\n{RATES}"
ASHA = f"{SEARCH}pruner: {{asha: {{reduction_factor: 3}}}}\n"
A, B = "learning_rate: [0.1, 0.03]", "epochs: [3, 4]"
GRID = "grid: {learning_rate: [0.1, 0.03]}\n"


class Here(Executor):
    """Runs a job at once. ``spoil`` may do something else instead: it is given the job's works."""

    def __init__(self, spoil=None):
        self.spoil = spoil
        self.crews = []

    def submit(self, job, works, *rest):
        future = Future()
        self.crews.append([work.experiment.name for work in works])
        try:
            spoiled = self.spoil(works) if self.spoil else None
            future.set_result(spoiled or job(works, *rest))
        except BrokenExecutor as error:
            future.set_exception(error)
        return future


class Sweeping:
    def __init__(self, folder):
        self.folder = folder

    def write(self, sweep, base=BASE):
        (self.folder / "base.yaml").write_text(base)
        (self.folder / "s.yaml").write_text(f"base: base.yaml\n{sweep}")

    def drive(self, spoil=None, root="runs", slots=2, steps=10**6):
        """The driver at its end, or after so many steps; what was begun before is gone on with."""
        place = runs.open_log_root(self.folder / root)
        begun = [path.parent for path in place.glob("[!.]*/sweep.json")]
        folder = SweepFolder(
            begun[0] if begun else runs.create_session(place), read(self.folder / "s.yaml")
        )
        asks = folder.sweep.search
        searcher = Searcher(asks, folder.sweep.metric.minimizes, folder.path, 9) if asks else None
        executor = Here(spoil)
        driver = Driver(
            folder, Workers(executor, lambda: slots, (BrokenExecutor,), "here"), searcher
        )
        for _, _ in zip(range(steps), driver.run(), strict=False):
            pass
        driver.crews_seen = executor.crews
        return driver

    def records(self, root="runs"):
        paths = sorted((self.folder / root).glob("[!.]*/[!.]*/run.json"))
        return {path.parent.name: json.loads(path.read_text()) for path in paths}

    def forget(self, run):
        """As if none of its slices had ever come back."""
        (folder,) = (self.folder / "runs").glob(f"*/{run}")
        shutil.rmtree(folder)

    def ends(self, root="runs"):
        return {
            name: (record["status"], record["epochs"], record["hashes"]["weights"])
            for name, record in self.records(root).items()
        }


@pytest.fixture
def sweeping(tmp_path):
    return Sweeping(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("sweep", [GRID, SEARCH, ASHA])
def test_a_run_that_fails_after_a_pause_has_failed_and_is_run_anew(sweeping, sweep, monkeypatch):
    monkeypatch.setattr(drivers, "SLICE", 0)
    doomed = set()

    def spoil(works):
        doomed.update([works[0].experiment.name] * (not doomed and bool(works[0].files)))
        if works[0].experiment.name in doomed:
            return [Outcome("failed", {}, "no room")] * len(works)

    sweeping.write(f"lockstep: 'off'\n{sweep}")
    driver = sweeping.drive(spoil)
    (name,) = doomed
    assert driver.standing.errors == {name: "no room"}
    assert sweeping.records()[name]["status"] == "failed"
    assert driver.standing.done["failed"] == 1
    assert driver.standing.finished == driver.standing.total
    again = sweeping.drive()
    assert not again.standing.errors
    assert {run for crew in again.crews_seen for run in crew} == {name}
    assert again.standing.finished == again.standing.total
    assert not {"failed", "paused"} & {r["status"] for r in sweeping.records().values()}


@pytest.mark.slow
def test_a_run_that_costs_every_worker_fails_and_no_other(sweeping, monkeypatch):
    """After a pause, too; and in lockstep it is then handed out alone."""
    monkeypatch.setattr(drivers, "SLICE", 0)
    sweeping.write("grid: {learning_rate: [0.1, 0.03, 0.01, 0.3, 0.2, 0.02]}\n")

    def spoil(works):
        if any("0.03" in w.experiment.name and w.files for w in works):
            raise BrokenExecutor("dead")

    driver = sweeping.drive(spoil, slots=1)
    assert driver.standing.done == Counter(completed=5, failed=1)
    (told,) = driver.standing.errors.values()
    assert told == "its worker died, 5 times in a row: dead"


def test_where_every_worker_dies_the_sweep_ends(sweeping):
    """Five deaths for each of many runs would take long; what there was before is kept."""
    sweeping.write("lockstep: 'off'\ngrid: {learning_rate: [0.1, 0.03, 0.01, 0.3, 0.2, 0.02]}\n")
    calls = []

    def spoil(works):
        calls.append(works)
        if len(calls) > 1:
            raise BrokenExecutor("dead")

    with pytest.raises(MachineError, match=r"every worker dies \(dead\) — .*--resume continues"):
        sweeping.drive(spoil, slots=1)
    assert len(calls) == 1 + 11
    assert sweeping.drive(slots=1).standing.done == Counter(completed=6)


def test_a_slice_that_came_back_forgives_the_workers_that_died_before(sweeping, monkeypatch):
    monkeypatch.setattr(drivers, "SLICE", 0)
    sweeping.write("grid: {learning_rate: [0.1]}\n")
    calls = []

    def spoil(works):
        calls.append(works)
        if len(calls) % 5:
            raise BrokenExecutor("dead")

    driver = sweeping.drive(spoil)
    assert driver.standing.done == Counter(completed=1)
    assert len(calls) == 9 * (2 + 1) * 5  # a slice is an update, or an epoch's evaluation


LEFT = [ASHA.replace("random", "tpe"), f"seeds: 2\n{ASHA}", SEARCH.replace("random", "tpe"), SEARCH]


@pytest.mark.parametrize(
    "sweep", [*(pytest.param(x, marks=pytest.mark.slow) for x in [ASHA, *LEFT]), GRID]
)
@pytest.mark.parametrize("slots", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_sweep_left_after_any_step_goes_on_to_the_same_end(sweeping, sweep, slots, monkeypatch):
    """Each step in a new driver: what was there is taken as it is, and no whole run is repeated.

    A slice is one update or one evaluation; only the grid's runs make two updates an epoch.
    """
    sweeping.write(sweep, BASE if sweep == GRID else f"{BASE}batch_mode: batch\n")
    whole = sweeping.drive(root="whole", slots=slots)
    monkeypatch.setattr(drivers, "SLICE", 0)
    finished = -1
    for _ in range(300):
        before = sweeping.ends("steps")
        driver = sweeping.drive(root="steps", slots=slots, steps=1)
        for name, end in before.items():
            assert end[0] == "paused" or sweeping.ends("steps")[name] == end
        assert driver.standing.finished >= finished
        finished = driver.standing.finished
        if not driver.pending and not driver.crews_seen:
            break
    assert sweeping.ends("steps") == sweeping.ends("whole")
    assert driver.standing.done == whole.standing.done
    assert driver.standing.best == whole.standing.best
    assert driver.standing.before == driver.standing.total


@pytest.mark.slow
def test_a_search_is_the_same_whatever_its_workers_live_through(sweeping, monkeypatch):
    sweeping.write(ASHA.replace("random", "tpe").replace("5", "12"))
    sweeping.drive(root="whole")
    monkeypatch.setattr(drivers, "SLICE", 0)
    calls = []

    def spoil(works):
        calls.append(works)
        if len(calls) % 3 == 0:
            raise BrokenExecutor("dead")

    sweeping.drive(spoil, root="hard")
    assert sweeping.ends("hard") == sweeping.ends("whole")


def test_a_member_that_fails_does_not_take_the_others_along(sweeping, monkeypatch):
    """Its folder cannot be written in the third epoch."""
    close = Lane.close_epoch

    def refuse(self, rows):
        close(self, rows)
        if self.learning.rate(0) == 0.03 and self.progress.epoch > 2:
            raise OSError(28, "No space left on device", "metrics.csv")

    monkeypatch.setattr(Lane, "close_epoch", refuse)
    sweeping.write("grid: {learning_rate: [0.1, 0.03, 0.01, 0.3, 0.2, 0.02]}\n")
    driver = sweeping.drive(slots=1)
    assert len(driver.crews_seen[0]) == 6
    assert driver.standing.done == Counter(completed=5, failed=1)
    (told,) = driver.standing.errors.values()
    assert "No space left" in told


EARLY = {"monitor": "val_loss", "patience": 2, "min_delta": 0.01, "restore_best_weights": True}


@pytest.mark.slow
def test_crews_of_runs_that_stand_at_different_epochs(sweeping, monkeypatch):
    """With early stopping, its best weights, and a test split; as they come out one at a time."""
    base = BASE.replace("60}", "90, validation_split: 0.2, test_split: 0.2}")
    base = base.replace("epochs: 9", f"epochs: 25\nearly_stopping: {json.dumps(EARLY)}")
    rates = "learning_rate: [0.1, 0.03, 0.01, 0.3, 1.0]"
    sweeping.write(f"lockstep: 'off'\ngrid: {{{rates}}}\n", base)
    sweeping.drive(root="alone")
    sweeping.write(f"grid: {{{rates}}}\nseeds: 2\n", base)
    monkeypatch.setattr(drivers, "SLICE", 0)
    first = sweeping.drive(steps=4, slots=1)
    assert max(map(len, first.crews_seen)) > 4
    stood = [name for name, record in sweeping.records().items() if record["status"] == "paused"]
    for name in stood[::2]:
        sweeping.forget(name)
    driver = sweeping.drive(slots=3)
    assert driver.standing.finished == 10
    alone = {f"{name}_seed-42": end for name, end in sweeping.ends("alone").items()}
    assert alone.items() <= sweeping.ends().items()
    assert all("test_loss" in record["metrics"] for record in sweeping.records().values())


def test_a_search_is_told_what_the_table_shows(sweeping):
    """By the metric's best epoch, not by that of val_loss, and before early stopping looks too."""
    stopping = "early_stopping: {patience: 9, start_from_epoch: 50}\n"
    validated = BASE.replace("samples: 60", "samples: 60, validation_split: 0.3") + stopping
    sweeping.write(f"{ASHA}metric: val_accuracy\n", validated)
    driver = sweeping.drive()
    assert driver.standing.done["completed"] > 0
    for name, record in sweeping.records().items():
        rows = csv.DictReader((driver.folder.path / name / "metrics.csv").read_text().splitlines())
        best = max(float(row["accuracy"]) for row in rows if row["split"] == "validation")
        value = driver.folder.value(name)
        assert value == (best if record["status"] == "completed" else None)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda text: text.replace("auto", "off"), True),
        (lambda text: "max_trials: 9\n" + text, True),
        (lambda text: "".join(sorted(text.splitlines(True))), True),
        (lambda text: text.replace("[0.1, 0.03]", "[0.03, 0.1]"), False),
        (lambda text: text.replace(f"{A}, {B}", f"{B}, {A}"), False),
        (lambda text: text.replace("seeds: 2", "seeds: 3"), False),
    ],
)
def test_what_is_the_same_sweep(sweeping, change, same):
    """The order of keys under grid names the trials: with another one it is another sweep."""
    text = f"lockstep: auto\nseeds: 2\ngrid: {{{A}, {B}}}\n"
    sweeping.write(text)
    before = read(sweeping.folder / "s.yaml")
    sweeping.write(change(text))
    assert (identity(before) == identity(read(sweeping.folder / "s.yaml"))) is same


def test_a_session_is_a_sweep_file_too(sweeping):
    """Its sweep goes on without the file that it was read from."""
    sweeping.write(f"seeds: 2\n{ASHA}")
    driver = sweeping.drive(steps=2)
    found = read(driver.folder.path)
    assert identity(found) == identity(driver.folder.sweep)
    assert list(sessions_of(driver.folder.path.parent, found)) == [driver.folder.path]
    sweeping.write(SEARCH)
    other = read(sweeping.folder / "s.yaml")
    assert list(sessions_of(driver.folder.path.parent, other)) == []
    assert list(sessions_of(driver.folder.path.parent, other, by="name")) == [driver.folder.path]
    for text in ("", "{}", '{"sweep": 3}'):
        (driver.folder.path / "sweep.json").write_text(text)
        with pytest.raises(DamageError, match="damaged: "):
            read(driver.folder.path)


def test_runs_of_one_seed_train_together_where_all_begin_at_once(sweeping, monkeypatch):
    """They share data and draws. Where some must wait, whole trials come first."""
    sweeping.write("seeds: [0, 1]\ngrid: {learning_rate: [0.1, 0.03, 0.01, 0.3]}\n")
    assert _seeds(sweeping.drive(slots=2)) == [["0"] * 4, ["1"] * 4]
    monkeypatch.setattr("backproplab.sweep.crews.MOST", 4)
    assert _seeds(sweeping.drive(root="others", slots=1)) == [["0", "0", "1", "1"]] * 2


def _seeds(driver):
    return [[name.rpartition("-")[2] for name in crew] for crew in driver.crews_seen]
