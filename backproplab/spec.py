"""Spec: a frozen, strict description with its behavior. Family: specs selected by name.

An optimizer, a layer or a data set is a small pydantic class. Its fields define the YAML keys, the
checked ranges, the documentation, the sweep space and the saved config; its methods are the
behavior. ``class Adam(Optimizer, name="adam")`` is the whole registration.

A member may be written in three ways where its family is expected:

    adam                                 its name: every field at its default
    {name: adam, beta_1: 0.8}            its name and fields
    {adam: {beta_1: 0.8}}, {dense: 64}   its name as the key; a bare value sets the first field

This file knows pydantic and no mathematics.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from backproplab.catalogs import catalog, import_packages
from backproplab.errors import did_you_mean

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]


@dataclass(frozen=True)
class Lasts:
    """Marks a field that is a length of a run: it has an effect only in a run that is long enough.

    unit: ``steps``, ``epochs``, or ``batches`` of an epoch.  more: how many the run must have
    beyond the value.  lost: what never happens in a shorter run.
    """

    unit: Literal["steps", "epochs", "batches"]
    more: int
    lost: str


@dataclass(frozen=True)
class Off:
    """Marks a field that null, none, false and off switch off: ``value`` is what they mean.

    unless: a key beside it that makes null mean that this one is not given.
    """

    value: Any = None
    unless: str = ""


class Checked:
    """Marks a field that ``_checked`` checks, and ``_described`` describes in JSON Schema.

    ``_checked`` returns the value that is kept, or raises PydanticCustomError.
    """

    def _checked(self, value: Any) -> Any:
        raise NotImplementedError

    def _described(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return self._described()


@dataclass(frozen=True)
class CountOr(Checked):
    """Marks a field that is a whole number from 1 to ``most``, or one of the words."""

    words: tuple[str, ...]
    most: int = 10**9

    def _described(self) -> dict[str, Any]:
        words = [{"const": word} for word in self.words]
        return {"anyOf": [*words, {"type": "integer", "minimum": 1, "maximum": self.most}]}

    def _checked(self, value: Any) -> Any:
        if value in self.words or (type(value) is int and 1 <= value <= self.most):
            return value
        valid = f"must be {', '.join(self.words)}, or a number from 1 to {self.most:,}"
        raise PydanticCustomError("count_or", valid)


@dataclass(frozen=True)
class PositiveOr(Checked):
    """Marks a field that is a number above 0, or the word."""

    word: str

    def _described(self) -> dict[str, Any]:
        return {"anyOf": [{"const": self.word}, {"type": "number", "exclusiveMinimum": 0}]}

    def _checked(self, value: Any) -> Any:
        if value == self.word:
            return value
        if type(value) in (int, float) and 0 < value < float("inf"):
            return float(value)
        raise PydanticCustomError("positive_or", f"must be {self.word}, or a number above 0")


class IsPath:
    """Marks a field that holds a path; one in a file is relative to that file."""


def absolute(path: str, folder: Path = Path()) -> str:
    """A path below ``folder``, as an absolute one; ``~`` is the home. An empty one stays, and so
    does a slash at the end, which says that it is a folder."""
    if not path or "\0" in path:
        return path
    whole = (folder / os.path.expanduser(path)).absolute()  # noqa: PTH111  # Path's raises on ~nobody
    found = str(whole.resolve() if ".." in whole.parts else whole)
    return f"{found}/" if path.endswith("/") and found != "/" else found


PathText = Annotated[str, AfterValidator(absolute), IsPath()]


class Spec(BaseModel):
    """A frozen description; unknown keys, wrong types, NaN and infinity are errors.

    by_member: fields that may hold a column, one number for each member of a population.
    """

    by_member: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        defer_build=True,  # a run uses few of them: a quarter of the time that imports take
    )


class Family(Spec):
    """Specs selected by name.

    A direct subclass is a family (``class Optimizer(Family)``). A subclass of it with a ``name`` is
    a member of that family and of every family between: a ReLU is an Activation and so a Layer. A
    subclass without a name only shares code.

    required: what each member must define, methods and class variables.
    """

    required: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str]
    members: ClassVar[dict[str, type[Self]]]

    def __init_subclass__(cls, name: str = "", family: bool = False, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if family or Family in cls.__bases__:
            cls.members = catalog()
        elif name:
            cls.name = name

    @classmethod
    def __pydantic_init_subclass__(cls, name: str = "", **settings: Any) -> None:
        for ancestor in cls.__mro__[1:] if name else ():
            if "members" in vars(ancestor):
                ancestor.members[name] = cls  # type: ignore[attr-defined]

    @classmethod
    def is_family(cls) -> bool:
        """True for the family itself, False for its members."""
        return "members" in vars(cls)

    @classmethod
    def find(cls, name: str) -> type[Self] | None:
        """The member of this name; packages are imported only for a name that is not known."""
        if name not in cls.members:
            import_packages()
        return cls.members.get(name)

    @classmethod
    def parse(cls, value: Any) -> Self:
        """The member described by ``value``, in any of the three forms.

        Raises pydantic errors, located at the faulty field.
        """
        if isinstance(value, cls):
            return value
        name, fields, key = cls.dissect(value)
        member = cls.find(name)
        if member is None:
            shown = str(name)[:80]
            what = {"what": cls.unknown(shown), "hint": cls.nearest(shown)}
            context = {**what, "name": shown, "key": key}
            raise PydanticCustomError("unknown_member", "{what}", context)
        return member.model_validate(fields)

    @classmethod
    def dissect(cls, value: Any) -> tuple[str, dict[str, Any], str]:
        """(the member's name, its fields, the YAML key that held the name)."""
        if isinstance(value, str):
            return cls.named_by(value)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], {k: v for k, v in value.items() if k != "name"}, "name"
        if isinstance(value, dict) and len(value) == 1 and "name" not in value:
            (name, inner), *_ = value.items()
            member = cls.find(name)
            if inner is None or isinstance(inner, dict) or member is None:
                return name, inner if isinstance(inner, dict) else {}, name
            first = member.first_field()
            return name, {first: inner} if first else {name: inner}, name
        raise PydanticCustomError(
            "member_form",
            "must be a name ({valid}) or a mapping with a name",
            {"valid": ", ".join(sorted(cls.members))},
        )

    @classmethod
    def named_by(cls, text: str) -> tuple[str, dict[str, Any], str]:
        """What a bare text means: the member of this name; a family may know other texts."""
        return text, {}, ""

    @classmethod
    def unknown(cls, name: str) -> str:
        """What is wrong with a name that no member has."""
        return f"'{name}' is not known; one of {', '.join(sorted(cls.members))}"

    @classmethod
    def nearest(cls, name: str) -> str:
        """A hint for a name that no member has."""
        return did_you_mean(name, cls.members)

    @classmethod
    def first_field(cls) -> str | None:
        """The field that a bare value sets: the class's own first one, else an inherited one."""
        own = (field for level in cls.__mro__ for field in vars(level).get("__annotations__", ()))
        return next((field for field in own if field in cls.model_fields), None)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not cls.is_family():
            return handler(source)
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(Family.describe),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if not cls.is_family():
            return handler(schema)
        if not cls.members:  # only files of the user have any
            return {"type": ["string", "object"]}
        members = [member for _, member in sorted(cls.members.items())]
        return {"anyOf": [{"enum": sorted(cls.members)}, *(m._json_forms() for m in members)]}

    @classmethod
    def _json_forms(cls) -> dict[str, Any]:
        """The JSON schema of ``{name: …, fields}`` and of ``{<name>: …}``."""
        schema = _inlined(cls.model_json_schema())
        fields = {"name": {"const": cls.name}, **schema.get("properties", {})}
        required = ["name", *schema.get("required", [])]
        named = schema | {"properties": fields, "required": required}
        keyed = {"type": "object", "properties": {cls.name: {}}, "required": [cls.name]}
        return {"anyOf": [named, keyed | {"maxProperties": 1}]}

    def describe(self) -> str | dict[str, Any]:
        """The form in a saved config: ``{name: …, every field}``, or the name if it has none."""
        fields = self.model_dump()
        return {"name": self.name, **fields} if fields else self.name


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema with each ``$ref`` replaced by what it names, so that it can be a part."""
    named = schema.pop("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix("#/$defs/")
            return (
                inlined(named[name]) if name in named else {k: inlined(v) for k, v in node.items()}
            )
        return [inlined(item) for item in node] if isinstance(node, list) else node

    found: dict[str, Any] = inlined(schema)
    return found
