"""What runs have in common, by the hashes in run.json: data, initial weights, batch order.

A comparison is fair if these are equal. This file must not know what was measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backproplab.report.gathering import Record
from backproplab.status import Status

THINGS = {"data": "data", "init": "initial weights", "batch_order": "batch order"}
CAUSES = {  # config keys that change the hash
    "data": ("data",),
    "init": ("model", "data"),
    "batch_order": ("batch_mode", "batch_size", "data"),
}


def sameness(records: Sequence[Record]) -> list[tuple[bool | None, str]]:
    """(whether it is equal, ``same data``) for each of THINGS; None if that is unknown, or if
    the configs make it differ.

    If seeds differ, runs of the same seed are compared. Batches are hashed as they are drawn:
    only runs that completed the same number of epochs can have the same order.
    """
    return [_compare(name, thing, records) for name, thing in THINGS.items()]


def _compare(name: str, thing: str, records: Sequence[Record]) -> tuple[bool | None, str]:
    known = [record for record in records if _is_known(record, name)]
    if len(known) < 2:
        return None, f"{thing} unknown"
    if len({record.hashes[name] for record in known}) == 1:
        return True, f"same {thing}"
    groups: dict[tuple[object, int], list[str]] = defaultdict(list)
    for record in known:
        length = record.info.epochs if name == "batch_order" else 0
        groups[record.repeat, length].append(record.hashes[name])
    several_seeds = len({seed for seed, _ in groups}) > 1
    if any(len(set(found)) > 1 for found in groups.values()):
        why = [key for key in CAUSES[name] if len({repr(r.config.get(key)) for r in known}) > 1]
        if why:
            return None, f"different {thing} (other {', '.join(why)})"
        return False, f"different {thing}{' per seed' if several_seeds else ''}"
    if all(len(found) == 1 for found in groups.values()):  # no two runs are comparable
        if several_seeds:
            return None, f"different {thing} (other seeds)"
        return None, f"{thing} not comparable (other numbers of epochs)"
    lengths = " and number of epochs" if len({length for _, length in groups}) > 1 else ""
    return True, f"same {thing} per seed{lengths}"


def _is_known(record: Record, name: str) -> bool:
    whole = name != "batch_order" or record.info.status is Status.COMPLETED
    return whole and name in record.hashes


def sentence(records: Sequence[Record]) -> str:
    """``same data ✓, same initial weights per seed ✓, different batch order ✗``."""
    marks = {True: " ✓", False: " ✗", None: ""}
    return ", ".join(f"{text}{marks[holds]}" for holds, text in sameness(records))


def marked(records: Sequence[Record]) -> str:
    """``✓ data per seed ✗ initial weights (other model)``, for a line that is called "equal"."""
    found = [
        f"{'✓' if holds else '✗'} {text.removeprefix('same ' if holds else 'different ')}"
        for holds, text in sameness(records)
    ]
    return ", ".join(found)
