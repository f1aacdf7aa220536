"""backproplab descend: gradient descent on a function of one or two variables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.drawings import Pdf, Png, Svg, ThemeName, checked, image, report, write

if TYPE_CHECKING:
    from backproplab.config import Experiment
    from backproplab.descend import Descent, Shown
    from backproplab.descend.asked import Asked
    from backproplab.descend.verdict import Verdict

FIRST, LAST = 8, 2  # steps of the table of one run
CURVE = 22  # cells of a sparkline
COLORS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="EXPR|NAME|CONFIG",
            help="A formula of one or two variables in quotes; or quadratic, rosenbrock,"
            " two_minima, saddle, beale, himmelblau, plateau; or a YAML file with an objective.",
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            help="Starts x=-1,2; learning_rate=0.1,0.4; optimizer=sgd,adam; schedule, steps,"
            " tolerance; an optimizer's settings. Of a config its keys.",
        ),
    ] = None,
    maximize: Annotated[bool, typer.Option("--maximize", help="Climb instead.")] = False,
    pair: Annotated[
        bool, typer.Option("--pair", help="Each optimizer with its own rate, not all with all.")
    ] = False,
    table: Annotated[bool, typer.Option("--table", help="Every step of every run.")] = False,
    svg: Svg = None,
    png: Png = None,
    pdf: Pdf = None,
    animate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what moves along the paths: .html, or .gif."),
    ] = None,
    theme: ThemeName = "light",
    log_dir: Annotated[
        Path | None,
        typer.Option("--log-dir", metavar="DIR", help="Write every run's scalars for TensorBoard."),
    ] = None,
) -> None:
    """Descend a function with any optimizer: the steps, how it ended, in what manner, and why.

    x=-1,2 y=1,3 are two starts, (-1, 1) and (2, 3). Optimizers and rates are combined.
    """
    from backproplab.descend import descend_all

    files = checked(theme, svg=svg, png=png, pdf=pdf, animate=animate)
    _check_animation(animate)
    asked = _asked(what, words or [], maximize, pair)
    shown = descend_all(asked.objective, asked.settings, asked.steps, asked.tolerance, asked.known)
    if log_dir:
        _log(shown, log_dir)
    if not write(files, partial(_drawn, shown, theme, animate)):
        _print(shown, table)
    report(files)


def _asked(what: str, words: Sequence[str], maximize: bool, pair: bool) -> Asked:
    """The runs that a formula and words ask for, or a config, or each trial of a sweep."""
    from backproplab.descend.asked import read
    from backproplab.errors import ConfigError, Problem

    if not what.endswith((".yaml", ".yml")):
        if os.path.isfile(what):  # noqa: PTH113  # a long formula is no path at all
            hint = "descend takes a formula, a name or a YAML file; data are for train"
            raise ConfigError(Problem(what, "is a file, and no YAML", hint))
        return read(what, words, maximize, pair)
    if maximize or pair:
        raise ConfigError("--maximize and --pair are for formulas; a file has its own keys")
    from backproplab.descend.configs import asked_of  # loads the training stack

    return asked_of(_experiments(Path(what), words))


def _experiments(path: Path, words: Sequence[str]) -> list[Experiment]:
    """A config's experiment, or one for each trial of a sweep."""
    from backproplab.config import load
    from backproplab.config.loading import OF_SWEEPS
    from backproplab.config.yaml_source import read_yaml

    if not OF_SWEEPS & read_yaml(path).tree.keys() and not any("," in word for word in words):
        return [load(path, *words)]
    from backproplab.sweep.space import read

    return [trial.resolved for trial in read(path, words).trials]


def _print(shown: Shown, whole: bool) -> None:
    """A line for each run; of one run, or of all with ``whole``, its steps."""
    _head(shown)
    if len(shown.runs) > 1 and not whole:
        return _runs(shown)
    for run, verdict in zip(shown.runs, shown.verdicts, strict=True):
        _steps(shown, run, verdict, whole)


def _check_animation(path: Path | None) -> None:
    """Raise ConfigError for a file that is neither a page nor a GIF, or a GIF without the extra."""
    from backproplab.errors import ConfigError
    from backproplab.explain import raster

    if path is None or str(path) == "-":
        return
    if path.suffix.lower() not in (".html", ".htm", ".gif"):
        raise ConfigError(f"--animate {path}: must end in .html or .gif")
    if path.suffix.lower() == ".gif":
        raster.check()


def _drawn(shown: Shown, theme: str, animate: Path | None, form: str) -> str | bytes:
    """The paths as a file of this form."""
    from backproplab.descend import animation, gif
    from backproplab.descend.figure import render

    if form == "animate" and animate and animate.suffix.lower() == ".gif":
        return gif.render(shown, theme)
    return animation.render(shown) if form == "animate" else image(form, render(shown, theme))


def _log(shown: Shown, root: Path) -> None:
    """Write the logs, and say how to see them."""
    from backproplab.descend import logs
    from backproplab.text import typed

    logs.write(shown, root)
    typer.echo(f"wrote {root}: {typed('backproplab', 'tensorboard', root)}", err=True)


