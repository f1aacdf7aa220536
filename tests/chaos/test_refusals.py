"""What ``resume`` refuses with exit 5 and the reason, and what it then offers.

"Changed data, a changed config, a checkpoint of another run, a damaged one (the message names the
command for previous): refused. Another BLAS kernel or thread count: the same, and --allow-inexact
goes on and says so in run.json." Also folders of version 0.1, which are read and not resumed.
"""

import json
import os
import re
import shlex
import shutil

import numpy as np
import pytest

from backproplab.experiment.numerics import numerics
from backproplab.journal import load
from tests.chaos.processes import EAGER, ROOT, ended, until
from tests.chaos.remains import check_tidy, differences, remains

pytestmark = pytest.mark.slow

NEVER = {"FIRST_SAVE": 1000.0, "LEAST": 1000.0, "COSTS": 1}  # no checkpoint but the last one
OLD = ROOT / "tests/reference/made_by_0.1/old"


class Place:
    """A folder with runs in it, and the command."""

    def __init__(self, zygote, folder):
        self.zygote, self.folder = zygote, folder

    def config(self, name="run", **values):
        tree = {"data": {"name": "moons", "samples": 100, "test_split": 0.1}, "model": {"hidden": [5]},
                "optimizer": "momentum", "batch_size": 10, "threads": 1, "epochs": 6,
                "tensorboard": "off"} | values  # fmt: skip  # looks depend on the length of a run
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(tree))
        return file

    def train(self, name="run", pace=EAGER, **values):
        """A run that is whole: its folder."""
        before = set(self.folder.glob(f"runs/*/{name}"))
        words = ["train", self.config(name, **values), "--progress", "none"]
        assert self.zygote.run(words, self.folder, pace=pace) == 0
        (run,) = set(self.folder.glob(f"runs/*/{name}")) - before
        return run

    def broken(self, name="run", **values):
        """A run that was killed after some checkpoints."""
        before = set(self.folder.glob(f"runs/*/{name}"))
        words = ["train", self.config(name, epochs=100_000, **values), "--progress", "none"]
        child = self.zygote.start(words, self.folder)
        until(lambda: self.has_two(name))
        (table,) = self.folder.glob(f"runs/*/{name}/metrics.csv")
        until(lambda: table.stat().st_size > 2000)
        child.signal(9)
        child.wait()
        (run,) = set(self.folder.glob(f"runs/*/{name}")) - before
        return run

    def has_two(self, name):
        """Two checkpoints: while the newer one is written, the older one has two names."""
        kept = list(self.folder.glob(f"runs/*/{name}/checkpoints/[lp]*.safetensors"))
        return len(kept) == 2 and not kept[0].samefile(kept[1])

    def resume(self, *words, **how):
        """Exit code and what was said."""
        (self.folder / "err").unlink(missing_ok=True)
        code = self.zygote.run(["resume", *words, "--progress", "none"], self.folder, **how)
        return code, (self.folder / "err").read_text()


@pytest.fixture
def place(zygote, tmp_path):
    return Place(zygote, tmp_path)


