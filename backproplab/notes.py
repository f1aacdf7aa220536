"""Notes: warnings of Python and its packages, counted instead of printed into a live display.

Standard library only.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def collected() -> Iterator[Counter[str]]:
    """Within, a warning is counted and not printed; which are ignored or raised stays as it is.

    The counter's keys are lines such as ``RuntimeWarning: overflow in exp (losses.py:12)``.
    """
    found: Counter[str] = Counter()

    def note(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any
    ) -> None:
        text = " ".join(str(message).split())
        found[f"{category.__name__}: {text} ({Path(filename).name}:{lineno})"] += 1

    with warnings.catch_warnings():
        warnings.showwarning = note  # type: ignore[assignment]
        yield found
