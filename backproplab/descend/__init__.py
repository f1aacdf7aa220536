"""Gradient descent on a function of one or two variables, with any optimizer and schedule.

    asked = Asked("(x - 3)**2", ((0.0,),), [...settings])
    shown = descend_all(asked)

``path.py`` walks, ``verdict.py`` judges, ``words.py`` says it, ``figure.py`` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.descend.path import Descent, Setting, descend
from backproplab.descend.scan import minima
from backproplab.descend.verdict import Verdict, judge
from backproplab.formulas.named import NAMED, Named
from backproplab.formulas.objective import Objective

__all__ = ["NAMED", "Descent", "Named", "Objective", "Setting", "Shown", "Verdict", "descend_all"]


@dataclass(frozen=True)
class Shown:
    """All runs of one command with their verdicts, and the minima, the lowest first."""

    objective: Objective
    runs: list[Descent]
    verdicts: list[Verdict]
    minima: list[Array]
    tolerance: float


def descend_all(
    f: Objective, settings: Sequence[Setting], steps: int, tolerance: float,
    known: Sequence[Sequence[float]] = (),
) -> Shown:  # fmt: skip
    """Every setting's descent, judged by the minima of the table and of a scan."""
    starts = [np.array(setting.start, float) for setting in settings]
    found = minima(f, known, starts)
    runs = [descend(f, setting, steps, tolerance, found) for setting in settings]
    return Shown(f, runs, [judge(f, run, found) for run in runs], found, tolerance)
