"""Replay: every way in which it could differ from the eager step raises or is equal, bit for bit."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.autograd import OPS, Op, Tensor, apply, backward, checkpoint, custom_vjp, ops
from backproplab.autograd.engines import RecordingError
from backproplab.autograd.engines.replay import Replay

FLOAT = np.float32


def rows(n=5, seed=0, dtype=FLOAT):
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(dtype)


def replay_of(step, *inputs, externals=(), runs=3, dtype=FLOAT):
    """A Replay that has recorded the step and begun to replay it; and where its results go."""
    shapes = [y.shape for y in step(*[Tensor(x.copy()) for x in inputs])]
    into = [np.empty(shape, dtype) for shape in shapes]
    replay = Replay(step, externals, into)
    for _ in range(runs):
        replay(*inputs)
    return replay, into


def same(step, *inputs):
    """Whether a replayed step gives the bits of the eager one, on other inputs of that shape."""
    eager = [y.value.copy() for y in step(*[Tensor(x) for x in inputs])]
    replay, into = replay_of(step, *[x[::-1].copy() for x in inputs], dtype=eager[0].dtype)
    (plan,) = replay.plans.values()
    plan.runs = 4  # the next run is a replayed one
    replay(*inputs)
    return all(a.tobytes() == b.tobytes() for a, b in zip(eager, into, strict=True))


# --- every op of the registry, alone and with its gradient

CASES = [(op, k) for op in OPS.values() for k in range(len(op.samples)) if not op.effect]


@pytest.mark.parametrize(("op", "k"), CASES, ids=[f"{op.name}-{k}" for op, k in CASES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_op_and_its_gradient_replay_bit_for_bit(op, k, dtype):
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays]
    settings = {
        key: dtype if key == "dtype" else value for key, value in op.samples[k].settings.items()
    }

    def step(*inputs):
        leaves = [Tensor(x.value, None, x.dtype.kind == "f") for x in inputs]
        y = op(*leaves, **settings)
        moved = [x for i, x in enumerate(leaves) if x.tracked and op.rule(i) is not None]
        if not y.tracked or not moved:
            return [y]
        return [y, *backward(y, ops.ones_like(Tensor(y.value)) * 0.5, moved)]

    eager = [y.value.copy() for y in step(*[Tensor(x) for x in arrays])]
    into = [np.full_like(y, 7) for y in eager]
    replay = Replay(step, [], into)
    replay(*arrays)
    for y in into:
        y[...] = 7
    (plan,) = replay.plans.values()
    with np.errstate(all="ignore"):
        plan.run(arrays)
    for a, b in zip(eager, into, strict=True):
        np.testing.assert_array_equal(a, b)


def turned(x):
    return np.asfortranarray(x)


def strided(x):
    """Every other entry of a larger array, in its last axis."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (), x.dtype)
    view = wide[..., ::2] if x.ndim else wide
    view[...] = x
    return view


@pytest.mark.parametrize("layout", [turned, strided])
@pytest.mark.parametrize(("op", "k"), CASES, ids=[f"{op.name}-{k}" for op, k in CASES])
def test_every_op_replays_from_any_layout(op, k, layout):
    """A view op may have to copy then; what it copies has to be written anew by each run."""
    arrays = [np.asarray(x) for x in op.samples[k].draw(np.random.default_rng(0))]
    settings = op.canonical(*arrays, **op.samples[k].settings)
    memory = [layout(x) for x in arrays]
    try:
        expected = apply(op, *memory, **settings).value.copy()
    except np.linalg.LinAlgError:
        return  # equal rows make no regular matrix
    into = [np.full_like(expected, 7)]
    replay = Replay(lambda: [apply(op, *map(Tensor, memory), **settings)], memory, into)
    replay()
    into[0][...] = 7
    (plan,) = replay.plans.values()
    with np.errstate(all="ignore"):
        plan.run([])
    np.testing.assert_array_equal(into[0], expected)


UNARY = ["relu", "sigmoid", "tanh", "exp", "softmax", "square", "absolute", "softplus", "negative"]
BINARY = ["add", "multiply", "subtract", "maximum", "minimum"]


@given(st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 5), st.integers(0, 5)),
                min_size=1, max_size=12), st.integers(0, 99))  # fmt: skip
