"""The text of numbers and counts, as shown to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10
from pathlib import Path
from shlex import join
from typing import Any

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a formula begins with in a spreadsheet


def number(value: float) -> str:
    """Four decimals from 0.001 to 1000, else three digits and an exponent: ``9.67e-04``."""
    plain = value == 0 or 1e-3 <= abs(value) < 1e3 or not isfinite(value)
    return f"{value:.4f}" if plain else f"{value:.2e}"


def short(value: float) -> str:
    """Three digits: ``0.0031``, ``1.2e+03``, ``12``."""
    return f"{value:.3g}"


def spread(mean: float, std: float) -> str:
    """``0.111 ± 0.060``: two digits of the deviation, the mean to the same place; at most four
    decimals."""
    if max(abs(mean), std) >= 1e3 or 0 < abs(mean) < 1e-3 or not isfinite(mean + std):
        return f"{mean:.2e} ± {std:.1e}"
    places = 4 if std == 0 else max(0, min(4, 1 - floor(log10(std))))
    return f"{mean:.{places}f} ± {std:.{places}f}"


def signed(value: float) -> str:
    """A difference, always with its sign: three decimals below 1, else three digits."""
    size = abs(value)
    if size >= 1e3 or 0 < size < 5e-4:
        return f"{value:+.1e}"
    return f"{value:+.{3 if size < 1 else max(0, 2 - floor(log10(size)))}f}"


def age(since: float) -> str:
    """``4 s``, ``3 m``, ``2 h``, ``5 d``."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if since >= length:
            return f"{int(since // length)} {unit}"
    return f"{max(int(since), 0)} s"


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


def spent(value: float | None) -> str:
    """A duration with its unit: ``0.20 s``, ``4.8 s``, ``2 m``; a dash if it is not known."""
    if value is None:
        return "–"
    if value >= 60:
        return age(value)
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


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


def times(shape: Sequence[int]) -> str:
    """``28 × 28 × 3``."""
    return " × ".join(f"{length:,}" for length in shape)


def launcher(ranks: int) -> list[str]:
    """The words before a command that start it as several ranks; none for one."""
    return ["mpiexec", "-n", str(ranks)] if ranks > 1 else []


def typed(*words: str | Path) -> str:
    """A command to type in any folder: paths are absolute, and words are quoted where needed."""
    return join([str(word.absolute()) if isinstance(word, Path) else word for word in words])


def json_tree(value: Any) -> Any:
    """Mappings, lists and numbers as JSON has them; null for what is not finite."""
    if isinstance(value, Mapping):
        return {name: json_tree(item) for name, item in value.items()}
    if hasattr(value, "tolist"):  # of NumPy, which is not loaded for texts
        return json_tree(value.tolist())
    if isinstance(value, list | tuple):
        return [json_tree(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
