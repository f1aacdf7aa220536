"""YAML text -> plain Python values, the position of every value and key, and all faults together.

Built on the events of PyYAML's pure-Python parser: tags, anchors, aliases and merge keys are
refused before they have an effect. (The C parser dies of SIGSEGV on 200 kB of ``[``.)
This file knows YAML, but no files and no meaning of the keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from backproplab.config.scalars import is_text, plain
from backproplab.config.syntax import explain
from backproplab.config.wording import TreePath, cut, dotted, quoted
from backproplab.errors import ConfigError, Problem

Spot = tuple[int, int]
"""(line, column), both from 1."""

DEPTH = 32
VALUES = 20_000
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)


@dataclass
class Composed:
    """A composed text; ``positions`` and ``keys``: where each value and each key starts.

    value: None for an empty text. faults: of single values, which are None in ``value``.
    plain: what is written for each value without quotes that is not text as it stands.
    unread: those of the faults that are about such a value.
    """

    value: Any = None
    positions: dict[TreePath, Spot] = field(default_factory=dict)
    keys: dict[TreePath, Spot] = field(default_factory=dict)
    faults: list[Problem] = field(default_factory=list)
    plain: dict[TreePath, str] = field(default_factory=dict)
    unread: dict[TreePath, Problem] = field(default_factory=dict)


def compose(
    text: str,
    where: Callable[[Spot], str],
    base: TreePath = (),
) -> Composed:
    """The one value in ``text``, at the path ``base`` of its config, and its faults.

    where: writes a position for messages.
    Raises ConfigError at a syntax error, with the faults before it: the rest cannot be read.
    """
    composer = _Composer(text, where)
    try:
        composer.document(base)
    except ConfigError as error:
        raise ConfigError(*composer.composed.faults, *error.problems) from None
    return composer.composed


def spot_of(text: str, index: int) -> Spot:
    """The line and column of a character; lines end with CR, LF or both."""
    lines = re.split(r"\r\n|\r|\n", text[:index])
    return len(lines), len(lines[-1]) + 1


def start(event: Any) -> Spot:
    """The line and column where an event starts."""
    return event.start_mark.line + 1, event.start_mark.column + 1


class _Composer:
    """One pass over the events of a text: a ``fault`` is collected, a ``stop`` ends the pass."""

    def __init__(self, text: str, where: Callable[[Spot], str]) -> None:
        self.text, self.where = text, where
        self.composed = Composed()
        self.values = 0

    def document(self, base: TreePath) -> None:
        if found := UNPRINTABLE.search(self.text):
            raise self.stop(spot_of(self.text, found.start()), *_unprintable(found[0]))
        self.loader: Any = yaml.SafeLoader(self.text)
        self.event()
        if isinstance(self.event(), events.StreamEndEvent):
            return
        self.composed.value = self.value(self.event(), base)
        self.event()
        if not isinstance(after := self.event(), events.StreamEndEvent):
            raise self.stop(start(after), "only one document is allowed", "remove the '---' line")

    def event(self) -> Any:
        """The next event."""
        try:
            return self.loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark, what, hint = explain(error)
        except (ValueError, OverflowError):  # "\U99999999", or a version of 5000 digits
            what, hint = "a number out of range", "check this escape or directive"
            mark = self.loader.get_mark()
        raise self.stop((mark.line + 1, mark.column + 1) if mark else (1, 1), what, hint)

    def value(self, event: Any, path: TreePath) -> Any:
        """The value that starts with ``event``; consumes all its events."""
        self.values += 1
        if len(path) > DEPTH:
            raise self.stop(start(event), f"nested deeper than {DEPTH} levels", "close a bracket")
        if self.values > VALUES:
            raise self.stop(start(event), f"more than {VALUES} values", "put data in a data file")
        self.composed.positions[path] = start(event)
        self.forbid(event, path)
        if isinstance(event, events.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, events.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path) if isinstance(event, events.MappingStartEvent) else None

    def scalar(self, event: Any, path: TreePath) -> Any:
        self.printable(event, path)
        if event.style:
            return event.value
        self.composed.plain[path] = event.value
        try:
            return plain(event.value)
        except ConfigError as error:
            for problem in error.problems:
                self.fault(event, path, problem.what, problem.hint)
                self.composed.unread[path] = self.composed.faults[-1]
        return None

    def sequence(self, path: TreePath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self.event(), events.SequenceEndEvent):
            items.append(self.value(event, (*path, len(items))))
        return items

    def mapping(self, path: TreePath) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self.event(), events.MappingEndEvent):
            key = self.key(event, path)
            if key in lines:
                what = f"duplicate key {quoted(key)} (first at line {lines[key]})"
                self.fault(event, path, what, "keep one of them")
            lines.setdefault(key, start(event)[0])
            self.composed.keys[*path, key] = start(event)
            tree[key] = self.value(self.event(), (*path, key))
        return tree

    def key(self, event: Any, path: TreePath) -> str:
        self.forbid(event, path)
        if not isinstance(event, events.ScalarEvent):
            raise self.stop(start(event), "keys must be text", "write 'key: value'")
        self.printable(event, path)
        if event.value == "<<" and not event.style:
            self.fault(event, path, "merge keys (<<) are not allowed", "write the keys out")
        elif not event.style and not is_text(event.value):
            self.fault(event, path, f"keys must be text, got {cut(event.value)}", "quote it")
        return str(event.value)

    def forbid(self, event: Any, path: TreePath) -> None:
        """Report an anchor, alias or tag: each value must be written where it is used."""
        if anchor := event.anchor:
            alias = isinstance(event, events.AliasEvent)
            kind, hint = ("aliases (*", "write it out") if alias else ("anchors (&", "remove it")
            self.fault(event, path, f"{kind}{cut(anchor)}) are not allowed", hint)
        if tag := getattr(event, "tag", None):
            name = cut(tag.replace("tag:yaml.org,2002:", "!!"))
            self.fault(event, path, f"tags ({name}) are not allowed", "remove it")

    def printable(self, event: Any, path: TreePath) -> None:
        """Report a control character that was written as an escape: ``"\\0"``."""
        if found := UNPRINTABLE.search(event.value):
            self.fault(event, path, *_unprintable(found[0]))

    def fault(self, event: Any, path: TreePath, what: str, hint: str) -> None:
        what = f"{dotted(path)}: {what}" if path else what
        self.composed.faults.append(Problem(self.where(start(event)), what, hint))

    def stop(self, at: Spot, what: str, hint: str) -> ConfigError:
        return ConfigError(Problem(self.where(at), what, hint))


def _unprintable(character: str) -> tuple[str, str]:
    code = ord(character)
    kind = "lone surrogate" if 0xD800 <= code <= 0xDFFF else "control character"
    return f"{kind} U+{code:04X}", "remove it; a config is UTF-8 text"
