"""Sweeps: one file, or a config and comma words, as many trials; and who runs them.

Names are imported on use: a worker needs ``job`` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproplab.sweep.library import conclude, run
    from backproplab.sweep.space import read

_HOME = {"conclude": "library", "read": "space", "run": "library"}
__all__ = ["conclude", "read", "run"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'backproplab.sweep' has no attribute {name!r}")
    return getattr(import_module(f"backproplab.sweep.{_HOME[name]}"), name)