def listing(folder):
    """Every file with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(place, run, *words):
    """The reason, on one line; nothing has changed."""
    before = listing(run)
    code, err = place.resume(run, *words)
    assert code == 5, err
    assert listing(run) == before
    return err.splitlines()[-1]


def test_data_that_have_changed(place):
    folder = place.folder / "idx"
    write_idx(folder, 1)
    run = place.broken(data={"name": "mnist", "path": str(folder)})
    write_idx(folder, 2)
    assert "the data have changed" in refused(place, run)
    write_idx(folder, 1)
    again, err = place.resume(run, "--epochs", str(done(run) + 50))
    assert again == 0, err


def test_a_config_that_has_changed(place):
    run = place.broken()
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("momentum: 0.9", "momentum: 0.8"))
    assert (run / "config.yaml").read_text() != text
    assert "config.yaml has changed" in refused(place, run)


def test_a_config_that_has_changed_with_its_digest(place):
    """As if somebody had wanted to get around it: the checkpoint knows better."""
    import hashlib

    run = place.broken()
    text = (run / "config.yaml").read_text().replace("momentum: 0.9", "momentum: 0.8")
    (run / "config.yaml").write_text(text)
    record = json.loads((run / "run.json").read_text())
    record["configs"] = [hashlib.sha256(text.encode()).hexdigest()]
    (run / "run.json").write_text(json.dumps(record))
    assert "config has changed" in refused(place, run)


def test_a_checkpoint_of_another_run(place):
    run, other = place.broken("run"), place.broken("other")
    for name in ("last", "previous"):
        shutil.copy(other / f"checkpoints/{name}.safetensors", run / "checkpoints")
    assert "is of another run" in refused(place, run)


@pytest.mark.parametrize("source", ["best", "old"])
def test_a_file_that_is_no_position(place, source):
    run = place.broken()
    file = OLD / "checkpoints/last.safetensors"
    if source == "best":
        file = next(run.glob("checkpoints/best-*"))
    shutil.copy(file, run / "checkpoints/last.safetensors")
    assert "--previous" in refused(place, run)


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file):
    file.write_bytes(file.read_bytes()[:-10])


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_checkpoint_and_the_one_before(place, damage):
    """The message names the command, and the command continues to the same bytes."""
    run = place.broken()
    damage(run / "checkpoints/last.safetensors")
    reason = refused(place, run)
    command = re.search(r"backproplab (resume .*--previous)", reason)[1]
    end = done(run) + 20
    code, err = place.resume(*shlex.split(command)[1:], "--epochs", str(end))
    assert code == 0, err
    check_tidy(run)
    whole = place.train("whole", epochs=end)
    assert differences(remains(run), remains(whole)) == []


def done(run):
    return int((run / "metrics.csv").read_text().splitlines()[-1].split(",")[0])


def test_the_one_before_is_the_last_one_from_then_on(place):
    """Killed before the next commit, a run that continued from it continues from it again."""
    run = place.broken()
    flip(run / "checkpoints/last.safetensors")
    words = ["resume", run, "--previous", "--progress", "none"]
    size = (run / "metrics.csv").stat().st_size
    child = place.zygote.start(words, place.folder, pace=NEVER)
    until(lambda: (run / "metrics.csv").stat().st_size > 2 * size)
    child.signal(9)
    child.wait()
    end = done(run) + 20
    code, err = place.resume(run, "--epochs", str(end))
    assert code == 0, err
    assert differences(remains(run), remains(place.train("whole", epochs=end))) == []


def test_damaged_best_weights(place):
    run = place.broken()
    for file in run.glob("checkpoints/best-*"):
        flip(file)
    assert re.search(r"best-\d+.safetensors: damaged", refused(place, run))


@pytest.mark.parametrize("name", ["metrics.csv", "train/*.tfevents.[1-9]*", "validation/*"])
def test_a_log_that_is_shorter_than_its_length(place, name):
    run = place.broken()
    (file,) = run.glob(name)
    file.write_bytes(file.read_bytes()[:100])
    reason = refused(place, run)
    assert str(file) in reason
    assert "damaged: 100 bytes, the checkpoint names" in reason
    file.unlink()
    assert "damaged: 0 bytes" in refused(place, run)


def test_no_checkpoint_before_the_last_one(place):
    """``--previous`` must not begin the run again, and neither must a ``last`` that was deleted."""
    run = place.train(pace={})
    (run / "checkpoints/previous.safetensors").unlink(missing_ok=True)
    record = json.loads((run / "run.json").read_text()) | {"status": "interrupted"}
    (run / "run.json").write_text(json.dumps(record))
    assert "there is no such checkpoint" in refused(place, run, "--previous")
    broken = place.broken("broken")
    (broken / "checkpoints/last.safetensors").unlink()
    assert "--previous" in refused(place, broken)


@pytest.mark.parametrize(
    "record", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 2, "status": "odd"}']
)
def test_a_damaged_record(place, record):
    run = place.broken()
    (run / "run.json").write_text(record)
    refused(place, run)


def test_a_run_that_is_finished_or_that_diverged(place):
    run = place.train()
    before = listing(run)
    code, err = place.resume(run)
    assert (code, listing(run)) == (0, before)
    assert "finished" in err
    assert "--epochs" in err
    words = [
        "train",
        place.config(
            "wild",
            learning_rate=1e4,
            optimizer="sgd",
            dtype="float32",
            model={"hidden": [5], "activation": "relu"},
            loss="mse",
            data={"name": "diabetes"},
        ),
        "--progress",
        "none",
    ]
    assert place.zygote.run(words, place.folder) == 3
    (wild,) = place.folder.glob("runs/*/wild")
    assert "diverged" in refused(place, wild)


def test_a_run_that_is_at_work(place):
    words = ["train", place.config(epochs=100_000), "--progress", "none"]
    child = place.zygote.start(words, place.folder)
    until(lambda: list(place.folder.glob("runs/*/run/checkpoints/previous.safetensors")))
    code, _, err = ended(["resume", "latest"], place.folder)
    child.signal(9)
    child.wait()
    assert code == 5, err
    assert "another process uses this session" in err


def test_a_run_of_a_sweep(place):
    """Its sweep continues it."""
    words = ["sweep", place.config(), "learning_rate=0.1,0.01", "-j", "1", "--progress", "none"]
    assert place.zygote.run(words, place.folder) == 0
    run = next(place.folder.glob("runs/*/*/run.json")).parent
    assert re.search(r"backproplab sweep \S+ --resume", refused(place, run))


# --- more epochs


def longer(place, first, end, **values):
    """A run of ``first`` epochs, made longer, against one of ``end`` epochs from the start."""
    run = place.train("run", epochs=first, **values)
    code, err = place.resume(run, "--epochs", str(end))
    assert code == 0, err
    check_tidy(run)
    return run, place.train("whole", epochs=end, **values)


def test_more_epochs_are_those_of_a_longer_run(place):
    run, whole = longer(place, 5, 12, schedule={"reduce_on_plateau": {"patience": 1}})
    assert differences(remains(run), remains(whole)) == []
    assert (run / "config.yaml").read_text().count("epochs: 12") == 1


def test_fewer_epochs_than_a_killed_run_has_done(place):
    """Its record does not know how many those are; its checkpoint does."""
    run = place.broken()
    before = listing(run)
    code, err = place.resume(run, "--epochs", "2")
    assert (code, listing(run)) == (2, before)
    assert "epochs that are done" in err


@pytest.mark.parametrize(
    "schedule", ["cosine", "one_cycle", {"exponential": {"rate": 0.5}}, "polynomial"]
)
def test_a_schedule_that_depends_on_the_length(place, schedule):
    run = place.train(schedule=schedule)
    before = listing(run)
    code, err = place.resume(run, "--epochs", "12")
    assert (code, listing(run)) == (2, before)
    assert "depends on the length" in err


def test_more_epochs_after_an_early_stop(place):
    """Patience begins afresh; the best weights stay; the test row is cut off and written anew."""
    stopping = {"patience": 2, "min_delta": 10.0, "restore_best_weights": True}
    run = place.train(epochs=30, early_stopping=stopping)
    assert json.loads((run / "run.json").read_text())["stop_reason"] == "patience_exhausted"
    before = (run / "metrics.csv").read_text().splitlines()
    epochs = done_training(before)
    code, err = place.resume(run, "--epochs", "40")
    assert code == 0, err
    after = (run / "metrics.csv").read_text().splitlines()
    assert before[-1].split(",")[2] == "test"
    assert after[: len(before) - 1] == before[:-1]
    assert done_training(after) == epochs + 2
    assert [line.split(",")[2] for line in after].count("test") == 1
    record = json.loads((run / "run.json").read_text())
    assert record["continued_after"] == "patience_exhausted"
    assert record["restored_epoch"] == 1
    check_tidy(run)


def done_training(lines):
    return max(int(line.split(",")[0]) for line in lines[1:] if ",train," in line)


def prolonged_and_killed(place, run, epochs):
    """Made longer, and killed before it has committed anything."""
    size = (run / "metrics.csv").stat().st_size
    words = ["resume", run, "--epochs", epochs, "--progress", "none"]
    child = place.zygote.start(words, place.folder, pace=NEVER)
    until(lambda: (run / "metrics.csv").stat().st_size > size + 2000)
    assert child.signal(9)
    child.wait()


def test_a_longer_run_that_is_killed_before_its_first_commit(place):
    run = place.train(epochs=3)
    prolonged_and_killed(place, run, 600)
    code, err = place.resume(run)
    assert code == 0, err
    assert differences(remains(run), remains(place.train("whole", epochs=600))) == []


def test_a_longer_run_after_an_early_stop_that_is_killed_before_its_first_commit(place):
    stopping = {"patience": 400, "min_delta": 10.0}
    run = place.train(epochs=5000, early_stopping=stopping)
    other = place.folder / "other"
    shutil.copytree(run, other)
    before = done(run)
    prolonged_and_killed(place, run, 6000)
    for words in ([run], [other, "--epochs", "6000"]):
        code, err = place.resume(*words)
        assert code == 0, err
    assert done(other) == before + 400
    assert differences(remains(run), remains(other)) == []


# --- another way of rounding


@pytest.mark.parametrize("kernel", ["Haswell", "Prescott"])
def test_another_blas_kernel(place, kernel):
    here = numerics(1)["blas"]
    if kernel in here:
        pytest.skip(f"the kernel of this machine is {here}")
    run = place.broken()
    words = ["resume", run, "--epochs", str(done(run) + 5), "--progress", "none"]
    other = {"OPENBLAS_CORETYPE": kernel}
    before = listing(run)
    code, _, err = ended(words, place.folder, env=other)
    if code == 0:
        pytest.skip("BLAS has no other kernel here")
    assert code == 5, err
    assert "rounds differently" in err
    assert "now openblas" in err
    assert "--allow-inexact" in err
    assert listing(run) == before
    code, _, err = ended([*words, "--allow-inexact"], place.folder, env=other)
    assert code == 0, err
    assert "openblas" in json.loads((run / "run.json").read_text())["inexact"]
    check_tidy(run)


def test_another_number_of_threads(place, monkeypatch):
    """BLAS is given the threads of the config; where it has others, that is another rounding."""
    run = place.broken(threads=2)
    words = ["resume", run, "--epochs", str(done(run) + 5), "--progress", "none"]
    program = (
        "from backproplab.experiment import numerics, course\n"
        "usual = numerics.numerics\n"
        "numerics.numerics = lambda threads: usual(threads) | {'threads': 1, 'digest': ''}\n"
        "from backproplab.__main__ import main\n"
        "main()"
    )
    code, _, err = ended(words, place.folder, python=("-c", program))
    assert code == 5, err
    assert "rounds differently: threads: 2, now 1" in err
    code, _, err = ended([*words, "--allow-inexact"], place.folder, python=("-c", program))
    assert code == 0, err
    assert json.loads((run / "run.json").read_text())["inexact"] == "threads: 2, now 1"
    check_tidy(run)


def test_two_threads_on_one_core(place):
    """Fewer cores are no other number of threads, and change no bit."""
    run = place.broken(threads=2)
    end = done(run) + 20
    words = ["resume", run, "--epochs", str(end), "--progress", "none"]
    code, _, err = ended(words, place.folder, preexec_fn=lambda: os.sched_setaffinity(0, {0}))
    assert code == 0, err
    assert differences(remains(run), remains(place.train("whole", threads=2, epochs=end))) == []


# --- version 0.1


def test_a_folder_of_version_0_1(place):
    """It is read, compared, reported and its weights load; it is not resumed."""
    session = place.folder / "runs/20250101-000000"
    shutil.copytree(OLD.parent, session)
    run = session / "old"
    assert "made by backproplab 0.1" in refused(place, run)
    for words in (["runs"], ["show", run], ["compare"], ["report", "--out", "r.html"], ["export"]):
        code = place.zygote.run(words, place.folder)
        assert code == 0, (words, (place.folder / "err").read_text())
    assert "old" in (place.folder / "out").read_text()
    weights = load(run / "checkpoints/best.safetensors").arrays
    assert sum(array.size for array in weights.values()) == 13
    assert all(np.isfinite(array).all() for array in weights.values())


# --- data in files


def write_idx(folder, seed):
    """80 images of two classes."""
    chance = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = chance.integers(0, 256, (count, 4, 4), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 2
        for name, array, sizes in (("images-idx3", images, 3), ("labels-idx1", labels, 1)):
            head = bytes([0, 0, 8, sizes]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())
