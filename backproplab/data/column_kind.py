"""The key ``columns`` of a table: what a column is, as a config says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from backproplab.errors import did_you_mean
from backproplab.spec import Checked
from backproplab.tables.kinds import EMBEDDING
from backproplab.tables.shaping import SCALES, Shaping

KINDS = ("numeric", "categorical", "boolean", "date", "ignore")


UNITS = 4096  # most of an embedding


def _units(text: str) -> int:
    """Those of ``embedding 8``; 0 for any other text."""
    number = text.removeprefix(EMBEDDING)
    fits = number != text and number.isdecimal() and 1 <= int(number) <= UNITS
    return int(number) if fits else 0


@dataclass(frozen=True)
class ColumnKind(Checked):
    """Marks what a column is: one of KINDS, ``{date: FORMAT}``, whose value is the format,
    ``{embedding: 8}``, whose value is ``embedding 8``, or how numbers are shaped:
    ``{clip: [0, 500], log: true, scale: minmax}``, whose value is ``clip 0 500 log minmax``."""

    def _described(self) -> dict[str, Any]:
        date = {"type": "object", "properties": {"date": {"type": "string"}}, "required": ["date"]}
        units = {"type": "integer", "minimum": 1, "maximum": UNITS}
        vector = {"type": "object", "properties": {"embedding": units}, "required": ["embedding"]}
        clip = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
        keys = {"clip": clip, "log": {"type": "boolean"}, "scale": {"enum": list(SCALES)}}
        shape = {"type": "object", "properties": keys, "additionalProperties": False}
        patterns = ("%", f"^{EMBEDDING}", f"^(clip|log|{'|'.join(SCALES)})")
        texts = [{"type": "string", "pattern": pattern} for pattern in patterns]
        return {"anyOf": [{"enum": list(KINDS)}, *texts, date, vector, shape]}

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
        shaping = Shaping.of(value) if isinstance(value, dict) else Shaping.parse(str(value))
        if shaping and str(shaping):
            return str(shaping)
        forms = f"{{date: '%d.%m.%Y'}}, {{embedding: 8}} with 1 to {UNITS:,} units, or of numbers"
        shapes = f"{{clip: [0, 500], log: true, scale: {' | '.join(SCALES)}}}"
        valid = f"must be {', '.join(KINDS)}, {forms} {shapes}"
        hint = did_you_mean(value, (*KINDS, "log", *SCALES)) if isinstance(value, str) else ""
        raise PydanticCustomError("column_kind", valid, {"hint": hint})
