"""A page that moves along the paths of a figure: play, a slider, keys; one file without network.

The figure is the one that ``--svg`` draws, and shows whole without scripts. A frame is a step; of
many steps about ``FRAMES`` are frames, more of them early, where the paths move most.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

import numpy as np

from backproplab.descend import Shown
from backproplab.descend.figure import picture
from backproplab.descend.path import Descent
from backproplab.descend.words import end_word, number, run_name
from backproplab.explain.canvas import STYLE
from backproplab.explain.notation import pretty
from backproplab.explain.switch import RUN, colors, variables
from backproplab.palette import THEMES

FRAMES = 200


def render(shown: Shown) -> str:
    """The page of descents."""
    drawn = picture(shown, variables(), moving=True)
    steps = frames(drawn.last)
    page = files("backproplab.descend").joinpath("animation.html").read_text("utf-8")
    for name, text in {
        "TITLE": escape(pretty(shown.objective.title)), "COLORS": colors(), "TYPE": STYLE,
        "FIGURE": drawn.draw(), "NAMES": "".join(_heads(shown)), "RUNS": "\n".join(_rows(shown)),
        "LAST": str(len(steps) - 1), "STEPS": json.dumps(steps),
        "POINTS": json.dumps([_points(run, steps) for run in shown.runs]),
    }.items():  # fmt: skip
        page = page.replace(f"@{name}@", text)
    return page


def frames(last: int) -> list[int]:
    """The steps that are frames, from 0 to the last one."""
    if last <= FRAMES:
        return list(range(last + 1))
    spaced = np.geomspace(1, last, FRAMES).round().astype(int)
    return [0, *dict.fromkeys(spaced.tolist())]


def _points(run: Descent, steps: Sequence[int]) -> list[list[str]]:
    """At each frame the texts of the step, the variables and f; after its end those of its end."""
    found = []
    for step in steps:
        n = min(step, run.steps)
        values = [*run.points[n], run.values[n]]
        found.append([f"{n:,}", *(number(float(x) + 0.0, 6).replace("-", "−") for x in values)])
    return found


def _heads(shown: Shown) -> Iterator[str]:
    for name in ("run", "step", *shown.objective.names, "f", "ends in"):
        yield f"<th>{escape(name)}</th>"


def _rows(shown: Shown) -> Iterator[str]:
    for n, (run, verdict) in enumerate(zip(shown.runs, shown.verdicts, strict=True)):
        ink = RUN.format(n % len(THEMES["light"].runs))
        cells = "".join(f"<td>{text}</td>" for text in _points(run, [run.steps])[0])
        ended = f"{end_word(shown.objective, verdict)}, {verdict.manner}"
        yield (
            f'<tr><th style="--run:var(--{ink})">{escape(run_name(run))}</th>{cells}'
            f"<td>{escape(ended)}</td></tr>"
        )
