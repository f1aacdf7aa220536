"""The live view of a sweep: bar, counts and time left always; the best trial by its metric."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from statistics import stdev

from rich.console import Console
from rich.live import Live
from rich.text import Text

from backproplab.cli.signs import counted
from backproplab.layout import cells_of, duration, listed, middle, progress_line
from backproplab.status import Status
from backproplab.sweep.standing import Standing
from backproplab.text import number, spread

INDENT = 8
LEAST = 14  # cells of the best trial's name


def sweep_bar(standings: Iterable[Standing], title: str) -> None:
    """Show a sweep until it ends; the last state stays on the screen."""
    console = Console(stderr=True, highlight=False)
    standings = iter(standings)
    first = next(standings, None)
    if first is None:
        return
    with Live(console=console, auto_refresh=False) as live:
        for standing in chain([first], standings):
            text = Text("\n".join(live_lines(standing, title, console.width)), no_wrap=True)
            live.update(text, refresh=True)


def live_lines(standing: Standing, title: str, width: int) -> list[str]:
    """At most six lines that fit the width: title, bar, counts, the best trial, work, failures."""
    room, total = width - 1, max(standing.total, 1)
    share, under_way = standing.finished / total, standing.running / total
    count = f"{standing.finished:,}/{standing.total:,}"
    after = "  ".join(filter(None, (count, duration(standing.seconds_left))))
    lines = [middle(title, room)]
    lines.append(progress_line("", share, after, room, under_way=under_way).strip())
    lines.append(listed(_counts(standing), room))
    if standing.best:
        lines.append(_best(standing, room))
    if standing.notes:
        lines.append(_labeled("work", listed(standing.notes, room - INDENT), room))
    if standing.errors:
        run, message = next(iter(standing.errors.items()))
        lines.append(_labeled("failed", f"{run}: {message.splitlines()[0]}", room))
    return lines


def _counts(standing: Standing) -> list[str]:
    """``✓ 21 completed``, …, ``▶ 9 running``, ``9 waiting``."""
    ended = {Status(status): n for status, n in standing.done.items() if n}
    found = ended | ({Status.RUNNING: standing.running} if standing.running else {})
    texts = [counted(status, n) for status, n in found.items()]
    waiting = standing.total - standing.finished - standing.running
    return [*texts, f"{waiting:,} waiting"] if waiting > 0 else texts


def _best(standing: Standing, room: int) -> str:
    """The metric by its name, ± its deviation, and the trial with the seeds that are done."""
    assert standing.best
    mean, label = standing.best
    values = standing.values.get(label, [])
    shown = spread(mean, stdev(values)) if len(values) > 1 else number(mean)
    head = f"{'best':<{INDENT}}{standing.metric} {shown} · "
    seeds = f" · {len(values)} of {standing.seeds} seeds" if len(values) > 1 else ""
    left = room - cells_of(head) - cells_of(seeds)
    if left < LEAST:
        seeds, left = "", room - cells_of(head)
    return f"{head}{middle(label, left)}{seeds}"


def _labeled(label: str, text: str, room: int) -> str:
    return f"{label:<{INDENT}}{middle(text, room - INDENT)}"
