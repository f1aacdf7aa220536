"""How good a model's answers are: by class, threshold, probability, column and group.

Each aspect is a part with its numbers and its figure. This room trains nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproplab.assessing.calibration import Calibration
from backproplab.assessing.classes import Confusion, PrecisionRecall, Roc
from backproplab.assessing.coefficients import Coefficients, is_linear
from backproplab.assessing.groups import Groups
from backproplab.assessing.importance import COLUMNS, Importance, blocks
from backproplab.assessing.numbers import Residuals
from backproplab.assessing.picture import Part
from backproplab.assessing.sample import Sample
from backproplab.errors import Problem, RunError

__all__ = ["Coefficients", "Groups", "Part", "Sample", "parts_of"]


def parts_of(sample: Sample, by: str = "") -> Iterator[Part]:
    """Every aspect of these answers that has a meaning. by: a column that groups the rows.

    Raises DataError where there is no such column, RunError for answers that are not finite.
    """
    if not np.isfinite(sample.outputs).all():
        hint = "evaluate it with --weights best" if sample.model.weights == "last" else ""
        what = "its answers are not finite, of which there are no figures"
        raise RunError(str(Problem(str(sample.model.folder), what, hint)))
    if sample.classes:
        yield Confusion.of(sample)
        curves = [Roc(sample), PrecisionRecall(sample)]
        yield from (part for part in curves if part.found)
        yield Calibration.of(sample)
    else:
        yield Residuals.of(sample)
        if is_linear(sample.model):
            yield Coefficients.of(sample.model)
    if by:
        yield Groups.of(sample, by)
    if len(list(blocks(sample))) <= COLUMNS and _has_spread(sample):
        yield Importance.of(sample)


def _has_spread(sample: Sample) -> bool:
    """Whether the metric of the importance is defined: there are two different targets."""
    return bool(sample.classes) or bool(np.any(sample.truth != sample.truth[:1]))
