"""Any runs make a whole page: with metrics that are missing, infinite, zero or negative, of any status."""

import json
import re

import numpy as np
import pytest

from backproplab.errors import ConfigError
from backproplab.report.page import render
from tests.report.test_page import Reader

STATUSES = ["completed"] * 6 + ["diverged", "failed", "interrupted", "pruned"]
LOSSES = [0.0, 1e-30, 0.1, 0.5, 0.5, 2.5, 1e18, -3.0, None, float("inf"), float("nan")]


def write_any(random, write_run, session):
    """Up to 14 trials of up to 3 seeds; some in a sweep, or in a search."""
    trials, rates = [], [0.0, 1e-5, 0.1, 1, 10]
    for number in range(int(random.integers(1, 15))):
        values = {"learning_rate": rates[random.integers(5)], "optimizer": f"o{random.integers(3)}"}
        names = []
        for seed in range(int(random.integers(1, 4))):
            name, loss = f"t{number}-{seed}", LOSSES[random.integers(len(LOSSES))]
            last = LOSSES[random.integers(len(LOSSES))]
            best = {} if loss is None else {"val_loss": loss, "epoch": int(random.integers(1, 4))}
            metrics = {} if last is None else {"val_loss": last, "val_accuracy": 0.5}
            rows = [f"{epoch},{split},{random.choice([0.1, 5.0, 1e300, np.inf, 0.0])}"
                    for epoch in range(1, 4) for split in ("train", "validation")]  # fmt: skip
            write_run(name, seed=seed, status=STATUSES[random.integers(len(STATUSES))], metrics=metrics, best=best,
                      epochs=3, steps=int(random.integers(0, 99)), seconds=1.0, rows=rows if random.random() < 0.9 else None,
                      learning_rate=values["learning_rate"], optimizer=values["optimizer"], model="8-4 relu")  # fmt: skip
            names.append(name)
        trials.append({"number": number, "label": "", "values": values, "runs": names})
    asked = {"parameters": {"learning_rate": {}}} if random.random() < 0.3 else {}
    if random.random() < 0.7:
        (session / "sweep.json").write_text(
            json.dumps({"name": "any", "trials": trials, "sweep": asked})
        )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_any_runs_make_a_page(write_run, session, compare, seed, metric):
    write_any(np.random.default_rng(seed), write_run, session)
    try:
        comparison, warnings = compare(metric=metric)
    except ConfigError:
        return  # nothing measured it
    page, _ = render(comparison, warnings)
    text = Reader(page).text
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b|  of ", text.replace("infinity", ""))
    assert "NaN" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    for numbers in re.findall(r' (?:d|x|y|cx|cy)="([^"]*)"', page):
        assert "n" not in numbers, numbers
