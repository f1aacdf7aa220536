"""Folds of a cross-validation: each row is held out once. This file must not know data sets."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.spec import Spec

MOST = 1000
Folds = Annotated[int, Field(ge=2, le=MOST)]


class Fold(Spec):
    """One fold of several, whose rows are the test split.

    of: how many there are.  index: which one it is, from 0.
    """

    of: Folds
    index: Annotated[int, Field(ge=0, lt=MOST)]

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.index >= self.of:
            fault = f"must be less than of, which is {self.of}: the first fold is 0"
            raise PydanticCustomError("fold", "{fault}", {"fault": fault, "path": "index"})
        return self


def dealt(classes: Array, count: int, generator: np.random.Generator) -> Array:
    """The fold of each row (n,): at random, in sizes that differ by at most 1, as do the rows of a
    class in any two folds."""
    shuffled = generator.permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    folds = np.empty(len(classes), np.int64)
    folds[by_class] = np.arange(len(classes)) % count
    return generator.permutation(count)[folds]


def dealt_whole(groups: Array, count: int, generator: np.random.Generator) -> Array:
    """The fold of each row (n,), one for all rows of a group.

    The largest group first, equal ones in random order, each to the fold with the fewest rows: the
    rule of GroupKFold in scikit-learn.
    """
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order, rows = generator.permutation(len(sizes)), np.zeros(count, np.int64)
    fold_of = np.empty(len(sizes), np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = np.argmin(rows)
        rows[fold_of[group]] += sizes[group]
    return generator.permutation(count)[fold_of[index]]
