"""sweep.json: what a sweep's session says of its trials. Written by ``sweep``, read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backproplab.errors import DamageError
from backproplab.files import is_plain_name, read_object

NAME = "sweep.json"
LIMIT = 2**26  # bytes
KINDS = {"name": str, "identity": str, "metric": dict, "sweep": dict, "trials": list}


def read_sweep(session: Path) -> dict[str, Any]:
    """The object in the session's sweep.json; empty if there is none.

    Its entries are of the right types, as far as they are there; ``trials`` is, and each of them
    has a number and the names of its runs. Raises DamageError, which names the file.
    """
    path = session / NAME
    found = read_object(path, LIMIT)
    if found is None:
        return {}
    if "trials" not in found:
        raise DamageError(f"{path}: damaged: 'trials' is missing")
    for key, kind in KINDS.items():
        if not isinstance(found.get(key, kind()), kind):
            raise DamageError(f"{path}: damaged: {key} is not of the right type")
    if not all(map(_is_trial, found["trials"])):
        raise DamageError(f"{path}: damaged: a trial without a number or the names of its runs")
    return found


def _is_trial(entry: Any) -> bool:
    if not isinstance(entry, dict) or type(entry.get("number")) is not int:
        return False
    names = entry.get("runs")
    return isinstance(names, list) and all(isinstance(n, str) and is_plain_name(n) for n in names)
