"""Words: a rule's sentence from its facts. Every number in it is one of them, rounded."""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any


def significant(value: float) -> str:
    """``1,797``, ``2.3``, ``0.0042``, ``3.1e+18``: whole numbers whole, others with 3 digits."""
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def loss(value: float) -> str:
    """Three decimals, so that two losses can be distinguished: ``2.303``."""
    return f"{value:.3f}" if 0.01 <= abs(value) < 1e4 else significant(value)


def percent(share: float) -> str:
    """``18 %``, ``2.4 %``, ``0.05 %``: two digits."""
    return f"{100 * share:,.0f} %" if abs(share) >= 0.0995 else f"{100 * share:.2g} %"


class _Words(Formatter):
    """n: a number, l: a loss, p: percent, p1: with one decimal, e: its error, is: or are."""

    def format_field(self, value: Any, spec: str) -> str:
        shown: dict[str, Callable[[Any], str]] = {
            "n": significant,
            "l": loss,
            "p": percent,
            "e": lambda share: f"{100 * share:.1f}",
            "p1": lambda share: f"{100 * share:.1f} %",
            "is": lambda count: "is" if count == 1 else "are",
        }
        return shown[spec](value) if spec else str(value)


def sentence(template: str, facts: dict[str, Any]) -> str:
    return str(_Words().vformat(template, (), facts))
