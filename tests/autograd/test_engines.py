"""Engine and Bound: one interface for eager and replayed steps, the same bits, and the fallback."""

import gc
import weakref
from functools import partial

import numpy as np
import pytest

from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.engines import Bound, Engine, RecordingError, engine
from backproplab.errors import GraphError

FLOAT = np.float32
NAMES = ["auto", "eager", "replay"]


def rows(n=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(FLOAT)


def slope(weights, x):
    """tanh(x w), and the gradient of its sum by w."""
    leaf = Tensor(weights, None, True)
    y = ops.tanh(x @ leaf)
    total = ops.sum(y)
    return [y, *backward(total, ops.ones_like(Tensor(total.value)), [leaf])]


def bound_slope(name, batch=5):
    weights = rows(4, seed=9)
    into = [np.empty((batch, 4), FLOAT), np.empty((4, 4), FLOAT)]
    return engine(name).bind(partial(slope, weights), [weights], into)


def behind(x):
    """exp of an array that NumPy computed where the recorder cannot see it."""
    return [ops.exp(Tensor(np.tanh(x.value)))]


def branching(x):
    """exp or tanh, as the first number of the data has it."""
    return [ops.exp(x) if x.value[0, 0] > 0 else ops.tanh(x)]


def test_an_engine_is_its_name_and_has_no_state():
    assert engine("auto") == Engine("auto") != engine("eager")
    assert isinstance(bound_slope("auto"), Bound)
    with pytest.raises(GraphError, match="no engine 'replya'; did you mean 'replay'"):
        engine("replya")


# --- the same bits


@pytest.mark.parametrize("name", NAMES)
def test_a_call_computes_the_step_into_the_arrays_given(name):
    bound = bound_slope(name)
    for seed in range(12):
        bound(rows(seed=seed), stay=bool(seed % 2))
        expected = slope(rows(4, seed=9), Tensor(rows(seed=seed)))
        for y, wanted in zip(bound.into, expected, strict=True):
            np.testing.assert_array_equal(y, wanted.value)
    assert bound.refusal == ""


ROWS = {
    "indices": np.array([7, 0, 7, 3, 19]),
    "indices from the end": np.array([-1, 0, -20, 3, -7]),
    "a slice": slice(6, 11),
    "every other row": slice(1, 11, 2),
}


@pytest.mark.parametrize("chosen", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("name", NAMES)
def test_of_rows_computes_the_step_on_these_rows(name, chosen):
    x, bound = rows(20), bound_slope(name)
    for _ in range(12):
        x += 1
        bound.of_rows(chosen, x)
        for y, wanted in zip(bound.into, slope(rows(4, seed=9), Tensor(x[chosen])), strict=True):
            np.testing.assert_array_equal(y, wanted.value)


@pytest.mark.parametrize("name", NAMES)
def test_of_rows_takes_indices_of_any_shape_and_several_arrays(name):
    x, labels = rows(20), np.arange(20) % 4
    into = [np.empty((3, 6), FLOAT)]
    bound = engine(name).bind(lambda x, t: [ops.softmax_cross_entropy(x, t)], [], into)
    for seed in range(12):
        chosen = np.random.default_rng(seed).integers(0, 20, (3, 6))
        bound.of_rows(chosen, x, labels)
        wanted = ops.softmax_cross_entropy(x[chosen], labels[chosen]).value
        np.testing.assert_array_equal(into[0], wanted)


# --- the fallback


@pytest.mark.parametrize(("step", "reason"), [
    (behind, "exp got an array of shape (5, 4) that no op"), (branching, "exp became tanh"),
])  # fmt: skip
@pytest.mark.parametrize("by_rows", [False, True])
def test_auto_computes_eagerly_what_it_cannot_replay_and_keeps_the_reason(step, reason, by_rows):
    into = [np.empty((5, 4), FLOAT)]
    bound = engine("auto").bind(step, [], into)
    for seed in range(6):
        x = np.abs(rows(seed=seed)) * (-1) ** seed
        if by_rows:
            bound.of_rows(np.arange(5), x)
        else:
            bound(x)
        np.testing.assert_array_equal(into[0], step(Tensor(x))[0].value)
    assert reason in bound.refusal
    assert "engine=auto" not in bound.refusal


def test_the_engine_replay_raises_the_reason_and_names_the_engine_that_helps():
    into = [np.empty((5, 4), FLOAT)]
    bound = engine("replay").bind(behind, [], into)
    for _ in range(2):
        with pytest.raises(RecordingError, match="; engine=auto computes such a step eagerly"):
            bound(rows())
        np.testing.assert_array_equal(into[0], np.exp(np.tanh(rows())))  # computed all the same
    assert bound.refusal == ""


def test_the_engine_eager_refuses_nothing():
    bound = engine("eager").bind(behind, [], [np.empty((5, 4), FLOAT)])
    bound(rows())
    assert bound.refusal == ""


@pytest.mark.parametrize("name", NAMES)
def test_another_error_of_the_step_is_raised_as_it_is(name):
    table = rows(4)
    bound = engine(name).bind(
        lambda i: [ops.embedding(i, Tensor(table))], [table], [np.empty((1, 2, 4), FLOAT)]
    )
    for _ in range(4):
        bound(np.array([[1, 2]]))
    with pytest.raises(GraphError, match="are not all among the 4 rows"):
        bound(np.array([[1, 9]]))
    bound(np.array([[1, 3]]))
    np.testing.assert_array_equal(bound.into[0], table[[[1, 3]]])
    assert bound.refusal == ""


# --- memory


class Owner:
    """Keeps a bound step, as a learner does."""

    def __init__(self, name, step):
        self.bound = engine(name).bind(step, [], [np.empty((5, 4), FLOAT)])


@pytest.mark.parametrize("step", [lambda x: [ops.tanh(x)], behind], ids=["replayed", "refused"])
@pytest.mark.parametrize("name", NAMES)
def test_a_bound_step_is_freed_with_its_owner_without_the_cyclic_collector(name, step):
    gc.collect()
    gc.disable()
    try:
        owner = Owner(name, step)
        for seed in range(5):
            try:
                owner.bound(rows(seed=seed), stay=True)
            except RecordingError:
                assert (name, step) == ("replay", behind)
        memory = [weakref.ref(owner.bound), weakref.ref(owner.bound.into[0])]
        del owner
        assert [kept() for kept in memory] == [None, None]
    finally:
        gc.enable()


# --- recorded again at another step


class Training:
    """A step with everything that can change: weights, running statistics, chance."""

    def __init__(self, name, state):
        weights, mean, draws, _ = state
        self.weights = np.frombuffer(weights, FLOAT).reshape(4, 4).copy()
        self.mean = np.frombuffer(mean, FLOAT).reshape(1, 4).copy()
        self.generator = np.random.default_rng(0)
        self.generator.bit_generator.state = draws
        self.gradient = np.empty((4, 4), FLOAT)
        externals = [self.weights, self.mean]
        self.bound = engine(name).bind(self.step, externals, [self.gradient])

    def step(self, x):
        leaf = Tensor(self.weights, None, True)
        old = Tensor(self.mean)
        now = ops.mean(x, axis=0, keepdims=True)
        ops.assign(old, 0.9 * old + 0.1 * now)
        kept = ops.dropout_mask(x, rate=0.25, generator=self.generator)
        y = ops.mean(ops.square(ops.tanh(((x - now) * kept) @ leaf) - x))
        return backward(y, ops.ones_like(Tensor(y.value)), [leaf])

    def run(self, k):
        self.bound(rows(seed=k))
        self.weights -= FLOAT(0.1) * self.gradient
        return self.state()

    def state(self):
        draws = self.generator.bit_generator.state
        return self.weights.tobytes(), self.mean.tobytes(), draws, self.gradient.tobytes()


FIRST = rows(4, seed=9).tobytes(), bytes(16), np.random.default_rng(5).bit_generator.state, b""


@pytest.mark.parametrize("name", NAMES)
def test_a_step_bound_again_after_any_of_40_runs_changes_no_bit(name):
    training, states = Training("replay", FIRST), [FIRST]
    for k in range(40):
        states.append(training.run(k))
    for start in range(40):
        again = Training(name, states[start])
        for k in range(start, 40):
            assert again.run(k) == states[k + 1]
