"""Installed packages whose parts an experiment names: their versions decide what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any

from pydantic import BaseModel

from backproplab.config import Experiment


def packages(experiment: Experiment) -> dict[str, str]:
    """Package -> version; empty where all parts are ours, or of files of the user."""
    modules = {type(spec).__module__.partition(".")[0] for spec in _specs(experiment)}
    foreign = {name for name in modules if not name.startswith("backproplab")}
    owners = metadata.packages_distributions() if foreign else {}
    found = {package for module in foreign for package in owners.get(module, ())}
    return {package: metadata.version(package) for package in sorted(found)}


def _specs(value: Any) -> Iterator[BaseModel]:
    """Every spec in a value, itself included."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _specs(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _specs(item)
