"""What a value means at its place: text, a path, or a word that switches something off.

YAML reads ``no`` and ``1e3`` alike everywhere; the schema knows that a name is text, that a path is
relative to its file, and that ``null``, ``none``, ``false`` and ``off`` mean the same. This file
knows annotations and no keys.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from backproplab.config.cursor import Cursor
from backproplab.config.scalars import NULLS, SWITCH
from backproplab.config.wording import TreePath
from backproplab.config.yaml_source import Document
from backproplab.spec import Family, IsPath, Off, PositiveOr, absolute

OFF = {*NULLS, "none", "off", "no", "n", "false"}


def settle(document: Document, cursors: Iterable[Cursor]) -> Document:
    """The document with the meaning of each scalar below the cursors, and without their faults."""
    tree = {(): copy.deepcopy(document.tree)}
    dropped: set[TreePath] = set()
    for leaf in (leaf for cursor in cursors for leaf in _leaves(cursor)):
        if meaning := _meaning(leaf, document):
            _set(tree, leaf.path, *meaning)
            dropped.add(leaf.path)
    gone = {id(document.unread[path]) for path in dropped & document.unread.keys()}
    faults = tuple(fault for fault in document.faults if id(fault) not in gone)
    return replace(document, tree=tree[()], faults=faults)


def _leaves(cursor: Cursor) -> Iterator[Cursor]:
    """Every value in the file that is no list and no mapping, and that the schema knows."""
    inside = cursor.member()
    node = inside.node
    if inside.is_bare():
        member = inside.annotation
        first = member.first_field() if issubclass(member, Family) else None
        if inside is cursor or first is None:
            yield cursor
        else:
            yield from _leaves(inside.follow([first]))
    elif isinstance(node, dict):
        for key in node if inside.is_model() or not isinstance(cursor.annotation, type) else ():
            yield from _leaves(inside.follow([key]))
    elif isinstance(node, list):
        for index in range(len(node)):
            yield from _leaves(inside.follow([index]))
    else:
        yield inside


def _meaning(leaf: Cursor, document: Document) -> tuple[Any] | None:
    """The value as the schema takes it, in a tuple; None if it is what was read."""
    value, source = leaf.node, document.plain.get(leaf.path)
    text = source if source is not None else value if isinstance(value, str) else ""
    off = next((mark for mark in leaf.constraints if isinstance(mark, Off)), None)
    unread = leaf.path in document.unread
    if off and (value is False or (value is None and not unread) or text.lower() in OFF - NULLS):
        return None if _is_set(off.unless, leaf.path, document.tree) else (_plain(off.value),)
    if leaf.annotation is str and source is not None and source not in NULLS:
        value = source
    elif unread and any(
        isinstance(m, PositiveOr) and m.word == text.lstrip(".") for m in leaf.constraints
    ):
        return (text.lstrip("."),)  # inf, .inf
    elif unread and SWITCH.fullmatch(text) and leaf.annotation not in (bool, Any):
        return (text,)
    if isinstance(value, str) and any(isinstance(mark, IsPath) for mark in leaf.constraints):
        typed = isinstance(document.spot(leaf.path), str)  # in a shell, in some folder
        value = absolute(value, Path() if typed else Path(document.name).parent)
    return None if value is leaf.node else (value,)


def _plain(value: Any) -> Any:
    """A value as a file has it: a list, not a tuple; a copy of what can change."""
    return list(value) if isinstance(value, tuple) else copy.copy(value)


def _is_set(sibling: str, path: TreePath, tree: Any) -> bool:
    """Whether the key beside the one at ``path`` has a value."""
    for step in path[:-1]:
        tree = tree[step]
    return bool(sibling) and isinstance(tree, dict) and tree.get(sibling) is not None


def _set(tree: Any, path: TreePath, value: Any) -> None:
    """Set a value; the tree is the entry ``()`` of a mapping, so that it can be replaced whole."""
    node, steps = tree, ((), *path)
    for step in steps[:-1]:
        node = node[step]
    node[steps[-1]] = value
