"""Loops for crews of small networks have NumPy's bits: few classes, narrow and turned factors."""

import numpy as np
import pytest

from backproplab.autograd.engines import native
from backproplab.autograd.engines.native import building, proof, tape
from backproplab.autograd.lowering import logits

pytestmark = pytest.mark.skipif(
    bool(native.missing() and not building.compiler()), reason="no compiler to build it with"
)

DTYPES = [np.float32, np.float64]


def odd(shape, dtype, number=0):
    x = np.empty(shape, dtype)
    proof._fill(x, number, odd=True)
    return x


def played(calls):
    mine = tape.Tape(calls)
    mine()
    assert mine.refusals == []
    return mine


def made(calls):
    for call in calls:
        call()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 10, 15, 16])
@np.errstate(all="ignore")
def test_many_rows_of_few_classes(n, dtype):
    """In several blocks, the last of which is shorter; labels that begin anew within a block."""
    x, labels = odd((3, 700, n), dtype), np.arange(700) % n
    want, got, same = np.empty_like(x), np.empty_like(x), x.copy()
    made(logits.softmax(x, out=want, axis=(-1,)))
    played(logits.softmax(x, out=got, axis=(-1,)))
    assert len(played(logits.softmax(same, out=same, axis=(-1,)))._records) == 1
    assert want.tobytes() == got.tobytes() == same.tobytes()
    want, got = np.empty((2, 3, 700), dtype)
    for own in (labels, np.tile(labels, (3, 1))):
        made(logits.softmax_cross_entropy(x, own, out=want))
        assert len(played(logits.softmax_cross_entropy(x, own, out=got))._records) == 1
        assert want.tobytes() == got.tobytes()
