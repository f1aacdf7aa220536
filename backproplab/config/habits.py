"""Hints for keys and values in the words of other tools, or at another place than here.

This file knows annotations; the words of other tools are in ``errors.SYNONYMS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from backproplab.config.cursor import Cursor, is_family
from backproplab.config.wording import cut, dotted, shown
from backproplab.errors import did_you_mean, synonyms
from backproplab.spec import Family

NAMES = {"type", "class", "class_name", "kind", "_target_", "id", "method", "algorithm"}
OF_SWEEPS = "it is a key of a sweep: backproplab sweep"
PAIRS = {
    "betas": "write beta_1 and beta_2, one number each",
    **dict.fromkeys(("class_weights", "class_weight"), "write loss: {auto: {class_weights: …}}"),
    "label_smoothing": "write loss: {auto: {label_smoothing: …}}",
    "folds": f"{OF_SWEEPS} --folds 5",
    "baselines": f"{OF_SWEEPS} --baselines linear,random_forest",
}
OF_DATA = {  # words of pandas and scikit-learn: for which key of the section data
    "standardize: true, false or minmax": "scale scaler scaling normalization preprocessing",
    "delimiter": "sep separator delim",
    "target": "y label labels target_column y_column class_column",
    "missing: ['?']": "na_values missing_values",
    "id: COLUMN": "index index_col id_column row_id",
    "weights: COLUMN": "sample_weight sample_weights weight weight_column",
    "columns: {NAME: ignore}": "drop ignore usecols features exclude",
    "columns: {NAME: categorical}": "categorical categorical_features dtypes dtype types",
    "columns: {NAME: {date: '%d.%m.%Y'}}": "parse_dates date_columns dates",
    "split: random": "shuffle",
    "split: stratified": "stratify",
    "split: {group: COLUMN}": "group groups",
    "split: {time: COLUMN}": "time time_column",
    "train_samples": "nrows n_rows rows max_samples",
}
SHOWN = 3  # examples in a hint


def of_key(key: str, parent: Cursor, root: Any, value: Any = None) -> str:
    """What to write instead of an unknown key of ``parent``; empty if nothing is near.

    parent: a spec, or a family in whose value ``key`` is no member.  root: the whole schema.
    """
    if key in PAIRS:
        return PAIRS[key]
    if parent.path[:1] == ("data",) and (ours := _of_data(key, parent)):
        return ours
    family = _family_of(parent.annotation)
    if is_family(parent.annotation):
        if key.lower() in NAMES:
            name = _as_name(value, parent.annotation)
            return f"'{key}' is called 'name' here{f': {{name: {name}}}' if name else ''}"
        known = did_you_mean(key, parent.annotation.members)
    else:
        known = did_you_mean(cut(key), parent.annotation.model_fields)
    others = _owners(key, parent) if family else ""
    return known if known and not others else others or _elsewhere(key, parent, root) or known


def _of_data(key: str, parent: Cursor) -> str:
    """The key of data that a word of another tool means, if these data have it."""
    hints = (hint for hint, words in OF_DATA.items() if key in words.split())
    fields = getattr(parent.annotation, "model_fields", {})
    return next((f"write {hint}" for hint in hints if hint.partition(":")[0] in fields), "")


def of_value(cursor: Cursor, value: Any, root: Any) -> str:
    """What to write instead of a value that is no member: a number, or keys without a name."""
    family = cursor.annotation
    if isinstance(value, int | float) and not isinstance(value, bool):
        if family.members.get("dense"):
            return f"write {{dense: {shown(value)}}}, or model.hidden: […] with the widths alone"
        if not all(_takes(member, value) for member in family.members.values()):
            return ""
        return (
            f"such as {', '.join(f'{{{n}: {shown(value)}}}' for n in list(family.members)[:SHOWN])}"
        )
    named = [key for key in value if str(key).lower() in NAMES] if isinstance(value, dict) else []
    if not named:
        return ""
    name = _as_name(value[named[0]], family)
    hints = [f"'{named[0]}' is called 'name' here{f': {{name: {name}, …}}' if name else ''}"]
    if member := family.members.get(name):
        inside = Cursor(cursor.path, {}, member)
        unknown = [key for key in value if key not in {named[0], *member.model_fields}]
        hints += [f"'{k}': {h}" for k in unknown if (h := of_key(str(k), inside, root))]
    return "; ".join(hints)


def _as_name(value: Any, family: type[Family]) -> str:
    """The member that the value of a ``type`` means; empty if none is near."""
    if not isinstance(value, str):
        return ""
    near = did_you_mean(cut(value), family.members)
    return value if value in family.members else near.split("'")[1] if near else ""


def _takes(member: type[Family], value: Any) -> bool:
    """Whether ``{member: value}`` is valid."""
    first = member.first_field()
    try:
        return first is not None and bool(member.model_validate({first: value}))
    except ValueError:
        return False


def _family_of(annotation: Any) -> type[Family] | None:
    """The family itself, or that of one of its members."""
    if not (isinstance(annotation, type) and issubclass(annotation, Family)):
        return None
    return next(level for level in annotation.__mro__ if "members" in vars(level))


def _owners(key: str, parent: Cursor) -> str:
    """The members of the parent's family that have this key, or that are called like it."""
    family = _family_of(parent.annotation)
    assert family is not None
    words = [key, *synonyms(key)]
    here = () if is_family(parent.annotation) else parent.annotation.model_fields
    for word in words if not is_family(parent.annotation) else ():
        owners = [n for n, m in sorted(family.members.items()) if word in m.model_fields]
        if owners and word not in here:
            best = word if word in owners else owners[0]
            others = ", ".join(sorted(owners, key=lambda name: name != best)[:SHOWN])
            more = "" if len(owners) <= SHOWN else ", …"
            return f"a key of {others}{more}: write {{name: {best}, {word}: …}}"
        if word in family.members and word != parent.annotation.name:
            return f"write {{name: {word}}} instead of {{name: {parent.annotation.name}}}"
    return ""


def _elsewhere(key: str, parent: Cursor, root: Any) -> str:
    """Where in the config there is such a key: ``activation`` at the top belongs in ``model``."""
    words = [key, *synonyms(key)]
    inside = [] if root is parent.annotation else _sections(parent.annotation, parent.path)
    sections = [*inside, *_sections(root, ())]
    for near in (False, True):
        for path, fields in sections:
            found = next((word for word in words if word in fields), "")
            if near and not found:
                hint = did_you_mean(cut(key), fields)
                found = hint.split("'")[1] if hint else ""
            if found:
                place = dotted((*path, found))
                return (
                    f"did you mean '{place}'?" if path else f"did you mean '{place}', at the top?"
                )
    return ""


def _sections(annotation: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, Any]]:
    """The fields of a spec, and of the specs in it."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return
    if is_family(annotation):
        return
    fields = annotation.model_fields
    if not path:
        yield path, fields
    for name in fields:
        inner = Cursor(path, None, annotation).follow([name]).annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield (*path, name), inner.model_fields
