"""A config file as a Document: its plain tree, and the position of each value in the file.

A config must be a regular UTF-8 file of at most 1 MiB.
This file knows no keys; the schema defines their meaning.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from backproplab.config.composer import Spot, compose, spot_of
from backproplab.config.wording import TreePath, command_line, quoted, shown
from backproplab.errors import ConfigError, Problem, reason
from backproplab.files import UnusableFile, read_regular

LIMIT = 2**20


@dataclass(frozen=True)
class Document:
    """A config before the schema checks it: the tree, and the position of every value.

    name: the file, as typed. positions, keys: (line, column) from 1 of values and keys.
    words: the command-line words that set a value, by its path.
    faults: values that could not be read; they are None in the tree.
    plain: what is written for each value without quotes. unread: those of the faults about one.
    """

    tree: dict[str, Any]
    name: str
    positions: dict[TreePath, Spot]
    keys: dict[TreePath, Spot]
    words: dict[TreePath, str] = field(default_factory=dict)
    faults: tuple[Problem, ...] = ()
    plain: dict[TreePath, str] = field(default_factory=dict)
    unread: dict[TreePath, Problem] = field(default_factory=dict)

    def where(self, path: TreePath, key: bool = False) -> str:
        """``config.yaml:7:3``, or the word that set it; with ``key`` of its key, not its value.

        For a path that the config does not have, that of its nearest parent.
        """
        place = self.spot(path, key)
        if isinstance(place, str):
            return command_line(place)
        return f"{self.name}:{place[0]}:{place[1]}"

    def spot(self, path: TreePath, key: bool = False) -> Spot | str:
        """(line, column), or the command-line word."""
        for end in range(len(path), -1, -1):
            near = path[:end]
            if near in self.words:
                return self.words[near]
            spot = (self.keys.get(near) if key else None) or self.positions.get(near)
            if spot:
                return spot
        return 1, 1


def read_yaml(path: Path) -> Document:
    """The document in a file. Raises ConfigError for an unreadable file or a syntax error."""
    name = str(path)
    try:
        data = read_regular(path, LIMIT, follow=True)
    except UnusableFile as error:
        raise _unusable(error, name) from None
    except FileNotFoundError:
        raise ConfigError(Problem(name, "no such file", _nearest(path))) from None
    except OSError as error:
        hint = "check the path and its permissions"
        raise ConfigError(Problem(name, f"cannot be read: {reason(error)}", hint)) from None
    except ValueError:  # a NUL, or a character outside the file system's encoding
        raise ConfigError(Problem(quoted(name), "is not a file name", "name a YAML file")) from None
    return parse_yaml(data, name)


def parse_yaml(text: str | bytes, name: str) -> Document:
    """The document in ``text``. Raises ConfigError for a syntax error."""
    text = text.removeprefix("\ufeff") if isinstance(text, str) else _decode(text, name)
    if len(text) > LIMIT:
        raise _too_large(name)
    composed = compose(text, lambda spot: f"{name}:{spot[0]}:{spot[1]}")
    if composed.value is None and not composed.faults:
        hint = "write lines such as 'epochs: 10'"
        raise ConfigError(Problem(name, "the config is empty; a mapping is expected", hint))
    if composed.value is None:
        raise ConfigError(*composed.faults)
    if not isinstance(composed.value, dict):
        what = f"the top level must be a mapping, got {shown(composed.value)}"
        where = "{}:{}:{}".format(name, *composed.positions[()])
        raise ConfigError(Problem(where, what, "write lines such as 'epochs: 10'"))
    found = composed.value, name, composed.positions, composed.keys
    more = composed.plain, composed.unread
    return Document(*found, {}, tuple(composed.faults), *more)


def _unusable(error: UnusableFile, name: str) -> ConfigError:
    if error.errno == errno.EFBIG:
        return _too_large(name)
    return ConfigError(Problem(name, reason(error).removeprefix("it "), "name a YAML file"))


def _decode(data: bytes, name: str) -> str:
    if len(data) > LIMIT:
        raise _too_large(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        line, column = spot_of(before, len(before))
        what = f"not UTF-8 at byte {error.start}"
        raise ConfigError(
            Problem(f"{name}:{line}:{column}", what, "save the file as UTF-8")
        ) from None


def _too_large(name: str) -> ConfigError:
    return ConfigError(Problem(name, "larger than 1 MiB", "put data in a data file"))


def _nearest(path: Path) -> str:
    """A hint with the most similar file names in the same folder."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f"there is no folder {path.parent}"
    near = get_close_matches(path.name, sorted(names), n=3, cutoff=0.6)
    return f"nearest names: {', '.join(near)}" if near else f"no similar name in {path.parent}"
