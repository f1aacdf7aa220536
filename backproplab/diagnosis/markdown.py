"""A diagnosis as Markdown, for TensorBoard's Text tab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backproplab.diagnosis.verdict import Diagnosis

BAR = r"\|"  # within a cell


def markdown(diagnosis: Diagnosis) -> str:
    """A table: how it went, why, what else was found, each with its rule and command."""
    lines = [f"| {' | '.join(row)} |" for row in _rows(diagnosis)]
    return "\n".join(["| | |", "|---|---|", *lines])


def _rows(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "so", _cell(diagnosis.outcome.sentence, diagnosis.outcome.rule)
    if diagnosis.cause:
        yield "why", _cell(diagnosis.cause.sentence, diagnosis.cause.rule)
    if diagnosis.command:
        yield "try", f"`{diagnosis.command.replace('|', BAR)}`"
    for found in diagnosis.remarks:
        yield str(found.level), _cell(found.sentence, found.rule)
    if diagnosis.findings[0].rule or diagnosis.cause or diagnosis.remarks:
        yield "more", "`backproplab diagnose`, `--why RULE`"


def _cell(sentence: str, rule: str) -> str:
    text = " ".join(sentence.split()).replace("|", BAR)
    return f"{text} ({rule})" if rule else text
