"""Names of trials, of the values that differ, short enough for a folder.

A name that is too long is shortened in the middle of its longest parts, so that every key that
differs stays in it. This file must not know what a trial is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backproplab.config.brief import briefs
from backproplab.layout import middle, shortened

CUT = "--"  # stands for what was left out
LEAST_NAME, LEAST_TEXT, LEAST = 5, 8, 4  # letters of a part of a name that is too long

Values = Mapping[str, Any]


def names_of(trials: Sequence[Values], paths: Sequence[str], longest: int) -> list[str]:
    """``learning_rate-0.1_optimizer-adam`` for each trial; empty if it sets none of the paths."""
    names = dict(zip(paths, _keys(paths), strict=True))
    texts = {path: _texts([v[path] for v in trials if path in v]) for path in paths}
    names, texts = _fitted(names, texts, longest)
    return [
        "_".join(
            "-".join(filter(None, (names[path], texts[path][repr(values[path])])))
            for path in paths
            if path in values
        )
        for values in trials
    ]


def _keys(paths: Sequence[str]) -> list[str]:
    """The last key of each path; the whole path where that is not enough."""
    last = Counter(path.rpartition(".")[2] for path in paths)
    ends = [path.rpartition(".")[2] for path in paths]
    return [
        path if last[end] > 1 or end.isdecimal() else end
        for path, end in zip(paths, ends, strict=True)
    ]


def _texts(values: Sequence[Any]) -> dict[str, str]:
    """A value's ``repr`` -> its text, from its name or items; if these are equal, of all of it."""
    distinct = {repr(value): value for value in values}
    found = {key: plain(value) for key, value in distinct.items()}
    if len(_folded(found)) == len(_folded({key: key for key in found})):
        return found
    labels = briefs([*distinct.values()])
    return {key: _slug(label) or "none" for key, label in zip(distinct, labels, strict=True)}


def _folded(texts: Mapping[str, str]) -> set[str]:
    return {text.casefold() for text in texts.values()}


def plain(value: Any) -> str:
    """A value as part of a folder's name: a spec by its name, a list by its items."""
    if isinstance(value, dict):
        value = value.get("name", next(iter(value), "none"))
    if isinstance(value, list | tuple):
        return "-".join(map(plain, value)) or "none"
    if isinstance(value, float):
        value = f"{value:.6g}".replace("+", "")
    text = str(value).lower() if value is None or isinstance(value, bool) else str(value)
    return _safe(text)


def _safe(text: str) -> str:
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", text))


def _slug(text: str) -> str:
    return _safe(text).strip("-")


def _fitted(
    names: Mapping[str, str], texts: Mapping[str, Mapping[str, str]], longest: int
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The names and texts, the longest parts shortened until a label is at most ``longest``."""
    rooms: dict[tuple[str, bool], int] = {}
    for path, name in names.items():
        rooms[path, True] = len(name)
        rooms[path, False] = max(map(len, texts[path].values()), default=0)
    for least_name, least in ((LEAST_NAME, LEAST_TEXT), (0, LEAST)):
        if least_name == 0 and _length(rooms) > longest:
            rooms |= {part: 0 for part in rooms if part[1]}
        while _length(rooms) > longest:
            free = [p for p, room in rooms.items() if room > (least_name if p[1] else least)]
            if not free:
                break
            rooms[max(free, key=lambda part: (rooms[part], part[1]))] -= 1
    short = shortened_each([*names.values()], [rooms[path, True] for path in names])
    cut = {
        path: dict(zip(each, shortened([*each.values()], rooms[path, False], CUT), strict=True))
        for path, each in texts.items()
    }
    return dict(zip(names, short, strict=True)), cut


def shortened_each(names: Sequence[str], rooms: Sequence[int]) -> list[str]:
    """Each name in its own room; names that become equal get that of the smallest room."""
    pairs = zip(names, rooms, strict=True)
    found = [middle(name, room, sign=CUT) if room else "" for name, room in pairs]
    if len(set(found)) == len(set(names)) or not all(rooms):
        return found
    return shortened(names, min(rooms), CUT)


def _length(rooms: Mapping[tuple[str, bool], int]) -> int:
    """Of the longest label: the parts, and a letter between each."""
    return sum(rooms.values()) + sum(room > 0 for room in rooms.values()) - 1
