"""Tiles taken by several threads leave the bits of one thread, and of replay."""

import csv
import threading
from contextvars import ContextVar

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from backproplab.config import Experiment
from backproplab.experiment import build, run
from backproplab.files import DiskFolder
from backproplab.journal import Journal
from backproplab.learners import GradientDescent, Material, NoBrake, Span, Split
from backproplab.learners.gradient import Analytic, Backprop
from backproplab.learners.turns import Turns
from backproplab.nn import Loss, Model, metrics_of
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.task import Task

BACKPROP = Backprop()
ROWS, THREE = 53, Task("classification", 3)
DENSE = [{"dense": 6}, "relu", "layer_norm"]
IMAGES = [{"reshape": [4, 4, 1]}, {"conv2d": 2}, "max_pool", "relu", "flatten"]
DRAWS = [{"dense": 6}, "relu", {"dropout": 0.2}]
NETWORKS = {"dense": DENSE, "images": IMAGES}


# --- turns


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 40])
def test_parts_are_handed_over_in_their_order(threads, count):
    own, handed, at_work = dict[int, int](), list[int](), set[int]()

    def compute(thread, number):
        own[thread] = number
        at_work.add(threading.get_ident())

    done = Turns(threads).take(count, compute, lambda thread: handed.append(own[thread]), never)
    assert done
    assert handed == list(range(count))
    assert len(at_work) == min(threads, count)


def never():
    return False


@pytest.mark.parametrize("threads", [1, 3])
def test_the_end_of_the_caller_s_thread_ends_all(threads):
    handed, asked = list[int](), list[int]()

    def ends():
        asked.append(1)
        return len(asked) == 3

    turns = Turns(threads)
    assert not turns.take(90, lambda *unused: None, handed.append, ends)
    assert len(asked) == 3
    assert len(handed) <= 2 * threads + threads
    assert turns.take(4, lambda *unused: None, handed.append, never)  # and it can be used again


@pytest.mark.parametrize("bad", [0, 1, 5, 6])
def test_a_part_that_fails_raises_and_ends_all(bad):
    handed = list[int]()

    def compute(thread, number):
        if number == bad:
            raise ValueError(f"part {number}")

    with pytest.raises(ValueError, match=f"part {bad}"):
        Turns(3).take(30, compute, handed.append, never)
    assert len(handed) <= bad


def test_threads_see_the_caller_s_context():
    number, seen = ContextVar("number", default=0), set[int]()
    number.set(7)
    with np.errstate(over="ignore"):
        Turns(2).take(4, lambda *unused: seen.add((number.get(), np.geterr()["over"])), id, never)
    assert seen == {(7, "ignore")}


# --- gradients


def learning(
    engine="native", threads=1, layers=DENSE, dtype="float32", clipping=None, batch=None, accumulate=1,
    gradient=BACKPROP,
):  # fmt: skip
    generator, loss, dtype = (
        np.random.default_rng(7),
        Loss.parse("auto").resolve(THREE),
        np.dtype(dtype),
    )
    x, y = generator.standard_normal((ROWS, 16)).astype(dtype), generator.integers(0, 3, ROWS)
    keys = {
        "optimizer": Optimizer.parse("adam"), "learning_rate": 0.01,
        "schedule": Schedule.parse("constant"),
        "clipping": Clipping.parse({clipping: {"limit": 0.05}}) if clipping else None,
        "batch_size": batch, "accumulate": accumulate,
    }  # fmt: skip
    network = Model(layers=[*layers, {"dense": 3}]).network((16,), 3)
    splits = {"train": Split(x, y, loss.encode(y, THREE, dtype))}
    of = THREE, splits, network, loss, metrics_of(THREE), keys, 3, dtype, 100, engine
    return GradientDescent(gradient=gradient).begin(Material(*of, threads=threads))


