"""The words of a command, ``x=-1,2 learning_rate=0.1 optimizer=sgd,adam``, as settings of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from backproplab.descend.path import Setting
from backproplab.errors import ConfigError, Problem, did_you_mean
from backproplab.formulas.named import NAMED, Named
from backproplab.formulas.objective import Objective
from backproplab.formulas.parse import parse
from backproplab.optim import Optimizer, Schedule
from backproplab.spec import Family

F = TypeVar("F", bound=Family)
RUNS, STEPS = 24, 200_000  # the most runs of a command, steps of a run
OWN = ("learning_rate", "optimizer", "schedule", "steps", "tolerance")
DEFAULT_STEPS = 20_000


@dataclass(frozen=True)
class Asked:
    """What a command asks: the function, every run's setting, and when runs end."""

    objective: Objective
    named: Named | None
    settings: list[Setting]
    steps: int
    tolerance: float

    @property
    def known(self) -> Sequence[Sequence[float]]:
        return self.named.minima if self.named else ()


def read(what: str, words: Sequence[str], maximize: bool = False, pair: bool = False) -> Asked:
    """The settings of all runs: starts × optimizers × rates, with ``pair`` each optimizer its rate.

    Raises ConfigError with all problems.
    """
    named = NAMED.get(what.strip())
    f = Objective(named.formula if named else what, maximize)
    if len(f.names) > 2:
        raise ConfigError(
            f"descend takes a function of one or two variables, this has {len(f.names)}"
        )
    given = _given(words)
    if f.text in f.names and f.text not in given and (near := did_you_mean(f.text, NAMED)):
        raise ConfigError(Problem(f.text, "is no function's name", near))
    optimizers = _optimizers(given, f.names)
    problems = _unknown(given, f.names, optimizers)
    if problems:
        raise ConfigError(*problems)
    starts = _starts(f, named, given)
    schedule = _schedule(given)
    pairs = _rates(given, optimizers, named, pair)
    settings = [Setting(start, *each, schedule) for start in starts for each in pairs]
    if len(settings) > RUNS:
        raise ConfigError(f"{len(settings)} runs in one command; at most {RUNS}")
    steps = _numbers(given, "steps", [DEFAULT_STEPS])[0]
    tolerance = _numbers(given, "tolerance", [named.tolerance if named else 1e-6])[0]
    if not (1 <= steps <= STEPS and float(steps).is_integer()):
        raise ConfigError(Problem(f"steps={steps:g}", f"a whole number from 1 to {STEPS:,}"))
    if not 0 < tolerance < np.inf:
        raise ConfigError(Problem(f"tolerance={tolerance:g}", "a number above 0"))
    return Asked(f, named, settings, int(steps), float(tolerance))


