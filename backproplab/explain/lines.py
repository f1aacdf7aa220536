"""Lines of a report, in pieces with a role each, and the numbers in them."""

from __future__ import annotations

import numpy as np

from backproplab.autograd.graph import number
from backproplab.explain.formula import shown
from backproplab.explain.values import Value

Line = tuple[tuple[str, str], ...]  # (text, role) of each piece


def line(text: str, role: str = "") -> Line:
    return ((text, role),)


def joined(parts: Line) -> str:
    """The text of a line."""
    return "".join(text for text, _ in parts)


def factor(value: Value) -> str:
    return bracketed(short(value))


def bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def short(value: Value) -> str:
    """Six significant digits; of a vector four of each entry."""
    return f"{value:.6g}" if not isinstance(value, np.ndarray) else shown(value, 4)


def rounded(value: Value) -> str:
    """12 significant digits: enough to add up by hand, without the last bits of rounding."""
    return shown(value) if isinstance(value, np.ndarray) else number(float(f"{value:.12g}"))
