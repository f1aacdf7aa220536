"""SciPy's own functions, for the names that have no rule: on arrays, and on tensors that are not
tracked. A tracked tensor raises GraphError there."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def scipys(module: str, name: str, of: str = "") -> Any:
    """``scipy.module.name``, or ``scipy.module.of.name`` of a distribution. AttributeError if SciPy
    has none."""
    if name.startswith("__"):
        raise AttributeError(name)
    home = import_module(f"scipy.{module}")
    return getattr(getattr(home, of) if of else home, name)
