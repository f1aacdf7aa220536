"""The report: a comparison as one HTML file without network, for screen, phone and A4.

The conclusion comes first, then its evidence. The same runs give the same bytes. Everything can be
read without scripts. This file must not know how figures are drawn or HTML escaped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backproplab.files import read_regular
from backproplab.report import answers, influence, notes, panels, seedwise
from backproplab.report.comparison import Comparison
from backproplab.report.conclusion import conclude
from backproplab.report.diagnoses import listed_findings, why_first, words_of
from backproplab.report.differences import ABSENT, lookup, shown
from backproplab.report.environments import environment
from backproplab.report.markup import Markup, document, element, pairs, section
from backproplab.report.naming import name_of, short_key
from backproplab.report.pairing import legend
from backproplab.report.settings import settings
from backproplab.report.standings import ROWS, standings
from backproplab.report.surroundings import surroundings_section
from backproplab.report.trials import RankedTrial
from backproplab.status import Status
from backproplab.text import counted

TITLES = {1: "What the key does", 2: "What each key does within the other"}
DIAGNOSED = 20  # most trials of which a diagnosis is shown


def render(
    comparison: Comparison,
    warnings: Iterable[str] = (),
    test: bool = False,
    beside: Path | None = None,
    landscape: bool = False,
) -> tuple[str, list[str]]:
    """(the page, all warnings). warnings: those of reading; all are shown on the page.

    test: show the test metrics of every trial, not of the best only. beside: the page's folder,
    from which it links to the runs. landscape: draw the loss around the best run, which reads its
    data and computes.
    """
    found = list(warnings)
    own, more = notes.read_notes(comparison)
    found += more
    drawn = panels.curves_section(comparison, found)
    around = surroundings_section(comparison, found) if landscape else []
    parts = [
        _head(comparison),
        *[element("p", f"Warning: {warning}", class_="warning") for warning in found],
        _conclusion(comparison),
        section(_settled(comparison), pairs(settings(comparison))),
        *_ranking(comparison, test, beside),
        *drawn,
        *panels.keys_section(comparison),
        *_effects(comparison),
        *around,
        *_runs(comparison, beside),
        *_diagnosis(comparison),
        *answers.section_of(comparison),
        _notes(comparison, own),
        _environment(comparison),
        _foot(comparison),
    ]
    return document(_title(comparison), parts), found


def _title(comparison: Comparison) -> str:
    if name := comparison.sweep.get("name"):
        return str(name)
    if len(comparison.records) == 1:
        return shown(comparison.records[0].info.name)
    names = {_subject(record.config) for record in comparison.records}
    on = f" on {names.pop()}" if len(names) == 1 else ""
    if 0 < len(comparison.keys) <= 3:
        return " and ".join(short_key(comparison, key) for key in comparison.keys) + on
    return f"Runs{on}" if on else f"Runs of {', '.join(comparison.sessions[:3])}"


def _subject(config: Any) -> str:
    """What is learned from: the data, or the function of an objective."""
    data = lookup(config, "data")
    return shown(lookup(config, "objective.function") if data is ABSENT else data)


def _head(comparison: Comparison) -> Markup:
    runs = [record.info for record in comparison.records if record.info.started]
    day = min(runs, key=lambda run: run.instant).started[:10] if runs else ""
    kind = "Sweep" if comparison.sweep else "Run" if len(comparison.records) == 1 else "Runs"
    records, metric = comparison.records, comparison.metric
    statuses = [record.info.status for record in records]
    amounts = [f"{statuses.count(status)} {status}" for status in Status if status in statuses]
    trials = f"{counted(len(comparison.trials), 'trial')}, " if comparison.several_seeds else ""
    way = "smaller is better" if metric.goal == "min" else "larger is better"
    at = "at each run’s best epoch" if metric.at == "best" else "after the last epoch"
    on = {_subject(record.config) for record in records}
    where = f" on {on.pop()}" if len(on) == 1 else ""
    deck = f"{trials}{counted(len(records), 'run')}{where}: {', '.join(amounts)}. Ranked by "
    named = element("code", metric.name)
    return element(
        "header",
        element("p", f"{kind} report{f' · {day}' if day else ''}", class_="kick"),
        element("h1", _title(comparison)),
        element("p", deck, named, f" {at}; {way}.", class_="deck"),
    )


def _settled(comparison: Comparison) -> str:
    several = len(comparison.records) > 1
    return "What differed, and what was equal" if several else "Settings"


def _conclusion(comparison: Comparison) -> Markup:
    found = conclude(comparison)
    lead = element("p", element("b", found.head), f" {found.text}", class_="lead")
    items = [
        element("li", finding.text, element("span", finding.evidence, class_="ev"))
        for finding in found.findings
    ]
    doubts = [element("p", doubt) for doubt in found.doubts]
    if found.command:
        doubts.append(element("p", element("b", "Next "), element("code", found.command)))
    sure = [
        element("div", element("p", element("b", "How sure is this?")), *doubts, class_="note side")
    ]
    listing = [element("ol", *items, class_="find")] if items else []
    return section("What came out", element("div", lead, *listing), *(sure if doubts else []))


def _ranking(comparison: Comparison, test: bool, beside: Path | None) -> list[Markup]:
    if len(comparison.trials) < 2:
        return []
    seeds = (
        f"Mean and standard deviation over {comparison.repeats}, at each run’s best epoch. In the "
        f"strip a dot is a {comparison.repeats.removesuffix('s')}, the bar their mean, the dotted "
        "line the mean of number 1. "
        if comparison.several_seeds
        else ""
    )
    text = seeds + (legend(comparison.repeats) if comparison.is_paired else "")
    caption = [element("p", text, class_="cap wide")] if text else []
    left = len(comparison.trials) - ROWS
    rest = (
        [element("p", f"{left:,} more trials: backproplab compare --format csv", class_="cap wide")]
        if left > 0
        else []
    )
    table = element("div", standings(comparison, test, beside), class_="wide")
    return [section("Ranking", *caption, table, *rest)]


def _effects(comparison: Comparison) -> list[Markup]:
    tables = influence.influence(comparison)
    if not tables:
        return []
    title = TITLES.get(len(comparison.keys), "What each key does within the others")
    caption = element("p", influence.caption(comparison), class_="cap wide")
    return [section(title, caption, element("div", *tables, class_="wide two st2"))]


def _runs(comparison: Comparison, beside: Path | None) -> list[Markup]:
    if not comparison.several_seeds:
        return []
    parts = []
    if made := seedwise.figure(comparison):
        parts.append(element("figure", made[0], element("figcaption", made[1])))
    text = (
        f"{comparison.metric.name} of each run @ its best epoch; a link leads to the run’s folder."
    )
    caption = element("p", text + seedwise.more(comparison), class_="cap")
    parts.append(element("div", caption, seedwise.table(comparison, beside)))
    return [section("Seeds, and each run", element("div", *parts, class_="wide two st4"))]


def _diagnosis(comparison: Comparison) -> list[Markup]:
    """How the runs of the best trials went, by their files; nothing if none can be read. Of a run
    alone each finding with its rule."""
    if len(comparison.records) == 1:
        found = comparison.records[0].diagnosis
        return [section("Diagnosis", pairs(listed_findings(found)))] if found else []
    rows = [
        (name_of(comparison, trial), summary)
        for trial in comparison.trials[:DIAGNOSED]
        if (summary := _summary(trial))
    ]
    why = [element("p", reason)] if (reason := why_first(comparison)) else []
    return [section("Diagnosis", pairs(rows), *why)] if rows else []


def _summary(trial: RankedTrial) -> str:
    """The best run's sentences; of several seeds how many have which word before them."""
    if not (found := trial.best_record.diagnosis):
        return ""
    words = [f"{words_of(trial.records)}."] if len(trial.records) > 1 else []
    return " ".join([*words, *(sentence for _, sentence in found.closing)])


