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
