"""Turn a location of pydantic into a path in the file, by walking schema and tree together.

They differ if a family's member is written in short form: pydantic reports ``optimizer.beta_1``,
the file may hold ``optimizer: {adam: {beta_1: 2}}``. This file knows annotations and no messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from backproplab.config.wording import TreePath
from backproplab.spec import Family


@dataclass(frozen=True)
class Cursor:
    """One value: its path in the file, its node there, and its annotation in the schema."""

    path: TreePath
    node: Any
    annotation: Any
    constraints: tuple[Any, ...] = ()

    def follow(self, location: Iterable[str | int]) -> Cursor:
        """The value at a pydantic location below this one."""
        cursor = self
        for step in location:
            cursor = cursor._child(step)
        return cursor

    def member(self) -> Cursor:
        """The member and its fields, if this is a family's value; else this cursor itself."""
        family = self.annotation
        if not is_family(family):
            return self
        try:
            name, fields, key = family.dissect(self.node)
        except PydanticCustomError:
            return self
        if family.find(name) is None:
            return self
        if key in ("", "name"):
            bare = isinstance(self.node, str) and bool(fields)  # a text that is a field's value
            return Cursor(self.path, self.node if bare else fields, family.members[name])
        return Cursor((*self.path, name), self.node[name], family.members[name])

    def below(self, step: str | int) -> TreePath:
        """The path of a key or item in this value; for a bare value, ``{dense: 64}``, its own."""
        return self.path if self.is_bare() else (*self.path, step)

    def is_model(self) -> bool:
        """Whether it has keys of its own: a spec, but not a family, whose members have them."""
        return _is_model(self.annotation) and not is_family(self.annotation)

    def is_bare(self) -> bool:
        """Whether the file has one value here instead of a member's fields."""
        return _is_model(self.annotation) and not isinstance(self.node, dict | NoneType)

    def _child(self, step: str | int) -> Cursor:
        inside = self.member()
        declared = _declared(inside.annotation, step)
        there = held(inside.node, step)
        if declared is None and not there:  # a label that pydantic adds, such as a union's branch
            return self
        node = inside.node if inside.is_bare() else there[0] if there else None
        return Cursor(inside.below(step), node, *_unwrap(*(declared or (Any, ()))))


def long_form(
    tree: Any, path: TreePath, rest: TreePath, schema: Any
) -> tuple[str, dict[str, Any]] | None:
    """A form with keys for a member that is written as ``{dense: 8}`` at the path.

    (``dense``, ``{name: dense, units: 8}``); where the rest of the path goes through ``dense`` to
    a key, (``dense``, ``{dense: {units: 8}}``); of a path its form with a name. None for any other
    value, or if rest is ``dense``.
    """
    cursor = Cursor((), tree, schema).follow(path)
    if not is_family(cursor.annotation) or cursor.path != path:
        return None
    try:
        name, fields, key = cursor.annotation.dissect(cursor.node)
    except PydanticCustomError:
        return None
    if isinstance(cursor.node, str) and fields:
        return "name", {"name": name, **fields}
    if key in ("", "name") or cursor.annotation.find(name) is None or rest == (key,):
        return None
    return key, {key: fields} if rest[0] == key else {"name": name, **fields}


def named_form(tree: Any, path: TreePath, text: str, schema: Any) -> dict[str, Any]:
    """The form with keys of a text: ``{name: adam}``, or ``{name: csv, path: f.csv}``."""
    family = Cursor((), tree, schema).follow(path).annotation
    name, fields, _ = family.dissect(text) if is_family(family) else (text, {}, "")
    return {"name": name, **fields}


def default_form(tree: Any, path: TreePath, following: str | int, schema: Any) -> Any:
    """What is at a path that the file leaves out, in a form that can hold the key ``following``.

    A list, or ``{name: adam}`` if the default member has that key; else None.
    """
    parent = Cursor((), tree, schema).follow(path[:-1]).member()
    if not _is_model(parent.annotation) or str(path[-1]) not in parent.annotation.model_fields:
        return None
    try:
        value = getattr(parent.annotation.model_validate(parent.node or {}), str(path[-1]))
    except ValidationError:
        value = parent.annotation.model_fields[str(path[-1])].get_default()
    if isinstance(value, Family):
        known = following in type(value).model_fields
        return {"name": value.name} if known else None
    return list(value) if isinstance(value, list | tuple) else None


def is_family(annotation: Any) -> TypeGuard[type[Family]]:
    """Whether the annotation is a family, whose values have names."""
    return _is_model(annotation) and issubclass(annotation, Family) and annotation.is_family()


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _declared(annotation: Any, step: str | int) -> tuple[Any, tuple[Any, ...]] | None:
    """(annotation, constraints) of a field or an item; None if the schema has none there."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(step))
        return (field.annotation, tuple(field.metadata)) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1], ()
    if get_origin(annotation) not in (list, tuple) or not isinstance(step, int):
        return None
    repeated = len(arguments) == 1 or arguments[-1] is Ellipsis
    return (arguments[0] if repeated else arguments[min(step, len(arguments) - 1)]), ()


def held(node: Any, step: str | int) -> tuple[Any, ...]:
    """The file's value at this key or index, in a tuple; an empty tuple if there is none."""
    if isinstance(node, dict) and step in node:
        return (node[str(step)],)
    inside = isinstance(node, list) and isinstance(step, int) and step < len(node)
    return (node[step],) if inside else ()


def _unwrap(annotation: Any, constraints: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """``Annotated[int, Field(ge=1)] | None`` -> (int, (Ge(1),))."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _unwrap(arguments[0], (*constraints, *_flat(arguments[1:])))
    if origin in (Union, UnionType) and NoneType in arguments and len(arguments) == 2:
        return _unwrap(next(a for a in arguments if a is not NoneType), constraints)
    return annotation, constraints


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)