def _given(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in words:
        name, equals, value = text.partition("=")
        if not equals or not value.strip():
            hint = "put the function in quotes"
            raise ConfigError(Problem(f"command line '{text[:40]}'", "expected NAME=VALUE", hint))
        if name.strip() in found:
            raise ConfigError(Problem(f"command line '{text[:40]}'", "is given twice"))
        found[name.strip()] = value
    return found


def _optimizers(given: Mapping[str, str], variables: Sequence[str]) -> list[str]:
    names = [name.strip() for name in given.get("optimizer", "sgd").split(",")]
    for name in names:
        if name not in Optimizer.members or Optimizer.members[name].second_order:
            valid = [n for n, m in Optimizer.members.items() if not m.second_order and n != "lbfgs"]
            hint = did_you_mean(name, valid) or f"one of {', '.join(sorted(valid))}"
            raise ConfigError(Problem(f"optimizer={name[:40]}", "is not an optimizer here", hint))
        if name == "lbfgs":
            raise ConfigError(Problem("optimizer=lbfgs", "needs a line search: not shown here"))
    return names


def _unknown(
    given: Mapping[str, str], variables: Sequence[str], optimizers: Sequence[str]
) -> list[Problem]:
    members: list[type[Family]] = [Optimizer.members[name] for name in optimizers]
    members += [
        Schedule.members[name] for name in [_schedule_name(given)] if name in Schedule.members
    ]
    fields = {field for member in members for field in member.model_fields}
    valid = [*variables, *OWN, *sorted(fields)]
    return [
        Problem(f"command line '{name[:40]}=…'", "is not known", did_you_mean(name, valid)
                or f"variables are {', '.join(variables)}; keys {', '.join(OWN)}")
        for name in given if name not in valid
    ]  # fmt: skip


def _numbers(given: Mapping[str, str], name: str, otherwise: Sequence[float]) -> list[float]:
    """``0.1,2/26``: numbers, or formulas of numbers."""
    if name not in given:
        return list(otherwise)
    found = []
    for text in given[name].split(","):
        where = f"{name}={text[:40]}"
        formula = parse(text, where)
        value = formula.evaluate({})[-1].value if not formula.variables else None
        if value is None or value.ndim or not np.isfinite(value):
            raise ConfigError(Problem(where, "must be a finite number", "0.1, 1e-3 or 2/26"))
        found.append(float(value))
    return found


def _starts(f: Objective, named: Named | None, given: Mapping[str, str]) -> list[tuple[float, ...]]:
    """``x=-1,2 y=1,3`` are the pairs (-1, 1) and (2, 3); one value serves all."""
    missing = [name for name in f.names if name not in given]
    if missing and named is None:
        point = " ".join(f"{name}=1" for name in missing)
        raise ConfigError(
            Problem("", f"no start for {', '.join(missing)}", f"add for example {point}")
        )
    defaults = dict(zip(f.names, named.start, strict=True)) if named else {}
    columns = [_numbers(given, name, [defaults.get(name, 0.0)]) for name in f.names]
    count = max(map(len, columns))
    for name, column in zip(f.names, columns, strict=True):
        if len(column) not in (1, count):
            what = f"{name} has {len(column)} values, another variable {count}"
            raise ConfigError(Problem("", what, "starts are pairs; one value serves all"))
    whole = [column * count if len(column) == 1 else column for column in columns]
    return list(zip(*whole, strict=True))


def _schedule(given: Mapping[str, str]) -> Schedule:
    name = _schedule_name(given)
    if name not in Schedule.members:
        valid = sorted(Schedule.members)
        hint = did_you_mean(name, valid) or f"one of {', '.join(valid)}"
        raise ConfigError(Problem(f"schedule={name[:40]}", "is not a schedule", hint))
    return _parsed(Schedule, name, _fields(given, Schedule.members[name]))


def _schedule_name(given: Mapping[str, str]) -> str:
    return given.get("schedule", "constant").strip()


def _rates(
    given: Mapping[str, str], optimizers: Sequence[str], named: Named | None, pair: bool
) -> list[tuple[Optimizer, float]]:
    """Each run's optimizer and rate."""
    pairs = []
    rates = _numbers(given, "learning_rate", [])
    if pair and len(rates) != len(optimizers):
        what = f"{len(optimizers)} optimizers and {len(rates)} rates"
        raise ConfigError(Problem("--pair", what, "give each optimizer its rate"))
    for n, name in enumerate(optimizers):
        table = dict(named.settings.get(name, {})) if named else {}
        own = table.pop("learning_rate", None)
        optimizer = _parsed(Optimizer, name, {**table, **_fields(given, Optimizer.members[name])})
        usual = [own if own is not None else optimizer.default_learning_rate]
        chosen = [rates[n]] if pair else rates or usual
        for rate in chosen:
            if rate < 0:
                raise ConfigError(Problem(f"learning_rate={rate:g}", "must be 0 or more"))
            pairs.append((optimizer, rate))
    return pairs


def _fields(given: Mapping[str, str], member: type[Family]) -> dict[str, Any]:
    """The settings among the words that this optimizer or schedule has."""
    found: dict[str, Any] = {}
    for key, text in given.items():
        if key in member.model_fields and key not in OWN:
            words = key == "flavor" or text.strip() in ("true", "false")
            value = text.strip() if words else _numbers(given, key, [])[0]
            whole = not isinstance(value, str) and float(value).is_integer()
            found[key] = {"true": True, "false": False}.get(
                text.strip(), int(value) if whole else value
            )
    return found


def _parsed(family: type[F], name: str, fields: Mapping[str, Any]) -> F:
    try:
        return family.parse({"name": name, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        raise ConfigError(Problem(f"{name}: {where}", str(first["msg"]))) from error
