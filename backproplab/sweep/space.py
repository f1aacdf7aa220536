"""Sweep: what a sweep asks, checked to the last trial before the first one runs.

This file must not know how trials are run, nor how a search chooses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backproplab.config import Experiment
from backproplab.config.problems import problems_of
from backproplab.config.wording import TreePath
from backproplab.config.yaml_source import Document
from backproplab.data.given import given, keep
from backproplab.errors import ConfigError, DamageError, DataError, Problem
from backproplab.files import read_regular
from backproplab.runs.sweep_file import LIMIT, NAME
from backproplab.sweep.baselines import baseline_drafts
from backproplab.sweep.blocks import Origins, block_problems, points
from backproplab.sweep.checks import (
    baseline_problems,
    fold_problems,
    limit_problems,
    metric_problems,
    not_whole,
    pruner_problems,
    undefined_problems,
)
from backproplab.sweep.rehearsal import rehearse
from backproplab.sweep.repeats import Repeat, repeats
from backproplab.sweep.schema import Objective, Parameter, Search, SweepFile
from backproplab.sweep.trials import (
    Draft,
    Trial,
    Values,
    key_of,
    label,
    labels,
    numbered,
    resolve,
    room,
)
from backproplab.sweep.words import (
    apply_words,
    base_document,
    is_session,
    put_settings,
    put_words,
    settled,
    sweep_document,
)

Point = tuple[Values, Origins]
CORNERS = 500  # of a search's space that are checked


@dataclass(frozen=True)
class Sweep:
    """Every trial of a grid, or the search that will choose them; then the trials are its
    baselines, numbered after those that it will choose.

    duplicates: a note for each trial that is the same as an earlier one and was left out.
    cautions: what can be run, but not as the configs suggest, once for each kind.
    tree: the whole sweep, base and command line included: written to a file (JSON is YAML), it
        is the same sweep again. texts: what the files held, by their names.
    """

    name: str
    metric: Objective
    seeds: tuple[int, ...]
    folds: int | None
    trials: tuple[Trial, ...]
    search: Search | None
    lockstep: bool
    duplicates: tuple[str, ...]
    tree: Mapping[str, Any] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    base: Document = field(repr=False, compare=False)
    document: Document = field(repr=False, compare=False)
    cautions: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """The runs of each trial."""
        return repeats(self.seeds, self.folds)

    def trial(self, number: int, values: Values) -> Trial:
        """The trial of a search with the values that it chose, by path.

        Raises ConfigError with every problem, at the lines of ``parameters``.
        """
        origins: Origins = {path: ("parameters", path) for path in values}
        resolved, document = resolve(self.base, self.document, values, origins)
        longest = room(self.repeats)
        short = label(values, list(values), longest - len(f"_{number}"))
        name = numbered(short, number, longest)
        return Trial(number, values, key_of(resolved), name, resolved, document)


def read(
    path: Path | str,
    words: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    yes: bool = False,
    force: bool = False,
    data: Any = None,
) -> Sweep:
    """The sweep in a sweep file or over a config, with command-line words put over it.

    settings: options that set keys of the file, ``{"seeds": 5, "folds": 5}``; None
    is no option. yes: any number of trials is meant. force: so is what takes very long; a session
    that has begun has been forced. data: (X, y) or a data frame, of a base with ``data: arrays`` or
    ``data: frame``.
    Every trial is built as ``train`` would build it, with its data.
    Raises ConfigError with every problem at once, each with file, line and what is valid; DataError
    if nothing but data files is at fault; DamageError for a session whose sweep.json is damaged.
    """
    if data is not None:
        keep([found := given(data)])
        pinned = [] if is_session(Path(path)) else [f"data.sha256={found.sha256}"]
        words = [*words, *pinned]
    try:
        return _read(Path(path), words, settings, yes, force or is_session(Path(path)))
    except ConfigError as error:
        if is_session(Path(path)) and not words:
            what = f"{Path(path) / NAME}: not a sweep that can be continued: {error.problems[0]}"
            raise DamageError(what) from error
        raise


def _read(
    path: Path, words: Sequence[str], settings: Mapping[str, Any] | None, yes: bool, force: bool
) -> Sweep:
    sweep, rest, problems = put_words(sweep_document(path), words)
    sweep = put_settings(sweep, settings or {})
    base, of_base = _base(sweep, rest)
    sweep = settled(sweep, base)
    file, found = _shape(sweep)
    problems = [*problems, *sweep.faults, *found, *of_base]
    problems += block_problems(file, sweep) if file else []
    if base is None or file is None:
        raise ConfigError(*_once(problems))
    if (many := limit_problems(file, sweep)) and not yes:
        raise ConfigError(*_once([*problems, *many]))
    unfit = not_whole(file.parameters, base, sweep)
    fit = {path: p for path, p in file.parameters.items() if path not in unfit}
    checked = file.model_copy(update={"parameters": fit})
    points = list(_points(checked, sweep))
    trials, found = _resolve_all(base, sweep, points)
    trials += (baselines := baseline_drafts(file.baselines, trials))
    seeds = _seeds(file, base)
    if seeds[-1] >= 2**63:
        problems.append(Problem(sweep.where(("seeds",)), "seeds must stay below 2^63"))
    fit_seeds = [seed for seed in seeds if seed < 2**63]
    unfolded = fold_problems(file, sweep, trials)
    runs = repeats(fit_seeds, None if unfolded else file.folds)
    rehearsal = rehearse(trials, runs, len(points), force)
    problems += [*unfit.values(), *found, *unfolded, *baseline_problems(file, sweep)]
    problems += metric_problems(file, sweep, trials, rehearsal.measured)
    problems += pruner_problems(file, sweep, trials)
    problems += undefined_problems(file, sweep, rehearsal.undefined)
    if problems or not rehearsal.data_only:
        raise ConfigError(*_once(problems), *rehearsal.problems)
    if rehearsal.problems:
        raise DataError("\n".join(map(str, rehearsal.problems)))
    known = trials if file.method == "grid" else baselines
    return _sweep(file, seeds, known, sweep, base, rehearsal.cautions)


def _text(path: Path) -> str:
    return read_regular(path, LIMIT, follow=True).decode("utf-8-sig")


def _shape(sweep: Document) -> tuple[SweepFile | None, list[Problem]]:
    """The file by its schema, without the parts that are at fault, and their problems."""
    try:
        return SweepFile.model_validate(sweep.tree), []
    except ValidationError as error:
        problems = list(problems_of(error, sweep, SweepFile))
        sound = dict(sweep.tree)
        for fault in error.errors(include_url=False):
            inside_path = str(fault.get("ctx", {}).get("path", ""))
            place: list[str | int] = [*fault["loc"], *filter(None, inside_path.split("."))]
            if not place:
                return None, problems
            key, *inside = place
            held = sound.pop(str(key), None)
            if inside and isinstance(held, dict):
                sound[str(key)] = {k: v for k, v in held.items() if k != inside[0]}
    try:
        return SweepFile.model_validate(sound), problems
    except ValidationError:
        return None, problems


def _base(sweep: Document, words: Sequence[str]) -> tuple[Document | None, list[Problem]]:
    try:
        base = base_document(sweep)
    except ConfigError as error:
        return None, list(error.problems)
    return apply_words(base, words) if base else (None, [])


def _points(file: SweepFile, sweep: Document) -> Iterator[Point]:
    """The trials of a grid; of a search its corners: every border and value with every other.

    If these are too many, each border with the others at their first.
    """
    if file.method == "grid":
        for origins in points(file):
            yield {path: _at(sweep.tree, origin) for path, origin in origins.items()}, origins
        return
    edges = {
        path: [
            (value, _edge_origin(path, parameter, key)) for key, value in parameter.edges.items()
        ]
        for path, parameter in file.parameters.items()
    }
    first = {path: borders[0] for path, borders in edges.items()}
    if prod(map(len, edges.values())) <= CORNERS:
        corners = [dict(zip(edges, corner, strict=True)) for corner in product(*edges.values())]
    else:
        corners = [first | {path: border} for path, known in edges.items() for border in known]
    for corner in corners:
        values = {path: value for path, (value, _) in corner.items()}
        yield values, {path: origin for path, (_, origin) in corner.items()}


def _edge_origin(path: str, parameter: Parameter, key: str | int) -> TreePath:
    inside: TreePath = (key,) if parameter.values is None else ("values", key)
    return ("parameters", path, *inside)


def _at(tree: Any, path: TreePath) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _resolve_all(
    base: Document, sweep: Document, points: Iterable[Point]
) -> tuple[list[Draft], list[Problem]]:
    """What can be run, and what is wrong with the rest."""
    drafts: list[Draft] = []
    problems: dict[Problem, None] = {}
    for values, origins in points:
        try:
            drafts.append((values, *resolve(base, sweep, values, origins)))
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    return drafts, list(problems)


def _seeds(file: SweepFile, base: Document) -> tuple[int, ...]:
    """Ascending from the base's seed, or as they are listed."""
    if isinstance(file.seeds, list):
        return tuple(file.seeds)
    given = base.tree.get("seed")
    first = given if type(given) is int else Experiment.model_fields["seed"].default
    return tuple(range(first, first + file.seeds))


