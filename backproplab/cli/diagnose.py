"""backproplab diagnose: what went wrong or well, in words, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.options import RUNS, LogDir

if TYPE_CHECKING:
    from backproplab.diagnosis import Case, Diagnosis, Finding
    from backproplab.report import Comparison
    from backproplab.runs import RunInfo

INDENT = 9
WORDS = "Runs, or sessions such as a sweep: names, numbers, paths. Default: the newest session."


def command(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN|SESSION", help=WORDS)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on an alarm.")] = False,
    why: Annotated[
        str | None, typer.Option(metavar="RULE", help="Explain a rule: D5, D4b, …")
    ] = None,
    curvature: Annotated[
        bool, typer.Option("--curvature", help="Also λ of the Hessian, and the noise scale.")
    ] = False,
    log_dir: LogDir = RUNS,
) -> None:
    """Say what went wrong or well in a run, why, with its evidence, and what to try next.

    Outcome first, then the first cause that holds, then remarks. Nothing is written. Loads the
    data and the weights of one run; of several runs it reads their files, and looks so closely at
    one of each kind of trouble only.
    """
    if why:
        _explain(why)
        return
    from backproplab.report import chosen_runs

    chosen = chosen_runs(log_dir, runs or ())
    found = [_one(chosen[0], as_json, curvature)] if len(chosen) == 1 else _several(chosen, as_json)
    if strict and any(diagnosis.alarms for diagnosis in found):
        raise typer.Exit(1)


def _one(run: RunInfo, as_json: bool, curvature: bool) -> Diagnosis:
    import json

    from backproplab.cli.printing import sentence
    from backproplab.diagnosis import Case, diagnose

    case = Case(run.folder)
    diagnosis = diagnose(case)
    curved, facts = _curvature(case) if curvature else ("", {})
    if as_json:
        typer.echo(json.dumps(diagnosis.tree() | facts, indent=1, ensure_ascii=False))
        return diagnosis
    _show(run, diagnosis)
    if curved:
        sentence(curved, "curved", INDENT)
    return diagnosis


def _curvature(case: Case) -> tuple[str, dict[str, object]]:
    """λ and the noise scale, or why there are none."""
    from backproplab.diagnosis.case import Unknown
    from backproplab.diagnosis.curvature import summary

    try:
        text, facts = summary(case.end, case.experiment.learning_rate or 0.0)
    except Unknown as why:
        return f"not known: {why}", {"curvature": None}
    return text, {"curvature": facts}


def _show(run: RunInfo, diagnosis: Diagnosis) -> None:
    from backproplab.cli.printing import command as typed_command
    from backproplab.cli.printing import lines, printable, sentence, width
    from backproplab.layout import middle

    room = (width() or 1000) - len(run.status) - 2
    lines([f"{middle(printable(run.name), room)}  {run.status}"], "bold")
    sentence(diagnosis.outcome.sentence, "so", INDENT)
    if diagnosis.cause:
        sentence(diagnosis.cause.sentence, "why", INDENT)
    if diagnosis.command:
        typed_command("try", diagnosis.command, INDENT)
    for found in diagnosis.remarks:
        lines([""])
        sentence(found.sentence, str(found.level), INDENT)
        if found.command and found.command != diagnosis.command:
            typed_command("try", found.command, INDENT)
    lines(["", "evidence"])
    for found in diagnosis.findings:
        sentence(_evidence(found), f"  {found.rule}", INDENT)
    for found in diagnosis.findings:
        _rows(found)
    if diagnosis.unknown:
        lines(["", "not judged"])
    for reason in dict.fromkeys(diagnosis.unknown.values()):
        rules = [rule for rule, why in diagnosis.unknown.items() if why == reason]
        sentence(f"{', '.join(rules)}: {reason}", "", 2)
    if rules := [found.rule for found in diagnosis.findings if found.rule]:
        lines([""])
        typed_command("explain", f"backproplab diagnose --why {rules[0]}", INDENT)


def _rows(found: Finding) -> None:
    """The examples that a finding names: look at them."""
    from backproplab.cli.printing import lines, sentence, table
    from backproplab.layout import Column
    from backproplab.text import number

    rows = found.evidence.get("rows")
    if not rows:
        return
    lines([""])
    what = (
        "the training examples with the largest loss at the best epoch, by their rows in the data"
    )
    sentence(f"{found.rule}: {what} (the first is 0)")

    def shown(value: float) -> str:
        return str(value) if isinstance(value, int) else number(value)

    table([Column(key, [shown(row[key]) for row in rows], right=True) for key in rows[0]])


def _evidence(found: Finding) -> str:
    """``ratio 0.0031, times 320; holds from ratio 0.01 on``."""

    def shown(values: dict[str, object]) -> str:
        return ", ".join(
            f"{name} {x:.4g}" if isinstance(x, float) else f"{name} {x}"
            for name, x in values.items()
            if x is not None and not isinstance(x, list)
        )

    limits = f"; threshold: {shown(dict(found.threshold))}" if found.threshold else ""
    return f"{shown(dict(found.evidence))}{limits}"


def _several(chosen: list[RunInfo], as_json: bool) -> list[Diagnosis]:
    import json

    from backproplab import report
    from backproplab.cli.compare import warn
    from backproplab.report.diagnoses import closer

    records, warnings = report.read_records(chosen)
    records = closer(records)
    found = [record.diagnosis for record in records if record.diagnosis]
    if as_json:
        trees = [diagnosis.tree() for diagnosis in found]
        typer.echo(json.dumps(trees, indent=1, ensure_ascii=False))
        return found
    warn(warnings)
    _table(report.compare(records))
    return found


def _table(comparison: Comparison) -> None:
    """A row for each trial, what its runs are diagnosed with, and why the first one won."""
    from backproplab.cli.printing import command as typed_command
    from backproplab.cli.printing import printable, sentence, table
    from backproplab.layout import WIDE, middle
    from backproplab.report import columns_of
    from backproplab.report.diagnoses import unrepeated, why_first

    name = comparison.metric.name
    columns = [*comparison.keys, name, "diagnosis"]
    table(columns_of(comparison, columns if comparison.keys else [name, "diagnosis", "run"]))
    if reason := why_first(comparison):
        sentence(reason)
    seen: set[str] = set()
    for record in comparison.records:
        diagnosis = record.diagnosis
        cause = diagnosis and (diagnosis.cause or next(iter(diagnosis.alarms), None))
        if cause and cause.word not in seen:
            seen.add(cause.word)
            name = middle(printable(record.info.name), WIDE)
            sentence(f"{cause.word}, as {name}: {cause.sentence}")
    for text, again in unrepeated(comparison.records):
        sentence(printable(text))
        if again:
            typed_command("try", again, INDENT)


def _explain(word: str) -> None:
    """A rule: its rows of the table, and what it means."""
    from backproplab.cli.printing import lines, sentence
    from backproplab.diagnosis.explained import EXPLAINED, rows
    from backproplab.errors import ConfigError, Problem, did_you_mean

    known = {rule.lower(): rule for rule in EXPLAINED}
    if word.lower() not in known:
        hint = did_you_mean(word, known.values()) or f"one of {', '.join(known.values())}"
        raise ConfigError(Problem(f"--why {word}", "no such rule", hint))
    rule = known[word.lower()]
    for head, looks in rows(rule):
        lines([head], "bold")
        sentence(looks, "", 2)
    lines([""])
    sentence(EXPLAINED[rule])
    _picture(rule)


def _picture(rule: str) -> None:
    """The rule's statistic in a faulty run and in a mended one, on one scale."""
    from backproplab.cli.printing import is_drawable, lines, sentence, width
    from backproplab.diagnosis.pictures import pictures
    from backproplab.layout import sparkline
    from backproplab.text import short

    picture = pictures()[rule]
    scale = " (logarithmic scale)" if picture.logarithmic else ""
    lines([""])
    sentence(f"{picture.shows}{scale}")
    room = min(width() or 80, 80) - INDENT - 2
    for label, drawn in (("faulty", picture.faulty), ("mended", picture.mended)):
        if is_drawable("▁"):
            wide = max(min(room // len(drawn.values), 4), 1)  # so few values are seen as bars
            values = [value for value in drawn.values for _ in range(wide)]
            curve = sparkline(values, room, picture.logarithmic, picture.limits)
            lines([f"{label:<{INDENT}}{curve}"])
        ends = f"from {short(drawn.values[0])} to {short(drawn.values[-1])}"
        sentence(f"{drawn.of}: {ends}", "" if is_drawable("▁") else label, INDENT)
