"""What differed between the runs, and what was equal, as names and values for the page.

This file must not know what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.asked import asked
from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT, lookup, shown
from backproplab.report.naming import short_key
from backproplab.report.numerals import HARD
from backproplab.report.sameness import sentence
from backproplab.report.seedwise import seeds_of
from backproplab.text import counted

EQUAL = (
    "data", "model.hidden", "model.layers", "model.activation", "optimizer", "learning_rate",
    "schedule", "batch_mode", "batch_size", "epochs", "loss",
)  # fmt: skip
MOST = 8  # values of a key


def settings(comparison: Comparison) -> list[tuple[str, str]]:
    """(name, value) for the page."""
    records = comparison.records
    ranges = asked(comparison.sweep.get("sweep"))
    rows = [(key, ranges.pop(key, "") or _values(comparison, key)) for key in comparison.keys]
    differed = [(f"differed: {short_key(comparison, key)}", text) for key, text in rows]
    seeds = seeds_of(comparison)
    if len(seeds) > 1:
        by_seed = f"{_listed(seeds)}: the validation split, the first weights, the order of batches"
        differed.append((f"by {comparison.repeats.removesuffix('s')}", by_seed))
    rest = [(name, text) for name, text in ranges.items() if name in ("method", "pruner")]
    rest.append(
        (
            f"equal in {counted(len(records), 'run')}" if len(records) > 1 else "settings",
            _equal(comparison),
        )
    )
    checked = [("checked by hash", sentence(records))] if len(records) > 1 else []
    return [*differed, *rest, *checked]


def _values(comparison: Comparison, key: str) -> str:
    return _listed(list(Axis.of(key, comparison.trials).labels))


def _listed(texts: Sequence[str]) -> str:
    if len(texts) <= MOST:
        return ", ".join(texts)
    return f"{', '.join(texts[:3])}, …, {texts[-1]} ({len(texts)} values)"


def _equal(comparison: Comparison) -> str:
    """The main keys that all runs share; of a family's member its name."""
    configs = [record.config for record in comparison.records]
    found = []
    for key in EQUAL:
        values = {repr(lookup(config, key)): lookup(config, key) for config in configs}
        if len(values) == 1 and (value := next(iter(values.values()))) not in (ABSENT, None):
            text = shown(value).replace(", ", f",{HARD}")
            found.append(f"{key.rpartition('.')[2]}{HARD}{text}")
    models = {str(record.details.get("parameters", "")) for record in comparison.records}
    if len(models) == 1 and (count := models.pop()).isdigit():
        found.append(f"{int(count):,} parameters")
    return " · ".join(found)
