"""The report: a comparison as one HTML file without scripts or network, for screen and A4.

The same runs give the same bytes. This file must not know how figures are drawn or HTML escaped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from backproplab.files import read_regular
from backproplab.report import panels
from backproplab.report.asked import asked
from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import lookup, shown
from backproplab.report.environments import environment
from backproplab.report.markup import Markup, document, element, pairs
from backproplab.report.sameness import sentence
from backproplab.report.tables import measured, ranked_table
from backproplab.status import Status
from backproplab.text import counted

ROWS = 100  # most rows of the ranked table


def render(comparison: Comparison, warnings: Iterable[str] = ()) -> tuple[str, list[str]]:
    """(the page, all warnings). warnings: those of reading; all are shown on the page."""
    notes = list(warnings)
    curves = panels.curves(comparison, notes)
    parts = [
        *_head(comparison),
        *[element("p", f"Warning: {note}", class_="warning") for note in notes],
        *_asked(comparison),
        *_ranked(comparison),
        *curves,
        *panels.keys(comparison),
        *panels.importance(comparison),
        *_environment(comparison),
        *_best_config(comparison),
    ]
    return document(_title(comparison), parts), notes


def _title(comparison: Comparison) -> str:
    sessions = list(dict.fromkeys(record.info.session for record in comparison.records))
    if name := comparison.sweep.get("name"):
        return str(name)
    if len(comparison.records) == 1:
        return comparison.records[0].info.name
    names = {shown(lookup(record.config, "data")) for record in comparison.records}
    on = f" on {names.pop()}" if len(names) == 1 else ""
    if 0 < len(comparison.keys) <= 3:
        return " and ".join(panels.short_key(comparison, key) for key in comparison.keys) + on
    return f"Runs{on}" if on else f"Runs of {', '.join(sessions[:3])}"


def _head(comparison: Comparison) -> list[Markup]:
    records = comparison.records
    runs = [record.info for record in records if record.info.started]
    started = min(runs, key=lambda run: run.instant).started[:16] if runs else ""
    sessions = sorted({record.info.session for record in records})
    where = f"session {sessions[0]}" if len(sessions) == 1 else counted(len(sessions), "session")
    when = f", started {started.replace('T', ' ')}" if started else ""
    amount = f"{counted(len(comparison.trials), 'trial')}, {counted(len(records), 'run')}"
    sub = f"{amount}, {where}{when}"
    return [
        element("h1", _title(comparison)),
        element("p", sub, class_="sub"),
        element("p", *_answer(comparison), class_="answer"),
    ]


def _answer(comparison: Comparison) -> Sequence[str]:
    best, name = comparison.trials[0], comparison.metric.name
    numbers = best.numbers(name)
    if not numbers:
        return [f"No run has measured {name}."]
    where = panels.label(comparison, best)
    over = f", mean ± standard deviation over {len(numbers)} seeds" if len(numbers) > 1 else ""
    word = "Best" if len(comparison.trials) > 1 else "Result"
    value = element("strong", f"{name} {measured(best, name)}")
    return [f"{word}: ", element("strong", where), " with ", value, f"{over}."]


def _asked(comparison: Comparison) -> list[Markup]:
    metric = comparison.metric
    way = "the smaller the better" if metric.goal == "min" else "the larger the better"
    at = "at each run's best epoch" if metric.at == "best" else "after the last epoch"
    seeds = sorted({str(record.seed) for record in comparison.records}, key=lambda s: (len(s), s))
    ranges = asked(comparison.sweep.get("sweep"))
    rows = [(key, ranges.pop(key, "") or _values(comparison, key)) for key in comparison.keys]
    rows += ranges.items()
    rows += [("seeds", _listed(seeds)), ("ranked by", f"{metric.name}, {way}, {at}")]
    rows += [("command", command) for command in _commands(comparison)]
    return [element("h2", "What was asked"), pairs(rows), *_fairness(comparison)]


def _fairness(comparison: Comparison) -> list[Markup]:
    if len(comparison.records) < 2:
        return []
    return [element("p", "Between these runs: ", sentence(comparison.records), class_="note")]


def _values(comparison: Comparison, key: str) -> str:
    return _listed([shown(tick) for tick in Axis.of(key, comparison.trials).ticks])


def _listed(texts: Sequence[str], most: int = 12) -> str:
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:3])}, …, {texts[-1]} ({len(texts)} values)"


def _commands(comparison: Comparison) -> list[str]:
    """The command lines of the runs, at most three."""
    commands = []
    for record in comparison.records:
        argv = record.details.get("argv")
        if isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv):
            commands.append(shlex.join([Path(argv[0]).name, *argv[1:]]))
    found = sorted(set(commands))
    texts = [text if len(text) <= 400 else f"{text[:400]} …" for text in found[:3]]
    return texts + ([f"and {len(found) - 3} more"] if len(found) > 3 else [])


def _ranked(comparison: Comparison) -> list[Markup]:
    table = ranked_table(comparison, top=ROWS)
    sides = ["right" if numeric else "" for numeric in table.numeric]
    head = [element("th", c, class_=s) for c, s in zip(table.columns, sides, strict=True)]
    body = []
    for trial, row in zip(comparison.trials, table.rows, strict=False):
        classes = ["bad" if text == trial.status != Status.COMPLETED else "" for text in row]
        cells = zip(row, sides, classes, strict=True)
        body.append(
            element("tr", *[element("td", c, class_=f"{s} {b}".strip()) for c, s, b in cells])
        )
    whole = element(
        "table", element("thead", element("tr", *head)), element("tbody", *body), class_="ranked"
    )
    parts = [element("h2", "Results"), element("div", whole, class_="scroll")]
    if (rest := len(comparison.trials) - ROWS) > 0:
        text = f"{rest:,} more trials: backproplab compare --format csv"
        parts.append(element("p", text, class_="note"))
    return parts


def _environment(comparison: Comparison) -> list[Markup]:
    return [element("h2", "Environment"), pairs(environment(comparison.records))]


def _best_config(comparison: Comparison) -> list[Markup]:
    """The config of the best run."""
    best = comparison.trials[0].best_record
    try:
        text = read_regular(best.info.folder / "config.yaml").decode(errors="replace")
    except OSError:  # reported when the config was read
        return []
    return [element("h2", f"Config of {best.info.name}"), element("pre", text.rstrip())]
