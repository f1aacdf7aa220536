"""Catalogs: what a config can name, by its name; files and packages of the user add to them."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

from backproplab.errors import ConfigError, Problem

CATALOGS: list[dict[str, Any]] = []
GROUP = "backproplab.parts"  # of the entry points of packages


def catalog() -> dict[str, Any]:
    """A new catalog, which is empty."""
    made: dict[str, Any] = {}
    CATALOGS.append(made)
    return made


@cache
def import_packages() -> None:
    """Import the modules that installed packages offer. Raises ConfigError for a broken one."""
    for point in metadata.entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            what = f"{point.value} cannot be imported: {type(error).__name__}: {error}"
            where = f"the entry point {GROUP} {point.name}"
            raise ConfigError(Problem(where, what, "reinstall or remove its package")) from error
