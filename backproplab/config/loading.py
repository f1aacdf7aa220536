"""YAML ⇄ Experiment: read a file and command-line words, check them, and write them back."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from backproplab.config.cursor import Cursor
from backproplab.config.experiment import Experiment
from backproplab.config.importing import imported
from backproplab.config.overrides import put_overrides
from backproplab.config.problems import problems_of, without
from backproplab.config.settling import settle
from backproplab.config.yaml_source import Document, read_yaml
from backproplab.data import Dataset, holds_images
from backproplab.errors import ConfigError, Problem
from backproplab.files import plain_name
from backproplab.text import typed

OF_SWEEPS = {"base", "grid", "zip", "branches", "parameters"}
SUBJECTS = ("data", "objective")  # what is learned from: there is no other in their place
PASSES = 8  # checks of what is left when faults are taken out


def load(path: Path | str, *overrides: str) -> Experiment:
    """The experiment of a YAML file, overridden by ``key.path=value`` words.

    Raises ConfigError with all problems, each with file, line and the valid values.
    """
    return read(path, *overrides)[0]


def read(path: Path | str, *overrides: str) -> tuple[Experiment, Document]:
    """``load`` together with the document, which knows the position of each value."""
    experiment, document, problems = examine(path, *overrides)
    if problems or experiment is None:
        raise ConfigError(*problems)
    return experiment, document


def examine(path: Path | str, *overrides: str) -> tuple[Experiment | None, Document, list[Problem]]:
    """The experiment as far as it can be read, its document, and every problem.

    Keys at fault have their defaults, so that what follows from the others can be checked; None
    where that is not possible. Raises ConfigError for a file that cannot be read at all.
    """
    document = read_document(Path(path))
    if OF_SWEEPS & document.tree.keys():
        hint = typed("backproplab", "sweep", Path(path))
        raise ConfigError(Problem(str(path), "this is a sweep", hint))
    document, words = imported(document, overrides)
    document, problems = put_overrides(document, words)
    document = settle(document, [Cursor((), document.tree, Experiment)])
    problems = [*document.faults, *problems]
    reported = {problem.where for problem in problems}
    default = {"name": _name_of(Path(path))}
    experiment, found = validated(document, default, reported)
    return experiment, document, sorted(dict.fromkeys([*problems, *found]), key=_line)


def read_document(path: Path) -> Document:
    """The document in a file; what is no YAML but data says how to train on them."""
    try:
        return read_yaml(path)
    except ConfigError:
        named = f"{path}/" if holds_images(path) else str(path)
        if not Dataset.reader(named) or not path.exists():
            raise
    first = Path(f"{path.stem}.yaml")
    made = typed("backproplab", "config", "init", str(first), "--data", named)
    hint = f"write one: {made}" if not first.exists() else ""
    hint = hint or typed("backproplab", "train", str(first), f"data={named}")
    raise ConfigError(Problem(str(path), "these are data, and a config is expected", hint))


def validated(
    document: Document, default: Mapping[str, Any] | None = None, reported: Collection[str] = ()
) -> tuple[Experiment | None, list[Problem]]:
    """The experiment of a document's tree, as far as it is sound, and every problem of the rest.

    A check of several keys runs only where each of them is sound; so what is at fault is taken
    out and the rest is checked again. default: values of keys that the tree does not have.
    reported: places of problems that are known already.
    """
    whole = tree = {**(default or {}), **document.tree}
    problems: dict[Problem, None] = {}
    for _ in range(PASSES):
        try:
            experiment = Experiment.model_validate(tree)
        except ValidationError as error:
            consequences = _consequences(whole, tree)
            found = problems_of(error, document, Experiment, reported, consequences)
            problems |= dict.fromkeys(found)
            before, tree = tree, without(tree, error, Experiment)
            if tree == before:
                break
        else:
            usable = not problems or all(tree.get(key) == whole.get(key) for key in SUBJECTS)
            return experiment if usable else None, list(problems)
    return None, list(problems)


def _consequences(whole: Any, tree: Any) -> set[str]:
    """Types of errors that only follow from what was taken out of the whole tree."""
    if tree == whole:
        return set()
    return {"missing"} | ({"not_used"} if tree.get("learner") != whole.get("learner") else set())


def located(error: ConfigError, document: Document) -> ConfigError:
    """The problems found while building, with the lines that caused them.

    Such a problem starts with the dotted key that it concerns.
    """
    return ConfigError(*[_placed(problem, document) for problem in error.problems])


def to_yaml(experiment: Experiment) -> str:
    """The resolved config: every key that is used; loading it gives the experiment back."""
    return yaml_of(tree_of(experiment))


def yaml_of(tree: Mapping[str, Any]) -> str:
    """The resolved config of this tree."""
    return "".join(_section(key, json.dumps(value)) for key, value in tree.items())


def tree_of(experiment: Experiment) -> dict[str, Any]:
    """Every key that is used, with its value as JSON has it, in the order of the docs."""
    return experiment.model_dump(
        mode="json", exclude_none=True, exclude=set(experiment.unused_keys)
    )


@lru_cache(maxsize=256)  # the runs of a sweep have most of their sections in common
def _section(key: str, value: str) -> str:
    """One key of a config and its value, given as JSON."""
    tree = {key: json.loads(value)}
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _placed(problem: Problem, document: Document) -> Problem:
    key = re.match(r"[a-z_][a-z0-9_.]*(?=:)", problem.what)
    if problem.where or not key:
        return problem
    steps = [int(step) if step.isdigit() else step for step in key[0].split(".")]
    where = document.where(Cursor((), document.tree, Experiment).follow(steps).path)
    return Problem(where, problem.what, problem.hint)


def _line(problem: Problem) -> tuple[bool, int, int]:
    """Sort key: the order of the file; problems of the command line come last."""
    place = re.search(r":(\d+):(\d+)$", problem.where)
    return (False, int(place[1]), int(place[2])) if place else (True, 0, 0)


def _name_of(path: Path) -> str:
    """The default name of a run, from its config's file: ``exp 1.yaml`` is exp-1."""
    return plain_name(path.stem) or "experiment"


# libyaml's dumper if PyYAML has it: the same text, three times as fast
class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Block style for mappings, one line for lists of numbers, quotes around unusual text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    plain = re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_./-]*", text) and not re.fullmatch(
        r"(?i)yes|no|on|off|y|n|true|false|null|nan|inf", text
    )
    style = None if plain else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: _Dumper, items: list[Any]) -> yaml.Node:
    flat = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
