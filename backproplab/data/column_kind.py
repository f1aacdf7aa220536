"""The key ``columns`` of a table: what a column is, as a config says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from backproplab.errors import did_you_mean
from backproplab.spec import Checked
from backproplab.tables.kinds import EMBEDDING

KINDS = ("numeric", "categorical", "boolean", "date", "ignore")


UNITS = 4096  # most of an embedding


def _units(text: str) -> int:
    """Those of ``embedding 8``; 0 for any other text."""
    number = text.removeprefix(EMBEDDING)
    fits = number != text and number.isdecimal() and 1 <= int(number) <= UNITS
    return int(number) if fits else 0


@dataclass(frozen=True)
class ColumnKind(Checked):
    """Marks what a column is: one of KINDS, ``{date: FORMAT}``, whose value is the format, or
    ``{embedding: 8}``, whose value is ``embedding 8``."""

    def _described(self) -> dict[str, Any]:
        date = {"type": "object", "properties": {"date": {"type": "string"}}, "required": ["date"]}
        units = {"type": "integer", "minimum": 1, "maximum": UNITS}
        vector = {"type": "object", "properties": {"embedding": units}, "required": ["embedding"]}
        texts = [{"type": "string", "pattern": "%"}, {"type": "string", "pattern": f"^{EMBEDDING}"}]
        return {"anyOf": [{"enum": list(KINDS)}, *texts, date, vector]}

    def _checked(self, value: Any) -> str:
        if isinstance(value, dict) and list(value) == ["date"]:
            value = value["date"]
        if isinstance(value, dict) and list(value) == ["embedding"]:
            units = value["embedding"]
            value = f"{EMBEDDING}{units}" if type(units) is int else units
        if isinstance(value, str) and _units(value):
            return value
        if isinstance(value, str) and (value in KINDS or "%" in value):
            return value
        forms = f"{{date: '%d.%m.%Y'}}, or {{embedding: 8}} with 1 to {UNITS:,} units"
        valid = f"must be {', '.join(KINDS)}, {forms}"
        hint = did_you_mean(value, KINDS) if isinstance(value, str) else ""
        raise PydanticCustomError("column_kind", valid, {"hint": hint})
