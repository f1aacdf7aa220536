"""What a key does within the other keys: groups and costs worked out by hand."""

import json

import pytest

from backproplab.report.effects import cost, groups, is_ratio
from backproplab.report.influence import influence

VALUES = {  # optimizer -> val_loss by rate; None: diverged
    "sgd": {0.01: 0.4, 0.1: 0.1, 1.0: 0.2, 10.0: None},
    "adam": {0.01: 0.2, 0.1: 0.8},
}


@pytest.fixture
def comparison(write_run, session, compare):
    """Two seeds, of which the second doubles every loss and triples that of sgd at 1."""
    trials = []
    for optimizer, found in VALUES.items():
        for rate, loss in found.items():
            names = [f"{optimizer}-{rate}-{seed}" for seed in range(2)]
            values = {"optimizer": optimizer, "learning_rate": rate}
            trials.append({"number": len(trials), "label": "", "values": values, "runs": names})
            for seed, name in enumerate(names):
                factor = 1 if not seed else 3 if (optimizer, rate) == ("sgd", 1.0) else 2
                given = {"seed": seed, "optimizer": optimizer, "learning_rate": rate}
                write_run(
                    name,
                    loss and loss * factor,
                    status="completed" if loss else "diverged",
                    **given,
                )
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    return compare()[0]


def test_groups_differ_in_one_key_only(comparison):
    rates = groups(comparison, "learning_rate")
    assert [[t.values["learning_rate"] for t in g.trials] for g in rates] == [
        [0.01, 0.1, 1.0, 10.0],
        [0.01, 0.1],
    ]
    sgd = rates[0]
    assert (sgd.best.values["learning_rate"], sgd.gone_from.values["learning_rate"]) == (0.1, 10.0)
    assert [t.values["learning_rate"] for t in sgd.measured] == [0.1, 1.0, 0.01]
    optimizers = groups(comparison, "optimizer")  # in the order of the rates; those with two trials
    assert [[t.values["optimizer"] for t in g.measured] for g in optimizers] == [
        ["adam", "sgd"],
        ["sgd", "adam"],
    ]


def test_costs_are_ratios_of_means_with_the_least_and_the_most_of_a_seed(comparison):
    sgd = groups(comparison, "learning_rate")[0]
    assert is_ratio(comparison)
    near = cost(sgd.beside(1), sgd.best, True)
    assert (near.mean, near.low, near.high) == pytest.approx((0.8 / 0.3, 2, 3))
    assert cost(sgd.trials[-1], sgd.best, True) is None


def test_costs_of_a_maximized_metric_are_differences(write_run, compare):
    for name, rate, accuracy in (("a", 0.1, 0.9), ("b", 1.0, 0.7)):
        measured = {"val_accuracy": accuracy}
        write_run(name, learning_rate=rate, metrics=measured, best=measured | {"epoch": 2})
    comparison = compare(metric="val_accuracy")[0]
    (group,) = groups(comparison, "learning_rate")
    assert not is_ratio(comparison)
    assert cost(group.worst, group.best, False).mean == pytest.approx(0.2)


def test_the_tables_hold_these_numbers(comparison):
    optimizers, rates = influence(comparison)
    for text in ("×2.7", "(2.0–3.0)", "not tried", "not reached", ">10<", "within each optimizer"):
        assert text in rates, text
    for text in ("adam &lt; sgd", "sgd &lt; adam", "×8.0", "within each learning_rate"):
        assert text in optimizers, text
