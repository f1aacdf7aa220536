"""NumPy's functions as rules on tensors: the table, a file for each kind of function."""

from __future__ import annotations

from backproplab.autograd.like_numpy import (  # noqa: F401  # imported to be declared
    constants,
    differences,
    matrices,
    moves,
    norms,
    order_statistics,
    polynomials,
    reductions,
)
from backproplab.autograd.like_numpy.polynomials import array
from backproplab.autograd.like_numpy.table import (
    REFUSED,
    RULES,
    NoRuleError,
    plain,
    public,
    rule_of,
    tracked_in,
)
from backproplab.autograd.like_numpy.ufuncs import METHODS

__all__ = [
    "METHODS",
    "REFUSED",
    "RULES",
    "NoRuleError",
    "array",
    "plain",
    "public",
    "rule_of",
    "tracked_in",
]
