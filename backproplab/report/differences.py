"""What differs between configs, key by key: plain trees in, dotted paths and values out.

This file knows no keys but ``name``, the one by which a family's member is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

LENGTH, LONGEST = 60, 200  # letters of a value that is shown, and of one that is shown exactly


class Absent:
    """A config does not have this key."""

    def __repr__(self) -> str:
        return "–"


ABSENT = Absent()


def differences(trees: Sequence[Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """(dotted path, the value of each tree) for every key whose values are not all the same.

    Specs of one family but of different names differ by their name, under the path of the family,
    and by the settings that all have; one that only some can have differs where it does so among
    specs of one name.
    """
    if len({repr(tree) for tree in trees}) < 2:
        return
    written = any(isinstance(tree, dict) and "name" in tree for tree in trees)
    specs = [_as_spec(tree) for tree in trees] if written else trees
    if all(isinstance(spec, dict) for spec in specs):
        names = [spec.get("name", ABSENT) for spec in specs]
        chosen = bool(path) and len(set(map(repr, names))) > 1
        if chosen:
            yield path, names
        for key in dict.fromkeys(key for spec in specs for key in spec):
            if not (path and key == "name"):
                values = [spec.get(key, ABSENT) for spec in specs]
                yield from _under(_join(path, key), values, names if chosen else [])
    elif _alike(specs):
        for index, items in enumerate(zip(*specs, strict=True)):
            yield from differences(items, _join(path, str(index)))
    else:
        yield path, list(trees)


def _under(path: str, values: list[Any], names: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The differences below one key. names: of the specs that have it, if they were chosen."""
    present = [value for value in values if value is not ABSENT]
    if not names or len(present) == len(values):
        yield from differences(values, path)
        return
    pairs = {
        (repr(name), repr(v)) for name, v in zip(names, values, strict=True) if v is not ABSENT
    }
    if len(pairs) == len({name for name, _ in pairs}):  # the name tells it
        return
    for found, at in differences(present, path):
        each = iter(at)
        yield found, [ABSENT if value is ABSENT else next(each) for value in values]


def _as_spec(tree: Any) -> Any:
    """``adam`` as ``{name: adam}``, as others of its family are written.

    An absent one is a spec without a name.
    """
    if tree is ABSENT:
        return {}
    return {"name": tree} if isinstance(tree, str) else tree


def _alike(trees: Sequence[Any]) -> bool:
    """Lists of as many mappings each, such as layers."""
    return all(isinstance(tree, list) for tree in trees) and (
        len({len(tree) for tree in trees}) == 1
        and all(isinstance(item, dict) for tree in trees for item in tree)
    )


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def lookup(tree: Any, path: str) -> Any:
    """The value at a dotted path; a spec is its name. ABSENT where there is none."""
    for key in path.split("."):
        if isinstance(tree, list) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return ABSENT
    return tree.get("name", tree) if isinstance(tree, dict) else tree


def paths(tree: Any, path: str = "") -> Iterator[str]:
    """Every dotted path of a tree that ``lookup`` finds a plain value at."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        place = _join(path, key)
        if not isinstance(value, dict) or "name" in value:
            yield place
        yield from paths(value, place)


def shown(value: Any, exact: bool = False) -> str:
    """A value in one short line, as YAML writes it; nothing in it can speak to a terminal.

    exact: every digit of a number, else six; more of a long value.
    """
    text, length = written(value, exact), LONGEST if exact else LENGTH
    return text if len(text) <= length else f"{text[: length - 1]}…"


def written(value: Any, exact: bool = True) -> str:
    """All of a value in one line, as YAML writes it."""
    if isinstance(value, str | Absent):
        text = str(value)
    elif isinstance(value, float):
        text = repr(value) if exact else f"{value:g}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str).replace('"', "")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
