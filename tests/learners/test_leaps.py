"""Leaps: many updates in one call leave the bits of one update after the other."""

import numpy as np
import pytest

from backproplab.autograd.engines.native import Trace
from backproplab.autograd.engines.native.tracing import Rounds
from backproplab.learners import GradientDescent, Material, Span, Split
from backproplab.learners.learner import NoBrake
from backproplab.nn import Loss, Model, metrics_of
from backproplab.optim import Clipping, Optimizer, Schedule, Updater
from backproplab.ranks import ONE, Ranks
from backproplab.registry import families
from backproplab.task import Task

ROWS = 47
THREE = Task("classification", 3)
METRICS = metrics_of(THREE)
DTYPES = [np.float32, np.float64]
CLIPPINGS = [None, "value", "norm", "global_norm"]
MODES = ["stochastic", "minibatch", "batch"]


def learning(
    engine, optimizer="adam", clipping=None, schedule="constant", dtype=np.float32, seed=3,
    rate=None, bad=None, steps=1000, ranks=ONE,
):  # fmt: skip
    """Gradient descent at its beginning, on a small network with chance and statistics.

    bad: the row of an example that is not a number.
    """
    generator, loss = np.random.default_rng(7), Loss.parse("auto").resolve(THREE)
    x, y = generator.standard_normal((ROWS, 5)).astype(dtype), generator.integers(0, 3, ROWS)
    x[[] if bad is None else bad] = np.nan
    layers = [{"dense": 6}, "batch_norm", "relu", {"dropout": 0.2}, {"dense": 3}]
    optimizer = Optimizer.parse(optimizer)
    keys = {
        "optimizer": optimizer,
        "learning_rate": rate or optimizer.default_learning_rate,
        "schedule": Schedule.parse(schedule),
        "clipping": Clipping.parse({clipping: {"limit": 0.05}}) if clipping else None,
        "batch_size": None,
        "accumulate": 1,
    }
    network = Model(layers=layers).network((5,), 3)
    splits = {"train": Split(x, y, loss.encode(y, THREE, np.dtype(dtype)))}
    of = THREE, splits, network, loss, METRICS, keys, seed, np.dtype(dtype), steps, engine
    return GradientDescent().begin(Material(*of, ranks=ranks))


LATE = np.random.default_rng(0).permutation(ROWS)[40]  # the row that ``advance`` takes there
LENGTHS = {"stochastic": 1, "minibatch": 8, "batch": ROWS}


def advance(learnings, steps, start=0, mode="minibatch", wanted=None, brake=None, crew=None):
    """Let each of them, or their crew, do the steps from ``start`` to ``steps``, by epochs."""
    length = LENGTHS[mode]
    epoch, found = -(-ROWS // length), []
    while start < steps:
        number, first = divmod(start, epoch)
        count = min(epoch - first, steps - start)
        order = np.random.default_rng(number).permutation(ROWS)
        rows = order[first * length : (first + count) * length]
        rows = np.arange(ROWS) if mode == "batch" else rows
        if crew:
            span = Span(start, count, np.stack([rows] * len(learnings)), length)
            found.append(crew.advance(span, wanted or {}, NoBrake()))
        else:
            span = Span(start, count, rows, length, whole=mode == "batch")
            found += [x.advance(span, wanted or {}, brake or NoBrake()) for x in learnings]
        start += count
    return found


def bits(learning):
    """NaN is one number here: NumPy gives the product of two NaNs either sign, by its strides."""
    arrays, state = learning.state()
    for x in arrays.values():
        x[x != x] = np.nan
    return {name: x.tobytes() for name, x in arrays.items()} | state


def assert_alike(one, other):
    one, other = bits(one), bits(other)
    assert [name for name in one if one[name] != other[name]] == []


def optimizers():
    for name, member in families()["optimizer"].items():
        if member.blockwise:
            yield from ((name, flavor) for flavor in ("keras", "torch"))


@pytest.mark.slow
@pytest.mark.parametrize("clipping", CLIPPINGS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "flavor"), list(optimizers()))
@np.errstate(all="ignore")
def test_a_thousand_steps_of_every_optimizer(name, flavor, mode, dtype, clipping):
    settings = {"name": name, "flavor": flavor, "l2": 1e-3, "weight_decay": 0.01}
    case = {"optimizer": settings, "clipping": clipping, "dtype": dtype}
    replayed, native = (learning(engine, **case) for engine in ("replay", "native"))
    advance([replayed, native], 1000, mode=mode)
    assert_alike(replayed, native)
    assert native.updates.leaps.refusal == ""
    assert native.updates.leaps.tapes


@pytest.mark.parametrize("clipping", CLIPPINGS)
@np.errstate(all="ignore")
def test_every_clipping(clipping):
    replayed, native = (
        learning(engine, clipping=clipping, schedule={"cosine": {"warmup_steps": 9}})
        for engine in ("replay", "native")
    )
    advance([replayed, native], 200)
    assert_alike(replayed, native)
    assert native.updates.leaps.tapes


@pytest.mark.parametrize("cut", [1, 17, 90])
@np.errstate(all="ignore")
def test_a_run_continued_by_another_engine(cut):
    whole = learning("replay")
    advance([whole], 150, mode="stochastic")
    for first, then in (("native", "replay"), ("replay", "native"), ("native", "eager")):
        begun, continued = learning(first), learning(then)
        advance([begun], cut, mode="stochastic")
        arrays, state = begun.state()
        continued.restore(arrays, state)
        advance([continued], 150, start=cut, mode="stochastic")
        assert_alike(whole, continued)


