"""backproplab check: check a config's layers and its gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    tolerance: Annotated[
        float, typer.Option(help="The largest allowed relative error.", min=0.0)
    ] = 1e-5,
    entries: Annotated[
        int, typer.Option(help="Entries checked of each parameter; 0 for all.", min=0)
    ] = 40,
    examples: Annotated[int, typer.Option(help="Training examples in the batch.", min=1)] = 8,
) -> None:
    """Check a config's layers, and every gradient against central differences.

    Exits with 1 if a gradient is off by more than the tolerance and than rounding explains.
    """
    from backproplab.checking import check, precise
    from backproplab.cli import render
    from backproplab.errors import BackpropLabError
    from backproplab.experiment.reading import parts_of

    result = check(parts_of(path, overrides or [], precise), examples, entries or None)
    render.check(result, tolerance)
    wrong = [row.name for row in result.gradients if row.verdict(tolerance) == "wrong"]
    if wrong:
        raise BackpropLabError(
            f"the gradient of {', '.join(wrong)} is off by more than {tolerance:g}"
        )
