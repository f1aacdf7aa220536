"""Progress on stderr: a live bar on a terminal, one plain line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal

from backproplab import text
from backproplab.train.callbacks import Callback

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from backproplab.train.loop import Trainer

Style = Literal["auto", "bar", "line", "none"]
REFRESH = 0.1  # seconds between two looks of the bar


def progress(style: Style, name: str) -> Callback:
    """The callback that shows a run in this style; ``auto`` looks whether stderr is a terminal."""
    if style == "auto":
        style = "bar" if sys.stderr.isatty() else "line"
    if style == "none":
        return Callback()
    return Bar(name) if style == "bar" else Lines(name)


class Lines(Callback):
    """``exp1  epoch  3/10  loss 0.1234  …  0.12s`` for each epoch."""

    def __init__(self, name: str) -> None:
        self.name = name

    def epoch(self, trainer: Trainer) -> None:
        width = len(str(trainer.epochs))
        place = f"epoch {trainer.state.epoch:>{width}}/{trainer.epochs}"
        measured = text.row(trainer.state.metrics)
        line = f"{self.name}  {place}  {measured}  {trainer.state.seconds:.2f}s\n"
        sys.stderr.write(line)
        sys.stderr.flush()


class Bar(Callback):
    """A live bar over the epochs, with the newest metrics and the time that is left."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = 0.0
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def start(self, trainer: Trainer) -> None:
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
        place = f"epoch 0/{trainer.epochs}"
        self.task = self.bar.add_task(self.name, total=trainer.epochs, place=place, measured="")
        self.bar.start()

    def step(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if now - self.shown < REFRESH:
            return
        self.shown = now
        within = trainer.state.examples / len(trainer.train)
        self._show(trainer, min(within, trainer.epochs))

    def epoch(self, trainer: Trainer) -> None:
        self._show(trainer, trainer.state.epoch)

    def finish(self, trainer: Trainer) -> None:
        if self.bar:
            self.bar.stop()

    def _show(self, trainer: Trainer, done: float) -> None:
        if self.bar is None or self.task is None:
            return
        place = f"epoch {trainer.state.epoch}/{trainer.epochs}"
        measured = text.row(trainer.state.metrics)
        self.bar.update(self.task, completed=done, place=place, measured=measured)