def test_random_programs_replay_bit_for_bit(plan, seed):
    """Values used again, in-place chances, products with themselves, gradients that meet."""

    def step(x, w):
        leaf = Tensor(w.value, None, True)
        made = [x, leaf, x @ ops.transpose(leaf)]
        for name, i, j in plan:
            a, b = made[i % len(made)], made[j % len(made)]
            b = b if b.shape == a.shape else a
            made.append(getattr(ops, name)(a, b) if name in BINARY else getattr(ops, name)(a))
        total = sum((ops.sum(y) for y in made[1:]), 0.0)
        return [total, *backward(total, ops.ones_like(Tensor(total.value)), [leaf])]

    with np.errstate(all="ignore"):
        assert same(step, rows(4, seed), rows(4, seed + 1))


BIASES = [  # a, b: many short rows and a bias, and what only looks like that
    ((1024, 10), (10,)),
    ((1024, 10), (1, 10)),
    ((8, 400, 16), (8, 1, 16)),
    ((8, 400, 16), (16,)),
    ((8, 401, 16), (8, 1, 16)),
    ((4, 8, 400, 2), (4, 1, 1, 2)),
    ((400, 8, 2), (400, 1, 2)),
    ((1024, 10), (1024, 1)),
    ((10,), (1024, 10)),
]


@pytest.mark.parametrize(("a", "b"), BIASES, ids=str)
def test_a_bias_of_many_short_rows_is_added_bit_for_bit(a, b):
    draw = np.random.default_rng(0).standard_normal
    x, y = (draw(shape).astype(FLOAT) for shape in (a, b))
    assert same(lambda a, b: [a + b, ops.tanh(a) + b], x, y)


def test_inputs_that_stay_are_read_where_they_lie():
    """But those of a step that has room of its own for them, which are copied."""

    def step(x, labels):
        return [ops.softmax_cross_entropy(ops.tanh(x), labels)]

    into = [np.empty(5, FLOAT)]
    replay = Replay(step, [], into)
    labels = np.array([0, 1, 2, 3, 0])
    for seed in (0, 1, 0, 2, 1, 0):
        x, which = rows(seed=seed), np.roll(labels, seed)
        replay(x, which, stay=True)
        expected = ops.softmax_cross_entropy(np.tanh(x), which).value
        np.testing.assert_array_equal(into[0], expected)
    (plan,) = replay.plans.values()
    assert plan.movable == [0]


# --- footguns: raise, or be equal


def test_an_array_made_outside_is_refused_by_the_name_of_the_op():
    noise = np.random.default_rng(0)
    replay = Replay(
        lambda x: [x + Tensor(noise.standard_normal(x.shape).astype(FLOAT))], [], [rows()]
    )
    with pytest.raises(RecordingError, match="add got an array of shape \\(5, 4\\) that no op"):
        replay(rows())


def test_numpy_behind_the_recorders_back_is_refused():
    step = lambda x: [ops.exp(Tensor(np.tanh(x.value)))]
    into = np.empty((5, 4), FLOAT)
    with pytest.raises(RecordingError, match="exp got an array"):
        Replay(step, [], [into])(rows())
    np.testing.assert_array_equal(into, np.exp(np.tanh(rows())))  # that step was still computed


def test_a_number_that_comes_from_the_data_is_found():
    step = lambda x: [x * float(np.max(x.value))]
    replay = Replay(step, [], [np.empty((5, 4), FLOAT)])
    replay(rows())
    with pytest.raises(RecordingError, match="multiply got another number"):
        replay(rows(seed=1))


def test_a_branch_on_the_data_is_found():
    def step(x):
        return [ops.exp(x)] if x.value[0, 0] > 0 else [ops.tanh(x)]

    replay = Replay(step, [], [np.empty((5, 4), FLOAT)])
    replay(np.abs(rows()))
    with pytest.raises(RecordingError, match="exp became tanh"):
        replay(-np.abs(rows()))


def test_a_setting_that_comes_from_the_data_is_found():
    step = lambda x: [ops.take(x, index=(slice(None), int(x.value[0, 0] > 0)))]
    replay = Replay(step, [], [np.empty(5, FLOAT)])
    replay(np.abs(rows()))
    with pytest.raises(RecordingError, match="take got other settings"):
        replay(-np.abs(rows()))


def test_a_number_that_changes_later_is_found_at_the_next_power_of_two():
    temperature = [1.0]
    replay, _ = replay_of(lambda x: [x * temperature[0]], rows(), runs=6)
    temperature[0] = 2.0
    replay(rows())  # run 7 is replayed, and has the old number: that is the guard's limit
    with pytest.raises(RecordingError, match="multiply got another number"):
        replay(rows())


