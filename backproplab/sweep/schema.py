"""SweepFile: everything that a sweep file can say. Its fields are the YAML keys.

This file knows the shape of each block; what needs two blocks, or the base, is checked in space.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.config.experiment import Name
from backproplab.config.wording import cut
from backproplab.data.folds import Folds
from backproplab.learners import Baseline
from backproplab.measures import goal_of
from backproplab.spec import Count, Family, Off, Positive, Spec

MOST_SEEDS = 1000
Distribution = Literal["uniform", "log_uniform", "int", "int_log"]


def identity(value: Any) -> str:
    """Equal for values that mean the same: ``1e-3`` and ``0.001``, ``1`` and ``1.0``."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True)


def _no_mapping(value: Any) -> Any:
    if isinstance(value, dict):
        key = next(iter(value), "key")
        context = {
            "hint": f"paths have dots, as in model.{key}: […]; rows of zip are [{{{key}: 1}}, …]"
        }
        raise PydanticCustomError("mapping", "must be a list of values, got a mapping", context)
    return value


def _distinct(values: list[Any]) -> list[Any]:
    if not values:
        raise PydanticCustomError("no_values", "the list is empty", {"hint": "write its values"})
    seen: set[str] = set()
    for value in values:
        if (text := identity(value)) in seen:
            context = {"value": cut(text), "hint": "keep one of them"}
            raise PydanticCustomError("twice", "the value {value} is listed twice", context)
        seen.add(text)
    return values


def _seeds(value: Any) -> Any:
    if type(value) is int and 1 <= value <= MOST_SEEDS:
        return value
    listed = value if isinstance(value, list) else []
    if listed and all(type(seed) is int and 0 <= seed < 2**63 for seed in listed):
        return _distinct(value)
    valid = f"a number of seeds from 1 to {MOST_SEEDS}, or a list of seeds from 0 to 2^63 - 1"
    raise PydanticCustomError("seeds", "must be {valid}", {"valid": valid})


def _base(value: Any) -> Any:
    if isinstance(value, str | dict):
        return value
    raise PydanticCustomError("base", "must be a config's path, or a config as a mapping")


Values = Annotated[list[Any], BeforeValidator(_no_mapping), AfterValidator(_distinct)]
Factor = Annotated[int, Field(ge=2, le=1000)]


class Objective(Spec):
    """The value that trials are ranked by: ``at`` the run's best epoch or its last."""

    name: str = "val_loss"
    goal: Literal["auto", "minimize", "maximize"] = "auto"
    at: Literal["best", "last"] = "best"

    @property
    def minimizes(self) -> bool:
        """Whether less is better; ``auto`` goes by the measure's own goal, which it must have."""
        return goal_of(self.name) != "max" if self.goal == "auto" else self.goal == "minimize"


def _objective(value: Any) -> Any:
    """``val_accuracy`` means ``{name: val_accuracy}``."""
    return {"name": value} if isinstance(value, str) else value


class Block(Spec):
    """What multiplies: grid × rows of zip × branches.

    grid: dotted path -> its values. zip: rows of values that belong together.
    """

    grid: dict[str, Values] = Field(default={})
    zip: Values | None = None
    branches: Annotated[list[Branch], Field(min_length=1)] | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.zip or []

    @property
    def fixed(self) -> dict[str, Any]:
        """Path -> the one value that holds all over the block."""
        return self.model_extra or {}

    @model_validator(mode="after")
    def _rows_are_alike(self) -> Self:
        for number, row in enumerate(self.rows, 1):
            if not isinstance(row, dict) or not row:
                what = "row {number} must be a mapping such as {{epochs: 10, batch_size: 32}}"
                raise PydanticCustomError("row", what, {"number": number, "path": "zip"})
            if row.keys() != self.rows[0].keys():
                keys = {"number": number, "keys": ", ".join(row), "path": "zip"}
                first = {"first": ", ".join(self.rows[0]), "hint": "give all rows the same keys"}
                what = "row {number} has {keys}; the first row has {first}"
                raise PydanticCustomError("rows", what, keys | first)
        return self


class Branch(Block):
    """A subspace of its own: every further key is a path with its one value."""

    model_config = ConfigDict(extra="allow")


