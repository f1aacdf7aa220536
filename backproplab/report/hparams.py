"""The rows of TensorBoard's HPARAMS tab for experiments that are trained side by side.

This file must not know how a row is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from backproplab.config import Experiment, Role, keys, tree_of
from backproplab.experiment.account import HParams, Setting, setting
from backproplab.report.differences import ABSENT, differences
from backproplab.report.gathering import unrepeated


def hparams_of(experiments: Mapping[str, Experiment], session: str) -> dict[str, HParams]:
    """By name: the data, and the settings that differ. Experiments that differ by their seeds
    alone are one row, with the means of their metrics; one experiment alone has none."""
    left_out = keys(Role.NO_NUMBER)
    trees = [
        {k: value for k, value in unrepeated(tree_of(experiment)).items() if k not in left_out}
        for experiment in experiments.values()
    ]
    found = dict(differences(trees))
    rows: dict[str, HParams] = {}
    first: dict[str, str] = {}  # by settings: the experiment that the row is named by
    for at, (name, experiment) in enumerate(experiments.items() if len(trees) > 1 else ()):
        values = {path: each[at] for path, each in found.items() if each[at] is not None}
        settings: dict[str, Setting] = {"data": experiment.data.name}
        settings |= {p: setting(value) for p, value in values.items() if value is not ABSENT}
        group = first.setdefault(repr(settings), name)
        rows[name] = HParams(f"{group} {session}", settings)
    return rows
