"""The documents of a sweep: its file, its base, and the command-line words put over both.

A word with commas outside brackets and quotes, ``learning_rate=0.3,0.1``, is a line of the grid;
any other changes the base, unless ``grid`` or ``parameters`` set that path: then it takes their
place. One that rows of ``zip`` or branches set is refused.
This file knows which keys name blocks, and nothing of trials.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backproplab.config.composer import Composed, compose
from backproplab.config.cursor import Cursor
from backproplab.config.experiment import Experiment
from backproplab.config.importing import imported
from backproplab.config.loading import read_document
from backproplab.config.overrides import put_overrides
from backproplab.config.settling import settle
from backproplab.config.wording import TreePath, command_line
from backproplab.config.yaml_source import Document, read_yaml
from backproplab.errors import ConfigError, DamageError, Problem
from backproplab.runs.sweep_file import NAME, read_sweep
from backproplab.spec import Off
from backproplab.sweep.schema import Block, SweepFile
from backproplab.sweep.trials import steps

OWN_KEYS = SweepFile.model_fields.keys() - Experiment.model_fields.keys()


def sweep_document(path: Path) -> Document:
    """The sweep in a file, or of a session; a config is the base of one that says nothing else."""
    if is_session(path):
        return _written(path)
    document = read_document(path)
    if OWN_KEYS & document.tree.keys():
        return document
    return Document({"base": path.name}, document.name, {}, {})


def is_session(path: Path) -> bool:
    """Whether the path is a session of a sweep, rather than a sweep's file."""
    return os.path.lexists(path / NAME)


def session_at(path: Path, root: Path) -> Path | None:
    """The session of a sweep that is meant by a path, or by a name in the log directory."""
    places = [place.resolve() for place in (path, root / path)]
    places += [place.parent for place in places if place.name == NAME]
    return next(filter(is_session, places), None)


def _written(session: Path) -> Document:
    """The sweep that a session's sweep.json holds."""
    file, found = session / NAME, read_sweep(session)
    if "sweep" not in found:
        raise DamageError(f"{file}: damaged: 'sweep' is missing — name the sweep's file")
    return Document(found["sweep"], str(file), {}, {})


def base_document(sweep: Document) -> Document | None:
    """The base that a sweep names or holds; None if its key is of no use.

    Raises ConfigError for a file that cannot be read.
    """
    base = sweep.tree.get("base")
    if isinstance(base, dict):
        tables: tuple[dict[TreePath, Any], ...] = (sweep.positions, sweep.keys, sweep.plain)
        positions, keys, plain = (
            {path[1:]: place for path, place in table.items() if path[:1] == ("base",)}
            for table in tables
        )
        inside = {path[1:]: f for path, f in sweep.unread.items() if path[:1] == ("base",)}
        own = tuple(inside.values())
        return Document(base, sweep.name, positions, keys, {}, own, plain, inside)
    if not isinstance(base, str):
        return None
    path = Path(sweep.name).parent / base
    try:
        return read_yaml(path)
    except ConfigError as error:
        problems = [_at_base(problem, str(path), sweep) for problem in error.problems]
        raise ConfigError(*problems) from None


def _at_base(problem: Problem, path: str, sweep: Document) -> Problem:
    """A fault of the whole file is reported at the line that names it."""
    if problem.where != path:
        return problem
    return Problem(sweep.where(("base",)), f"base: {path}: {problem.what}", problem.hint)


def put_settings(sweep: Document, settings: Mapping[str, Any]) -> Document:
    """The options of the command line, ``{"seeds": 5}``, over the keys of the file."""
    for key, value in settings.items():
        if value is not None:
            sweep = _put(sweep, key, None, value, f"--{key.replace('_', '-')} {value}")
    return sweep


def put_words(sweep: Document, words: Sequence[str]) -> tuple[Document, list[str], list[Problem]]:
    """(the sweep with its words, the words that are left for the base, problems)."""
    problems: list[Problem] = []
    parsed: list[tuple[str, str, Composed]] = []
    for word in words:
        if word.strip().endswith(","):
            hint = "write no space after a comma, or quote all of it"
            problems.append(Problem(command_line(word), "ends with a comma", hint))
            continue
        try:
            parsed.append((word, word.partition("=")[0], _values(word)))
        except ConfigError as error:
            problems += error.problems
    rest: list[str] = []
    given: set[str] = set()
    for word, path, composed in sorted(parsed, key=lambda item: len(item[2].value) < 2):
        values = composed.value
        if path in given:
            where, hint = command_line(word), "keep one of them"
            problems.append(Problem(where, f"{path}: given twice", hint))
        elif len(values) > 1 or (values and _is_swept(path, sweep.tree)):
            sweep = _put_values(sweep, path, composed, word)
            given.add(path)
        else:
            rest.append(word)
    return sweep, rest, problems