EACH = {"learning_rate": 1, "gradient_norm": 3, "loss": 2, "accuracy": 5}
WANTED = [EACH, {"gradient_norm": 1}, {"loss": 7}]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("mode", MODES)
@np.errstate(all="ignore")
def test_what_is_wanted_of_every_update_is_seen_within_leaps(mode, members, wanted):
    """And the weights are those of a run of which nothing is wanted."""
    found, left = [], []
    for engine in ("replay", "native"):
        runs = [
            learning(engine, schedule="cosine", clipping="norm", rate=0.1 + k)
            for k in range(members)
        ]
        crew = runs[0].settings.stack(runs) if members > 1 else None
        found.append(advance(runs, 130, mode=mode, wanted=wanted, crew=crew))
        left.append(runs)
        last = (crew or runs[0]).updates.leaps
        assert bool(last.tapes) == (engine == "native")
    for one, other in zip(*found, strict=True):
        assert repr(one.scalars) == repr(other.scalars)
    assert {name for made in found[0] for name in made.scalars} == wanted.keys()
    unseen = [learning("native", schedule="cosine", clipping="norm", rate=0.1)]
    advance(unseen, 130, mode=mode)
    for runs in left:
        assert_alike(runs[0], unseen[0])


@np.errstate(all="ignore")
def test_updates_before_a_bad_one_are_seen_and_no_other():
    found = []
    for engine in ("replay", "native"):
        run = learning(engine, bad=LATE)
        found.append(advance([run], ROWS, mode="stochastic", wanted={"gradient_norm": 1})[0])
    assert repr(found[0].scalars) == repr(found[1].scalars)
    assert found[1].scalars["gradient_norm"][0] == list(range(1, 41))


@np.errstate(all="ignore")
def test_a_bad_number_ends_at_the_same_step_in_the_same_words():
    runs = [learning(engine, bad=LATE) for engine in ("replay", "native")]
    ends = [advance([run], ROWS, mode="stochastic")[0] for run in runs]
    assert ends[0].diverged == ends[1].diverged
    assert ends[0].done == ends[1].done == ends[0].diverged[0].step == 40
    assert runs[1].updates.leaps.tapes
    assert_alike(*runs)


class Soon:
    """Wants the learner back after each of its steps."""

    def between_steps(self):
        return True

    def within_step(self):
        return False


@np.errstate(all="ignore")
def test_a_brake_is_asked_between_leaps():
    run = learning("native")
    rows = np.tile(np.arange(ROWS), 40)
    done = run.advance(Span(0, len(rows), rows, 1), {}, Soon()).done
    assert 0 < done < len(rows)


@np.errstate(all="ignore")
def test_members_of_a_crew_leap_together_until_one_breaks():
    """And the others continue, as with replay."""
    crews = []
    for engine in ("replay", "native"):
        members = [learning(engine, bad=bad, rate=0.1) for bad in (None, LATE, None)]
        crew = members[0].settings.stack(members)
        advances = advance(members, 120, mode="stochastic", crew=crew)
        crews.append((members, [(a.done, a.diverged) for a in advances], crew))
    (replayed, ends, _), (native, own_ends, crew) = crews
    assert ends == own_ends
    assert sum(bool(diverged) for _, diverged in ends) == 1
    assert crew.updates.leaps.tapes
    for one, other in zip(replayed, native, strict=True):
        assert_alike(one, other)


def test_code_that_makes_arrays_is_not_played():
    whole = learning("native", optimizer="lbfgs", rate=0.1)
    with np.errstate(all="ignore"):
        advance([whole], 40, mode="stochastic")
    assert "new array" in whole.updates.leaps.refusal


class Half(Ranks):
    """The first of two ranks; what the other one would add is missing."""

    size = 2

    def __init__(self):
        self.sums = 0

    def add(self, *arrays, unless=False):
        self.sums += 1
        return not unless


def test_ranks_add_the_gradients_of_every_update():
    run = learning("native", ranks=(half := Half()))
    with np.errstate(all="ignore"):
        advance([run], 90)
    assert half.sums == 90
    assert not run.updates.leaps.tapes


@pytest.mark.parametrize("rate", [0.01, np.array([[0.01], [0.02], [0.3]])], ids=["alone", "crew"])
@pytest.mark.parametrize(("name", "flavor"), list(optimizers()))
def test_numbers_of_all_rounds_at_once_are_those_of_each(name, flavor, rate, monkeypatch):
    optimizer = Optimizer.parse({"name": name, "flavor": flavor, "l2": 1e-3, "weight_decay": 0.01})
    theta = np.ones((*np.shape(rate)[:1], 9), np.float32)
    of = optimizer, theta, theta.copy(), {slot: theta.copy() for slot in optimizer.slots}
    updater, trace = Updater(*of), Trace(theta.dtype, 40)
    (code,) = updater.parts(trace.view)
    trace.record(code, rate, 1)
    (numbers,) = updater.parts(lambda x: trace.ear)
    tables = {t: filled(trace, numbers, rate, t) for t in (7, 8, 500, 7)}  # the second is known
    monkeypatch.setattr(trace, "_together", lambda *given: [])
    for t, table in tables.items():
        assert table == filled(trace, numbers, rate, t)


def filled(trace, numbers, rate, t):
    trace.fill(numbers, [rate], t, 40)
    return [table.tobytes() for table in trace.tables]


@pytest.mark.parametrize(
    "code",
    [bool, float, hash, [1].index, lambda x: x == 1, lambda x: x > 1, lambda x: np.ones(2) ** x],
)
def test_numbers_of_several_rounds_are_not_one(code):
    with pytest.raises(TypeError):
        code(Rounds([1, 2]))
