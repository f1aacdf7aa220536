"""Trial: one experiment of a sweep; how it is made from the base, and what it is called.

This file knows neither the blocks of a sweep file nor who runs a trial.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from backproplab.config import Experiment
from backproplab.config.composer import Spot
from backproplab.config.cursor import default_form, held, long_form
from backproplab.config.experiment import Role, added_defaults, keys
from backproplab.config.loading import validated
from backproplab.config.wording import TreePath, dotted, shown
from backproplab.config.yaml_source import Document
from backproplab.errors import ConfigError, Problem
from backproplab.layout import middle
from backproplab.sweep.labels import CUT, names_of, plain
from backproplab.sweep.repeats import Repeat

Values = dict[str, Any]
Draft = tuple[Values, Experiment, Document]  # what a trial sets, its config, where it is written
LONGEST = 80  # characters of a label: see files.is_plain_name


@dataclass(frozen=True)
class Trial:
    """One point of the space.

    number: from 0. values: dotted path -> its value, as the sweep gives them.
    key: equal for equal configs, whether or not their name, seed, log and engine are equal.
    label: a folder's name, unique in the sweep, of the values that differ between trials.
    document: where each value is written, for ``config.located``.
    """

    number: int
    values: Values
    key: str
    label: str
    resolved: Experiment = field(repr=False)
    document: Document = field(repr=False, compare=False)

    def experiment(self, repeat: Repeat) -> Experiment:
        """One run of the trial, named as its folder."""
        name = self.label + repeat.suffix
        return repeat.of(self.resolved).model_copy(update={"name": name})


@dataclass(frozen=True)
class TrialDocument(Document):
    """A trial's tree; each part of it comes from the base or from the sweep.

    sources: path in the trial -> (document, path there).
    """

    sources: Mapping[TreePath, tuple[Document, TreePath]] = field(default_factory=dict)

    def where(self, path: TreePath, key: bool = False) -> str:
        document, there = self._source(path, key)
        return document.where(there, key)

    def spot(self, path: TreePath, key: bool = False) -> Spot | str:
        document, there = self._source(path, key)
        return document.spot(there, key)

    def _source(self, path: TreePath, key: bool) -> tuple[Document, TreePath]:
        if inside := [p for p in self.sources if p[: len(path)] == path and path]:
            path = inside[0]  # of a section: the first key of it that the sweep sets
        end = next(end for end in range(len(path), -1, -1) if path[:end] in self.sources)
        document, there = self.sources[path[:end]]
        if key and 0 < end == len(path):  # the place of the key, not of one of its values
            there = there[: there.index(dotted(path)) + 1]
        return document, (*there, *path[end:])


def steps(path: str) -> TreePath:
    """``model.layers.0`` as the keys and indexes that it names."""
    return tuple(int(step) if step.isdecimal() else step for step in path.split("."))


def resolve(
    base: Document, sweep: Document, values: Values, origins: Mapping[str, TreePath]
) -> tuple[Experiment, Document]:
    """The experiment of the base with these values. Raises ConfigError with every problem.

    origins: where each value is in the sweep's document.
    """
    tree, problems = base.tree, []
    sources: dict[TreePath, tuple[Document, TreePath]] = {(): (base, ())}
    for path in sorted(values, key=lambda path: path.count(".")):  # a parent before its inside
        sources[steps(path)] = sweep, origins[path]
        outer = _swept_around(path, values)
        try:
            if outer and values[outer] is None:
                hint = _branch(sweep, path, outer)
                raise ConfigError(Problem("", f"there is none with {outer}: null", hint))
            tree = lengthened(_opened(tree, steps(path)), steps(path))
            tree = put(tree, steps(path), values[path])
        except ConfigError as error:
            where = sweep.where(origins[path][: origins[path].index(path) + 1], key=True)
            problems += [Problem(where, f"{path}: {p.what}", p.hint) for p in error.problems]
    document = TrialDocument(tree, sweep.name, {}, {}, sources=sources)
    experiment, found = validated(document)
    problems += [_of_trial(problem, sweep, values) for problem in found]
    if problems or experiment is None:
        raise ConfigError(*problems)
    return experiment, document


def lengthened(tree: Any, path: TreePath) -> Any:
    """The tree with each ``{dense: 8}`` that the path goes into in a form that has keys."""
    for end in range(1, len(path)):
        if found := long_form(tree, path[:end], path[end:], Experiment):
            tree = put(tree, path[:end], found[1])
    return tree


def _swept_around(path: str, values: Values) -> str:
    """``optimizer`` for ``optimizer.beta_1`` where both are swept; else empty."""
    return max((p for p in values if path.startswith(f"{p}.")), key=len, default="")


def _branch(sweep: Document, path: str, outer: str) -> str:
    """What to do about a key that only some of the swept values have."""
    if sweep.tree.get("method", "grid") != "grid":
        return f"a search has no branches: sweep each {outer} on its own, or write a grid"
    branch = f"branches: [{{{outer}: …, grid: {{{path}: […]}}}}, {{{outer}: …}}]"
    return f"to sweep it for some only, write {branch}"


def _of_trial(problem: Problem, sweep: Document, values: Values) -> Problem:
    """The problem, with the member that the trial takes where members are swept, too."""
    key = problem.what.partition(":")[0]
    for path, value in values.items():
        if key.startswith(f"{path}."):
            what, hint = f"{problem.what} (with {path}: {plain(value)})", problem.hint
            if key in values and hint.startswith("a key of "):
                hint = f"{hint}; {_branch(sweep, key, path)}"
            return Problem(problem.where, what, hint)
    return problem


def _opened(tree: Any, path: TreePath) -> Any:
    """The tree with the defaults that the path goes through, where the tree leaves them out."""
    node: Any = tree
    for end, step in enumerate(path[:-1], start=1):
        if isinstance(node, dict) and step not in node:
            node = default_form(tree, path[:end], path[end], Experiment)
            tree, node = (tree, {}) if node is None else (put(tree, path[:end], node), node)
        else:
            node = next(iter(held(node, step)), None)
            node = {} if isinstance(node, str) else node
    return tree


def put(node: Any, path: TreePath, value: Any) -> Any:
    """A copy of ``node`` with the value at the path; ``adam`` opens to ``{name: adam}``."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, list):
        if not isinstance(step, int) or step >= len(node):
            raise ConfigError(f"the list has {len(node)} items, and no {step}")
        return [put(item, rest, value) if i == step else item for i, item in enumerate(node)]
    if isinstance(node, str):
        node = {"name": node}
    if not isinstance(node, dict | None):
        raise ConfigError(f"{shown(node)} has no keys; there is no {step}")
    inner = (node or {}).get(step)
    return {**(node or {}), str(step): put(inner, rest, value)}


