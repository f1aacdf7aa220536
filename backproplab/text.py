"""The text of numbers and counts, as shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import join
from typing import Any

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a formula begins with in a spreadsheet


def number(value: float) -> str:
    """Four decimals, or ``1.2340e-05`` for very small and large values, as Keras prints them."""
    plain = value == 0 or 1e-3 < abs(value) < 1e6 or value != value
    return f"{value:.4f}" if plain else f"{value:.4e}"


def measured(name: str, value: float) -> str:
    """A measure's value; ``undefined`` for NaN, which a loss has only where training diverged."""
    nan = value != value and not name.endswith("loss")
    return "undefined" if nan else number(value)


def row(values: Mapping[str, float]) -> str:
    """``loss 0.1234  accuracy 0.9531  val_loss 0.1500``."""
    return "  ".join(f"{name} {measured(name, value)}" for name, value in values.items())


def seconds(value: float | None) -> str:
    """``12.34``, or a dash if it is not known."""
    return "–" if value is None else f"{value:.2f}"


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: a spreadsheet would compute a text that begins like a formula.

    Such a text gets an apostrophe before it, which spreadsheets take for "this is text". Numbers
    stay as they are, also those that are given as text.
    """
    if not (isinstance(value, str) and value.startswith(FORMULAS)):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def counted(amount: int, word: str) -> str:
    """``1 epoch``, ``2,700 epochs``, ``2 batches``, ``3 guesses``."""
    plural = "es" if word.endswith(("ch", "ss")) and word != "epoch" else "s"
    return f"{amount:,} {word}{'' if amount == 1 else plural}"


def typed(*words: str | Path) -> str:
    """A command to type in any folder: paths are absolute, and words are quoted where needed."""
    return join([str(word.absolute()) if isinstance(word, Path) else word for word in words])