def advance(run, steps, mode, wanted=None, crew=None):
    """Steps of the run, or of its crew, in tiles of about four examples; what is seen of them."""
    own, seen = crew or run, []
    if own.updates.source.exact_tile is None:
        own.updates.source.tile = 4
    for step in range(steps):
        chance = np.random.default_rng(step)
        rows = np.arange(ROWS) if mode == "batch" else chance.permutation(ROWS)[:20]
        whole = mode == "batch" and not crew
        rows = np.stack([rows] * len(crew.members)) if crew else rows
        made = own.advance(Span(step, 1, rows, rows.shape[-1], whole), wanted or {}, NoBrake())
        assert made.done == 1
        seen.append(repr(made.scalars))
    return seen


def bits(run):
    arrays, state = run.state()
    return {name: x.tobytes() for name, x in arrays.items()} | state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["batch", "minibatch"])
@pytest.mark.parametrize("layers", NETWORKS)
@np.errstate(all="ignore")
def test_any_number_of_threads_has_the_bits_of_replay(layers, mode, dtype):
    with threadpool_limits(1):
        whole = learning("replay", layers=NETWORKS[layers], dtype=dtype)
        steps = 8 if mode == "batch" else 20
        seen = advance(whole, steps, mode, {"loss": 1})
        for engine, threads in (("native", 1), ("native", 2), ("replay", 3), ("eager", 2)):
            run = learning(engine, threads, NETWORKS[layers], dtype)
            assert advance(run, steps, mode, {"loss": 1}) == seen
            assert bits(run) == bits(whole), (engine, threads)
            assert len(run.updates.source._shares) == threads


@pytest.mark.parametrize("case", [
    {"clipping": "global_norm"}, {"batch": 9, "accumulate": 3}, {"gradient": Analytic()},
], ids=str)  # fmt: skip
@np.errstate(all="ignore")
def test_clipping_accumulation_and_other_sources(case):
    with threadpool_limits(1):
        layers = [{"dense": 6}, "tanh"]
        one, two = (learning("native", threads, layers, **case) for threads in (1, 2))
        assert advance(one, 12, "batch") == advance(two, 12, "batch")
        assert bits(one) == bits(two)
        assert len(two.updates.source._shares) == 2


@np.errstate(all="ignore")
def test_members_of_a_crew():
    with threadpool_limits(1):
        found = []
        for threads in (1, 2):
            members = [learning("native", threads) for _ in range(3)]
            crew = members[0].settings.stack(members)
            advance(None, 20, "minibatch", {"loss": 1}, crew=crew)
            assert len(crew.updates.source._shares) == threads
            found.append([bits(member) for member in members])
        assert found[0] == found[1]


def test_what_draws_or_counts_batches_takes_its_tiles_in_turn():
    """Masks come from one stream, tile after tile."""
    run = learning(threads=2, layers=DRAWS)
    with np.errstate(all="ignore"):
        advance(run, 3, "batch")
    assert list(run.updates.source._shares) == [0]


class Soon(NoBrake):
    """Ends a step at its third tile."""

    def __init__(self):
        self.asked = 0

    def within_step(self):
        self.asked += 1
        return self.asked == 3


def test_a_brake_ends_a_step_and_nothing_has_changed():
    run = learning(threads=2)
    with np.errstate(all="ignore"):
        advance(run, 2, "batch")
        before = {name: x for name, x in bits(run).items() if not name.startswith("gradients")}
        assert run.advance(Span(2, 1, np.arange(ROWS), ROWS, whole=True), {}, Soon()).done == 0
        assert before.items() <= bits(run).items()
        assert run.advance(Span(2, 1, np.arange(ROWS), ROWS, whole=True), {}, NoBrake()).done == 1


# --- a run

IMAGES_RUN = {
    "data": {"name": "digits"},
    "batch_mode": "batch",
    "epochs": 2,
    "model": {"layers": [{"reshape": [8, 8, 1]}, {"conv2d": 8}, "relu", "flatten", {"dense": 10}]},
}
SMALL_TILE = 2**20