def key_of(experiment: Experiment) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of what the trial computes."""
    unread = {"batch_size"} if experiment.batch_mode != "minibatch" else set()
    left_out = {"seed", *keys(Role.NO_NUMBER), *unread}
    tree = experiment.model_dump(mode="json", exclude=left_out, exclude_none=True)
    added = added_defaults()  # left out, so that runs of 0.1 have the same key
    tree = {key: value for key, value in tree.items() if added.get(key) != value}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def labels(trials: Sequence[Values], default: str, longest: int = LONGEST) -> list[str]:
    """A name for each trial, of what differs between them; ``default`` if nothing does."""
    paths = dict.fromkeys(path for values in trials for path in values)
    differing = [p for p in paths if len({repr(v[p]) if p in v else None for v in trials}) > 1]
    return _unique([name or default for name in names_of(trials, differing, longest)], longest)


def label(values: Values, paths: Sequence[str], longest: int = LONGEST) -> str:
    """``learning_rate-0.1_optimizer-adam``, the name of one trial by itself."""
    return names_of([values], paths, longest)[0]


def numbered(label: str, number: int, longest: int = LONGEST) -> str:
    """The label with a number at its end, shortened in the middle to this length."""
    suffix = f"_{number}"
    return middle(label, longest - len(suffix), sign=CUT) + suffix


def room(repeats: Sequence[Repeat]) -> int:
    """How long a label may be, so that the folders of all of its runs can be named."""
    return LONGEST - max(len(repeat.suffix) for repeat in repeats)


def _unique(labels: Sequence[str], longest: int) -> list[str]:
    """Each label once, in folders that may not tell capitals from small letters."""
    taken: dict[str, str] = {}
    for number, text in enumerate(labels):
        free = (name for name in _candidates(text, number, longest) if name.casefold() not in taken)
        name = next(free)
        taken[name.casefold()] = name
    return list(taken.values())


def _candidates(label: str, number: int, longest: int) -> Iterator[str]:
    yield middle(label, longest, sign=CUT).strip("._-")
    yield from (numbered(label, n, longest) for n in count(number))
