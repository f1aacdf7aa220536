"""Command-line words ``key.path=value``, applied to a document.

Values are read by the rules of the file: ``learning_rate=1e-3``, ``model.hidden=[64, 32]``,
``optimizer={name: adam, beta_1: 0.8}``. The order of the words does not matter: a parent is set
before its children. A value that the file leaves out has its default there. This file knows which
values are members of families, and no keys; the schema checks them later.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backproplab.config.composer import Composed, compose
from backproplab.config.cursor import default_form, long_form
from backproplab.config.experiment import Experiment
from backproplab.config.wording import TreePath, command_line, dotted, quoted, shown
from backproplab.config.yaml_source import Document
from backproplab.errors import ConfigError, Problem

QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|' + r"'[^']*'")
DECIMAL_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")


def apply_overrides(document: Document, words: Sequence[str]) -> Document:
    """A new document with the words applied. Raises ConfigError with all their problems."""
    changed, problems = put_overrides(document, words)
    known = set(map(id, document.faults))
    if faults := [*(fault for fault in changed.faults if id(fault) not in known), *problems]:
        places = [command_line(word) for word in words]
        raise ConfigError(*sorted(faults, key=lambda fault: places.index(fault.where)))
    return changed


def put_overrides(document: Document, words: Sequence[str]) -> tuple[Document, list[Problem]]:
    """A new document with the words applied as far as they are sound, and what is wrong with them.

    A value that cannot be read is None, so that its key is checked; it is one of the document's
    ``unread`` faults where the schema may take it as text.
    """
    problems: list[Problem] = []
    settings: dict[TreePath, tuple[str, Composed]] = {}
    for word in words:
        try:
            path, text = _split(word)
            try:
                composed = _composed(word, path, text)
            except ConfigError as error:
                problems.extend(error.problems)
                composed = Composed()
            _refuse_contradiction(word, path, composed, settings)
            settings[path] = word, composed
        except ConfigError as error:
            problems.extend(error.problems)
    changed = _copy(document)
    for path, (word, composed) in sorted(settings.items(), key=lambda item: len(item[0])):
        try:
            before = dict(changed.unread)
            real = _put(changed, path, word, composed.value)
            changed = _note(changed, real, len(path), composed, before)
        except ConfigError as error:
            problems.extend(error.problems)
    return changed, problems


def retyped(document: Document, words: Sequence[str]) -> list[str]:
    """The words as they can be typed in any folder: paths in their values are absolute."""
    plain: dict[str, str] = {}
    for path, word in document.words.items():
        value: Any = document.tree
        for step in path:
            value = value[step]
        _, text = _split(word)
        if compose(text, lambda _: "").value != value and isinstance(value, str | dict | list):
            plain[word] = f"{word.partition('=')[0]}={json.dumps(value, ensure_ascii=False)}"
    return [plain.get(word, word) for word in words]


def _copy(document: Document) -> Document:
    return replace(
        document,
        tree=copy.deepcopy(document.tree),
        positions=dict(document.positions),
        keys=dict(document.keys),
        words=dict(document.words),
        plain=dict(document.plain),
        unread=dict(document.unread),
    )


def _fault(word: str, what: str, hint: str) -> ConfigError:
    return ConfigError(Problem(command_line(word), what, hint))


def _split(word: str) -> tuple[TreePath, str]:
    """The path and the text of the value of one word."""
    key, equals, text = word.partition("=")
    path = tuple(key.split("."))
    if not equals:
        raise _fault(word, "is not key=value", "write a setting like epochs=10, without spaces")
    if not all(path):
        raise _fault(word, "the key is empty", "write a setting like optimizer.beta_1=0.8")
    if not text.strip():
        raise _fault(
            word, f"{dotted(path)}: no value", "write null for none, '\"\"' for empty text"
        )
    return path, text


def _composed(word: str, path: TreePath, text: str) -> Composed:
    _refuse_unbracketed(word, path, text)
    return compose(text, lambda _: command_line(word), path)


def _note(
    document: Document,
    real: TreePath,
    length: int,
    composed: Composed,
    before: Mapping[TreePath, Problem],
) -> Document:
    """The document with the faults of a value that was put at a path, and its plain texts.

    before: what was unread before; the faults of values that were replaced are dropped.
    """
    gone = {*map(id, before.values())} - {*map(id, document.unread.values())}
    kept = [fault for fault in document.faults if id(fault) not in gone]

    def moved(table: dict[TreePath, Any]) -> dict[TreePath, Any]:
        return {(*real, *path[length:]): value for path, value in table.items()}

    return replace(
        document,
        faults=(*kept, *composed.faults),
        plain={**document.plain, **moved(composed.plain)},
        unread={**document.unread, **moved(composed.unread)},
    )


def _refuse_unbracketed(word: str, path: TreePath, text: str) -> None:
    """Refuse a comma or comment outside quotes and brackets: their meaning would be a guess."""
    depth = 0
    for character in (outside := QUOTED.sub("''", text)):
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            raise _fault(word, f"{dotted(path)}: several values, {quoted(text)}", _comma_hint(text))
    if re.search(r"(^|\s)#", outside):
        raise _fault(word, f"{dotted(path)}: '#' would start a comment", "put the text in quotes")


def _comma_hint(text: str) -> str:
    decimal = DECIMAL_COMMA.fullmatch(text.strip())
    other = f"write {decimal[1]}.{decimal[2]} for a decimal comma" if decimal else "quote text"
    return f"looks like a sweep; use 'backproplab sweep', or put a list in brackets, or {other}"


def _refuse_contradiction(
    word: str, path: TreePath, composed: Composed, settings: dict[TreePath, tuple[str, Composed]]
) -> None:
    if path in settings and repr(settings[path][1].value) != repr(composed.value):
        first = quoted(settings[path][0])
        raise _fault(word, f"{dotted(path)}: given twice, first as {first}", "keep one of them")


def _put(document: Document, path: TreePath, word: str, value: Any) -> TreePath:
    """Set the value, and create the parents that it needs; its path, with indexes of lists."""
    parent: Any = document.tree
    real: TreePath = ()
    for at, step in enumerate(path[:-1], start=1):
        real = (*real, _step(parent, real, step, word))
        if isinstance(parent, dict) and step not in parent:
            parent[step] = default_form(document.tree, real, path[at], Experiment)
            document.words[real] = word
        _open(document, parent, real, word)
        _lengthen(document, parent, real, path[at:])
        parent = parent[real[-1]]
    real = (*real, _step(parent, real, path[-1], word))
    _forget(document, real)
    parent[real[-1]] = value
    document.words[real] = word
    return real


def _step(parent: Any, path: TreePath, step: str | int, word: str) -> str | int:
    """The key, or the index if the parent is a list."""
    if not isinstance(parent, list):
        return step
    indexes = {str(index): index for index in range(len(parent))}
    if step not in indexes:
        valid = f"an index from 0 to {len(parent) - 1}" if parent else "no index: it is empty"
        what = f"{dotted(path)} is a list and takes {valid}, got {quoted(str(step))}"
        raise _fault(word, what, f"or set the whole list: {dotted(path)}=[…]")
    return indexes[str(step)]


def _open(document: Document, parent: Any, path: TreePath, word: str) -> None:
    """Make a value able to hold keys: ``adam`` becomes ``{name: adam}``, null ``{}``."""
    step = path[-1]
    value = parent.get(step) if isinstance(parent, dict) else parent[step]
    if isinstance(value, dict | list):
        return
    if value is not None and not isinstance(value, str):
        what = f"{dotted(path)} is {shown(value)}, which has no keys"
        raise _fault(word, what, f"set it as a whole: {dotted(path)}=…")
    if isinstance(value, str):
        _inherit(document, path)
    parent[step] = {} if value is None else {"name": value}
    document.words[path] = word


def _lengthen(document: Document, parent: Any, path: TreePath, rest: TreePath) -> None:
    """``{dense: 8}`` becomes ``{name: dense, units: 8}``, a form that has the keys of the rest."""
    found = long_form(document.tree, path, rest, Experiment)
    if found is None:
        return
    key, form = found
    inside, above = (*path, key), (*path, key) if key in form else path
    bare = not isinstance(parent[path[-1]][key], dict | None)
    fields = [name for name in form.get(key, form) if name != "name"]
    parent[path[-1]] = form
    for table in _tables(document):
        held = {known: table.pop(known) for known in list(table) if known[: len(inside)] == inside}
        for old, value in held.items():
            end = old[len(inside) :] or ((fields[0],) if bare else ())
            table[(*above, *end)] = value


def _inherit(document: Document, path: TreePath) -> None:
    """Give the name the position of the short form that it replaces."""
    place = document.spot(path)
    if isinstance(place, str):
        document.words[*path, "name"] = place
    else:
        document.positions[*path, "name"] = place


def _forget(document: Document, path: TreePath) -> None:
    """Drop what is known of the value being replaced."""
    for table in _tables(document):
        for old in [known for known in table if known[: len(path)] == path]:
            del table[old]


def _tables(document: Document) -> tuple[dict[TreePath, Any], ...]:
    """What is known of values, by their paths."""
    places = document.positions, document.keys, document.words
    return *places, document.plain, document.unread
