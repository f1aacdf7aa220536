"""How the diagnosis does: the known cases over five seeds, and runs that nobody chose.

    python -m benchmarks.diagnosis known [SEEDS]
    python -m benchmarks.diagnosis healthy [COUNT]
    python -m benchmarks.diagnosis faulty [COUNT]
    python -m benchmarks.diagnosis shipped
    python -m benchmarks.diagnosis cost

Runs go to a temporary folder. Prints a line a run that is not as expected, and the counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import yaml

import backproplab as bpl
from backproplab.cli import render
from backproplab.config import Experiment, load
from backproplab.diagnosis import Case, Diagnosis, diagnose, keep
from backproplab.errors import BackpropLabError
from backproplab.experiment import Result
from benchmarks.diagnosis_drawn import REFERENCE, candidates, faulty

HOME = Path(__file__).parent.parent
CASES = HOME / "tests" / "diagnosis" / "cases.yaml"
T = TypeVar("T")
NEAR = 0.03  # of the best rate and of the reference: healthy


def trained(config: dict[str, Any]) -> tuple[Result, Diagnosis]:
    """One run in a folder of its own, and what is said of it."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment.model_validate(config | {"tensorboard": {"histograms": 0}})
        result = bpl.run(experiment, Path(folder) / "run")
        return result, diagnose(Case(result.folder))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def summary(diagnosis: Diagnosis) -> str:
    return " ".join(f"{found.rule or '-'}:{found.level[0]}" for found in diagnosis.findings)


def grave(diagnosis: Diagnosis) -> set[str]:
    return {found.rule for found in diagnosis.findings if found.level in ("alarm", "warning")}


def known(seeds: int) -> None:
    """Each case with each seed: does it name what is wrong, and nothing else as the cause?"""
    right = wrong_cause = total = 0
    for case in yaml.safe_load(CASES.read_text()):
        expect, lines = set(case["expect"]), []
        for seed in range(1, seeds + 1):
            _, diagnosis = trained(case["config"] | {"seed": seed})
            named = {found.rule for found in diagnosis.findings}
            cause = diagnosis.cause.rule if diagnosis.cause else ""
            good = bool(named & expect) if expect else not grave(diagnosis)
            false = bool(expect and cause and cause not in expect)
            total, right, wrong_cause = total + 1, right + good, wrong_cause + false
            lines.append(
                f"{summary(diagnosis)}{'' if good else '  MISSED'}{'  FALSE' if false else ''}"
            )
        say(f"{case['case']:>3}  {' '.join(sorted(expect)) or 'healthy':12} {' | '.join(lines)}")
    say(f"{right} of {total} as expected, {wrong_cause} with a false cause")


def value(result: Result) -> float:
    """Validation accuracy, or R²; worse than any for a run that has none."""
    metrics = result.metrics
    return float(metrics.get("val_accuracy", metrics.get("val_r2", -1)))


def healthy(count: int) -> None:
    found = alarms = warnings = tried = 0
    for trials, chosen in candidates():
        if found == count:
            break
        tried += 1
        runs = [trained(config) for config in trials]
        values = [value(result) for result, _ in runs]
        least = max(*values, REFERENCE[trials[0]["data"]["name"]]) - NEAR
        if values[chosen] < least:
            continue
        found += 1
        diagnosis = runs[chosen][1]
        levels = {x.level for x in diagnosis.findings}
        alarms += "alarm" in levels
        warnings += "warning" in levels
        if grave(diagnosis):
            say(f"{values[chosen]:.3f}  {summary(diagnosis):30}  {trials[chosen]}")
    say(f"{found} healthy of {tried} drawn: {alarms} with an alarm, {warnings} with a warning")


def ill(count: int) -> None:
    named = wrong = total = 0
    for fault, config, expect in faulty(count):
        try:
            _, diagnosis = trained(config)
        except BackpropLabError as error:
            say(f"{fault}: refused: {error}")
            continue
        total += 1
        rules = {found.rule for found in diagnosis.findings}
        cause = diagnosis.cause.rule if diagnosis.cause else ""
        named += bool(rules & expect)
        wrong += bool(cause and cause not in expect)
        if not rules & expect or (cause and cause not in expect):
            kind = "other cause" if rules & expect else "MISSED"
            say(f"{kind:11} {fault:15} {summary(diagnosis):30}  {config}")
    say(f"{named} of {total} faulty runs named; {wrong} with another first cause")


def shipped() -> None:
    """Every config of one run, whole."""
    for path in sorted((HOME / "configs").rglob("*.yaml")):
        if "base" not in yaml.safe_load(path.read_text()):
            result, diagnosis = trained(load(path).model_dump())
            say(f"{path.stem:25} {value(result):.3f}  {summary(diagnosis)}")


def cost() -> None:
    """Processor time of the closing lines, and of diagnose once the data are loaded."""
    for words in (["quickstart"], ["exp1"], ["spiral"], ["exp1", "epochs=3000"], ["fashion_mnist"]):
        with tempfile.TemporaryDirectory() as folder:
            experiment = load(HOME / "configs" / f"{words[0]}.yaml", *words[1:])
            say(f"{' '.join(words):20} {_cost(experiment, Path(folder) / 'run')}")


def _cost(experiment: Experiment, folder: Path) -> str:
    whole, result = _timed(lambda: bpl.run(experiment, folder))
    kept, verdict = _timed(lambda: keep(folder, experiment))
    with redirect_stdout(StringIO()):
        shown, _ = _timed(lambda: render.summary([result], [verdict], folder, HOME, {}))
    case = Case(folder)
    loading, _ = _timed(lambda: case.parts)
    on_demand, _ = _timed(lambda: diagnose(case))
    closing = f"{1e3 * (kept + shown):.1f} ms ({100 * (kept + shown) / whole:.1f} %)"
    return f"run {whole:.2f} s, lines {closing}; data {loading:.2f} s, diagnose {on_demand:.2f} s"


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    began = time.process_time()
    found = call()
    return time.process_time() - began, found


if __name__ == "__main__":
    task = sys.argv[1] if len(sys.argv) > 1 else "known"
    number = int(sys.argv[2]) if len(sys.argv) > 2 else {"known": 5}.get(task, 100)
    if task in ("shipped", "cost"):
        {"shipped": shipped, "cost": cost}[task]()
    else:
        {"known": known, "healthy": healthy, "faulty": ill}[task](number)
