"""Baselines of a sweep: a trial for each of them and each data set."""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.config import Experiment
from backproplab.learners import Baseline
from backproplab.sweep.trials import Draft

# keys that a baseline has from the trial
SHARED = ("data", "seed", "name", "dtype", "threads", "imports", "metrics")


def baseline_drafts(baselines: Sequence[Baseline], drafts: Sequence[Draft]) -> list[Draft]:
    """The trials of the baselines, data set by data set as the drafts name them."""
    firsts: dict[str, Draft] = {}
    for draft in drafts:
        firsts.setdefault(repr((draft[1].data, draft[1].dtype)), draft)
    return [_drafted(baseline, *draft) for draft in firsts.values() for baseline in baselines]


def _drafted(baseline: Baseline, *draft: *Draft) -> Draft:
    values, experiment, document = draft
    shared = {key: getattr(experiment, key) for key in SHARED}
    shared["tensorboard"] = experiment.tensorboard.model_copy(update={"update_freq": "epoch"})
    own = {path: value for path, value in values.items() if path.split(".")[0] in SHARED}
    described = baseline.name if baseline == type(baseline)() else baseline.describe()
    return own | {"learner": described}, Experiment(learner=baseline, **shared), document
