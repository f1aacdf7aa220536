"""The measurements as a Markdown table and as a figure. This file measures nothing."""

from __future__ import annotations

import json
import platform
import statistics
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import genetic, numeric, trials
from benchmarks.workloads import GOALS, LIMITS, WORKLOADS, source

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"
MARKS = "<!-- speed -->", "<!-- /speed -->"
STEPS = {name: work.title for name, work in (WORKLOADS | genetic.ROWS).items()} | numeric.ROWS
TITLES = STEPS | trials.ROWS


class Ratio(NamedTuple):
    """A line of the table; ``ratio``: time of a side over ours, for product rows ours over it."""

    row: str
    side: str
    threads: int
    mine: float  # seconds
    theirs: float
    ratio: float
    goal: float | None = None
    met: bool = True
    day: str = str(date.today())

    @property
    def place(self) -> tuple[str, str, int]:
        return self.row, self.side, self.threads


def kept(found: list[Ratio]) -> list[Ratio]:
    """All known lines, with ``found`` replacing older ones; saved in ratios.json."""
    place = RESULTS / "ratios.json"
    older = [Ratio(*line) for line in json.loads(place.read_text())] if place.exists() else []
    lines = {r.place: _judged(r) for r in [*older, *found]}
    order = [*TITLES, *LIMITS]
    there = [r for r in lines.values() if r.row in order]
    known = sorted(there, key=lambda r: (order.index(r.row), r.threads))
    place.write_text("[\n" + ",\n".join(json.dumps(r) for r in known) + "\n]\n")
    return known


def _judged(r: Ratio) -> Ratio:
    """The line with today's goal."""
    if r.row in LIMITS:
        return r._replace(goal=LIMITS[r.row], met=r.ratio <= LIMITS[r.row])
    goal = GOALS.get((r.row, r.side))
    if isinstance(goal, tuple):
        goal = goal[r.threads > 1]
    return r._replace(goal=goal, met=r.ratio >= (goal or 0))


def ratios(row: str, threads: int, seconds: dict[str, list[float]]) -> list[Ratio]:
    """The median over rounds of each side's time divided by ours."""
    mine = seconds["ours"]
    found = []
    for side, times in seconds.items():
        if side == "ours":
            continue
        ratio = statistics.median(t / m for t, m in zip(times, mine, strict=True))
        medians = statistics.median(mine), statistics.median(times)
        found.append(_judged(Ratio(row, side, threads, *medians, ratio)))
    return found


def limited(row: str, seconds: dict[str, list[float]]) -> Ratio:
    """The ratio of a product row: our time divided by the reference's, which has a limit."""
    mine, theirs = seconds["ours"], seconds["reference"]
    ratio = statistics.median(m / t for t, m in zip(theirs, mine, strict=True))
    medians = statistics.median(mine), statistics.median(theirs)
    return _judged(Ratio(row, "reference", 1, *medians, ratio))


def table(found: list[Ratio], peers: list[str]) -> str:
    """The whole page of results."""
    steps = [r for r in found if r.row in STEPS]
    sweeps = [r for r in found if r.row in trials.ROWS]
    product = [r for r in found if r.row in LIMITS]
    packages = ["numpy", *peers, *(["optuna", "joblib"] if sweeps else [])]
    missed = sum(not r.met for r in found)
    days = " to ".join(sorted({min(r.day for r in found), max(r.day for r in found)}))
    lines = [
        "# Speed",
        "",
        f"`make bench`, {days}, {_machine()}, {source()}, float32. One process for each row"
        " and number of threads, held to as many cores; rounds alternate; medians. After the first"
        " steps all sides have the same loss.",
        "",
        ", ".join(f"{name} {version(name)}" for name in packages) + ".",
        "",
        f"{len([r for r in found if r.goal])} goals, {missed} missed (**✗**).",
        "",
        "| work | threads | against | ours µs | theirs µs | theirs / ours | goal, at least | |",
        "|---|--:|---|--:|--:|--:|--:|---|",
        *(_line(r, f"{r.row}: {TITLES[r.row]}", 1e6) for r in steps),
    ]
    if sweeps:
        lines += [
            "",
            "A sweep on all cores, each side in processes of its own. The validation loss that all"
            " trials end with is in the mean the same within 10 %; what a side does besides stands"
            " in its `benchmarks/sweep_….py`.",
            "",
            "| sweep | cores | against | ours ms | theirs ms | theirs / ours | goal, at least | |",
            "|---|--:|---|--:|--:|--:|--:|---|",
            *(_line(r, f"{r.row}: {TITLES[r.row]}", 1e3) for r in sweeps),
        ]
    if product:
        lines += [
            "",
            "| product | threads | against | ours ms | reference ms | ours / reference |"
            " goal, at most | |",
            "|---|--:|---|--:|--:|--:|--:|---|",
            *(_line(r, r.row, 1e3) for r in product),
        ]
    return "\n".join(lines) + "\n"


