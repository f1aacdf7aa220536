"""The key ``standardize``: how inputs are scaled, as a config says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic_core import PydanticCustomError

from backproplab.errors import did_you_mean
from backproplab.spec import Checked

SWITCHES = ("yes", "no", "on", "off", "y", "n")  # which are texts


@dataclass(frozen=True)
class Scale(Checked):
    """Marks how inputs are scaled: true, false, or one of ``words``."""

    words: tuple[str, ...]

    def _described(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, {"enum": list(self.words)}]}

    def _checked(self, value: Any) -> bool | str:
        if isinstance(value, bool) or (isinstance(value, str) and value in self.words):
            return value
        valid = f"must be {', '.join(('true', 'false', *self.words[:-1]))} or {self.words[-1]}"
        hint = did_you_mean(value, self.words) if isinstance(value, str) else ""
        hint = "write true or false" if str(value).lower() in SWITCHES else hint
        raise PydanticCustomError("scale", "{valid}", {"valid": valid, "hint": hint})


Scaled = Annotated[bool | str, Scale(("minmax",))]
ColumnsScaled = Annotated[bool | str, Scale(("minmax", "quantile"))]
