"""Problems with our wording and the file's lines, from a pydantic ValidationError.

The wording depends on pydantic's error types, not its sentences, so that no version changes it.
This file knows no YAML and no keys.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from backproplab.config import habits
from backproplab.config.cursor import Cursor, is_family
from backproplab.config.scalars import plain
from backproplab.config.settling import OFF
from backproplab.config.wording import TreePath, cut, dotted, quoted, shown
from backproplab.config.yaml_source import Document
from backproplab.errors import ConfigError, Problem, did_you_mean

Error = Mapping[str, Any]

EXPECTED = {
    error_type: words
    for words, types in {
        "a whole number": "int_type int_from_float int_parsing int_parsing_size",
        "a number": "float_type float_parsing",
        "a finite number": "finite_number",
        "true or false": "bool_type bool_parsing",
        "text": "string_type",
        "a list": "list_type tuple_type set_type",
        "a mapping": "dict_type model_type model_attributes_type mapping_type",
    }.items()
    for error_type in types.split()
}
NEVER_OFF = "it cannot be switched off; leave it out for its default"
RANGES = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
SIZES = {"too_short", "too_long", "string_too_short", "string_too_long"}
LENGTHS = {"min_length": ">=", "max_length": "<="}


class Finding(NamedTuple):
    """A fault at a path of the file: of the value there, or of its key.

    closing: a hint for all faults that have the same one, reported with the last of them.
    """

    path: TreePath
    what: str
    hint: str = ""
    at_key: bool = False
    closing: str = ""


def problems_of(
    error: ValidationError,
    document: Document,
    model: type[BaseModel],
    reported: Collection[str] = (),
    skipped: Collection[str] = (),
) -> tuple[Problem, ...]:
    """One problem for each error, in the order of the file; command-line words come last.

    reported: places of values that could not be read; only faults of their keys are added there.
    skipped: types of errors that are left out.
    """
    root = Cursor((), document.tree, model)
    errors = [e for e in error.errors(include_url=False) if not _follows_from_others(e)]
    errors = [e for e in errors if e["type"] not in skipped]
    found = [FINDERS.get(e["type"], _value)(e, root) for e in errors]

    def order(finding: Finding) -> tuple[bool, Any]:
        place = document.spot(finding.path, finding.at_key)
        return isinstance(place, str), () if isinstance(place, str) else place

    found.sort(key=order)
    last = {f.closing: f for f in found}
    problems = (
        Problem(where, f.what, f.hint + f.closing * (f is last[f.closing]))
        for f in found
        if (where := document.where(f.path, f.at_key)) not in reported or f.at_key
    )
    return tuple(dict.fromkeys(problems))


def without(tree: Any, error: ValidationError, model: type[BaseModel]) -> Any:
    """A copy of the tree without what is at fault: the key of a mapping that holds it."""
    root = Cursor((), tree, model)
    sound = copy.deepcopy(tree)
    for fault in error.errors(include_url=False):
        if not _follows_from_others(fault):
            whole = fault["type"] in ("unknown_member", "member_form")
            finding = FINDERS.get(fault["type"], _value)(fault, root)
            _remove(sound, root.follow(fault["loc"]).path if whole else finding.path)
    return sound


def _remove(tree: Any, path: TreePath) -> None:
    """Remove the value at the path, with the innermost key that it belongs to."""
    ends = [end for end, step in enumerate(path) if isinstance(step, str)]
    first = next((end for end, step in enumerate(path) if isinstance(step, int)), len(path))
    path = path[: max((end for end in ends if end < first), default=-1) + 1]
    for step in path[:-1]:
        if not isinstance(tree, dict) or step not in tree:
            return
        tree = tree[step]
    if path and isinstance(tree, dict):
        tree.pop(path[-1], None)


def _follows_from_others(error: Error) -> bool:
    """True if a list is too short only because pydantic does not count its faulty items."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _at(path: TreePath, what: str) -> str:
    return f"{dotted(path)}: {what}" if path else what


def _missing(error: Error, root: Cursor) -> Finding:
    *above, key = error["loc"]
    parent = root.follow(above).member()
    family = root.follow(error["loc"]).annotation
    hint = f"one of {', '.join(sorted(family.members))}" if is_family(family) else ""
    return Finding(parent.path, f"{dotted(parent.below(key))} is missing", hint, at_key=True)


def _unknown_key(error: Error, root: Cursor) -> Finding:
    *above, key = error["loc"]
    parent = root.follow(above).member()
    path, valid = parent.below(key), parent.annotation.model_fields
    member = getattr(parent.annotation, "name", None)
    of = f" of {member}" if isinstance(member, str) else ""
    what = f"unknown key {quoted(key)}{of}"
    hint = f"valid keys: {', '.join(valid)}" if valid else "it takes no keys"
    hint = habits.of_key(key, parent, root.annotation) or hint
    return Finding(path, _at(path, what) if parent.path else what, hint, at_key=True)


