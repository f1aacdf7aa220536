"""Numbers as the page writes them: few digits, a real minus, no break inside.

This file must not know what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

HARD = "\u00a0"  # a space at which no line breaks
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def value(number: float) -> str:
    """Four decimals from 0.001 to 1000, else three digits and a power of ten: 2.89·10¹⁸."""
    if number == 0 or 1e-3 <= abs(number) < 1e3 or not isfinite(number):
        return _minus(f"{number:.4f}")
    return _power(number, 2)


def three(number: float) -> str:
    """Three digits, at most four decimals: 0.111, 6.39, 123."""
    if number == 0 or not 1e-3 <= abs(number) < 1e3:
        return value(number) if number else "0"
    return _minus(f"{number:.{min(4, 2 - floor(log10(abs(number))))}f}")


def spread(mean: float, std: float | None) -> tuple[str, str]:
    """(mean, ``± std``): two digits of the deviation, the mean to the same place; at most four
    decimals. Without a deviation (value, empty)."""
    if std is None or not isfinite(std):
        return value(mean), ""
    if max(abs(mean), std) >= 1e3 or (mean and abs(mean) < 1e-3):
        return _power(mean, 2), f"±{HARD}{_power(std, 1)}"
    places = 4 if std == 0 else max(0, min(4, 1 - floor(log10(std))))
    return _minus(f"{mean:.{places}f}"), f"±{HARD}{std:.{places}f}"


def both(mean: float, std: float | None) -> str:
    """``0.111 ± 0.060``."""
    return HARD.join(filter(None, spread(mean, std)))


def signed(number: float) -> str:
    """A difference with its sign: three decimals below 1, else three digits."""
    size = abs(number)
    text = _power(size, 1) if size >= 1e3 or 0 < size < 5e-4 else three(size)
    text = f"{size:.3f}" if 5e-4 <= size < 1 else text
    return f"{'−' if number < 0 else '+'}{text}"


def ratio(number: float) -> str:
    """``×2.6``."""
    return f"×{number:.1f}" if number < 100 else f"×{three(number)}"


def plain(number: float) -> str:
    """As short as it is exact to six digits: 0.01, 3, 10⁻⁶."""
    if number == 0 or 1e-4 <= abs(number) < 1e6:
        return _minus(f"{number:g}")
    return _power(number, 2)


def amount(count: int) -> str:
    """``three``; from eleven on digits."""
    return NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else f"{count:,}"


def whole(numbers: Sequence[int]) -> str:
    """``2 to 10``, or the one that all are."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def listed(texts: Sequence[str], most: int = 4) -> str:
    """``a, b and c``; beyond ``most`` the number of the others."""
    if len(texts) > most + 1:
        texts = [*texts[:most], f"{len(texts) - most} more"]
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def _power(number: float, digits: int) -> str:
    if number == 0:
        return "0"
    mantissa, exponent = f"{number:.{digits}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    ten = f"10{str(int(exponent)).translate(RAISED)}"
    return _minus(ten if mantissa == "1" else f"{mantissa}·{ten}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
