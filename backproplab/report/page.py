"""The report: a comparison as one HTML file without scripts or network, for screen and A4.

The same runs give the same bytes. This file must not know how figures are drawn or HTML escaped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from backproplab.files import read_regular
from backproplab.layout import Column, middle
from backproplab.report import panels
from backproplab.report.asked import asked
from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import lookup, shown
from backproplab.report.environments import environment
from backproplab.report.markup import Markup, document, element, pairs
from backproplab.report.pairing import LEGEND, TIE
from backproplab.report.sameness import sentence
from backproplab.report.tables import columns_of, measured, test_of_best
from backproplab.status import Status
from backproplab.text import counted

ROWS = 100  # most rows of the ranked table
LETTERS = 40  # of a name in it


def render(
    comparison: Comparison, warnings: Iterable[str] = (), test: bool = False
) -> tuple[str, list[str]]:
    """(the page, all warnings). warnings: those of reading; all are shown on the page.

    test: show the test metrics of every trial, not of the best only.
    """
    notes = list(warnings)
    curves = panels.curves(comparison, notes)
    parts = [
        *_head(comparison),
        *[element("p", f"Warning: {note}", class_="warning") for note in notes],
        *_asked(comparison),
        *_ranked(comparison, test),
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
        return [f"No run has a finite {name}."]
    where = panels.label(comparison, best)
    over = f", mean ± standard deviation over {len(numbers)} seeds" if len(numbers) > 1 else ""
    word = "Best" if len(comparison.trials) > 1 else "Result"
    value = element("strong", f"{name} {measured(best, name)}", class_="number")
    return [f"{word}: ", element("strong", where), " with ", value, f"{over}.", _ties(comparison)]


def _ties(comparison: Comparison) -> str:
    """How many trials cannot be told from the best, if that can be said."""
    if not comparison.is_paired:
        return ""
    pairs = [pair for pair in comparison.paired if pair]
    count = sum(pair.verdict == TIE for pair in pairs)
    if not count:
        return ""
    seeds = counted(max(len(pair.differences) for pair in pairs), "seed")
    return f" {counted(count, 'trial')} cannot be told from it by {seeds}."


def _asked(comparison: Comparison) -> list[Markup]:
    metric = comparison.metric
    way = "smaller is better" if metric.goal == "min" else "larger is better"
    at = "at each run's best epoch" if metric.at == "best" else "after the last epoch"
    seeds = sorted({str(record.seed) for record in comparison.records}, key=lambda s: (len(s), s))
    ranges = asked(comparison.sweep.get("sweep"))
    rows = [(key, ranges.pop(key, "") or _values(comparison, key)) for key in comparison.keys]
    rows += ranges.items()
    rows += [("seeds", _listed(seeds)), ("ranked by", f"{metric.name}, {way}, {at}")]
    rows += [("command", command) for command in _commands(comparison)]
    return [element("h2", "Settings"), pairs(rows), *_fairness(comparison)]


def _fairness(comparison: Comparison) -> list[Markup]:
    if len(comparison.records) < 2:
        return []
    return [element("p", "Between these runs: ", sentence(comparison.records), class_="note")]


def _values(comparison: Comparison, key: str) -> str:
    return _listed(list(Axis.of(key, comparison.trials).labels))


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


def _ranked(comparison: Comparison, test: bool) -> list[Markup]:
    """The ranked table; on a narrow screen each row is a card, on paper optional columns fall."""
    columns = columns_of(comparison, top=ROWS, test=test)
    classes = [
        " ".join(filter(None, ("right" if c.right else "", f"rank{min(c.rank, 3)}")))
        for c in columns
    ]
    heads = [element("th", c.head, class_=s) for c, s in zip(columns, classes, strict=True)]
    body = []
    for at, trial in enumerate(comparison.trials[:ROWS]):
        cells = [
            _cell(column, at, style, trial.status != Status.COMPLETED)
            for column, style in zip(columns, classes, strict=True)
        ]
        body.append(element("tr", *cells))
    whole = element(
        "table", element("thead", element("tr", *heads)), element("tbody", *body), class_="ranked"
    )
    parts = [element("h2", "Results"), element("div", whole, class_="scroll")]
    if fallen := [column.head for column in columns if column.rank >= 3]:
        parts.append(
            element("p", f"Not shown on paper: {', '.join(fallen)}.", class_="note printed")
        )
    if (of_best := test_of_best(comparison)) and not test:
        texts = [element("span", f"{text}; ", class_="number") for text in of_best.split(", ")]
        first = f"Test metrics of the first trial, chosen by {comparison.metric.name}: "
        rest = "those of the others are not shown, so that no trial is chosen by them."
        parts.append(element("p", first, *texts, rest, class_="note"))
    if comparison.is_paired:
        parts.append(element("p", LEGEND, class_="note"))
    if (rest_count := len(comparison.trials) - ROWS) > 0:
        text = f"{rest_count:,} more trials: backproplab compare --format csv"
        parts.append(element("p", text, class_="note"))
    return parts


def _cell(column: Column, at: int, style: str, bad: bool) -> Markup:
    """A cell, with its column's name for where a row is a card."""
    text = middle(column.cells[at], LETTERS) if column.is_name else column.cells[at]
    mark = " bad" if bad and column.styles else ""
    return element("td", text, class_=style + mark, **{"data-name": column.head})


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