def summary(found: list[Ratio]) -> str:
    """Three tables: steps, generations and sweeps."""
    groups = [
        [r for r in found if r.row in rows]
        for rows in (WORKLOADS, genetic.ROWS | numeric.ROWS, trials.ROWS)
    ]
    return "\n".join(_grid(group) for group in groups if group)


def _grid(steps: list[Ratio]) -> str:
    """A row for each workload, a column for each side; ratios by number of threads."""
    sides = list(dict.fromkeys(r.side for r in steps))
    lines = [f"| work | {' | '.join(sides)} |", f"|---|{'--:|' * len(sides)}"]
    for row in dict.fromkeys(r.row for r in steps):
        cells = []
        for side in sides:
            cell = [r for r in steps if (r.row, r.side) == (row, side)]
            shown = [f"{r.ratio:.2g}" if r.ratio < 10 else f"{r.ratio:.0f}" for r in cell]
            cells.append(" / ".join(shown) + ("" if all(r.met for r in cell) else " ✗"))
        lines.append(f"| {row}: {TITLES[row]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def put_into_readme(text: str) -> None:
    """Replace the text between the README's two marks."""
    page = README.read_text()
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    README.write_text(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}")


def _line(r: Ratio, title: str, unit: float) -> str:
    goal = f"{r.goal:g}" if r.goal else ""
    mark = "" if not r.goal else "met" if r.met else "**✗**"
    ratio = f"{r.ratio:.2f}" if r.met else f"**{r.ratio:.2f}**"
    times = f"{r.mine * unit:,.0f} | {r.theirs * unit:,.0f}"
    return f"| {title} | {r.threads} | {r.side} | {times} | {ratio} | {goal} | {mark} |"


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def figure(found: list[Ratio]) -> Any:
    """Ratios by row and side, a panel for each row; dots for the threads, a bar for the goal."""
    from matplotlib.figure import Figure

    rows = [row for row in TITLES if any(r.row == row for r in found)]
    sides = {row: list(dict.fromkeys(r.side for r in found if r.row == row)) for row in rows}
    threads = sorted({r.threads for r in found})
    heights = [len(sides[row]) + 1 for row in rows]
    page = Figure(figsize=(8, 0.3 * sum(heights) + 0.8), layout="constrained")
    panels = page.subplots(len(rows), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for row, panel in zip(rows, panels, strict=True):
        _panel(panel, [r for r in found if r.row == row], sides[row], threads)
        panel.set_title(f"{row}: {TITLES[row]}", loc="left", fontsize=9)
    panels[-1].set_xlabel("time of the other / time of ours: right of 1 we are faster")
    handles = {label: handle for p in panels for handle, label in _legend(p)}
    page.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=9, fontsize=8)
    return page


def _legend(panel: Any) -> Any:
    return zip(*panel.get_legend_handles_labels(), strict=True)


def _panel(panel: Any, found: list[Ratio], sides: list[str], threads: list[int]) -> None:
    panel.axvline(1, color="0.6", linewidth=0.8, zorder=0)
    for color, marker, count in zip(
        ("#0072b2", "#e69f00", "#56b4e9"), "os^", threads, strict=False
    ):
        points = [r for r in found if r.threads == count]
        x, y = [r.ratio for r in points], [sides.index(r.side) for r in points]
        label = f"{count} thread{'s' if count > 1 else ''}"
        panel.scatter(x, y, 30, color, marker, label=label, zorder=2)
        missed = [i for i, r in enumerate(points) if not r.met]
        rings = [x[i] for i in missed], [y[i] for i in missed]
        panel.scatter(*rings, 110, "none", edgecolors="#d55e00", label="goal missed", zorder=3)
    goals = {r.side: r.goal for r in found if r.goal}
    places = list(goals.values()), [sides.index(side) for side in goals]
    panel.scatter(*places, 140, "0.2", "|", label="goal", zorder=1)
    panel.set_xscale("log")
    panel.set_yticks(range(len(sides)), sides, fontsize=8)
    panel.set_ylim(len(sides) - 0.4, -0.6)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.tick_params(labelbottom=True, labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def save(figure: Any, name: str) -> Path:
    """Save the figure as SVG in ``results``, with text as text and reproducible bytes."""
    from matplotlib import rc_context

    RESULTS.mkdir(exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "backproplab"}):
        figure.savefig(RESULTS / name, metadata={"Date": None})
    return RESULTS / name
