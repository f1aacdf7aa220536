"""How the numbers of a column become inputs: clipped, on a logarithmic scale, scaled.

Plain arrays; what is fitted on training rows is fitted elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.arrays import Array

SCALES = ("standard", "minmax", "quantile")
FORM = re.compile(rf"(?:clip (\S+) (\S+))? ?(log)? ?({'|'.join(SCALES)})?")


@dataclass(frozen=True)
class Shaping:
    """Of a numeric column. Its text is ``clip 0 500 log minmax``; any word may be left out.

    clip: the least and the largest value; what is beyond becomes them.
    log: x ↦ sign(x) ln(1 + |x|), after clipping.
    scale: one of SCALES: mean 0 and variance 1; 0 … 1 from least to largest; 0 … 1 by rank. Empty
    is that of the table.
    """

    clip: tuple[float, float] | None = None
    log: bool = False
    scale: str = ""

    @classmethod
    def parse(cls, text: str) -> Shaping | None:
        """The shaping of a text; None for another text."""
        found = FORM.fullmatch(text.strip())
        if not text.strip() or found is None:
            return None
        low, high, log, scale = found.groups()
        try:
            return cls(_ordered(low, high) if low else None, bool(log), scale or "")
        except ValueError:
            return None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Shaping | None:
        """The shaping of ``{clip: [0, 500], log: true, scale: minmax}``; None for other fields."""
        clip, log, scale = fields.get("clip"), fields.get("log", False), fields.get("scale", "")
        ends = clip if isinstance(clip, list | tuple) and len(clip) == 2 else None
        plain = all(type(end) in (int, float) for end in ends or ())
        if {*fields} - {"clip", "log", "scale"} or (clip is not None and not (ends and plain)):
            return None
        words = [f"clip {ends[0]} {ends[1]}"] if ends else []
        words += ["log"] if log is True else []
        return cls.parse(" ".join([*words, str(scale)])) if type(log) is bool else None

    def __str__(self) -> str:
        clip = f"clip {self.clip[0]:.17g} {self.clip[1]:.17g}" if self.clip else ""
        return " ".join(filter(None, (clip, "log" if self.log else "", self.scale)))

    def __call__(self, values: Array) -> Array:
        """The values clipped and on their scale; NaN stays."""
        if self.clip:
            values = np.clip(values, *self.clip)
        return np.sign(values) * np.log1p(np.abs(values)) if self.log else values


AS_IT_IS = Shaping()


def _ordered(low: str, high: str) -> tuple[float, float]:
    """The two numbers. Raises ValueError unless both are finite and the first is less."""
    ends = float(low), float(high)
    if not (np.isfinite(ends).all() and ends[0] < ends[1]):
        raise ValueError("no interval")
    return ends


def ranks(values: Array, quantiles: Array) -> Array:
    """The place of each value among the quantiles, 0 … 1: QuantileTransformer of scikit-learn.

    values (n).  quantiles (k), ascending; of equal ones the value gets the mean of their places.
    """
    places = np.linspace(0, 1, len(quantiles))
    up = np.interp(values, quantiles, places)
    down = np.interp(-values, -quantiles[::-1], -places[::-1])
    found = (up - down) / 2
    found[values == quantiles[-1]] = 1
    found[values == quantiles[0]] = 0
    return found