def of_config(fields, monkeypatch):
    monkeypatch.setattr("backproplab.learners.tiles.TILE", SMALL_TILE)
    return Experiment.model_validate(IMAGES_RUN | fields)


def test_what_a_run_keeps_differs_in_nothing_but_the_number(monkeypatch, tmp_path):
    kept = []
    for threads in (1, 2):
        run(of_config({"threads": threads}, monkeypatch), tmp_path / str(threads))
        folder = DiskFolder(tmp_path / str(threads))
        checkpoint = Journal(folder, (), (), {}).read()
        rows = csv.DictReader(folder.read("metrics.csv").decode().splitlines())
        measured = [{k: x for k, x in row.items() if "seconds" not in k} for row in rows]
        kept.append((measured, {name: x.tobytes() for name, x in checkpoint.arrays.items()}))
    assert kept[0] == kept[1]
    assert "loss" in kept[0][0][1]


NORMED = {
    "batch_mode": "minibatch",
    "batch_size": 64,
    "model": {
        "layers": [
            {"reshape": [8, 8, 1]}, {"conv2d": {"filters": 16, "padding": "same"}}, "batch_norm",
            "max_pool", "relu", "flatten", {"dense": 10},
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@np.errstate(all="ignore")
def test_threads_share_the_passes_over_a_batch_that_is_taken_as_a_whole(dtype, monkeypatch):
    kept, tapes = [], []
    for engine, threads in (("replay", 1), ("native", 1), ("native", 2), ("native", 3)):
        own = NORMED | {"engine": engine, "threads": threads, "dtype": dtype}
        parts = build(of_config(own, monkeypatch))
        assert (parts.threads, parts.material.threads) == (1, threads)
        descent, rows = parts.descent(), np.arange(40 * 64) % len(parts.splits.train)
        with parts.limited():
            done = 0
            while done < 40:
                span = Span(done, 40 - done, rows[64 * done :], 64)
                done += descent.advance(span, {}, NoBrake()).done
        kept.append(bits(descent))
        tapes.append([own for own, _ in descent.updates.leaps.tapes.values()])
    assert kept[0] == kept[1] == kept[2] == kept[3]
    assert [len(own) for own in tapes] == [0, 1, 1, 1]
    assert all(tape.crew.has_work for own in tapes for tape in own)


def test_auto_is_at_most_four_of_the_free_cores_for_passes(monkeypatch):
    for cores, threads in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr("backproplab.environment.free_cores", lambda n=cores: n)
        assert build(of_config(NORMED, monkeypatch)).experiment.threads == threads


def test_blas_has_one_thread_where_threads_take_tiles(monkeypatch):
    others = [
        {
            "model": {"layers": ["flatten", {"dense": 800}, {"dropout": 0.1}, {"dense": 10}]}
        },  # one stream of chance
        {"batch_mode": "minibatch"},  # in one tile
        {"learner": {"name": "gradient_descent", "gradient": "numeric"}},
    ]
    found = [build(of_config({"threads": 3} | own, monkeypatch)) for own in [{}, *others]]
    assert [(x.threads, x.material.threads) for x in found] == [(1, 3), *[(3, 1)] * 3]


@pytest.mark.parametrize(("cores", "memory", "threads"), [
    (5, 2**33, 5), (500, 2**33, 15), (5, 2**22, 1), (5, None, 5),
])  # fmt: skip
def test_auto_is_the_free_cores_for_as_many_tiles_as_there_are(cores, memory, threads, monkeypatch):
    monkeypatch.setattr("backproplab.environment.free_cores", lambda: cores)
    monkeypatch.setattr("backproplab.environment.free_memory", lambda: memory)
    parts = build(of_config({}, monkeypatch))
    assert len(parts.descent().updates.source._tiles(parts.batch_length)) == 15
    assert parts.experiment.threads == threads