def _notes(comparison: Comparison, text: str) -> Markup:
    shown_notes = notes.as_markup(text)  # none: the style sheet says so
    pad = element("div", *shown_notes, class_="pad", id="notes", **{"aria-label": "notes"})
    hint = element(
        "p", "Notes are kept in ", element("code", str(notes.where(comparison))),
        " and come back when the report is made anew. Written here, they are for copying into it.",
        class_="note hint",
    )  # fmt: skip
    return section("Notes", pad, hint)


def _environment(comparison: Comparison) -> Markup:
    best = comparison.trials[0].best_record
    rows = [("session", ", ".join(comparison.sessions[:4])), *environment(comparison.records)]
    again = f"backproplab train {shlex.quote(str(best.info.folder / 'config.yaml'))}"
    rows.append(
        (f"number 1, seed {best.repeat}" if len(comparison.records) > 1 else "repeat", again)
    )
    try:
        text = read_regular(best.info.folder / "config.yaml").decode(errors="replace").rstrip()
    except OSError:  # reported when the config was read
        text = ""
    summary = element("summary", f"Config of {shown(best.info.name)}")
    config = [element("details", summary, element("pre", text), open="open")] if text else []
    return section("Environment, and how to repeat it", pairs(rows), *config)


def _foot(comparison: Comparison) -> Markup:
    csv = " Every digit is in results.csv." if comparison.sweep else ""
    text = (
        "One file, no network; all of it can be read and printed without scripts, which only add "
        "sorting and the values under the pointer."
    )
    return element("footer", text + csv)
