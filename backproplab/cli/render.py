"""What the commands print: headers to stderr, results to stdout. The owner of rich's tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproplab import text
from backproplab.measures import POSITION, listed, of_split
from backproplab.status import Status
from backproplab.text import counted

if TYPE_CHECKING:
    from backproplab.checking import Check
    from backproplab.config import Experiment
    from backproplab.errors import Problem
    from backproplab.experiment import Parts, Result
    from backproplab.runs import RunInfo
    from backproplab.runs.cleaning import CleaningOutcome, CleaningPlan
    from backproplab.sweep.standing import Standing

KEPT = 20  # files that a clean names one by one
PLAIN_WIDTH = 1000  # of a table that goes to a file or a pipe: nothing is cut
STYLES = {Status.COMPLETED: "green", Status.PRUNED: "dim"}
STYLES |= dict.fromkeys((Status.RUNNING, Status.PAUSED), "yellow")


class Output(Console):
    """Standard output; that its reader is gone is an error like any other, not exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output; not squeezed to 80 columns where there is no terminal."""
    return Output(
        highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PLAIN_WIDTH
    )


def header(parts: Parts, cautions: Sequence[Problem] = ()) -> None:
    """What is about to be trained, in six lines, and a line for each caution."""
    e, splits = parts.experiment, parts.splits
    sizes = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    counts = " / ".join(f"{len(s):,} {name}" for name, s in sizes.items() if s)
    network, loss = parts.network, parts.loss
    size = f"{network}, {network.size:,} parameters, " if network else ""
    rows = {
        "model": f"{size}{e.dtype}",
        "data": f"{e.data.name}, {splits.task}: {counts}",
        "training": f"{_method(e)}{f', {loss.name}' if loss else ''}",
        "steps": _steps(parts),
        "seed": str(e.seed),
        "threads": str(e.threads),
    }
    lines = [Text(e.name, style="bold")]
    lines += [Text(f"  {key:<9}{value}") for key, value in rows.items()]
    lines += [Text(f"  caution  {caution}", style="yellow") for caution in cautions]
    Console(stderr=True, highlight=False, soft_wrap=True).print(*lines, sep="\n")


def _method(e: Experiment) -> str:
    """``adam, learning rate 0.1 (warm-up of 9 updates, cosine)``; another learner by its name."""
    if "optimizer" not in e.learner.uses:
        return e.learner.name
    warmup, name = e.schedule.warmup_steps, e.schedule.name
    words = [f"warm-up of {counted(warmup, e.learner.unit)}"] if warmup else []
    words += [name] if name != "constant" else []
    schedule = f" ({', '.join(words)})" if words else ""
    return f"{e.optimizer.name}, learning rate {e.learning_rate:g}{schedule}"


def _steps(parts: Parts) -> str:
    """``minibatch of 32, 1,688 updates an epoch, 10 epochs``."""
    e, unit = parts.experiment, parts.experiment.learner.unit
    if not e.learner.batches:
        every = counted(parts.updates_per_epoch, unit)
        return f"{counted(parts.updates, unit)}, measured every {every}"
    of = f" of {parts.batch_length:,}" if e.batch_mode == "minibatch" else ""
    most = f", at most {counted(e.steps, unit)}" if e.steps else ""
    each = counted(parts.updates_per_epoch, unit)
    return f"{e.batch_mode}{of}, {each} an epoch, {counted(e.epochs, 'epoch')}{most}"


def summary(
    results: Sequence[Result], session: Path, log_dir: Path, never_begun: Mapping[str, str]
) -> None:
    """How each experiment ended, and what to type next.

    never_begun: the runs of the session that were to follow, with their commands.
    """
    out = console()
    for result in results:
        state = result.progress
        style = "green" if state.status is Status.COMPLETED else "red"
        out.print(
            Text.assemble(
                ("\n" + result.folder.name, "bold"), "  ", (state.status, style),
                f" ({state.stop_reason}) after {counted(state.epoch, 'epoch')}, "
                f"{counted(state.step, 'update')}, "
                f"{state.seconds:.2f} s",
            )
        )  # fmt: skip
        if result.best:
            best = {k: v for k, v in result.best.items() if k != "epoch"}
            out.print(Text(f"  best  epoch {int(result.best['epoch'])}: {text.row(best)}"))
        if result.restored_epoch:
            out.print(Text(f"  kept  the weights of epoch {result.restored_epoch}"))
        if test := of_split("test", state.metrics):
            out.print(Text(f"  test  {text.row(test)}"))
    last = results[-1]
    out.print(Text(f"\nlogs      {session}"))
    out.print(Text(f"see them  {text.typed('backproplab', 'tensorboard', session)}"))
    out.print(Text(f"list      {text.typed('backproplab', 'runs', '--log-dir', log_dir)}"))
    repeat = text.typed("backproplab", "train", last.folder / "config.yaml", "--log-dir", log_dir)
    out.print(Text(f"repeat    {repeat}"))
    if last.signal and last.saved:
        out.print(Text(f"continue  {text.typed('backproplab', 'resume', last.folder)}"))
    for command in never_begun.values():
        out.print(Text(f"not begun {command}"))


def runs_table(runs: Sequence[RunInfo]) -> None:
    """The runs, newest first, with the numbers that they ended with."""
    names = listed(name for run in runs for name in run.metrics)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("#", "run", "status", "epochs", "seconds", *names):
        side: Literal["left", "right"] = "left" if column in ("run", "status") else "right"
        table.add_column(Text(column), justify=side, no_wrap=column == "run")
    for index, run in enumerate(runs, start=1):
        style = STYLES.get(run.status, "red")
        values = [text.number(run.metrics[n]) if n in run.metrics else "" for n in names]
        table.add_row(
            str(index), Text(printable(f"{run.session}/{run.name}")), Text(run.status, style=style),
            str(run.epochs), text.seconds(run.seconds), *values,
        )  # fmt: skip
    console().print(table)


def run_details(run: RunInfo, rows: Sequence[dict[str, str]], config: str) -> None:
    """One run: status, the last rows of its metrics, its config."""
    out = console()
    reason = f" ({run.stop_reason})" if run.stop_reason else ""
    out.print(Text.assemble((run.folder.name, "bold"), f"  {run.status}{reason}"))
    if run.message:
        out.print(Text(f"  {run.message}"))
    spent = f"{counted(run.epochs, 'epoch')}, {text.seconds(run.seconds)} s"
    out.print(Text(f"  {spent}, started {run.started}"))
    if best := {key: value for key, value in run.best.items() if key != "epoch"}:
        out.print(Text(f"  best epoch {int(run.best.get('epoch', 0))}: {text.row(best)}"))
    if run.restored_epoch:
        out.print(Text(f"  kept the weights of epoch {run.restored_epoch}"))
    out.print(Text(f"  {run.folder}\n"))
    if rows:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in rows[0]:
            table.add_column(Text(column), justify="left" if column == "split" else "right")
        shown = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
        for row in shown:
            table.add_row(*[Text(_short(key, value)) for key, value in row.items()])
        out.print(table)
    out.print(Text(f"\n{config.rstrip()}"))


def _short(column: str, value: str) -> str:
    try:
        return value if column in POSITION else text.measured(column, float(value))
    except ValueError:
        return printable(value)


def cleaning(plan: CleaningPlan) -> None:
    """What a clean would delete and stop, what stays, and why."""
    out = console()
    runs = sum(item.runs for item in plan.doomed)
    size = human_size(sum(item.size for item in plan.doomed))
    if plan.doomed:
        sessions = counted(len(plan.doomed), "session")
        out.print(Text(f"to delete in {plan.root}: {sessions}, {counted(runs, 'run')}, {size}"))
        for item in plan.doomed:
            what = f"{counted(item.runs, 'run')}, {human_size(item.size)}"
            out.print(Text(f"  {printable(item.name)}  {what}"))
            _kept(out, [f"{item.name}/{path}" for path in item.kept])
    for board in plan.boards:
        started = "" if board.ours else ", which was started by hand on this directory"
        out.print(Text(f"to stop: TensorBoard pid {board.pid}, port {board.port}{started}"))
    for word, items in (("kept", plan.kept), ("kept, in use", plan.active)):
        for item in items:
            out.print(Text(f"{word}: {printable(item.name)}"))
    for left in plan.foreign:
        out.print(Text(f"left alone: {printable(left.name)} ({left.reason})", style="dim"))
    if not plan.doomed and not plan.boards:
        out.print(Text(f"nothing of ours to delete or stop in {plan.root}"))


def _kept(out: Console, paths: Sequence[str]) -> None:
    """Files that are not ours, in what is deleted."""
    for path in paths[:KEPT]:
        out.print(Text(f"  stays: {printable(path)} (not ours)"))
    if len(paths) > KEPT:
        out.print(Text(f"  stay: {counted(len(paths) - KEPT, 'more file')} (not ours)"))


def cleaned(outcome: CleaningOutcome) -> None:
    """What a clean did."""
    out = console()
    for board in outcome.stopped:
        out.print(Text(f"stopped TensorBoard pid {board.pid}, port {board.port}"))
    out.print(Text(f"deleted {counted(len(outcome.deleted), 'session')}"))
    _kept(out, outcome.kept)
    for left in outcome.left:
        out.print(Text(f"left: {printable(left.name)} ({left.reason})", style="yellow"))


def check(result: Check, tolerance: float) -> None:
    """The layers, the gradients, and what the two ways of finding them cost."""
    out = console()
    layers = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("layer", "output", "parameters", "FLOPs / example"):
        layers.add_column(column, justify="left" if column in ("layer", "output") else "right")
    for layer in result.layers:
        layers.add_row(layer.name, _shape(layer.shape), f"{layer.parameters:,}", f"{layer.flops:,}")
    totals = (sum(layer.parameters for layer in result.layers), sum(x.flops for x in result.layers))
    layers.add_row("in all", "", *[f"{total:,}" for total in totals], style="bold")
    out.print(layers)
    gradients = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("gradient of", "shape", "entries", "relative error", ""):
        gradients.add_column(
            column, justify="right" if column in ("entries", "relative error") else "left"
        )
    for row in result.gradients:
        verdict = row.verdict(tolerance)
        word = Text(verdict, style={"right": "green", "wrong": "red"}.get(verdict, "yellow"))
        error = f"{row.error:.1e}" if row.reached else "-"
        gradients.add_row(row.name, _shape(row.shape), f"{row.asked:,}", error, word)
    out.print("", gradients, sep="\n")
    cost, count = result.cost, result.weights
    out.print(
        f"\nnumeric   {cost.numeric_passes:,} forward passes for {cost.entries:,} of {count:,} "
        f"weights, {cost.numeric_seconds:.3f} s (all of them take {2 * count:,} passes)"
    )
    out.print(
        f"backprop  1 forward and 1 backward pass for all {count:,} weights, "
        f"{cost.backprop_seconds:.3f} s"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"


def human_size(size: float) -> str:
    """Bytes as people read them: 6.2 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def printable(name: str) -> str:
    """A file's name that can neither break the line nor speak to the terminal."""
    return name if name.isprintable() else ascii(name)


def sweep_bar(standings: Iterable[Standing], title: str) -> None:
    """A live bar over the runs of a sweep, with the best trial so far."""
    from rich import progress

    bar = progress.Progress(
        progress.TextColumn("[bold]{task.description}"),
        progress.MofNCompleteColumn(),
        progress.BarColumn(bar_width=16),
        progress.TimeRemainingColumn(compact=True),
        progress.TextColumn("{task.fields[others]}", style="dim"),
        progress.TextColumn("{task.fields[best]}", style="cyan"),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(title, total=None, best="", others="")
        for standing in standings:
            others = "  ".join([f"{standing.running} running", *standing.notes])
            best = standing.best
            shown = f"best {text.number(best[0])}  {best[1]}" if best else ""
            done = standing.finished
            bar.update(task, total=standing.total, completed=done, best=shown, others=others)