def test_another_length_has_a_plan_of_its_own():
    step = lambda x: [ops.sum(ops.tanh(x), axis=0)]
    replay, (into,) = replay_of(step, rows(5), runs=4)
    for n in (3, 5, 3, 3, 5, 1, 3):
        replay(rows(n, seed=n))
        np.testing.assert_array_equal(into, np.add.reduce(np.tanh(rows(n, seed=n)), axis=0))
    assert len(replay.plans) == 3


def test_another_type_has_a_plan_of_its_own():
    replay, (into,) = replay_of(lambda x: [ops.sum(x)], rows(), runs=3)
    replay(rows(dtype=np.float64))
    assert len(replay.plans) == 2
    assert into == FLOAT(np.add.reduce(rows(dtype=np.float64), axis=(0, 1)))


def test_inputs_are_never_written_to():
    step = lambda x: [ops.exp(x * 1.0), x]
    x = rows()
    replay, (y, copy) = replay_of(step, x)
    for seed in range(4):
        given = rows(seed=seed)
        before = given.copy()
        replay(given)
        np.testing.assert_array_equal(given, before)
        np.testing.assert_array_equal(y, np.exp(before))
        np.testing.assert_array_equal(copy, before)


def test_one_array_as_two_results():
    step = lambda x: [y := ops.tanh(x), y, ops.transpose(y)]
    _, (first, second, turned) = replay_of(step, rows(), runs=4)
    np.testing.assert_array_equal(first, np.tanh(rows()))
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(turned, first.T)


def test_weights_are_read_anew_by_each_step():
    w = rows(4)
    replay, (y,) = replay_of(lambda x: [x @ Tensor(w)], rows(), externals=[w])
    for k in range(5):
        w += 1
        replay(rows(seed=k))
        np.testing.assert_array_equal(y, rows(seed=k) @ w)


def test_statistics_are_assigned_and_may_be_written_in_no_other_way():
    mean = np.zeros((1, 4), FLOAT)

    def step(x):
        old = Tensor(mean)
        ops.assign(old, 0.9 * old + 0.1 * ops.mean(x, axis=0, keepdims=True))
        return [x - Tensor(mean)]

    _, (y,) = replay_of(step, rows(), externals=[mean], runs=3)
    eager = np.zeros((1, 4), FLOAT)
    for _ in range(4):  # replay_of computes the step once by itself
        eager = FLOAT(0.9) * eager + FLOAT(0.1) * rows().mean(axis=0, keepdims=True)
    np.testing.assert_array_equal(mean, eager)

    def behind(x):
        mean[...] += 1
        return [x - Tensor(mean)]

    with pytest.raises(RecordingError, match=r"shape \(1, 4\) was changed in the step: use ops"):
        Replay(behind, [mean], [y])(rows())


def test_chance_draws_afresh_and_as_the_eager_step_does():
    def step(generator):
        return lambda x: [x * ops.dropout_mask(x, rate=0.5, generator=generator)]

    eager, own = np.random.default_rng(3), np.random.default_rng(3)
    into = np.empty((5, 4), FLOAT)
    replay = Replay(step(own), [], [into])
    for _ in range(9):
        replay(rows())
        (y,) = step(eager)(Tensor(rows()))
        np.testing.assert_array_equal(into, y.value)


def test_chance_is_drawn_even_where_nothing_needs_it():
    def step(x):
        ops.dropout_mask(x, rate=0.5, generator=own)
        return [x * ops.dropout_mask(x, rate=0.5, generator=own)]

    eager, own = np.random.default_rng(3), np.random.default_rng(3)
    into = np.empty((5, 4), FLOAT)
    replay = Replay(step, [], [into])
    for _ in range(6):
        replay(rows())
        ops.dropout_mask(Tensor(rows()), rate=0.5, generator=eager)
        y = rows() * ops.dropout_mask(Tensor(rows()), rate=0.5, generator=eager).value
        np.testing.assert_array_equal(into, y)


def test_a_result_made_without_ops_is_refused():
    with pytest.raises(RecordingError, match="a result was not made by an op"):
        Replay(lambda x: [Tensor(np.ones(3, FLOAT))], [], [np.empty(3, FLOAT)])(rows())


