"""Searcher: chooses the trials of a search through Optuna, and keeps them in ``study.db``.

Optuna's samplers and pruners work on a study in memory; a trial goes to the file in one
transaction, when all of its values are chosen. So a process may die at any moment: the file holds a
trial whole or not at all. One process at a time may write to it.

This file is the only one that knows Optuna; it must not know what a trial is run for.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backproplab.errors import ConfigError, DamageError, MachineError, Problem, RunError
from backproplab.files import open_regular, unusable
from backproplab.sweep.schema import Asha, Hyperband, Median, Parameter, Pruner, Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

Values = dict[str, Any]
NEEDS = {"qmc": "scipy", "cmaes": "cmaes"}


class Searcher:
    """The trials of a search, one after the other: ``ask``, run it, ``tell`` its value.

    What trial n proposes depends on search_seed and n; under tpe and cmaes also on the values
    given to ``tell`` so far, and on the trials without one. A search that is opened again begins
    at trial 0: called again in the same order, it gives the trials of study.db as they are there,
    and after them those that would have followed.

    minimizes: whether less is better. folder: where study.db is, or will be.
    epochs: of a whole trial.
    Raises ConfigError if the method needs a package that is missing, RunError if study.db is
    damaged, MachineError if it cannot be written.
    """

    def __init__(self, search: Search, minimizes: bool, folder: Path, epochs: int = 1) -> None:
        package = NEEDS.get(search.method, "optuna")
        if find_spec(package) is None:
            what = f"needs the package {package}, which is not installed"
            raise ConfigError(Problem(f"method: {search.method}", what, f"pip install {package}"))
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.search, self.minimizes = search, minimizes
        self._path = folder / "study.db"
        _check_kind(self._path)
        with _told_in_our_words(self._path):
            self._space = {path: _distribution(p) for path, p in search.parameters.items()}
            direction: Literal["minimize", "maximize"] = "minimize" if minimizes else "maximize"
            storage = _storage(self._path)
            weakref.finalize(self, storage.engine.dispose)
            self._file = optuna.create_study(
                storage=storage, study_name="sweep", direction=direction, load_if_exists=True
            )
            # of one name: hyperband's brackets depend on it
            self._study = optuna.create_study(study_name="sweep", direction=direction)
            self._pruner = _pruner(search.pruner, epochs)
            self._before = self._file.trials

    def ask(self) -> tuple[int, Values] | None:
        """The next trial's number and its values by path; None after ``num_trials``.

        It is in study.db when this returns.
        """
        number = len(self._trials)
        if number >= (self.search.num_trials or 0):
            return None
        with _told_in_our_words(self._path):
            if number < len(self._before):
                self._study.add_trial(_begun(self._before[number]))
            else:
                self._study.sampler = _sampler(self.search, self._space, number)
                self._study.ask(self._space)
                self._file.add_trial(self._trials[number])
        return number, self._values(self._trials[number])

    def tell(self, number: int, value: float | None, pruned: bool = False) -> None:
        """The finite value of a trial that was asked for; None if it was pruned, or has none.

        One that has none, because it diverged or failed, counts as the worst one so far: samplers
        ignore failed trials, and cmaes ignores pruned ones, and would propose the learning rates
        that diverge again and again; tpe takes a pruned one for the better, the longer it lived.
        Raises ValueError if the trial has its value already, or the value is NaN.
        """
        from optuna.trial import TrialState

        if value is None and not pruned:
            value = self._worst
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        with _told_in_our_words(self._path):
            for study in self._studies(number):
                study.tell(number, value, state)

    @property
    def _worst(self) -> float | None:
        """The worst value so far."""
        values = [trial.value for trial in self._trials if trial.value is not None]
        return (max if self.minimizes else min)(values, default=None)

    @property
    def learns(self) -> bool:
        """Whether what it proposes depends on the values of earlier trials."""
        return self.search.method in ("tpe", "cmaes")

    def prunes(self, number: int, epoch: int, value: float) -> bool:
        """Whether the trial, with this finite value after ``epoch`` epochs, shall end there.

        It depends on the values that other trials have so far.
        """
        with _told_in_our_words(self._path):
            for study in self._studies(number):
                storage = study._storage
                place = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
                storage.set_trial_intermediate_value(place, epoch, value)
            return self._pruner.prune(self._study, self._trials[number])

    def known(self, number: int, epoch: int) -> float | None:
        """The value that this trial was judged by at ``epoch`` in an earlier session, if it was."""
        before = self._before[number : number + 1]
        return before[0].intermediate_values.get(epoch) if before else None

    def _studies(self, number: int) -> list[Study]:
        """Who is to hear of the trial: the file, unless it knew its end when it was opened."""
        before = self._before[number : number + 1]
        over = bool(before) and before[0].state.is_finished()
        return [self._study] if over else [self._file, self._study]

    @property
    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _values(self, trial: FrozenTrial) -> Values:
        """In the order of ``parameters``; of listed values Optuna knows the index only."""
        listed = {path: p.values for path, p in self.search.parameters.items()}
        return {
            path: trial.params[path] if values is None else values[trial.params[path]]
            for path, values in listed.items()
        }


def _begun(trial: FrozenTrial) -> FrozenTrial:
    """The trial as it was when it was asked for."""
    from optuna.trial import TrialState

    begun = copy(trial)
    begun.state, begun.values, begun.datetime_complete = TrialState.RUNNING, None, None
    begun.intermediate_values = {}
    return begun


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.values is not None:
        return CategoricalDistribution(range(len(parameter.values)))
    low, high = parameter.edges.values()
    logarithmic = "log" in parameter.distribution
    if parameter.is_whole:
        return IntDistribution(low, high, logarithmic, int(parameter.step or 1))
    return FloatDistribution(low, high, logarithmic, parameter.step)


def _sampler(search: Search, space: Mapping[str, BaseDistribution], number: int) -> BaseSampler:
    """A sampler for one trial: its random numbers are those of no other trial."""
    from optuna import samplers

    sequence = np.random.SeedSequence(search.search_seed, spawn_key=(number,))
    seed = int(sequence.generate_state(1)[0])
    match search.method:
        case "tpe":
            return samplers.TPESampler(seed=seed)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed)
        case "qmc":
            return _sobol(search.search_seed, space, number)
        case _:
            return samplers.RandomSampler(seed=seed)


def _pruner(pruner: Pruner | None, epochs: int) -> BasePruner:
    from optuna import pruners

    match pruner:
        case Median():
            return pruners.MedianPruner(pruner.min_trials)
        case Asha():
            return pruners.SuccessiveHalvingPruner(
                pruner.min_epochs, pruner.reduction_factor, min_early_stopping_rate=0
            )
        case Hyperband():
            return pruners.HyperbandPruner(pruner.min_epochs, epochs, pruner.reduction_factor)
        case _:
            return pruners.NopPruner()


def _sobol(seed: int, space: Mapping[str, BaseDistribution], number: int) -> BaseSampler:
    """Point ``number`` of the scrambled Sobol' sequence of the seed.

    Optuna's own first point is a random one, and its place in the sequence a counter apart from
    the trials: a process that dies between the two would leave a point out.
    """
    from optuna.samplers import QMCSampler

    class Sobol(QMCSampler):
        def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
            return dict(space)

        def _find_sample_id(self, *_: Any) -> int:
            return number

    return Sobol(scramble=True, seed=seed)


def _check_kind(path: Path) -> None:
    """Raise DamageError if SQLite would open something other than a regular file."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        try:
            os.close(open_regular(file))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DamageError(f"{file}: {unusable(error)}") from error


def _storage(path: Path) -> RDBStorage:
    from optuna.storages import RDBStorage

    def connect() -> sqlite3.Connection:  # no URL: a path may hold any character
        connection = sqlite3.connect(path, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    return RDBStorage("sqlite://", {"creator": connect})


@contextmanager
def _told_in_our_words(path: Path) -> Iterator[None]:
    """Optuna without its warnings, and with our errors for its database's."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        fault = getattr(cause, "orig", cause)
        if isinstance(fault, sqlite3.OperationalError):
            raise MachineError(f"{path}: cannot write: {fault}") from error
        raise RunError(f"{path}: unusable: {fault} — delete it to search anew") from error
