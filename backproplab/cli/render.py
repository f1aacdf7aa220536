"""What the commands show: headers to stderr, results to stdout, laid out by ``layout``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from backproplab import text
from backproplab.cli.printing import (
    command,
    console,
    lines,
    printable,
    sentence,
    table,
    values,
    width,
)
from backproplab.layout import NARROW, Column, cells_of, fit, middle, paragraph
from backproplab.measures import LOSS, POSITION, listed, of_split, parsed
from backproplab.status import Status
from backproplab.text import counted

if TYPE_CHECKING:
    from backproplab.checking import Check
    from backproplab.config import Experiment
    from backproplab.diagnosis import Diagnosis
    from backproplab.errors import Problem
    from backproplab.experiment import Parts, Result
    from backproplab.report import Comparison
    from backproplab.runs import RunInfo

VERDICTS = {"right": "green", "wrong": "red"}
STYLES = {Status.COMPLETED: "green", Status.PRUNED: "dim"}
STYLES |= dict.fromkeys((Status.RUNNING, Status.PAUSED), "yellow")


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
        **({"cost": cost} if (cost := e.learner.cost(parts.material)) else {}),
        "seed": str(e.seed),
        "threads": str(e.threads),
    }
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    room = out.width if sys.stderr.isatty() else None
    out.print(Text(e.name, style="bold"))
    for key, value in rows.items():
        for line in paragraph(value, room, f"  {key}", 11):
            out.print(Text(line))
    for caution in cautions:
        for line in paragraph(str(caution), room, "  caution", 11):
            out.print(Text(line, style="yellow"))


def _method(e: Experiment) -> str:
    """``adam, learning rate 0.1 (warm-up of 9 updates, cosine)``; another learner by its name."""
    if "optimizer" not in e.learner.uses:
        return e.learner.name
    by = "" if e.learner.batches else f"{e.learner.name}, "
    warmup, name = e.schedule.warmup_steps, e.schedule.name
    words = [f"warm-up of {counted(warmup, e.learner.unit)}"] if warmup else []
    words += [name] if name != "constant" else []
    schedule = f" ({', '.join(words)})" if words else ""
    return f"{by}{e.optimizer.name}, learning rate {e.learning_rate:g}{schedule}"


def _steps(parts: Parts) -> str:
    """``minibatch of 32, 1,688 updates an epoch, 10 epochs``."""
    e, unit = parts.experiment, parts.experiment.learner.unit
    if not e.learner.batches:
        every = counted(parts.updates_per_epoch, unit)
        most = "" if e.steps else "at most "
        return f"{most}{counted(parts.updates, unit)}, measured every {every}"
    of = f" of {parts.batch_length:,}" if e.batch_mode == "minibatch" else ""
    most = f", at most {counted(e.steps, unit)}" if e.steps else ""
    each = counted(parts.updates_per_epoch, unit)
    return f"{e.batch_mode}{of}, {each} an epoch, {counted(e.epochs, 'epoch')}{most}"


def summary(
    results: Sequence[Result],
    verdicts: Sequence[Diagnosis | None],
    session: Path,
    log_dir: Path,
    never_begun: Mapping[str, str],
) -> None:
    """How each experiment ended, and what to type next.

    verdicts: the diagnosis of each, if its files can be read.
    never_begun: the runs of the session that were to follow, with their commands.
    """
    out = console()
    for result, verdict in zip(results, verdicts, strict=True):
        state, learner = result.progress, result.experiment.learner
        out.print()
        _ending(result.folder.name, state.status, state.stop_reason,
                f"after {counted(state.epoch, learner.stretch)}, "
                f"{counted(state.step, learner.unit)}, "
                f"{state.seconds:.2f} s")  # fmt: skip
        if result.best:
            best = {k: v for k, v in result.best.items() if k != "epoch"}
            _values(f"  best  {learner.stretch} {int(result.best['epoch'])}: ", best)
        if result.restored_epoch:
            out.print(Text(f"  kept  the weights of {learner.stretch} {result.restored_epoch}"))
        if test := of_split("test", state.metrics):
            _values("  test  ", test)
        diagnosis(verdict)
    last = results[-1]
    out.print()
    command("logs", str(session))
    command("see them", text.typed("backproplab", "tensorboard", session))
    command("list", text.typed("backproplab", "runs", "--log-dir", log_dir))
    repeat = text.typed("backproplab", "train", last.folder / "config.yaml", "--log-dir", log_dir)
    command("repeat", repeat)
    if last.signal and last.saved:
        command("continue", text.typed("backproplab", "resume", last.folder))
    for words in never_begun.values():
        command("not begun", words)


def diagnosis(found: Diagnosis | None) -> None:
    """How the run went and why, in a line or two, and what to try."""
    for label, line in found.closing if found else ():
        sentence(line, f"  {label}", 8)
    if found and found.command:
        command("  try", found.command, 8)


def _ending(name: str, status: Status, reason: str, spent: str) -> None:
    """``exp1  completed (epochs) after 30 epochs, …``: the status is never cut."""
    why = f" ({printable(reason)})" if reason else ""
    room = width()
    head = printable(name)
    if room is not None:
        head = middle(head, max(room - len(f"  {status}{why}"), NARROW))
    style = STYLES.get(status, "red")
    whole = f"{head}  {status}{why} {spent}"
    apart = room is not None and cells_of(whole) > room
    console().print(
        Text.assemble((head, "bold"), "  ", (status, style), why, "" if apart else f" {spent}")
    )
    if apart:
        sentence(spent, "  ", 2)


def _values(label: str, row: Mapping[str, float]) -> None:
    """``best  epoch 3: loss 0.1234  …``, wrapped between two values."""
    values(label, [f"{name} {text.measured(name, value)}" for name, value in row.items()])


def runs_table(runs: Sequence[RunInfo]) -> None:
    """The runs, newest first, with the numbers that they ended with."""
    names = listed(name for run in runs for name in run.metrics)
    order = sorted(names, key=lambda name: (parsed(name)[0] != "validation", name != "loss"))
    first = next((name for name in order if parsed(name)[1] == LOSS.name), (order or [""])[0])
    metrics = [
        Column(
            name, [_of_run(run, name) for run in runs], right=True,
            rank=0 if name == first else 4 + order.index(name),
        )
        for name in names
    ]  # fmt: skip

    verdicts = [run.verdict if run.status.has_ended else "" for run in runs]
    diagnosis = [Column("diagnosis", verdicts, rank=1)] if any(verdicts) else []

    def columns(named: Sequence[str]) -> list[Column]:
        return [
            Column("#", [str(at) for at in range(1, len(runs) + 1)], right=True),
            Column("run", named, is_name=True),
            Column(
                "status", [str(run.status) for run in runs],
                styles=[STYLES.get(run.status, "red") for run in runs],
            ),
            *diagnosis,
            Column("epochs", [str(run.epochs) for run in runs], right=True, rank=2),
            Column("seconds", [text.seconds(run.seconds) for run in runs], right=True, rank=3),
            *metrics,
        ]  # fmt: skip

    whole = [printable(f"{run.session}/{run.name}") for run in runs]
    short = [printable(run.name) for run in runs]
    room = width()
    fits = room is None or fit(columns(whole), room).columns[1].cells == whole
    table(columns(whole if fits else short), "" if fits else "session too; it is part of show N")


def _of_run(run: RunInfo, name: str) -> str:
    return text.measured(name, run.metrics[name]) if name in run.metrics else "–"


def run_details(
    run: RunInfo,
    rows: Sequence[dict[str, str]],
    config: str,
    settings: Sequence[tuple[str, str]],
    more: str,
) -> None:
    """One run, the result first: status, its last and best values, its config, its folder.

    config: as text, shown as it is. settings: what differs from the defaults, by key. more: the
    command that shows all of the config; empty if this is all.
    """
    _ending(run.folder.name, run.status, run.stop_reason,
            f"{counted(run.epochs, run.stretch)}, {run.counted_steps}"
            f"{text.seconds(run.seconds)} s")  # fmt: skip
    if run.message:
        sentence(run.message, "  ", 2)
    if best := {key: value for key, value in run.best.items() if key != "epoch"}:
        _values(f"  best {run.stretch} {int(run.best.get('epoch', 0))}: ", best)
    if run.restored_epoch:
        lines([f"  kept the weights of {run.stretch} {run.restored_epoch}"])
    from backproplab.diagnosis import verdict

    diagnosis(verdict(run.folder))
    if rows:
        lines([""])
        last = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
        table([
            Column(
                printable(name), [_short(name, row[name]) for row in last],
                right=name != "split", rank=0 if name in ("split", LOSS.name) else 1 + at,
            )
            for at, name in enumerate(rows[0])
        ])  # fmt: skip
    if settings:
        lines(["", "config, where it differs from the defaults:"])
        indent = max(len(key) for key, _ in settings) + 2
        for key, value in settings:
            sentence(value, key, indent)
    if config:
        lines(["", *config.rstrip().splitlines()])
    lines([""])
    command("started", run.started)
    command("folder", str(run.folder))
    if more:
        command("all keys", more)


def _short(column: str, value: str) -> str:
    try:
        return value if column in POSITION else text.measured(column, float(value))
    except ValueError:
        return printable(value)


def ranking(
    comparison: Comparison, columns: Sequence[str], top: int | None, test: bool = False
) -> None:
    """The ranked table, the test metrics of the best trial, and how to read the differences."""
    from backproplab.report import columns_of, test_of_best
    from backproplab.report.pairing import LEGEND

    table(columns_of(comparison, columns, top, test), "--cols picks, --format csv has all")
    shown = comparison.trials[:top]
    if total := len(comparison.trials) - len(shown):
        lines([f"… and {counted(total, 'more trial')}: --top {len(comparison.trials)}"])
    if columns:
        return
    if (of_best := test_of_best(comparison)) and not test:
        sentence(f"#1, chosen by {comparison.metric.name}, has {of_best} (--test: of all)")
    if comparison.is_paired:
        sentence(LEGEND)


def check(result: Check, tolerance: float) -> None:
    """The layers, the gradients, and what the two ways of finding them cost."""
    _layers(result)
    lines([""])
    _gradients(result, tolerance)
    lines([""])
    _costs(result)


def _layers(result: Check) -> None:
    layers = result.layers
    names = [*[printable(each.name) for each in layers], "in all"]
    shapes = [*[_shape(each.shape) for each in layers], ""]
    sizes, flops = [each.parameters for each in layers], [each.flops for each in layers]
    sizes, flops = [*sizes, sum(sizes)], [*flops, sum(flops)]
    bold = [*[""] * len(layers), "bold"]
    table(
        [
            Column("layer", names, is_name=True, styles=bold),
            Column("output", shapes, rank=1),
            Column("parameters", [f"{n:,}" for n in sizes], right=True, styles=bold),
            Column(
                "FLOPs / example", [f"{n:,}" for n in flops],
                right=True, short="FLOPs", rank=1, styles=bold,
            ),
        ]
    )  # fmt: skip


def _gradients(result: Check, tolerance: float) -> None:
    rows = result.gradients
    words = [row.verdict(tolerance) for row in rows]
    errors = [f"{row.error:.1e}" if row.reached else "-" for row in rows]
    table(
        [
            Column("gradient of", [printable(row.name) for row in rows], is_name=True),
            Column("shape", [_shape(row.shape) for row in rows], rank=2),
            Column("entries", [f"{row.asked:,}" for row in rows], right=True, rank=1),
            Column("relative error", errors, right=True, short="error"),
            Column("", words, styles=[VERDICTS.get(word, "yellow") for word in words]),
        ]
    )


def _costs(result: Check) -> None:
    cost, count = result.cost, result.weights
    numeric = (
        f"{cost.numeric_passes:,} forward passes for {cost.entries:,} of {count:,} weights, "
        f"{cost.numeric_seconds:.3f} s (all of them take {2 * count:,} passes)"
    )
    passes = f"1 forward and 1 backward pass for all {count:,} weights"
    sentence(numeric, "numeric", 10)
    sentence(f"{passes}, {cost.backprop_seconds:.3f} s", "backprop", 10)


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"
