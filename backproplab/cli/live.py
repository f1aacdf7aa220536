"""The live view of a sweep: bar, counts and time left always; the best trial by its metric."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from rich.console import Console
from rich.live import Live
from rich.text import Text

from backproplab.layout import cells_of, duration, listed, middle, progress_line
from backproplab.sweep.standing import Standing
from backproplab.text import number


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
    """At most three lines that fit the width: title and counts, the bar, the best trial."""
    share = standing.finished / standing.total if standing.total else 0.0
    count = f"{standing.finished:,}/{standing.total:,}"
    left = duration(standing.seconds_left)
    notes = [f"{standing.running} running", *standing.notes]
    lines = [
        progress_line("", share, "  ".join(filter(None, (count, left))), width - 1).strip(),
        listed(notes, width - 1),
    ]
    if cells_of(f"{title}  {lines[1]}") < width:
        lines[1] = f"{title}  {lines[1]}"
    else:
        lines.insert(0, middle(title, width - 1))
    if standing.best:
        best = f"best {standing.metric} {number(standing.best[0])}"
        lines.append(f"{best}  {middle(standing.best[1], max(width - 3 - len(best), 8))}")
    return lines
