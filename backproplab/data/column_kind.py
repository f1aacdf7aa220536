"""The key ``columns`` of a table: what a column is, as a config says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from backproplab.errors import did_you_mean

KINDS = ("numeric", "categorical", "boolean", "date", "ignore")


@dataclass(frozen=True)
class ColumnKind:
    """Marks what a column is: one of KINDS, or ``{date: FORMAT}``, whose value is the format."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        date = {"type": "object", "properties": {"date": {"type": "string"}}, "required": ["date"]}
        return {"anyOf": [{"enum": list(KINDS)}, {"type": "string", "pattern": "%"}, date]}

    def _checked(self, value: Any) -> str:
        if isinstance(value, dict) and list(value) == ["date"]:
            value = value["date"]
        if isinstance(value, str) and (value in KINDS or "%" in value):
            return value
        valid = f"must be {', '.join(KINDS)}, or {{date: '%d.%m.%Y'}}"
        hint = did_you_mean(value, KINDS) if isinstance(value, str) else ""
        raise PydanticCustomError("column_kind", valid, {"hint": hint})