def _head(shown: Shown) -> None:
    from backproplab.cli.explain import signs
    from backproplab.cli.printing import heading, sentence
    from backproplab.descend.words import height, place

    verb = "maximized, " if shown.objective.sign < 0 else ""
    aside = f"{verb}until within {shown.tolerance:g} of where it leads"
    heading(signs(shown.objective.title), aside)
    kind = "maximum" if shown.objective.sign < 0 else "minimum"
    known = [f"{place(m)} (f = {height(shown.objective.value(m))})" for m in shown.minima[:4]]
    found = f"known {kind}: {', '.join(known)}" if known else f"no {kind} is known near the starts"
    sentence(found)
    typer.echo()


def _curve(run: Descent, logarithmic: bool, base: float, sign: float) -> str:
    """x of one variable, else the height above the lowest minimum, logarithmic."""
    from backproplab.cli.printing import is_drawable
    from backproplab.layout import sparkline

    if not is_drawable("▁"):
        return ""
    if not logarithmic:
        return sparkline([float(p[0]) for p in run.points[: CURVE + 1]], CURVE)
    values = [max(sign * (float(v) - base), 1e-16) for v in run.values]
    return sparkline(values, CURVE, logarithmic=True)


def _runs(shown: Shown) -> None:
    """A line for each run, then its reasons."""
    from backproplab.cli.printing import sentence, table
    from backproplab.descend.words import end_word, number, place, reasons
    from backproplab.layout import Column

    f = shown.objective
    one = len(f.names) == 1 and max(run.steps for run in shown.runs) < 400
    base = min((f.value(m) for m in shown.minima), default=0.0) if f.sign > 0 else (
        max((f.value(m) for m in shown.minima), default=0.0))  # fmt: skip
    rows = list(zip(shown.runs, shown.verdicts, strict=True))
    starts = {run.setting.start for run in shown.runs}
    optimizers = {run.setting.optimizer.name for run in shown.runs}
    styles = [COLORS[n % len(COLORS)] for n in range(len(rows))]
    columns = [
        Column("start", [place(run.points[0]) for run, _ in rows], right=True),
        Column("optimizer", [run.setting.optimizer.name for run, _ in rows]),
        Column("rate", [number(run.setting.learning_rate) for run, _ in rows], right=True),
        Column("ends in", [end_word(f, v) for _, v in rows], styles=styles),
        Column("manner", [v.manner for _, v in rows], styles=styles),
        Column("steps", [f"{run.steps:,}" for run, _ in rows], right=True),
        Column("at", [place(run.points[-1]) for run, _ in rows], right=True, rank=2),
        Column("f", [number(float(run.values[-1])) for run, _ in rows], right=True, rank=3),
        Column("first steps of " + f.names[0] if one else "log f",
               [_curve(run, not one, base, f.sign) for run, _ in rows], rank=1, styles=styles),
    ]  # fmt: skip
    dropped = {"start"} if len(starts) == 1 else set()
    dropped |= {"optimizer"} if len(optimizers) == 1 else set()
    table([column for column in columns if column.head not in dropped and any(column.cells)])
    typer.echo()
    for run, verdict in rows:
        label = _label(run, len(starts) > 1, len(optimizers) > 1)
        for n, text in enumerate(reasons(f, run, verdict)):
            sentence(
                _plain(text),
                f"  {label}  " if n == 0 else "  " + " " * len(label) + "  ",
                len(label) + 4,
            )


def _label(run: Descent, with_start: bool, with_optimizer: bool) -> str:
    from backproplab.descend.words import number, place

    parts = [place(run.points[0])] if with_start else []
    parts += [run.setting.optimizer.name] if with_optimizer else []
    return " ".join([*parts, number(run.setting.learning_rate)])


def _plain(text: str) -> str:
    from backproplab.cli.printing import is_drawable

    if is_drawable("λβ"):
        return text
    return text.replace("λ", "lambda").replace("β", "beta")


def _steps(shown: Shown, run: Descent, verdict: Verdict, whole: bool) -> None:
    """The table of a run: each step's point, f, slope, and the move that follows."""
    from backproplab.cli.printing import pieces, sentence, table
    from backproplab.descend.words import number, reasons
    from backproplab.layout import Column

    names = shown.objective.names
    count = len(run.points)
    cut = not whole and count > FIRST + LAST + 1
    picked = [*range(FIRST), -1, *range(count - LAST, count)] if cut else list(range(count))
    rule = run.setting.optimizer.name
    pieces((f"{rule}, learning_rate {number(run.setting.learning_rate)}", "bold"))

    def column(head: str, texts: list[str], style: str = "", rank: int = 0) -> Column:
        cells = ["…" if n < 0 else texts[n] for n in picked]
        return Column(head, cells, right=True, styles=[style] * len(cells), rank=rank)

    prime = "'" if len(names) == 1 else ""
    columns = [column("step", [str(n) for n in range(count)])]
    for i, name in enumerate(names):
        columns.append(column(name, [number(float(p[i]), 7) for p in run.points], "bold cyan"))
    columns.append(column(f"f({', '.join(names)})", [number(float(v), 4) for v in run.values]))
    for i, name in enumerate(names):
        head = f"f{prime}({name})" if prime else f"df/d{name}"
        columns.append(column(head, [number(float(s[i]), 4) for s in run.slopes], "yellow"))
    moves = [*(run.points[1:] - run.points[:-1]), None]
    for i, name in enumerate(names):
        texts = ["" if m is None else f"{float(m[i]):+.4g}" for m in moves]
        columns.append(column(f"{name} moves by", texts, rank=1))
    table(columns)
    typer.echo()
    for text in reasons(shown.objective, run, verdict):
        sentence(_plain(text), "  ", 4)
