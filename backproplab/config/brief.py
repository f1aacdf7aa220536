"""Short labels for the values of one key, the same in tables, legends, axes and folder names.

The values of a key are labeled together, so that a label holds what differs: of layers that differ
by their units only, ``dense 8`` and ``dense 16``. A spec may be written in any of its forms. This
file knows no key except ``name``, which selects a family's member.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

LONG = 12  # a list of equal items is written ``[32]×4`` if it has more letters

Fields = dict[str, Any]


def briefs(values: Sequence[Any]) -> list[str]:
    """A label for each value; different values have different labels."""
    specs = [spec for value in values for spec in _specs(value)]
    differing = _differing(specs)
    labels = [_brief(value, differing) for value in values]
    whole: dict[str, set[str]] = {}
    for value, label in zip(values, labels, strict=True):
        whole.setdefault(label, set()).add(exact(value))
    return [
        label if len(whole[label]) == 1 else exact(value)
        for value, label in zip(values, labels, strict=True)
    ]


def exact(value: Any) -> str:
    """The whole value in one line, as YAML writes it, with every digit."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if isinstance(value, str) else text.replace('"', "")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def as_spec(value: Any) -> tuple[str, Fields] | None:
    """(name, fields) of ``{name: dense, units: 8}`` and ``{dense: {units: 8}}``.

    The bare value of ``{dense: 8}`` has the field "". None if the value is no spec.
    """
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("name"), str):
        return value["name"], {key: inner for key, inner in value.items() if key != "name"}
    if len(value) > 1:
        return None
    ((name, inner),) = value.items()
    if isinstance(inner, dict):
        return str(name), inner
    return str(name), {} if inner is None else {"": inner}


def _specs(value: Any) -> Iterator[tuple[str, Fields]]:
    """The specs in a value, those inside lists and other specs included."""
    if spec := as_spec(value):
        yield spec
        for inner in spec[1].values():
            yield from _specs(inner)
    elif isinstance(value, list | tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _specs(inner)


def _differing(specs: Sequence[tuple[str, Fields]]) -> dict[str, list[str]]:
    """For each name the fields whose values are not the same in all specs of that name."""
    by_name: dict[str, list[Fields]] = {}
    for name, fields in specs:
        by_name.setdefault(name, []).append(fields)
    return {
        name: [
            key
            for key in dict.fromkeys(key for fields in found for key in fields)
            if len({repr(fields.get(key)) for fields in found}) > 1
        ]
        for name, found in by_name.items()
    }


def _brief(value: Any, differing: dict[str, list[str]]) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if spec := as_spec(value):
        name, fields = spec
        varied = [key for key in fields if key == "" or key in differing[name]]
        texts = {k: _brief(fields[k], differing) for k in varied if fields[k] is not None}
        if len(texts) == 1 and (len(differing[name]) == 1 or "" in texts):
            return " ".join([name, *texts.values()])
        words = [f"{key} {text}".strip() for key, text in texts.items()]
        return f"{name} ({', '.join(words)})" if words else name
    if isinstance(value, list | tuple):
        items = [_brief(item, differing) for item in value]
        text = f"[{', '.join(items)}]"
        same = len(set(items)) == 1 and len(items) > 1 and len(text) > LONG
        return f"[{items[0]}]×{len(items)}" if same else text
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(inner, differing)}" for key, inner in value.items())
    return exact(value)
