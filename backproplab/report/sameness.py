"""What was equal between runs, by the hashes that they left: data, initial weights, batch order.

A comparison is fair as far as these are the same. This file must not know what was measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backproplab.report.gathering import Record
from backproplab.status import Status

THINGS = {"data": "data", "init": "initial weights", "batch_order": "batch order"}
CAUSES = {  # keys by which they must differ
    "data": ("data",),
    "init": ("model", "data"),
    "batch_order": ("batch_mode", "batch_size", "data"),
}


def sameness(records: Sequence[Record]) -> list[tuple[bool | None, str]]:
    """(whether it holds, ``same data``) for each of THINGS; None where it cannot be told, or by
    what was asked cannot hold.

    Where seeds differ, runs of the same seed are compared. Batches are hashed as they are drawn:
    only runs that completed the same number of epochs can have the same order.
    """
    return [_told(name, thing, records) for name, thing in THINGS.items()]


def _told(name: str, thing: str, records: Sequence[Record]) -> tuple[bool | None, str]:
    known = [record for record in records if _is_known(record, name)]
    if len(known) < 2:
        return None, f"{thing} unknown"
    if len({record.hashes[name] for record in known}) == 1:
        return True, f"same {thing}"
    groups: dict[tuple[object, int], list[str]] = defaultdict(list)
    for record in known:
        length = record.info.epochs if name == "batch_order" else 0
        groups[record.seed, length].append(record.hashes[name])
    several_seeds = len({seed for seed, _ in groups}) > 1
    if any(len(set(found)) > 1 for found in groups.values()):
        why = [key for key in CAUSES[name] if len({repr(r.config.get(key)) for r in known}) > 1]
        if why:
            return None, f"different {thing} (other {', '.join(why)})"
        return False, f"different {thing}{' per seed' if several_seeds else ''}"
    if all(len(found) == 1 for found in groups.values()):  # nothing to compare each with
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
