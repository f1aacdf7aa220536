"""Pictures: each rule's statistic in a faulty run and in a mended one, of real runs.

pictures.json is made by ``python -m benchmarks.diagnosis_pictures``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from math import nan
from pathlib import Path

FILE = Path(__file__).with_name("pictures.json")


@dataclass(frozen=True)
class Drawn:
    """One run: what it is, and its values."""

    of: str
    values: tuple[float, ...]

    @property
    def finite(self) -> list[float]:
        return [value for value in self.values if value == value]


@dataclass(frozen=True)
class Picture:
    """shows: the statistic, and by what it is shown."""

    shows: str
    logarithmic: bool
    faulty: Drawn
    mended: Drawn

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value of both; above 0 if the scale is logarithmic."""
        known = [
            x for x in (*self.faulty.finite, *self.mended.finite) if x > 0 or not self.logarithmic
        ]
        return min(known), max(known)


@cache
def pictures() -> dict[str, Picture]:
    """The picture of each rule."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        rule: Picture(
            entry["shows"], entry["logarithmic"], _drawn(entry["faulty"]), _drawn(entry["mended"])
        )
        for rule, entry in found.items()
    }


def _drawn(entry: dict[str, object]) -> Drawn:
    values = entry["values"]
    assert isinstance(values, list)
    return Drawn(str(entry["of"]), tuple(nan if x is None else float(x) for x in values))
