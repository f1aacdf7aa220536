"""The sign and the style of each status; a sign only repeats what the word says.

The one place that knows them: an encoding that lacks a sign gets the word alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from backproplab.cli.printing import is_drawable
from backproplab.status import Status

SIGNS = {
    Status.COMPLETED: "✓", Status.RUNNING: "▶", Status.PAUSED: "‖", Status.INTERRUPTED: "‖",
    Status.PRUNED: "-", Status.DIVERGED: "✗", Status.FAILED: "!", Status.UNREADABLE: "?",
}  # fmt: skip
STYLES = {
    Status.COMPLETED: "green", Status.RUNNING: "cyan", Status.PAUSED: "yellow",
    Status.INTERRUPTED: "yellow", Status.PRUNED: "dim", Status.DIVERGED: "magenta",
    Status.FAILED: "red", Status.UNREADABLE: "red",
}  # fmt: skip


def signed(status: Status) -> str:
    """``✓ completed``, or the word alone."""
    return f"{SIGNS[status]} {status}" if is_drawable(SIGNS[status]) else str(status)


def counted(status: Status, count: int) -> str:
    """``✗ 6 diverged``."""
    sign = f"{SIGNS[status]} " if is_drawable(SIGNS[status]) else ""
    return f"{sign}{count:,} {status}"


def counts(found: Mapping[Status, int]) -> str:
    """``✓ 39  ✗ 6``; ``39 of 45`` where signs are lacking."""
    known = {status: found[status] for status in SIGNS if found.get(status)}
    if not all(is_drawable(SIGNS[status]) for status in known):
        return f"{known.get(Status.COMPLETED, 0)} of {sum(known.values())}"
    return "  ".join(f"{SIGNS[status]} {count:,}" for status, count in known.items())
