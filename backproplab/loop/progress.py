"""Progress on stderr: a live bar on a terminal, one plain line an epoch elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from backproplab import text
from backproplab.loop.callbacks import Display

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from backproplab.loop.lane import Lane

Style = Literal["auto", "bar", "line", "none"]
REFRESH = 0.1  # seconds between two updates of the bar


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
        epochs, progress = lane.length.epochs, lane.progress
        place = f"epoch {progress.epoch:>{len(str(epochs))}}/{epochs}"
        measured = text.row(progress.metrics)
        sys.stderr.write(f"{self.name}  {place}  {measured}  {progress.seconds:.2f}s\n")
        sys.stderr.flush()


class Bar(Display):
    """A live bar over the epochs, with the newest metrics and the time that is left."""

    seconds = REFRESH

    def __init__(self, name: str) -> None:
        self.name = name
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def start(self, lane: Lane) -> None:
        from rich import progress as rich_progress
        from rich.console import Console
        from rich.table import Column

        fixed, rest = Column(no_wrap=True), Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.bar = rich_progress.Progress(
            rich_progress.TextColumn("[bold]{task.description}", table_column=fixed),
            rich_progress.TextColumn("{task.fields[place]}", table_column=fixed.copy()),
            rich_progress.BarColumn(bar_width=16, table_column=fixed.copy()),
            rich_progress.TimeRemainingColumn(compact=True, table_column=fixed.copy()),
            rich_progress.TextColumn("{task.fields[measured]}", style="cyan", table_column=rest),
            console=Console(stderr=True),
            expand=True,
        )
        epochs = lane.length.epochs
        self.task = self.bar.add_task(
            self.name, total=epochs, place=f"epoch 0/{epochs}", measured=""
        )
        self.bar.start()

    def glance(self, lane: Lane) -> None:
        if self.bar is None or self.task is None:
            return
        progress, length = lane.progress, lane.length
        self.bar.update(
            self.task,
            completed=min(progress.step / length.each, length.epochs),
            place=f"epoch {progress.epoch}/{length.epochs}",
            measured=text.row(progress.metrics),
        )

    epoch = glance

    def finish(self, lane: Lane) -> None:
        if self.bar:
            self.bar.stop()
