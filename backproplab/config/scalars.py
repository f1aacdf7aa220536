"""Plain (unquoted) YAML scalars, read by the rules of YAML 1.2; ambiguous ones are refused.

``1e-3`` is a number and ``on`` is no truth value. A text that YAML 1.1 would silently convert
(``010`` into 8, ``1:30`` into 90, ``no`` into false) is an error whose hint shows how to write it.
This file knows single scalars: no keys, no lines.

Source: YAML 1.2.2, section 10.3 (core schema), without its octal, hexadecimal, NaN and infinity.
"""

from __future__ import annotations

import math
import re

from backproplab.config.wording import quoted
from backproplab.errors import ConfigError, Problem

Scalar = str | int | float | bool | None

NULLS = {"", "~", "null", "Null", "NULL"}
TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INTEGER_DIGITS = 19
SWITCH = re.compile(r"(?i)yes|no|on|off|y|n")

TEXT = "quote it if you mean text"
REFUSED = (
    (SWITCH, "is not a truth value", f"write true or false; {TEXT}"),
    (re.compile(r"[-+]?0[0-9]+([.eE].*)?"), "has a leading zero", f"write it without; {TEXT}"),
    (
        re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]*"),
        "looks like a number but is not",
        f"write it in decimal; {TEXT}",
    ),
    (
        re.compile(r"(?=.*_)[-+]?\.?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9_]+)?"),
        "has underscores, which are not allowed in numbers",
        f"write the digits only; {TEXT}",
    ),
    (re.compile(r"[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?"), "looks like a number but is not", TEXT),
    (
        re.compile(r"[-+]?[0-9]+(,[0-9]+)+([eE][-+]?[0-9]+)?"),
        "is not a number",
        "use a decimal point and no thousands separator; put a list in brackets",
    ),
    (
        re.compile(r"[-+]?\.?(nan|inf|infinity)", re.IGNORECASE),
        "is not a usable number",
        f"write a finite one; {TEXT}",
    ),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?"), "looks like a date", TEXT),
)


def plain(text: str) -> Scalar:
    """The value of a plain scalar. Raises ConfigError, without a position, if it is refused."""
    if text in NULLS:
        return None
    if text in TRUTHS:
        return TRUTHS[text]
    for pattern, fault, hint in REFUSED:
        if pattern.fullmatch(text):
            raise ConfigError(Problem("", f"{quoted(text)} {fault}", hint))
    if INTEGER.fullmatch(text):
        return _integer(text)
    return _float(text) if FLOAT.fullmatch(text) else text


def is_text(text: str) -> bool:
    """Whether a plain scalar may be a key: ``on`` and ``no`` may, ``1`` and ``null`` may not."""
    try:
        return SWITCH.fullmatch(text) is not None or isinstance(plain(text), str)
    except ConfigError:
        return False


def _integer(text: str) -> int:
    if len(text.lstrip("+-")) > INTEGER_DIGITS:
        fault = f"integer too long: {quoted(text)} has more than {INTEGER_DIGITS} digits"
        raise ConfigError(Problem("", fault, TEXT))
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    vanished = not value and re.search(r"[1-9]", re.split("[eE]", text)[0])
    if math.isinf(value) or vanished:
        size = "small" if vanished else "large"
        raise ConfigError(Problem("", f"{quoted(text)} is too {size} for a float", TEXT))
    return value