def _sweep(
    file: SweepFile,
    seeds: tuple[int, ...],
    drafts: list[Draft],
    sweep: Document,
    base: Document,
    cautions: tuple[str, ...],
) -> Sweep:
    name = file.name or re.sub(r"\.{2,}", ".", _slug(Path(sweep.name).stem))[:80] or "sweep"
    search = None
    if file.method != "grid":
        search = Search(**{key: getattr(file, key) for key in Search.model_fields})
    first = (search.num_trials or 0) if search else 0
    alone = label(drafts[0][0], ["learner"]) if search and drafts else name  # of one baseline
    trials, duplicates = _trials(drafts, alone, room(repeats(seeds, file.folds)), first)
    texts = {n: _text(Path(n)) for n in dict.fromkeys((sweep.name, base.name))}
    tree = {**sweep.tree, "name": name, "base": base.tree}
    return Sweep(
        name,
        file.metric,
        seeds,
        file.folds,
        trials,
        search,
        file.lockstep == "auto",
        duplicates,
        tree,
        texts,
        base,
        document=sweep,
        cautions=cautions,
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")


def _trials(
    drafts: list[Draft], name: str, longest: int, first: int = 0
) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
    """The different trials, numbered from ``first``, and a note for each of the others."""
    different: dict[str, Draft] = {}
    same: list[tuple[Values, str]] = []
    for values, resolved, document in drafts:
        key = key_of(resolved)
        if key in different:
            same.append((values, key))
        different.setdefault(key, (values, resolved, document))
    names = dict(
        zip(different, labels([d[0] for d in different.values()], name, longest), strict=True)
    )
    trials = tuple(
        Trial(number, values, key, names[key], resolved, document)
        for number, (key, (values, resolved, document)) in enumerate(different.items(), first)
    )
    notes = tuple(f"{label(v, list(v))} is the same as {names[key]}" for v, key in same)
    return trials, notes


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """The first problem of each place: an unreadable value is not also reported as missing."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.where or problem.what, problem)
    return list(first.values())
