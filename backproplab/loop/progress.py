"""Progress on stderr: a live bar on a terminal, one plain line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal

from backproplab import text
from backproplab.layout import duration, listed, middle, progress_line
from backproplab.loop.callbacks import Display
from backproplab.loop.early_stopping import Best
from backproplab.measures import LOSS, parsed

if TYPE_CHECKING:
    from rich.live import Live

    from backproplab.loop.lane import Lane

Style = Literal["auto", "bar", "line", "none"]
REFRESH = 0.1  # seconds between two updates of the bar
LEAST_BAR, LEAST_NAME = 10, 6  # cells of the bar, and of the name beside it


def progress(style: Style, name: str) -> Display:
    """The display of a run in this style; ``auto`` looks whether stderr is a terminal."""
    if style == "auto":
        style = "bar" if sys.stderr.isatty() else "line"
    if style == "none":
        return Display()
    return Bar(name) if style == "bar" else Lines(name)


class Lines(Display):
    """``exp1  epoch  3/10  loss 0.1234  …  0.12s`` for each epoch."""

    def __init__(self, name: str) -> None:
        self.name = name

    def epoch(self, lane: Lane) -> None:
        progress = lane.progress
        place = lane.length.place(progress.epoch, progress.step)
        measured = text.row(progress.metrics)
        sys.stderr.write(f"{self.name}  {place}  {measured}  {progress.seconds:.2f}s\n")
        sys.stderr.flush()


class Bar(Display):
    """A live bar over the epochs with the time that is left, and a line of the newest metrics.

    The bar, the count and the time are never cut; metrics fall from the last, and are counted.
    """

    seconds = REFRESH

    def __init__(self, name: str) -> None:
        self.name = name
        self.live: Live | None = None
        self.began = 0.0
        self.before = 0.0  # the share of an earlier session

    def start(self, lane: Lane) -> None:
        from rich.console import Console
        from rich.live import Live

        self.began, self.before = time.monotonic(), lane.share
        self.live = Live(console=Console(stderr=True, highlight=False), auto_refresh=False)
        self.live.start()
        self.glance(lane)

    def glance(self, lane: Lane) -> None:
        if self.live is None:
            return
        from rich.text import Text

        lines = live_lines(self.name, lane, self._seconds_left(lane), self.live.console.width)
        self.live.update(Text("\n".join(lines), no_wrap=True), refresh=True)

    epoch = glance

    def finish(self, lane: Lane) -> None:
        if self.live:
            self.glance(lane)
            self.live.stop()

    def _seconds_left(self, lane: Lane) -> float | None:
        """By the pace of this session; None before its first step."""
        done = lane.share - self.before
        return (time.monotonic() - self.began) / done * (1 - lane.share) if done > 0 else None


def live_lines(name: str, lane: Lane, left: float | None, width: int) -> list[str]:
    """Two lines that fit the width: the bar, and the metrics."""
    progress, share = lane.progress, lane.share
    count = lane.length.place(progress.epoch, progress.step)
    after = "  ".join(filter(None, (f"{100 * share:3.0f} %", duration(left) if share < 1 else "")))
    room = width - 1 - len(count) - len(after) - LEAST_BAR - 4
    head = f"{middle(name, room)}  {count}" if room >= LEAST_NAME else count
    return [progress_line(head, share, after, width - 1), listed(_metrics(lane), width - 1)]


def _metrics(lane: Lane) -> list[str]:
    """The monitored metric, its best with its epoch, then the others, most important first."""
    metrics = dict(lane.progress.metrics)
    texts = []
    for best in (callback for callback in lane.callbacks if isinstance(callback, Best)):
        if best.monitor in metrics:
            texts.append(f"{best.monitor} {text.number(metrics.pop(best.monitor))}")
        if best.monitor in best.row:
            at = f"@ {int(best.row['epoch'])}"
            texts.append(f"best {text.number(best.row[best.monitor])} {at}")
    rest = sorted(metrics, key=lambda other: (parsed(other)[1] != LOSS.name, parsed(other)[0]))
    return texts + [f"{other} {text.number(metrics[other])}" for other in rest]
