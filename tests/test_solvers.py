"""Solvers of differential equations: their orders, and SciPy's own steps."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from backproplab.autograd import Tensor
from backproplab.solvers import (
    METHODS,
    Tolerance,
    controlled_step,
    first_step,
    rms,
    solved,
    solved_within,
)

A = np.array([[-0.1, 2.0], [-2.0, -0.1]])
START = np.array([2.0, 0.0])


def spiral(t, y):
    """y' = A y, whose solution is a spiral."""
    return A @ y


def solution(t):
    turn = np.array([[math.cos(2 * t), math.sin(2 * t)], [-math.sin(2 * t), math.cos(2 * t)]])
    return math.exp(-0.1 * t) * turn @ START


def test_the_anchor_of_the_linear_field():
    """y(1.5), from anchors/learners.md 5a."""
    assert solution(1.5) == pytest.approx([-1.704188876849917, -0.24292623314059011], rel=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_its_order(name):
    """Halving the steps divides the error by 2 to the order."""
    method = METHODS[name]
    coarse, fine = (rms(solved(method, spiral, START, 1.5, n) - solution(1.5)) for n in (80, 160))
    assert math.log2(coarse / fine) == pytest.approx(method.order, abs=0.05)


@pytest.mark.parametrize("name", METHODS)
def test_its_tableau_is_consistent(name):
    """Each row sums to its time, the error's weights to 0."""
    method = METHODS[name]
    assert [sum(row) for row in method.rows] == pytest.approx(list(method.times), abs=1e-14)
    assert sum(method.error) == pytest.approx(0, abs=1e-15)


def test_a_step_of_tensors_is_that_of_arrays():
    field = lambda t, y: y * 0.5 + t
    for method in METHODS.values():
        plain, _ = method.step(field, 0.2, START, field(0.2, START), 0.1)
        y = Tensor(START)
        tracked, _ = method.step(field, 0.2, y, field(0.2, y), 0.1)
        assert np.array_equal(tracked.value, plain)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_dopri5_makes_the_steps_of_scipy(rtol):
    """SciPy's RK45 is the same pair with the same control."""
    atol, until = rtol * 1e-2, 5.0
    theirs = solve_ivp(spiral, (0, until), START, method="RK45", rtol=rtol, atol=atol)
    method, t, y, times = METHODS["dopri5"], 0.0, START, [0.0]
    slope, ratio = spiral(t, y), Tolerance(rtol, atol).ratio
    h = first_step(method, spiral, t, y, slope, ratio)
    while t < until:
        taken = controlled_step(method, spiral, t, y, slope, min(h, until - t), 0.0, ratio)
        t, y, slope, h = t + taken.length, taken.y, taken.slope, taken.following
        times.append(t)
    assert times == pytest.approx(theirs.t.tolist(), rel=1e-4)  # errors are rounded
    assert y == pytest.approx(theirs.y[:, -1], rel=1e-8)
    assert rms(y - solution(until)) <= 10 * rtol
    assert np.array_equal(solved_within(method, spiral, START, until, ratio), y)


def test_a_solution_that_runs_away_is_none():
    """y' = y², y(0) = 1 is infinite at t = 1."""
    with np.errstate(all="ignore"):
        ratio = Tolerance(1e-6, 1e-9).ratio
        end = solved_within(METHODS["dopri5"], lambda t, y: y * y, np.ones(1), 2.0, ratio)
    assert end is None