class Parameter(Spec):
    """What a search may choose for one path: a range, ends included, or one of some values.

    step: of a range on a linear scale, from ``min`` on.
    """

    min: float | None = None
    max: float | None = None
    distribution: Distribution = "uniform"
    step: Positive | None = None
    values: Values | None = None

    @property
    def is_whole(self) -> bool:
        return self.distribution.startswith("int")

    @property
    def edges(self) -> dict[str | int, Any]:
        """The values at the borders, by the key that holds each; every one of ``values``."""
        if self.values is not None:
            return dict(enumerate(self.values))
        number = int if self.is_whole else float
        return {"min": number(self.min or 0), "max": number(self.max or 0)}

    @model_validator(mode="after")
    def _range_is_one(self) -> Self:
        for path, fault in self._faults():
            raise PydanticCustomError("range", "{fault}", {"fault": fault, "path": path})
        return self

    def _faults(self) -> Iterator[tuple[str, str]]:
        low, high, logarithmic = self.min, self.max, "log" in self.distribution
        if self.values is not None:
            if self.model_fields_set != {"values"}:
                yield "values", "give 'values' or a range, not both"
            return
        if low is None or high is None:
            yield "", "give 'min' and 'max', or 'values'"
            return
        if low >= high:
            yield "min", f"must be less than max, which is {high:g}, got {low:g}"
        if logarithmic and low <= 0:
            yield "min", f"must be > 0 on a logarithmic scale, got {low:g}"
        if self.step and logarithmic:
            yield "step", "a logarithmic scale takes no step"
        if self.step and self.step > high - low:
            yield "step", f"must be at most max - min, which is {high - low:g}, got {self.step:g}"
        for name in ("min", "max", "step") if self.is_whole else ():
            if (getattr(self, name) or 0) % 1:
                yield name, f"must be a whole number for distribution {self.distribution}"


class Pruner(Family):
    """Ends trials that do worse than others at the same epoch.

    min_epochs: a trial is ended after this number of epochs at the earliest.
    """

    min_epochs: Count = 1

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """After which of a trial's epochs it is judged: ascending, all before its last one."""
        raise NotImplementedError


class Median(Pruner, name="median"):
    """Ends a trial whose best value so far is worse than the median of the others' then.

    It looks after ``min_epochs``, and then after every tenth of the trial.
    min_trials: the number of trials that are trained whole first.
    """

    min_trials: Count = 5

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(range(self.min_epochs, epochs, -(-epochs // 10)))


class Halving(Pruner):
    """Rungs at min_epochs · reduction_factor^k: of each, the best 1 / reduction_factor continue."""

    reduction_factor: Factor = 3

    def rungs(self, epochs: int) -> tuple[int, ...]:
        found, rung = [], self.min_epochs
        while rung < epochs:
            found.append(rung)
            rung *= self.reduction_factor
        return tuple(found)


class Asha(Halving, name="asha"):
    """Asynchronous successive halving. Source: Li et al. 2018, arXiv 1810.05934."""

    reduction_factor: Factor = 4


class Hyperband(Halving, name="hyperband"):
    """Successive halving with several values of min_epochs. Li et al. 2016, arXiv 1603.06560."""


class Search(Spec):
    """The keys of a sweep whose trials are chosen as it runs.

    method: ``grid`` is no search: its trials are known before. search_seed: of the choices.
    """

    method: Literal["grid", "random", "tpe", "qmc", "cmaes"] = "grid"
    parameters: dict[str, Parameter] = Field(default={})
    num_trials: Count | None = None
    search_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    pruner: Annotated[Pruner | None, Off()] = None


class SweepFile(Block, Search):
    """One sweep, described.

    base: the config that every trial starts from: a path relative to this file, or a mapping.
    name: by default the file's. seeds: how many from the base's seed on, or which.
    folds: of a cross-validation: each trial runs once for each, with it as the test split.
    baselines: learners of scikit-learn to compare with, fitted once for each data set, seed and
        fold: majority, linear, random_forest, gradient_boosting.
    max_trials: more are refused.
    lockstep: ``auto`` trains runs of one shape together where that is faster; each comes out as it
        would alone.
    """

    base: Annotated[Any, AfterValidator(_base)]
    name: Name | None = None
    seeds: Annotated[Any, AfterValidator(_seeds)] = 1
    folds: Annotated[Folds | None, Off()] = None
    baselines: tuple[Baseline, ...] = Field(default=(), strict=False)
    metric: Annotated[Objective, BeforeValidator(_objective)] = Objective()
    max_trials: Count = 1000
    lockstep: Annotated[Literal["auto", "off"], Off("off")] = "auto"
