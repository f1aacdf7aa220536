"""Column: as if it were a Python number, for each member of a population."""

import operator
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.columns import Column, add_axes, each, merged
from backproplab.optim import Optimizer

NUMBERS = st.floats(-10, 10, allow_nan=False).filter(lambda x: abs(x) > 1e-3)
OPERATIONS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=4), other=NUMBERS)
def test_it_is_a_number_for_each_row(dtype, numbers, other):
    """With numbers in double precision, with an array in the array's type; bit for bit."""
    array = (np.linspace(1, 5, 3 * len(numbers)).reshape(len(numbers), 3)).astype(dtype)
    for operate in OPERATIONS:
        if operate is operator.sub and dtype is bool:
            continue
        for one, two in ((other, None), (None, other)):
            own = Column(numbers)
            number = operate(own, two) if one is None else operate(one, own)
            plain = [operate(x, two) if one is None else operate(one, x) for x in numbers]
            assert number == Column(plain)
            with_array = operate(array, number)
            rows = [operate(row, x) for row, x in zip(array, plain, strict=True)]
            assert with_array.dtype == rows[0].dtype
            np.testing.assert_array_equal(with_array, np.stack(rows))


@given(numbers=st.lists(st.floats(0.01, 1), min_size=1, max_size=4), t=st.integers(1, 10**6))
def test_powers_are_python_s(numbers, t):
    assert 1 - Column(numbers) ** t == Column([1 - x**t for x in numbers])
    assert 0.96 ** Column(numbers) == Column([0.96**x for x in numbers])


def test_where_it_is_no_number():
    column = Column([0.1, 0.2])
    assert column
    assert not Column([0.0, 0.0])
    assert column != Column([0.1, 0.3])
    assert column != 0.1
    assert pickle.loads(pickle.dumps(column)) == column
    with pytest.raises(TypeError):
        np.add(np.ones((2, 1)), 1, out=column)
    assert add_axes(column, 4).values.shape == (2, 1, 1, 1)
    assert add_axes(0.5, 4) == 0.5
    assert each(abs, column) == column


def test_specs_that_differ_in_numbers_are_one():
    one, two = (Optimizer.parse({"adam": {"beta_1": b}}) for b in (0.5, 0.9))
    both = merged([one, two])
    assert both.beta_1 == Column([0.5, 0.9])
    assert both.beta_2 == one.beta_2
    assert merged([one, one]) is one
    with pytest.raises(ValueError, match="not alike"):
        merged([one, Optimizer.parse("sgd")])
