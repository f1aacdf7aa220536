"""A run of several ranks as one of them sees it: who writes, what a failure leaves, another number. MPI is in test_mpiexec.py."""

import json
import sys

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.errors import ConfigError, RankError, RunError
from backproplab.experiment import build, resume, run
from backproplab.files import MemoryFolder, UnwrittenFolder
from backproplab.journal import LAST, load
from backproplab.loop import Pace
from backproplab.ranks import ONE, Ranks, open_ranks
from backproplab.signals import Stop


class Apart(Ranks):
    """One of two ranks, which adds nothing to what it has."""

    def __init__(self, rank=0, size=2):
        self.rank, self.size = rank, size


def experiment(**fields):
    tree = {
        "name": "exp",
        "data": {"name": "circle", "samples": 160},
        "model": {"hidden": [4]},
        "epochs": 3,
    }
    return Experiment.model_validate(tree | fields)


def record(path):
    return json.loads((path / "run.json").read_text())


@pytest.mark.parametrize("count", [0, 1, 5, 64, 1001])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_contiguous_and_as_equal_as_can_be(count, size):
    shares = [Apart(rank, size).share(count) for rank in range(size)]
    assert [row for share in shares for row in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_only_the_first_rank_writes(tmp_path):
    for rank in (0, 1):
        result = run(experiment(), tmp_path / str(rank), ranks=Apart(rank))
        assert result.progress.epoch == 3
    assert (tmp_path / "0" / "metrics.csv").exists()
    assert not (tmp_path / "1").exists()
    assert record(tmp_path / "0")["ranks"] == 2


def test_a_folder_that_is_not_written_is_read_as_it_is():
    folder = MemoryFolder({"a": b"1", "checkpoints/last": b"2"})
    other = UnwrittenFolder(folder)
    before = folder.files
    other.create({"b": b""})
    other.replace("a", b"3")
    other.alias("a", "c")
    other.remove("a")
    log = other.log("d")
    log.append(b"four")
    assert log.length == 4
    assert folder.files == before
    assert (other.read("a"), other.size("a"), other.names("checkpoints")) == (
        b"1",
        1,
        ["checkpoints/last"],
    )


class Failing(Apart):
    """The other rank fails before this one's ``left``-th sum."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def anywhere(self, flag):
        return flag or self.failure is not None

    def add(self, *arrays, unless=False):
        self.left -= 1
        if not self.left:
            self.failure = RankError.of(1, "ValueError: boom (x.py:3)", 1, "Traceback of rank 1\n")
        return not unless and self.failure is None


@pytest.mark.parametrize("left", [3, 5, 13, 14, 15])  # an epoch: 4 updates and 2 evaluations
def test_what_another_rank_s_failure_leaves(tmp_path, saved, left):
    with pytest.raises(RankError, match=r"^rank 1: ValueError: boom \(x.py:3\)"):
        run(experiment(), tmp_path / "failed", ranks=Failing(left))
    run(experiment(), tmp_path / "whole", ranks=Apart())
    found = record(tmp_path / "failed")
    assert (found["status"], found["message"]) == ("failed", "rank 1: ValueError: boom (x.py:3)")
    assert "Traceback of rank 1" in (tmp_path / "failed" / "traceback.txt").read_text()
    epochs, rest = divmod(left - 1, 6)
    step = load(tmp_path / "failed" / LAST).state["position"]["progress"]["step"]
    assert step == 4 * epochs + min(rest, 4)  # the step under way did not happen
    resume(tmp_path / "failed", ranks=Apart())
    assert saved(tmp_path / "failed") == saved(tmp_path / "whole")


def test_another_number_of_ranks_resumes_and_is_recorded(tmp_path):
    with pytest.raises(RankError):
        run(experiment(), tmp_path / "run", ranks=Failing(9))
    resume(tmp_path / "run")
    assert record(tmp_path / "run")["inexact"] == "ranks: 2, now 1"
    assert record(tmp_path / "run")["ranks"] == 1


class Differing(Apart):
    """The other rank has another one of the facts of this name."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def differences(self, facts):
        return [f"{self.name}: rank 1 has another"] if self.name in facts() else []


@pytest.mark.parametrize("name", ["config", "data", "versions"])
def test_ranks_must_build_the_same(name):
    with pytest.raises(ConfigError, match=f"{name}: rank 1 has another"):
        build(experiment(), ranks=Differing(name))


@pytest.mark.parametrize("name", ["rounding", "position"])
def test_ranks_must_begin_alike(tmp_path, name):
    with pytest.raises(RunError, match=f"{name}: rank 1 has another"):
        run(experiment(), tmp_path / "run", ranks=Differing(name))


def test_the_pace_takes_the_answer_of_all_ranks():
    class Others(Apart):
        def anywhere(self, flag):
            return bool(self.largest(flag)[0])

        def largest(self, *numbers):
            asked.append(numbers)
            return [max(own, other) for own, other in zip(numbers, (2, 15, 0), strict=False)]

    asked = []
    pace = Pace(Stop(), ranks=Others(rank=1))
    assert pace.between_steps()
    assert pace.ask() == ("signal", 15, False)
    assert pace.signal == 2
    assert asked[1] == (0, 0, False)  # its clock does not say when to save


def test_one_process_exchanges_nothing():
    array = np.arange(3.0)
    assert ONE.add(array)
    assert not ONE.add(array, unless=True)
    assert array.tolist() == [0, 1, 2]
    assert ONE.first(lambda: 5) == 5
    assert not ONE.differences(lambda: {"config": ""})


def test_mpi4py_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ConfigError, match=r"pip install 'backproplab\[mpi\]'"):
        open_ranks()
