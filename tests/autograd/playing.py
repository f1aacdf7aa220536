"""Calls that are played, and numbers that are hard to play. Not a test."""

import numpy as np

from backproplab.autograd.engines.native import proof, tape

DTYPES = [np.float32, np.float64]


def odd(shape, dtype, number=0):
    """Zeros of both signs, infinities, NaN, denormals and others."""
    x = np.empty(shape, dtype)
    proof._fill(x, number, odd=True)
    return x


def played(calls):
    """The tape of the calls, after one playing, in which Python makes none of them."""
    mine = tape.Tape(calls)
    mine()
    assert mine.refusals == []
    return mine


def fail_trials(monkeypatch, number):
    """Let the next trials fail, as if so many of our own loops had other bits than BLAS."""
    tried, passed = [], proof._Trial.passed
    monkeypatch.setattr(proof, "TRIED", {})
    monkeypatch.setattr(
        proof._Trial,
        "passed",
        lambda self, player: tried.append(1) or (len(tried) > number and passed(self, player)),
    )
