"""The keys in which configs differ: plain trees in, dotted paths and values out.

This file knows no key except ``name``, which selects a family's member.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

LENGTH, LONGEST = 60, 200  # most letters of a value, and of one shown exactly


class Absent:
    """A config does not have this key."""

    def __repr__(self) -> str:
        return "–"


ABSENT = Absent()


def differences(
    trees: Sequence[Any], path: str = "", varied: Collection[str] = ()
) -> Iterator[tuple[str, list[Any]]]:
    """(dotted path, the value in each tree) for every key whose values are not all equal.

    varied: paths that a sweep set. A list is compared item by item if one of them is inside it or
    if its items are specs; else it is one value.

    Specs of one family with different names differ by name, under the family's path, and by the
    settings that all of them have. A setting that only some can have differs if it does so among
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
                yield from _under(_join(path, key), values, names if chosen else [], varied)
    elif _by_item(specs, path, varied):
        for index, items in enumerate(zip(*specs, strict=True)):
            yield from differences(items, _join(path, str(index)), varied)
    else:
        yield path, list(trees)


def _under(
    path: str, values: list[Any], names: list[Any], varied: Collection[str]
) -> Iterator[tuple[str, list[Any]]]:
    """The differences below one key. names: of the specs, if these differ."""
    present = [value for value in values if value is not ABSENT]
    if not names or len(present) == len(values):
        yield from differences(values, path, varied)
        return
    pairs = {
        (repr(name), repr(v)) for name, v in zip(names, values, strict=True) if v is not ABSENT
    }
    if len(pairs) == len({name for name, _ in pairs}):  # the name determines the value
        return
    for found, at in differences(present, path, varied):
        each = iter(at)
        yield found, [ABSENT if value is ABSENT else next(each) for value in values]


def _as_spec(tree: Any) -> Any:
    """``adam`` as ``{name: adam}``, the form of a spec with settings.

    An absent one is a spec without a name.
    """
    if tree is ABSENT:
        return {}
    return {"name": tree} if isinstance(tree, str) else tree


def _by_item(trees: Sequence[Any], path: str, varied: Collection[str]) -> bool:
    """Whether lists are compared item by item; only lists of one length can be."""
    if not all(isinstance(tree, list) for tree in trees) or len({len(tree) for tree in trees}) > 1:
        return False
    if any(known.startswith(f"{path}.") for known in varied):
        return True
    items = [item for tree in trees for item in tree]
    specs = all(isinstance(item, dict | str) for item in items)  # one without fields is a name
    return specs and any(isinstance(item, dict) for item in items)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def lookup(tree: Any, path: str) -> Any:
    """The value at a dotted path, for a spec its name; ABSENT if there is none."""
    for key in path.split("."):
        if isinstance(tree, list) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return ABSENT
    return tree.get("name", tree) if isinstance(tree, dict) else tree


def paths(tree: Any, path: str = "") -> Iterator[str]:
    """Every dotted path of a tree at which ``lookup`` finds a plain value."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        place = _join(path, key)
        if not isinstance(value, dict) or "name" in value:
            yield place
        yield from paths(value, place)


def shown(value: Any, exact: bool = False) -> str:
    """A value in one short line, as YAML writes it, without control characters.

    exact: every digit of a number instead of six, and more of a long value.
    """
    text, length = written(value, exact), LONGEST if exact else LENGTH
    return text if len(text) <= length else f"{text[: length - 1]}…"


def written(value: Any, exact: bool = True) -> str:
    """The whole value in one line, as YAML writes it."""
    if isinstance(value, str | Absent):
        text = str(value)
    elif isinstance(value, float):
        text = repr(value) if exact else f"{value:g}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str).replace('"', "")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