def apply_words(base: Document, words: Sequence[str]) -> tuple[Document, list[Problem]]:
    """The base with its words, as far as they are sound, and what is wrong with it so far."""
    base, words = imported(base, words)
    changed, problems = put_overrides(base, words)
    settled = settle(changed, [Cursor((), changed.tree, Experiment)])
    return settled, [*settled.faults, *problems]


def settled(sweep: Document, base: Document | None) -> Document:
    """The sweep with the meaning of its own values, and of those that trials of the base take."""
    root = Cursor((), base.tree if base else {}, Experiment)
    cursors = [Cursor((), sweep.tree, SweepFile)]
    for path, origin, value in _swept(sweep.tree, ()):
        place = root.follow(steps(path))
        unset = value is None and any(isinstance(m, Off) and m.unless for m in place.constraints)
        if not unset:
            cursors.append(Cursor(origin, value, place.annotation, place.constraints))
    found = settle(sweep, cursors)
    of_base = {id(fault) for path, fault in sweep.unread.items() if path[:1] == ("base",)}
    return replace(found, faults=tuple(f for f in found.faults if id(f) not in of_base))


def _swept(tree: Any, at: TreePath) -> Iterator[tuple[str, TreePath, Any]]:
    """Every value that a block gives a path, and where it is written."""
    for block in ("grid", "parameters"):
        held = tree.get(block)
        for path, given in held.items() if isinstance(held, dict) else ():
            inside: TreePath = ("values",) if isinstance(given, dict) else ()
            values = given.get("values") if isinstance(given, dict) else given
            for index, value in enumerate(values if isinstance(values, list) else ()):
                yield path, (*at, block, path, *inside, index), value
    for index, row in enumerate(tree["zip"] if isinstance(tree.get("zip"), list) else ()):
        for path, value in row.items() if isinstance(row, dict) else ():
            yield path, (*at, "zip", index, path), value
    branches = tree.get("branches")
    for index, branch in enumerate(branches if isinstance(branches, list) else ()):
        if isinstance(branch, dict):
            here: TreePath = (*at, "branches", index)
            yield from _swept(branch, here)
            for path in branch.keys() - Block.model_fields.keys():
                yield path, (*here, path), branch[path]


def _values(word: str) -> Composed:
    """The list of values between the commas; one or none if it is a word for the base."""
    key, _, text = word.partition("=")
    try:
        composed = compose(f"[{text}]", lambda _: command_line(word), (key,))
    except ConfigError:
        if "," in text:
            raise
        return Composed([])
    if len(composed.value) > 1 and len(composed.faults) > len(composed.unread):
        raise ConfigError(*composed.faults)
    return composed


def _is_swept(path: str, tree: Mapping[str, Any]) -> bool:
    return any(path == known or path.startswith(f"{known}.") for known in _paths(tree))


def _paths(tree: Mapping[str, Any]) -> set[str]:
    """Every path that a block sets, in a tree that nobody has checked yet."""
    rows, branches = _mappings(tree.get("zip")), _mappings(tree.get("branches"))
    blocks = _mappings([tree.get("grid"), tree.get("parameters"), *rows])
    found = {path for block in blocks for path in block}
    for branch in branches:
        found |= (branch.keys() - Block.model_fields.keys()) | _paths(branch)
    return found


def _mappings(nodes: Any) -> list[dict[str, Any]]:
    return [n for n in nodes if isinstance(n, dict)] if isinstance(nodes, list) else []


def _put_values(sweep: Document, path: str, composed: Composed, word: str) -> Document:
    search, values = sweep.tree.get("method", "grid") != "grid", composed.value
    block = "parameters" if search else "grid"
    inside: TreePath = (block, path, "values") if search else (block, path)
    changed = _put(sweep, block, path, {"values": values} if search else values, word)
    plain = {(*inside, *at[1:]): text for at, text in composed.plain.items()}
    unread = {(*inside, *at[1:]): fault for at, fault in composed.unread.items()}
    return replace(
        changed,
        faults=(*changed.faults, *composed.faults),
        plain=changed.plain | plain,
        unread=changed.unread | unread,
    )


def _put(document: Document, key: str, inside: str | None, value: Any, word: str) -> Document:
    """The document with one value of the command line, at a key or inside its mapping."""
    path: TreePath = (key,) if inside is None else (key, inside)
    if inside is not None:
        held = document.tree.get(key)
        value = {**(held if isinstance(held, dict) else {}), inside: value}
    positions, keys = (
        {old: place for old, place in table.items() if old[: len(path)] != path}
        for table in (document.positions, document.keys)
    )
    words = {**document.words, path: word}
    tree = {**document.tree, key: value}
    return replace(document, tree=tree, positions=positions, keys=keys, words=words)
