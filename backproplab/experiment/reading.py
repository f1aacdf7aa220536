"""From a config's file to what it trains, with every problem of its schema, sizes and data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backproplab.config import Experiment, examine, located
from backproplab.config.yaml_source import Document
from backproplab.errors import ConfigError, DataError, Problem
from backproplab.experiment.parts import Parts, build
from backproplab.ranks import ONE, Ranks


@dataclass
class Findings:
    """What is wrong with one or more configs.

    problems: of configs.  faults: of data files, which end with another exit code.
    """

    problems: list[Problem] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise ConfigError with everything, or DataError if only data files are at fault."""
        if self.problems:
            raise ConfigError(*self.problems, *map(Problem.plain, self.faults))
        if self.faults:
            raise DataError("\n".join(self.faults))


def read_parts(
    path: Path,
    overrides: Sequence[str],
    findings: Findings,
    adapt: Callable[[Experiment], Experiment] = lambda experiment: experiment,
    ranks: Ranks = ONE,
) -> tuple[Parts, Document] | None:
    """What the config trains, built; None if anything is wrong, which is added to the findings.

    adapt: changes the experiment before it is built.  ranks: that are to train it together.
    """
    try:
        experiment, document, problems = examine(path, *overrides)
    except ConfigError as error:
        findings.problems += error.problems
        return None
    parts = None
    try:
        parts = build(adapt(experiment), ranks=ranks) if experiment else None
    except ConfigError as error:
        problems += located(error, document).problems
    except DataError as error:
        findings.faults.append(str(error))
    findings.problems += problems
    return None if parts is None or problems else (parts, document)


def parts_of(
    path: Path,
    overrides: Sequence[str],
    adapt: Callable[[Experiment], Experiment] = lambda experiment: experiment,
) -> Parts:
    """What the config trains, built. Raises ConfigError with every problem, or DataError."""
    findings = Findings()
    read = read_parts(path, overrides, findings, adapt)
    findings.check()
    assert read is not None
    return read[0]
