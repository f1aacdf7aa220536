"""However a run of a sweep fails, its folder, config, traceback, status and row stay."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backproplab import experiment as experiments
from backproplab.config import load
from backproplab.data import Order
from backproplab.errors import BackpropLabError, DataError, DivergedError
from backproplab.experiment import course as courses
from backproplab.experiment import crew as crews
from backproplab.loop import Lane
from backproplab.runs import list_runs
from backproplab.sweep import conclude, driver, library, read

BASE = "{data: {name: moons, samples: 60}, model: {hidden: [3]}, epochs: 4, threads: 1}"
RATES = [0.1, 0.03, 0.01, 0.3]
DOOMED = "learning_rate-0.03"
DIVERGE = "{data: diabetes, optimizer: sgd, epochs: 2, threads: 1}"


def doomed(error: BaseException, method: Any, rate: Callable[..., Any]) -> Any:
    """The method, which raises for the doomed run."""

    def called(*args: Any, **kwargs: Any) -> Any:
        if rate(*args) == 0.03:
            raise error
        return method(*args, **kwargs)

    return called


class Odd(BaseException):
    """Cannot be pickled, and is no Exception."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def in_build(patch: pytest.MonkeyPatch) -> str:
    error = DataError("the data are gone")
    patch.setattr(crews, "build", doomed(error, crews.build, lambda e, *_: e.learning_rate))
    return "the data are gone"


def in_the_first_record(patch: pytest.MonkeyPatch) -> str:
    method, error = courses.Course.begin, ZeroDivisionError("in begin")
    rate = lambda course: course.parts.experiment.learning_rate
    patch.setattr(courses.Course, "begin", doomed(error, method, rate))
    return "ZeroDivisionError: in begin (test_failures.py:"


def in_training(patch: pytest.MonkeyPatch) -> str:
    def rate(lane: Lane, *_: Any) -> float:
        return lane.learning.rate.base if lane.progress.epoch == 2 else 0  # type: ignore[attr-defined]

    method, error = Lane.close_epoch, OSError(28, "No space left on device")
    patch.setattr(Lane, "close_epoch", doomed(error, method, rate))
    return "OSError: [Errno 28] No space left on device (test_failures.py:"


def at_its_end(patch: pytest.MonkeyPatch) -> str:
    method, error = courses.Course.conclude, KeyError("in conclude")
    rate = lambda course, *_: course.parts.experiment.learning_rate
    patch.setattr(courses.Course, "conclude", doomed(error, method, rate))
    return "KeyError: 'in conclude' (test_failures.py:"


def with_what_cannot_be_pickled(patch: pytest.MonkeyPatch) -> str:
    method, error = Lane.judge, Odd("this", "that")
    rate = lambda lane: lane.learning.rate.base
    patch.setattr(Lane, "judge", doomed(error, method, rate))
    return "Odd: this and that (test_failures.py:"


KINDS = [in_build, in_the_first_record, in_training, at_its_end, with_what_cannot_be_pickled]


@pytest.mark.parametrize("slices", [30.0, 0.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_run_keeps_everything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: Any,
    kind: Callable[[pytest.MonkeyPatch], str],
    slices: float,
) -> None:
    monkeypatch.setattr(driver, "SLICE", slices)
    message = kind(monkeypatch)
    check(tmp_path, message)


@pytest.mark.parametrize("lockstep", ["auto", "off"])
def test_so_does_one_whose_workers_all_died(tmp_path: Path, workers: Any, lockstep: str) -> None:
    workers(lost=DOOMED)
    check(tmp_path, "its worker died, 5 times in a row", f"lockstep: '{lockstep}'\n")


def check(folder: Path, message: str, more: str = "") -> None:
    text = f"base: {BASE}\ngrid: {{learning_rate: {RATES}}}\n{more}"
    (folder / "s.yaml").write_text(text)
    sweep = read(folder / "s.yaml")
    with pytest.raises(BackpropLabError) as caught:
        library.run(sweep, folder / "runs")
    run = next((folder / "runs").glob(f"*/{DOOMED}"))
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(f"1 run failed, {DOOMED}: {message}")
    assert str(caught.value).endswith(f"(traceback: {run / 'traceback.txt'})")
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "failed"
    assert record["message"].startswith(message)
    assert load(run / "config.yaml").learning_rate == 0.03
    trace = (run / "traceback.txt").read_text()
    assert message.partition(" (")[0] in trace or "test_failures.py" in trace
    others = [run for run in list_runs(folder / "runs") if run.name != DOOMED]
    assert {run.status for run in others} == {"completed"}
    assert len(others) == 3
    comparison = conclude(run.parent)
    assert comparison
    rows = list(csv.DictReader((run.parent / "results.csv").read_text().splitlines()))
    assert {row["learning_rate"]: row["status"] for row in rows}["0.03"] == "failed"
    assert len(rows) == 4


def test_a_failed_run_is_begun_anew_and_leaves_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Any
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        check(tmp_path, in_training(patch))
    sweep = read(tmp_path / "s.yaml")
    session = library.run(sweep, tmp_path / "runs", resume=True)
    assert not list(session.rglob("traceback.txt"))
    assert {run.status for run in list_runs(tmp_path / "runs")} == {"completed"}


def test_train_keeps_the_traceback_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "upcoming", doomed(RuntimeError("no"), None, lambda *_: 0.03))
    (tmp_path / "c.yaml").write_text(BASE)
    with pytest.raises(RuntimeError):
        experiments.run(load(tmp_path / "c.yaml"), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    assert record["message"].startswith("RuntimeError: no (test_failures.py:")
    assert "RuntimeError: no" in (tmp_path / "run" / "traceback.txt").read_text()


def test_errors_are_counted_by_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Any
) -> None:
    def build(experiment: Any, data: Any) -> Any:
        if experiment.learning_rate > 0.05:
            raise DataError(f"no file {experiment.learning_rate}")
        raise ZeroDivisionError("other")

    monkeypatch.setattr(crews, "build", build)
    text = f"base: {BASE}\ngrid: {{learning_rate: {RATES}}}\nlockstep: 'off'\n"
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(BackpropLabError) as caught:
        library.run(read(tmp_path / "s.yaml"), tmp_path / "runs")
    first, second = str(caught.value).splitlines()
    assert first.startswith("2 runs failed, for example learning_rate-0.1: no file 0.1 (traceback")
    assert second.startswith("2 runs failed, for example learning_rate-0.03: ZeroDivisionError: ")


@pytest.mark.parametrize(("rates", "code"), [("[1000, 2000]", 3), ("[0.001, 2000]", None)])
def test_divergence_says_where_and_all_of_it_is_exit_3(
    tmp_path: Path, workers: Any, rates: str, code: int | None
) -> None:
    (tmp_path / "s.yaml").write_text(f"base: {DIVERGE}\ngrid: {{learning_rate: {rates}}}\n")
    sweep = read(tmp_path / "s.yaml")
    if code:
        with pytest.raises(DivergedError, match=r"2 runs diverged, for example .*: diverged at ep"):
            library.run(sweep, tmp_path / "runs")
        with pytest.raises(DivergedError, match="try a smaller learning_rate"):
            library.run(sweep, tmp_path / "runs", resume=True)
    else:
        library.run(sweep, tmp_path / "runs")
    run = next((tmp_path / "runs").glob("*/learning_rate-2000/run.json"))
    assert json.loads(run.read_text())["message"].startswith("diverged at epoch 1, step ")
    (info,) = [r for r in list_runs(tmp_path / "runs") if r.name == "learning_rate-2000"]
    assert "try a smaller learning_rate (now 2000)" in info.message
