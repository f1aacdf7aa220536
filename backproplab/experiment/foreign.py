"""Installed packages whose parts an experiment names: their versions decide what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any

from pydantic import BaseModel

from backproplab.catalogs import GROUP
from backproplab.config import Experiment
from backproplab.nn.metrics import METRICS


def packages(experiment: Experiment) -> dict[str, str]:
    """Package -> version; empty where all parts are ours, or of files of the user."""
    named = [METRICS[name].function for name in experiment.metrics or ()]
    origins = [*(type(spec) for spec in _specs(experiment)), *named]
    modules = {str(origin.__module__).partition(".")[0] for origin in origins}
    foreign = {name for name in modules if not name.startswith("backproplab")}
    if not foreign:  # looking for packages takes milliseconds
        return {}
    owners = metadata.packages_distributions()
    found = {package for module in foreign for package in owners.get(module, ())}
    found |= {package for module, package in _offered() if module in foreign}
    return {package: metadata.version(package) for package in sorted(found)}


def _offered() -> Iterator[tuple[str, str]]:
    """(module, package) of each entry point; an editable install lists no modules of its own."""
    for point in metadata.entry_points(group=GROUP):
        if point.dist:
            yield point.module.partition(".")[0], point.dist.name


def _specs(value: Any) -> Iterator[BaseModel]:
    """Every spec in a value, itself included."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _specs(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _specs(item)
