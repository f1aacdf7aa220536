"""Repeats: the runs of one trial, a seed and, of a cross-validation, a fold each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backproplab.config import Experiment
from backproplab.data import Fold


@dataclass(frozen=True)
class Repeat:
    """One run of each trial. suffix: what its folder's name has after the trial's label."""

    seed: int
    fold: Fold | None = None
    suffix: str = ""

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment with this seed, and this fold as its test split."""
        data = experiment.data.folded(self.fold) if self.fold else experiment.data
        return experiment.model_copy(update={"seed": self.seed, "data": data})


def repeats(seeds: Sequence[int], folds: int | None) -> tuple[Repeat, ...]:
    """Every seed with every fold, if there are folds."""
    return tuple(
        Repeat(seed, fold, _suffix(seed if len(seeds) > 1 else None, fold))
        for seed in seeds
        for fold in ([Fold(of=folds, index=k) for k in range(folds)] if folds else [None])
    )


def _suffix(seed: int | None, fold: Fold | None) -> str:
    parts = ["" if seed is None else f"_seed-{seed}", f"_fold-{fold.index}" if fold else ""]
    return "".join(parts)
