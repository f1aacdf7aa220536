"""Verdict: the rules judged on one run: how it went, the first cause that holds, what else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backproplab.config import Experiment
from backproplab.diagnosis.case import Case, Facts, Unknown
from backproplab.diagnosis.course import wilson
from backproplab.diagnosis.markdown import markdown
from backproplab.diagnosis.table import RULES, Level, Rule
from backproplab.diagnosis.words import sentence
from backproplab.errors import BackpropLabError
from backproplab.experiment import account
from backproplab.files import DiskFolder
from backproplab.learners.objective import SLOPE, VALUE
from backproplab.measures import MEASURES, parsed
from backproplab.runs.run_folder import CONFIG, FORMAT, RunFolder
from backproplab.status import Status
from backproplab.text import launcher, typed

TRAINED = {"accuracy": "{value:p1}", "r2": "R² is {value:n}", "loss": "the loss is {value:l}"}
CHANCE = {"accuracy": "chance", "r2": "the mean"}  # what a run must beat that has learned


@dataclass(frozen=True)
class Finding:
    """A statement about a run. evidence: every number of the sentence, and others measured."""

    rule: str
    level: Level
    word: str
    sentence: str
    command: str
    evidence: Mapping[str, Any]
    threshold: Mapping[str, float]


@dataclass(frozen=True)
class Diagnosis:
    """outcome: how it went.  cause: why, as far as a rule knows.  remarks: all other findings.
    unknown: rule -> why it cannot be judged."""

    run: Path
    outcome: Finding
    cause: Finding | None
    remarks: tuple[Finding, ...]
    unknown: Mapping[str, str]

    @property
    def findings(self) -> list[Finding]:
        """All of them, outcome and cause first."""
        return [self.outcome, *([self.cause] if self.cause else []), *self.remarks]

    @property
    def alarms(self) -> list[Finding]:
        return [found for found in self.findings if found.level is Level.ALARM]

    @property
    def word(self) -> str:
        """One or two words for a column: the cause's, else the outcome's."""
        if self.cause:
            return self.cause.word
        open_ends = [x.word for x in self.remarks if x.rule == "D4"]
        good = self.outcome.level is Level.GOOD
        return open_ends[0] if good and open_ends else self.outcome.word

    @property
    def closing(self) -> list[tuple[str, str]]:
        """(label, text) for a summary: how it went, why, or the first informative note."""
        notes = [x for x in self.remarks if x.level is Level.NOTE and x.rule != "D14"]
        lines = [("so", self.outcome.sentence)]
        if self.cause:
            return [*lines, ("why", self.cause.sentence)]
        alarmed = self.outcome.level is Level.ALARM
        return lines if alarmed or not notes else [*lines, ("note", notes[0].sentence)]

    @property
    def command(self) -> str:
        """What to try next: the cause's command, the outcome's, or that of what is still going."""
        going = [found for found in self.remarks if found.rule in ("D4", "N2")]
        found = [*([self.cause] if self.cause else []), self.outcome, *going]
        return next((x.command for x in found if x.command), "")

    def tree(self) -> dict[str, Any]:
        """As JSON."""
        found = [asdict(x) for x in self.findings]
        return {"run": str(self.run), "word": self.word, "findings": found} | {
            "not_judged": dict(self.unknown)
        }


def diagnose(case: Case) -> Diagnosis:
    """Judge every rule. Raises DamageError if metrics.csv or run.json is damaged."""
    held, unknown = _held(case)
    findings = [
        _finding(case, rule, facts)
        for rule, facts in held.values()
        if not rule.unless & held.keys() and (not rule.only_with or rule.only_with & held.keys())
    ]
    outcomes = [x for x in findings if any(r.outcome for r in RULES if r.id == x.rule)]
    causes = [x for x in findings if x not in outcomes and x.level in (Level.ALARM, Level.WARNING)]
    rest = [x for x in findings if x not in outcomes[:1] and x not in causes[:1]]
    outcome = outcomes[0] if outcomes else _plain(case)
    return Diagnosis(case.folder, outcome, causes[0] if causes else None, tuple(rest), unknown)


def _held(case: Case) -> tuple[dict[str, tuple[Rule, Facts]], dict[str, str]]:
    """The first row of each rule that holds, in the order of causes; why others are not judged."""
    held: dict[str, tuple[Rule, Facts]] = {}
    unknown: dict[str, str] = {}
    for rule in RULES:
        if rule.id in held:
            continue
        try:
            with np.errstate(all="ignore"):
                facts = rule.judge(case, rule.limits)
        except Unknown as why:
            unknown[rule.id] = str(why)
            continue
        if facts is not None:
            held[rule.id] = rule, facts
    return held, {rule: why for rule, why in unknown.items() if rule not in held}


def _finding(case: Case, rule: Rule, facts: Facts) -> Finding:
    try:
        keys = rule.fix(case, facts)
    except Unknown:
        keys = []
    if any(re.split("[.=]", key)[0] in case.experiment.unused_keys for key in keys):
        keys = []  # the learner would refuse them
    config = case.folder / CONFIG
    command = typed("backproplab", "train", config, *keys) if keys else ""
    text = sentence(rule.says, facts)
    return Finding(rule.id, rule.level, rule.word, text, command, facts, rule.limits)


def _plain(case: Case) -> Finding:
    """How a run went that no rule calls a failure."""
    status, curves = case.status, case.curves
    facts: Facts = {"status": str(status), "epochs": curves.epochs}
    if status is Status.FAILED:
        text = f"Failed: {case.record.get('message') or 'see traceback.txt'}"
        return Finding("", Level.ALARM, "failed", text, "", facts, {})
    if status not in (Status.COMPLETED, Status.PRUNED) or not curves.epochs:
        text = f"{str(status).capitalize()} after {curves.epochs} epochs: judged as far as it went."
        ours = [*launcher(int(case.record.get("ranks") or 1)), "backproplab"]
        command = typed(*ours, "resume", case.folder) if status.is_under_way else ""
        return Finding("", Level.NOTE, str(status), text, command, facts, {})
    if objective := case.experiment.objective:
        return _descended(case, facts, "Climbed" if objective.maximize else "Descended")
    return _learned(case, facts)


def _descended(case: Case, facts: Facts, head: str) -> Finding:
    """How high a function is where it was left, and how steep."""
    value, slope = (case.curves.last(name) for name in (VALUE, SLOPE))
    facts |= {"value": value, "slope": slope}
    says = sentence(f"{head}: f is {{value:l}}, its gradient's norm {{slope:l}}.", facts)
    return Finding("", Level.GOOD, head.lower(), says, "", facts, {})


def _learned(case: Case, facts: Facts) -> Finding:
    """What it has learned, with its error; no better than chance is not learned."""
    curves = case.curves
    of, own = parsed(str(case.record.get("monitor", "")))  # own: of a learner without a loss
    split = "validation" if len(curves.of("val_loss")) or of == "validation" else "training"
    prefix = "val_" if split == "validation" else ""
    name = next((n for n in TRAINED if np.isfinite(curves.last(prefix + n))), own or "loss")
    value = curves.last(prefix + name)
    facts |= {"split": split, "value": value, "chance": None}
    where = " on the {split} examples"
    try:
        n = case.start["examples"]["train" if split == "training" else split]
        facts |= {"examples": n, "chance": case.start["majority"]}
        where = " on {examples:n} {split} examples"
        if name == "accuracy":
            facts |= {"error": (value * (1 - value) / n) ** 0.5, "least": wilson(n)}
            sure = f"{where}, so at least {{least:p1}} of many more" if value == 1 else where
            where = f" ± {{error:e}}{where}" if facts["error"] else sure
            where += ", chance is {chance:p1}"
    except Unknown:
        pass
    level, word, head = Level.GOOD, "trained", "Trained"
    if name in CHANCE and facts["chance"] is not None:
        least = facts["chance"] + 2 * facts["error"] if name == "accuracy" else 0.0
        word, head = "learned", "Learned"
        if value <= least:
            level, word, head = Level.NOTE, "at chance", f"No better than {CHANCE[name]} yet"
    label = MEASURES[name].label if name in MEASURES else name
    says = f"{head}: {TRAINED.get(name, f'the {label} is {{value:l}}')}{where}."
    return Finding("", level, word, sentence(says, facts), "", facts, {})


def verdict(
    folder: Path,
    record: Mapping[str, Any] | None = None,
    experiment: Experiment | None = None,
) -> Diagnosis | None:
    """What can be judged without data or weights; None of a run whose files are damaged."""
    try:
        return diagnose(Case(folder, False, record, experiment))
    except (BackpropLabError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        return None


def keep(folder: Path, experiment: Experiment | None = None) -> Diagnosis | None:
    """The verdict of a run that has just ended: its word goes into run.json, for lists of runs, and
    its sentences to TensorBoard, unless the run may continue."""
    found = verdict(folder, experiment=experiment)
    if found:
        files = DiskFolder(folder)  # one, so that the new log is on the disk before the record
        record = RunFolder(files).record
        if Status.read(record.get("status")).has_ended:
            account.diagnosed(files, markdown(found))
        RunFolder(files).write_record(record | {"verdict": found.word})
    return found


def finish(folder: Path) -> None:
    """What a run that is over still lacks if it was killed after its last record: its verdict, and
    the end of what it was writing. One that can be continued is left as it is."""
    files = DiskFolder(folder)
    record = RunFolder(files).record
    over = Status.read(record.get("status")) in (Status.COMPLETED, Status.DIVERGED)
    if over and record.get("format") == FORMAT and not record.get("in_sweep"):
        files.remove_temporaries()
        if "verdict" not in record:
            keep(folder)
