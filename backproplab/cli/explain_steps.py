"""The two passes on the terminal: a screen a step, redrawn in place, that fits from 24 rows on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from backproplab.cli.explain import signs

if TYPE_CHECKING:
    from backproplab.explain.steps import Step
    from backproplab.explain.trace import Trace

NODES = 10  # of the graph in a screen, around the one of the step, where no terminal limits them
REST = 17  # most rows of a screen beside its nodes
COLUMNS = 35  # of a node's name and value
WIDTH = 78  # most columns of a screen
STATE = 24  # columns of "step 12 of 47  backward"
STYLES = {"start": "dim", "forward": "cyan", "backward": "yellow", "sum": "green"}
KEYS = {
    "\x1b[C": 1, "\x1b[D": -1, " ": 1, "n": 1, "p": -1, "l": 1, "h": -1, "\r": 1, "\n": 1,
}  # fmt: skip
SCALE = "  forward, backward, sum"
ARROW = " ◀"  # at the node whose gradient the step passes on
FROM_HERE = f"  {ARROW} from here"
CLEAR = "\x1b[H\x1b[2J"

Piece = tuple[str, str]


def walk(trace: Trace) -> None:
    """One step a key where there is a terminal; else every screen below the one before."""
    from backproplab.cli.printing import pieces
    from backproplab.explain.steps import steps

    taken = steps(trace)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for at in range(1, len(taken)):
            for line in screen(trace, taken, at):
                pieces(*line)
        return
    at = 0
    with _single_keys():
        while 0 <= at < len(taken):
            sys.stdout.write(CLEAR)
            for line in screen(trace, taken, at):
                pieces(*line)
            sys.stdout.flush()
            at = _moved(taken, at, _key())


def _moved(taken: Sequence[Step], at: int, key: str) -> int:
    """The next step; -1 to leave."""
    phases = [step.phase for step in taken]
    if key in ("q", "\x03", "\x04", "\x1b", ""):
        return -1
    if key in ("f", "b"):
        return phases.index("forward" if key == "f" else "backward")
    if key in ("\x1b[H", "\x1b[1~", "\x1b[F", "\x1b[4~"):
        return 0 if key in ("\x1b[H", "\x1b[1~") else len(taken) - 1
    return min(max(at + KEYS.get(key, 0), 0), len(taken) - 1)


@contextmanager
def _single_keys() -> Iterator[None]:
    """The terminal gives each key at once, and is as before afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key() -> str:
    """The next key; an arrow is three bytes, which arrive together."""
    return os.read(sys.stdin.fileno(), 8).decode("utf-8", "replace")


def screen(trace: Trace, taken: Sequence[Step], at: int) -> Iterator[tuple[Piece, ...]]:
    """The rows of a step: the nodes with what is known, the edge, the words, the scale."""
    step, last = taken[at], len(taken) - 1
    room = _room()
    yield (
        (_cut(trace.title, room - STATE - 2).ljust(room - STATE), "bold"),
        (f"step {at} of {last}  ", "bold"),
        (step.phase, STYLES[step.phase]),
    )
    yield (("", ""),)
    yield from _nodes(trace, taken, at)
    yield (("", ""),)
    if step.edge is not None:
        source, target = trace.nodes[step.edge.source].name, trace.nodes[step.edge.target].name
        yield ((signs(f"Along the edge {target} -> {source}"), "bold"),)
        rule = f"{step.edge.rule.removeprefix('chain: ')} rule"
        left = max(len(rule), len("chain rule")) + 3
        most = room - left - 2
        yield ((f"  {rule:<{left}}{_cut(step.general, most)}", ""),)
        yield ((f"  {'here':<{left}}{_cut(step.here, most)}", ""),)
        yield ((f"  {'chain rule':<{left}}", ""), (_cut(step.chain, most), "yellow"))
        yield (("", ""),)
    for line in _wrapped(signs(step.sentence), room):
        yield ((f"  {line}", ""),)
    yield (("", ""),)
    yield from _scale(taken, at, room - len("  ") - len(SCALE))
    yield (("  ← → one step   home end   f forward   b backward   q quit", "dim"),)


def _room() -> int:
    """Columns of a screen: as many as the terminal has, up to WIDTH."""
    columns = get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    return min(columns, WIDTH)


def _cut(text: str, most: int) -> str:
    return signs(text if len(text) <= most else f"{text[: most - 1]}…")


def _wrapped(text: str, room: int) -> list[str]:
    from backproplab.layout import paragraph

    return list(paragraph(text, room - 2, "", 0))[:4]


def _nodes(trace: Trace, taken: Sequence[Step], at: int) -> Iterator[tuple[Piece, ...]]:
    from backproplab.explain.lines import short

    known = {step.node for step in taken[: at + 1] if step.phase == "forward"}
    gradients = {s.node: s.gradient for s in taken[: at + 1] if s.phase in ("backward", "sum")}
    shown = [i for i, node in enumerate(trace.nodes) if node.kind != "constant"]
    here = max(taken[at].node, shown[0])
    count = max(5, get_terminal_size().lines - REST) if sys.stdout.isatty() else NODES
    first = max(0, min(shown.index(here) - count // 2, len(shown) - count))
    edge, room = taken[at].edge, _room()
    yield (("  node                     value   gradient", "dim"),)
    for i in shown[first : first + count]:
        node = trace.nodes[i]
        title = node.name if node.formula == node.name else f"{node.name} = {node.formula}"
        value = short(node.value) if i in known else ""
        slope = f"d{trace.result.name}/d{node.name} = {gradients[i]}" if i in gradients else ""
        now = i == taken[at].node
        slope = signs(slope)[: room - COLUMNS - len(ARROW)]
        wide = len(slope) + len(FROM_HERE) <= room - COLUMNS
        mark = "" if not edge or edge.target != i else FROM_HERE if wide else ARROW
        yield (
            (f"  {signs(title)[:18]:<18}", ""),
            (f"{value[:12]:>12}   ", "reverse" if now and not slope else "bold cyan"),
            (slope, "reverse" if now else "bold yellow"),
            (mark, "bold yellow"),
        )


def _scale(taken: Sequence[Step], at: int, width: int) -> Iterator[tuple[Piece, ...]]:
    """A bar in the colors of the passes, filled up to this step."""
    from backproplab.cli.printing import is_drawable

    sign, last = ("━" if is_drawable("━") else "="), len(taken) - 1
    cells = [taken[min(last, 1 + n * last // width)].phase for n in range(width)]
    full = round(width * at / last)
    yield (
        ("  ", ""),
        *((sign, STYLES[phase] if n < full else "dim") for n, phase in enumerate(cells)),
        (SCALE, "dim"),
    )
