"""backproplab resume: continue a run in its folder, as if it had never stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir, Style


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ] = "latest",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of the whole run, to make it longer.")
    ] = None,
    allow_inexact: Annotated[
        bool,
        typer.Option("--allow-inexact", help="Continue where another machine rounds differently."),
    ] = False,
    previous: Annotated[
        bool, typer.Option("--previous", help="From the checkpoint before the last one.")
    ] = False,
    log_dir: LogDir = RUNS,
    progress: Annotated[Style, typer.Option(help="How to show progress.")] = "auto",
) -> None:
    """Continue a run that was stopped, killed or cut short, in the same folder.

    Its metrics, weights and events become those of an uninterrupted run, byte for byte.
    """
    from backproplab.cli import render
    from backproplab.cli.endings import conclude
    from backproplab.cli.launched import launched
    from backproplab.diagnosis import finish
    from backproplab.errors import FinishedError, RunError
    from backproplab.experiment.cautions import cautions
    from backproplab.experiment.resume import locked, stopped_run
    from backproplab.journal import LAST, PREVIOUS
    from backproplab.loop.progress import progress as shown
    from backproplab.runs import find_run

    ranks = launched()
    with ranks.together():
        folder = find_run(log_dir, run).folder
        with locked(folder, ranks):
            try:
                stopped = stopped_run(folder, epochs, ranks)
            except (FinishedError, RunError):
                if ranks.rank == 0:
                    finish(folder)
                raise
            render.header(stopped.parts, cautions(stopped.parts))
            displays = [shown(progress, folder.name)]
            checkpoint = PREVIOUS if previous else LAST
            result = stopped.resume((), displays, allow_inexact, checkpoint)
            if ranks.rank == 0:
                conclude([result], folder.parent, log_dir)