def test_an_op_of_ones_own_that_uses_numpy_is_refused_one_made_of_ops_is_not():
    sort = Op("sorted", lambda x, out=None: np.sort(x), (None,), (), "")
    with pytest.raises(RecordingError, match="sorted computes with NumPy"):
        Replay(lambda x: [sort(x)], [], [rows()])(rows())
    gentle = custom_vjp(lambda x: ops.tanh(x) * 2.0, [lambda g, y, x: g])
    again = checkpoint(lambda x: ops.exp(ops.tanh(x)))
    for function in (gentle, again):

        def step(x, function=function):
            leaf = Tensor(x.value, None, True)
            y = ops.sum(function(leaf))
            return [y, *backward(y, ops.ones_like(Tensor(y.value)), [leaf])]

        assert same(step, rows())


def test_an_error_that_depends_on_the_values_is_raised_by_a_replay_too():
    table = rows(4)
    step = lambda i: [ops.embedding(i, Tensor(table))]
    replay = Replay(step, [table], [np.empty((1, 2, 4), FLOAT)])
    for _ in range(4):
        replay(np.array([[1, 2]]))
    with pytest.raises(Exception, match="are not all among the 4 rows"):
        replay(np.array([[1, 9]]))


def test_nan_and_infinity_are_the_eager_ones():
    def step(x):
        leaf = Tensor(x.value, None, True)
        y = ops.sum(ops.softmax(ops.relu(leaf) * 2.0))
        return [y, *backward(y, ops.ones_like(Tensor(y.value)), [leaf])]

    x = rows()
    x[0, 0], x[1, 1], x[2, 2], x[3] = np.nan, np.inf, -np.inf, -0.0
    with np.errstate(all="ignore"):
        assert same(step, x)


def test_rows_are_gathered_as_indexing_does():
    x = rows(50)
    into = np.empty(4, FLOAT)
    replay = Replay(lambda x: [ops.sum(x, axis=0)], [], [into])
    for seed in range(6):
        chosen = np.random.default_rng(seed).permutation(50)[:7]
        replay.of_rows(chosen, x)
        np.testing.assert_array_equal(into, np.add.reduce(x[chosen], axis=0))


# --- the program and its memory


def test_the_program_is_data_over_numbered_buffers():
    replay, _ = replay_of(lambda x: [ops.tanh(x @ x) + 1.0], rows(4))
    (plan,) = replay.plans.values()
    assert str(plan.program).splitlines() == [
        "%1 = matrix_product(%0, %0)  float32 (4, 4)",
        "%2 = tanh(%1)  float32 (4, 4)",
        "%4 = add(%2, %3)  float32 (4, 4)",
    ]
    for step in plan.program.instructions:
        assert OPS[step.op.name] is step.op
        assert all(type(n) is int for n in (*step.inputs, step.output))


def test_memory_is_used_again_and_in_place():
    def chain(x):
        for _ in range(20):
            x = ops.tanh(x) + 1.0
        return [ops.sum(x)]

    replay, _ = replay_of(chain, rows(1000))
    (plan,) = replay.plans.values()
    assert plan.nbytes == rows(1000).nbytes


def test_what_no_result_needs_is_left_out():
    def step(x):
        ops.exp(x)
        return [ops.tanh(x)]

    replay, _ = replay_of(step, rows())
    (plan,) = replay.plans.values()
    assert [i.op.name for i in plan.program.instructions] == ["tanh"]


def test_an_op_on_the_same_arrays_is_computed_once_unless_one_is_assigned_to_between():
    total = np.zeros((5, 4), FLOAT)

    def step(x):
        own = Tensor(total)
        before, once = own + x, ops.exp(x)
        ops.assign(own, before)
        return [once * ops.exp(x), own + x, ops.sum(x, axis=0), ops.sum(x, axis=1)]

    replay, into = replay_of(step, rows(), externals=[total])
    (plan,) = replay.plans.values()
    made = [i.op.name for i in plan.program.instructions]
    assert made == ["add", "exp", "assign", "multiply", "add", "sum", "sum"]
    total[...] = 0
    replay(rows())
    np.testing.assert_array_equal(into[0], np.exp(rows()) * np.exp(rows()))
    np.testing.assert_array_equal(into[1], rows() + rows())


def test_a_replayed_step_allocates_no_array():
    x, w = np.zeros((512, 256), FLOAT), np.zeros((256, 256), FLOAT)

    def step(x):
        leaf = Tensor(w, None, True)
        y = ops.mean(ops.softmax(ops.relu(x @ leaf) + 1.0))
        return backward(y, ops.ones_like(Tensor(y.value)), [leaf])

    replay, _ = replay_of(step, x, externals=[w], runs=6)
    tracemalloc.start()
    replay(x)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    replay.plans[next(iter(replay.plans))].runs = 4
    replay(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 40_000  # NumPy's loops have a buffer of 8192 entries; x is 13 times that
