"""Schedules: Keras' values, PyTorch's schedulers, and what holds for every member of the family."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backproplab.errors import ConfigError
from backproplab.nn.metrics import METRICS
from backproplab.optim.plateau import ReduceOnPlateau
from backproplab.optim.schedules import Schedule

NAN = math.nan
BASE, STEPS = 0.1, 100

# A member of each, at its defaults where it has them all.
EXAMPLES = {
    "constant": {},
    "step": {"every": 7},
    "exponential": {"rate": 0.9},
    "inverse_time": {"rate": 3.0},
    "polynomial": {},
    "cosine": {},
    "cosine_restarts": {"first_decay_steps": 7},
    "one_cycle": {},
    "piecewise": {"boundaries": [10, 20], "factors": [1.0, 0.1, 0.0]},
    "reduce_on_plateau": {},
}  # fmt: skip


def rates(description, steps, base=BASE, run=STEPS):
    rate = Schedule.parse(description).begin(base, run)
    return [rate(step) for step in steps]


def test_every_schedule_is_tested():
    assert Schedule.members.keys() == EXAMPLES.keys()


# anchors/learners.md 8.2, run with Keras 3.15.1; those from "cycle" on run with it for this file
AT = [0, 10, 20, 50, 100]
KERAS = {
    "exponential": ({"exponential": {"decay_steps": 10, "rate": 0.96}}, AT, [0.1, 0.096, 0.09216, 0.08153726, 0.06648325]),
    "its staircase": ({"exponential": {"decay_steps": 10, "rate": 0.96, "staircase": True}}, [5, *AT], [0.1, 0.1, 0.096, 0.09216, 0.08153726, 0.06648325]),
    "inverse time": ({"inverse_time": {"decay_steps": 10, "rate": 0.5}}, AT, [0.1, 0.0666667, 0.05, 0.0285714, 0.0166667]),
    "polynomial": ({"polynomial": {"decay_steps": 100, "end": 0.001, "power": 2.0}}, AT, [0.1, 0.08119, 0.06436, 0.02575, 0.001]),
    "cosine": ({"cosine": {"decay_steps": 100, "alpha": 0.1}}, AT, [0.1, 0.09779754, 0.09140576, 0.055, 0.01]),
    "cosine, warm-up": ({"cosine": {"decay_steps": 100, "warmup_steps": 10}}, [*AT, 150], [0, 0.1, 0.0975528, 0.0654508, 0.0024472, 0]),
    "piecewise": ({"piecewise": {"boundaries": [10, 20], "values": [0.1, 0.01, 0.001]}}, [10, 11, 20, 21], [0.1, 0.01, 0.01, 0.001]),
    "cosine restarts": ({"cosine_restarts": {"first_decay_steps": 10, "t_mul": 2.0, "m_mul": 0.5}}, AT, [0.1, 0.05, 0.025, 0.0125, 0.0086418]),
    "cycle": ({"polynomial": {"decay_steps": 10, "end": 0.01, "power": 0.5, "cycle": True}}, [0, 3, 10, 11, 20, 25, 30], [0.1, 0.085299402, 0.01, 0.070373833, 0.01, 0.04674235, 0.01]),
    "restarts, alpha": ({"cosine_restarts": {"first_decay_steps": 10, "m_mul": 0.5, "alpha": 0.1}}, [0, 5, 9, 10, 29, 30, 45, 70, 100], [0.1, 0.055, 0.0122024587, 0.055, 0.01027701, 0.0325, 0.025555188, 0.02125, 0.017777596]),
    "equal cycles": ({"cosine_restarts": {"first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.9}}, [0, 5, 10, 25, 30], [0.1, 0.05, 0.09, 0.0405, 0.0729]),
    "stairs in inverse time": ({"inverse_time": {"decay_steps": 10, "rate": 0.5, "staircase": True}}, [0, 9, 10, 25], [0.1, 0.1, 0.0666667, 0.05]),
    "cosine, all": ({"cosine": {"decay_steps": 100, "alpha": 0.1, "warmup_steps": 10}}, [0, 5, 10, 20, 60, 110, 200], [0, 0.05, 0.1, 0.097797543, 0.055, 0.01, 0.01]),
}  # fmt: skip


@pytest.mark.parametrize("case", KERAS)
def test_keras_values(case):
    description, steps, expected = KERAS[case]
    assert rates(description, steps) == pytest.approx(expected, abs=1e-7)


def test_restarts_of_powers_of_three_are_not_late():
    # cycle i begins at (3^i - 1) / 2; log(243) / log(3) is less than 5 in floating point
    starts = [(3**i - 1) // 2 for i in range(10)]
    found = rates({"cosine_restarts": {"first_decay_steps": 1, "t_mul": 3.0}}, starts)
    assert found == pytest.approx([BASE] * 10)


@pytest.mark.parametrize("name", ["polynomial", "cosine"])
def test_a_decay_takes_the_whole_run_after_its_warm_up(name):
    start, middle, end = rates({name: {"warmup_steps": 20}}, [20, 60, 100])
    assert (start, middle, end) == pytest.approx((BASE, BASE / 2, 0))


def test_rates_of_a_whole_run():
    assert rates({"exponential": 0.01}, [0, 50, 100]) == pytest.approx([0.1, 0.01, 0.001])
    assert rates({"inverse_time": 9.0}, [0, 100]) == pytest.approx([0.1, 0.01])
    assert rates({"step": 50}, [0, 49, 50, 100]) == pytest.approx([0.1, 0.1, 0.01, 0.001])


# --- reduce_on_plateau ---------------------------------------------------------------------------

# values, settings, the rate after each epoch: run with Keras 3.15.1, base 0.1, mode min
PLATEAUS = [
    ([1] * 7, {"patience": 2}, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001]),
    ([1] * 7, {"patience": 2, "cooldown": 2}, [0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001]),
    ([1, 0.99995, 0.9998, 0.9997, 0.99965], {"patience": 1}, [0.1, 0.01, 0.01, 0.001, 0.001]),
    ([1] * 5, {"patience": 1, "factor": 0.5, "min_lr": 0.02}, [0.1, 0.05, 0.025, 0.02, 0.02]),
    ([1, NAN, 0.5, NAN, NAN], {"patience": 2}, [0.1, 0.1, 0.1, 0.1, 0.01]),
    ([1, 2, 0.5, 2, 2, 2], {"patience": 0, "factor": 0.5}, [0.1, 0.05, 0.05, 0.025, 0.0125, 0.00625]),
    (
        [1, 2, 3, 2, 1, 0.9, 3, 3, 3, 3], {"patience": 1, "factor": 0.5, "cooldown": 1},
        [0.1, 0.05, 0.025, 0.0125, 0.00625, 0.00625, 0.003125, 0.0015625, 0.00078125, 0.000390625],
    ),
    ([0.5, 0.6, 0.6, 0.6, 0.7, 0.6, 0.6], {"patience": 2, "factor": 0.5, "mode": "max"}, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]),
]  # fmt: skip


def told(rate, values, name="val_loss"):
    """The rate after each epoch."""
    found = []
    for value in values:
        rate.epoch({name: value})
        found.append(rate(0))
    return found


@pytest.mark.parametrize(("values", "settings", "expected"), PLATEAUS)
def test_plateaus_are_keras(values, settings, expected):
    rate = ReduceOnPlateau(**settings).begin(BASE, STEPS)
    assert told(rate, values) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("values", "settings", "expected"), PLATEAUS)
def test_a_plateau_resumes_from_its_state_at_any_epoch(values, settings, expected):
    schedule = ReduceOnPlateau(**settings)
    for cut in range(len(values)):
        first, second = schedule.begin(BASE, STEPS), schedule.begin(BASE, STEPS)
        before = told(first, values[:cut])
        second.state = json.loads(json.dumps(first.state, allow_nan=False))
        assert before + told(second, values[cut:]) == pytest.approx(expected, rel=1e-6)


def test_a_saved_state_does_not_move_with_the_rate():
    rate = ReduceOnPlateau().begin(BASE, STEPS)
    before = rate.state
    rate.epoch({"val_loss": 1.0})
    assert before["best"] is None


def test_a_first_value_that_is_not_finite_is_never_the_best():
    rate = ReduceOnPlateau(patience=1, factor=0.5).begin(BASE, STEPS)
    assert told(rate, [NAN, 1, 0.5, 0.4]) == pytest.approx([0.05] * 4)


def test_auto_knows_which_way_every_metric_is_better():
    def reduced(name, goal, mode="auto"):
        """Whether the rate is reduced when the value gets better."""
        rate = ReduceOnPlateau(monitor=name, patience=1, mode=mode).begin(BASE, STEPS)
        for value in (1.0, 2.0) if goal == "max" else (2.0, 1.0):
            rate.epoch({name: value})
        return rate(0) < BASE

    for metric in METRICS.values():
        for name in (metric.name, f"val_{metric.name}"):
            assert not reduced(name, metric.goal)
    assert reduced("accuracy", "max", mode="min")


def test_what_is_not_measured_is_told_with_what_is():
    rate = ReduceOnPlateau().begin(BASE, STEPS)
    with pytest.raises(ConfigError, match=r"'val_loss' is not measured; one of loss, accuracy"):
        rate.epoch({"loss": 1.0, "accuracy": 0.5})


# --- what holds for every one --------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
@given(
    warmup=st.integers(0, 50),
    run=st.integers(1, 200),
    base=st.floats(1e-8, 1e4),
    step=st.integers(0, 10**9),
)
def test_a_rate_is_finite_never_negative_and_the_same_each_time(name, warmup, run, base, step):
    schedule = Schedule.parse({"name": name, **EXAMPLES[name], "warmup_steps": warmup})
    rate = schedule.begin(base, run)
    for s in (*range(0, 2 * run, max(run // 10, 1)), step):
        found = rate(s)
        assert isinstance(found, float)
        assert 0 <= found <= base * (1 + 1e-12)
        assert rate(s) == found == schedule.begin(base, run)(s)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_warm_up_is_linear_and_meets_the_schedule(name):
    fields = {"name": name, **EXAMPLES[name]}
    warm = Schedule.parse(fields | {"warmup_steps": 8}).begin(BASE, STEPS + 8)
    plain = Schedule.parse(fields).begin(BASE, STEPS)
    first = plain(0)
    assert first > 0
    assert [warm(s) for s in range(9)] == pytest.approx([first * s / 8 for s in range(9)])
    assert [warm(s + 8) for s in range(150)] == [plain(s) for s in range(150)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_its_own_description(name):
    schedule = Schedule.parse({"name": name, **EXAMPLES[name]})
    assert Schedule.parse(json.loads(json.dumps(schedule.describe()))) == schedule


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"reduce_on_plateau"}))
def test_an_epoch_changes_nothing_that_does_not_listen(name):
    rate = Schedule.parse({"name": name, **EXAMPLES[name]}).begin(BASE, STEPS)
    before = [rate(step) for step in range(STEPS)]
    rate.epoch({"loss": 1e9})
    assert [rate(step) for step in range(STEPS)] == before
    assert rate.state == {}


@given(pct=st.floats(0, 1), div=st.floats(1, 1e6), final=st.floats(1, 1e6), run=st.integers(1, 300))
def test_one_cycle_stays_between_its_end_and_its_top(pct, div, final, run):
    settings = {"pct_start": pct, "div_factor": div, "final_div_factor": final}
    found = rates({"one_cycle": settings}, range(run + 5), run=run)
    assert max(found) <= BASE * (1 + 1e-12)
    assert min(found) >= BASE / div / final * (1 - 1e-9) - 1e-16
    assert found[run - 1 :] == [found[run - 1]] * 6


@given(t_mul=st.floats(1, 4), first=st.integers(1, 50), step=st.integers(0, 10**6))
def test_restarts_are_where_the_sum_of_the_cycles_says(t_mul, first, step):
    schedule = Schedule.parse({"cosine_restarts": {"first_decay_steps": first, "t_mul": t_mul}})
    _, done = schedule._position(step / first)
    assert -1e-6 <= done <= 1 + 1e-6


# description, part of the message
BAD = {
    "growing": ({"step": {"every": 5, "factor": 1.5}}, "less than or equal to 1"),
    "no length": ("step", "every"),
    "no factors": ({"piecewise": [10]}, "needs either factors or values, 2 of them"),
    "both": ({"piecewise": {"boundaries": [1], "factors": [1.0, 0.1], "values": [1.0, 0.1]}}, "either factors or values"),
    "one too few": ({"piecewise": {"boundaries": [1, 2], "factors": [1.0, 0.1]}}, "3 of them"),
    "backwards": ({"piecewise": {"boundaries": [20, 10], "factors": [1.0, 0.1, 0.0]}}, "boundaries must grow"),
    "factor of 1": ({"reduce_on_plateau": {"factor": 1.0}}, "less than 1"),
    "shrinking cycles": ({"cosine_restarts": {"first_decay_steps": 5, "t_mul": 0.5}}, "greater than or equal to 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_refused(case):
    description, message = BAD[case]
    with pytest.raises(ValidationError, match=message):
        Schedule.parse(description)


# --- PyTorch -------------------------------------------------------------------------------------

TORCH = {
    "StepLR": ({"step_size": 7, "gamma": 0.3}, {"step": {"every": 7, "factor": 0.3}}),
    "ExponentialLR": ({"gamma": 0.97}, {"exponential": {"rate": 0.97, "decay_steps": 1}}),
    "PolynomialLR": ({"total_iters": 60, "power": 1.7}, {"polynomial": {"decay_steps": 60, "power": 1.7}}),
    "CosineAnnealingLR": ({"T_max": STEPS, "eta_min": 0.02}, {"cosine": {"alpha": 0.2}}),
    "CosineAnnealingWarmRestarts": ({"T_0": 10, "T_mult": 3}, {"cosine_restarts": {"first_decay_steps": 10, "t_mul": 3.0}}),
    "MultiStepLR": ({"milestones": [11, 21], "gamma": 0.1}, {"piecewise": {"boundaries": [10, 20], "factors": [1.0, 0.1, 0.01]}}),
    "OneCycleLR": ({"max_lr": BASE, "total_steps": STEPS}, "one_cycle"),
    "OneCycleLR ": ({"max_lr": BASE, "total_steps": STEPS, "pct_start": 0.55, "div_factor": 4.0, "final_div_factor": 30.0}, {"one_cycle": {"pct_start": 0.55, "div_factor": 4.0, "final_div_factor": 30.0}}),
    "OneCycleLR  ": ({"max_lr": BASE, "total_steps": STEPS, "pct_start": 1.0}, {"one_cycle": 1.0}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", TORCH)
def test_pytorch_over_a_whole_run(case):
    torch = pytest.importorskip("torch", reason="PyTorch is an oracle of `make test-slow` only")
    theirs, ours = TORCH[case]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE)
    scheduler = getattr(torch.optim.lr_scheduler, case.strip())(optimizer, **theirs)
    expected = []
    for step in range(STEPS):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if step < STEPS - 1:
            scheduler.step()
    assert rates(ours, range(STEPS)) == pytest.approx(expected, rel=1e-9, abs=1e-15)
