"""What the commands show: headers to stderr, results to stdout, laid out by ``layout``."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from backproplab import text
from backproplab.autograd.engines import engine
from backproplab.cli.ended import INDENT, ended
from backproplab.cli.printing import command, facts, lines, printable, sentence, table
from backproplab.environment import launched_processes
from backproplab.layout import Column, joined, paragraph
from backproplab.runs import read_run
from backproplab.text import counted

if TYPE_CHECKING:
    from backproplab.checking import Check
    from backproplab.config import Experiment
    from backproplab.diagnosis import Diagnosis
    from backproplab.errors import Problem
    from backproplab.experiment import Parts, Result
    from backproplab.learners import Objective
    from backproplab.nn import Network
    from backproplab.runs import RunInfo

VERDICTS = {"right": "green", "wrong": "red"}


def header(parts: Parts, cautions: Sequence[Problem] = ()) -> None:
    """What is about to be trained, in three lines, and a line for each caution."""
    e, splits = parts.experiment, parts.splits
    sizes = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    network, loss = parts.network, parts.loss
    size = [_size(network)] if network else []
    remarked = "images" if splits.pixels else "columns"  # which are of one of them
    engines = [f"engine {engine(e.engine).described}"] if network else []
    rows = {
        "model": [str(network or ""), e.learner.subject, loss.name if loss else "", *size, e.dtype],
        **({"from": [_start(e.objective)]} if e.objective else
           {"data": [e.data.title, splits.preparation.trained_for,
                     ", ".join(f"{len(s):,} {name}" for name, s in sizes.items() if s)]}),
        **({remarked: [*splits.remarks]} if splits.remarks else {}),
        "train": [_method(e), *_steps(parts), *engines, f"seed {e.seed}",
                  f"{parts.ranks.size} ranks" if parts.ranks.size > 1 else "",
                  f"{e.threads} threads" if e.threads != 1 else ""],
        **({"cost": [cost]} if (cost := e.learner.cost(parts.material)) else {}),
    }  # fmt: skip
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    room = out.width if sys.stderr.isatty() else None
    out.print(Text(e.name, style="bold"))
    for key, texts in rows.items():
        for line in joined([*filter(None, texts)], room, f"{key:<{INDENT}}", INDENT):
            out.print(Text(line))
    for caution in cautions:
        for line in paragraph(str(caution), room, "caution", INDENT):
            out.print(Text(line, style="yellow"))


def _size(network: Network) -> str:
    """``259 parameters``, or ``259 parameters, 99 of them trained``."""
    whole = network.size + network.frozen_size
    of = f", {network.size:,} of them trained" if network.frozen_size else ""
    return f"{whole:,} parameters{of}"


def _start(objective: Objective) -> str:
    """``x = -1.2, y = 1``."""
    aim = "the largest" if objective.maximize else "the smallest"
    values = ", ".join(f"{name} = {value:g}" for name, value in objective.start.items())
    return f"{values}, for {aim} f"


def _method(e: Experiment) -> str:
    """``adam, learning rate 0.1 (warm-up of 9 updates, cosine)``; another learner by its name."""
    if "optimizer" not in e.learner.uses:
        return e.learner.name
    by = "" if e.learner.name == "gradient_descent" else f"{e.learner.name}, "
    warmup, name = e.schedule.warmup_steps, e.schedule.name
    words = [f"warm-up of {counted(warmup, e.learner.unit)}"] if warmup else []
    words += [name] if name != "constant" else []
    schedule = f" ({', '.join(words)})" if words else ""
    return f"{by}{e.optimizer.name}, learning rate {e.learning_rate:g}{schedule}"


def _steps(parts: Parts) -> list[str]:
    """``minibatch of 32: 1,688 updates an epoch``, ``10 epochs``."""
    e, unit = parts.experiment, parts.experiment.learner.unit
    if not e.learner.batches:
        every = counted(parts.updates_per_epoch, unit)
        most = "" if e.steps else "at most "
        return [f"{most}{counted(parts.updates, unit)}", f"measured every {every}"]
    of = f" of {parts.batch_length:,}" if e.batch_mode == "minibatch" else ""
    most = f", at most {counted(e.steps, unit)}" if e.steps else ""
    each = counted(parts.updates_per_epoch, unit)
    return [f"{e.batch_mode}{of}: {each} an epoch", f"{counted(e.epochs, 'epoch')}{most}"]


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
    for result, verdict in zip(results, verdicts, strict=True):
        lines([""])
        ended(read_run(result.folder), verdict)
    last = results[-1]
    lines([""])
    command("logs", str(session), INDENT)
    command("curves", text.typed("backproplab", "tensorboard", session), INDENT)
    ours = [*text.launcher(launched_processes()), "backproplab"]
    repeat = text.typed(*ours, "train", last.folder / "config.yaml", "--log-dir", log_dir)
    command("repeat", repeat, INDENT)
    if last.signal and last.saved:
        command("continue", text.typed(*ours, "resume", last.folder), INDENT + 2)
    for words in never_begun.values():
        command("not begun", words, INDENT + 3)


def run_details(
    run: RunInfo, config: str, settings: Sequence[tuple[str, str]], same: Sequence[str], more: str
) -> None:
    """One run, the result first: status, curves, why, its config, its folder.

    config: as text, shown as it is. settings: what differs from the defaults, by key. same: what
    tells whether another run had the same beginning. more: the command that shows all of the
    config; empty if this is all.
    """
    from backproplab.diagnosis import verdict

    since = [f"{text.age(time.time() - run.instant)} ago"] if run.instant else []
    ended(run, verdict(run.folder), *since)
    lines([""])
    if settings:
        sentence("differs from the defaults in", "config", INDENT)
        indent = max(len(key) for key, _ in settings) + 2
        for key, value in settings:
            sentence(value, f"{'':{INDENT}}{key:<{indent}}", INDENT + indent)
    if config:
        lines([*config.rstrip().splitlines(), ""])
    if same:
        facts(same, f"{'same':<{INDENT}}", INDENT)
    command("in", str(run.folder), INDENT)
    if more:
        command("more", more, INDENT)


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