def _unknown_member(error: Error, root: Cursor) -> Finding:
    cursor, context = root.follow(error["loc"]), error["ctx"]
    path = (*cursor.path, context["key"]) if context["key"] else cursor.path
    hint = _elsewhere(context["name"], root) or context["hint"]
    hint = hint or _owner(cursor.annotation, error["input"])
    hint = hint or (NEVER_OFF if context["name"].lower() in OFF else "")
    if isinstance(error["input"], dict) and context["key"] != "name":
        inside = error["input"].get(context["key"])
        hint = habits.of_key(context["key"], cursor, root.annotation, inside) or hint
    return Finding(path, _at(cursor.path, error["msg"]), hint, context["key"] not in ("", "name"))


def _elsewhere(name: str, root: Cursor) -> str:
    """For ``learner: newton``: the key of the whole config whose value has that name."""
    for key, field in root.annotation.model_fields.items():
        if is_family(field.annotation) and name in field.annotation.members:
            return f"{name} is a value of {key}: {key}={name}"
    return ""


def _member_form(error: Error, root: Cursor) -> Finding:
    cursor, value = root.follow(error["loc"]), error["input"]
    what = _at(cursor.path, f"{error['msg']}, got {shown(value)}")
    hint = habits.of_value(cursor, value, root.annotation) or _owner(cursor.annotation, value)
    return Finding(cursor.path, what, hint)


def _owner(family: Any, fields: Any) -> str:
    """For ``{beta_1: 0.8}`` or ``{dense: 8, bias: false}``: how to name the intended member."""
    if not is_family(family) or not isinstance(fields, dict) or not fields:
        return ""
    if named := [key for key in fields if key in family.members]:
        return f"put the other keys inside '{named[0]}', or write 'name: {named[0]}'"
    owners = [n for n, m in sorted(family.members.items()) if fields.keys() <= set(m.model_fields)]
    return f"keys of {', '.join(owners)}: add 'name: {owners[0]}'" if owners else ""


def _literal(error: Error, root: Cursor) -> Finding:
    cursor, value = root.follow(error["loc"]), error["input"]
    known = get_origin(cursor.annotation) is Literal
    valid = [str(v) for v in get_args(cursor.annotation)] if known else [error["ctx"]["expected"]]
    got = quoted(value) if isinstance(value, str) else shown(value)
    what = _at(cursor.path, f"{got} is not one of {', '.join(valid)}")
    return Finding(cursor.path, what, did_you_mean(cut(str(value)), valid) if known else "")


def _value(error: Error, root: Cursor) -> Finding:
    """Every other fault: of type, range or length, or from a validator of the model."""
    context = error.get("ctx", {})
    below = tuple(filter(None, str(context.get("path", "")).split(".")))
    cursor = root.follow((*error["loc"], *below))
    what, hint = _fault(error, context, cursor)
    return Finding(cursor.path, _at(cursor.path, what), hint, False, context.get("closing", ""))


def _fault(error: Error, context: Mapping[str, Any], cursor: Cursor) -> tuple[str, str]:
    kind, value = error["type"], error["input"]
    if kind in EXPECTED:
        return f"must be {EXPECTED[kind]}, got {shown(value)}", _remedy(EXPECTED[kind], value)
    if kind in RANGES:
        return f"must be {_limits(BOUNDS, cursor, context)}, got {shown(value)}", ""
    if kind in SIZES:
        return f"its length must be {_limits(LENGTHS, cursor, context)}, got {len(value)}", ""
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}, got {shown(value)}", ""
    if kind in ("value_error", "assertion_error"):
        return str(context["error"]), ""
    return re.sub(r"^\w+ should", "must", error["msg"]), context.get("hint", "")


def _limits(signs: Mapping[str, str], cursor: Cursor, context: Mapping[str, Any]) -> str:
    """``> 0 and <= 10000``: every bound of the field, not only the violated one."""
    limits = {name: context[name] for name in signs if name in context}
    for constraint in cursor.constraints:
        limits |= {n: getattr(constraint, n) for n in signs if hasattr(constraint, n)}
    numbers = {n: f"{x:g}" if isinstance(x, float) else str(x) for n, x in limits.items()}
    return " and ".join(f"{signs[name]} {numbers[name]}" for name in signs if name in numbers)


def _remedy(expected: str, value: Any) -> str:
    """What to write instead, if the intention is clear; else empty."""
    if isinstance(value, str) and value.lower() in OFF:
        return "write false" if expected == "true or false" else NEVER_OFF
    if isinstance(value, str) and expected.endswith("number") and _is_number(value):
        return "remove the quotes"
    if isinstance(value, float) and expected == "a whole number" and value.is_integer():
        return f"write {int(value)}" if abs(value) < 1e15 else ""
    if expected == "text" and isinstance(value, bool | int | float):
        return "quote it"
    return "put it in brackets" if expected == "a list" and not isinstance(value, dict) else ""


def _is_number(text: str) -> bool:
    try:
        value = plain(text)
    except ConfigError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


FINDERS: dict[str, Callable[[Error, Cursor], Finding]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "unknown_member": _unknown_member,
    "member_form": _member_form,
    "literal_error": _literal,
}
