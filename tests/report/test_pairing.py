"""Trials against the best one, seed by seed."""

import pytest
from scipy import stats

from backproplab import report
from backproplab.report.page import render
from backproplab.report.pairing import BEST, TIE, UNSURE, WORSE, Paired, quantile


@pytest.mark.parametrize("freedom", [*range(1, 40), 100, 1000])
def test_the_quantile_is_student_s(freedom):
    assert quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


CASES = {
    "wins every seed by little": ([0.009, 0.014, 0.0115], WORSE, 0),
    "better once": ([-0.1, 0.1, 0.05], TIE, 1),
    "worse each time, but unsure": ([0.01, 0.5, 0.02], UNSURE, 0),
    "equal": ([0.0, 0.0], TIE, 0),
    "one seed": ([0.5], "", 0),
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("case", CASES)
def test_verdicts(case, sign):
    differences, verdict, wins = CASES[case]
    pair = Paired([sign * difference for difference in differences], sign)
    assert (pair.verdict, pair.wins) == (verdict, wins)


@pytest.mark.parametrize("goal", ["min", "max"])
def test_a_spread_that_the_seeds_share_hides_no_difference(write_run, compare, goal):
    """Each seed changes both by a lot; their difference is small, and always the same way."""
    sign = 1 if goal == "min" else -1
    for seed, (base, more) in enumerate([(0.2, 0.009), (0.5, 0.014), (0.9, 0.012)]):
        write_run(f"a{seed}", base, seed=seed, learning_rate=0.3)
        write_run(f"b{seed}", base + sign * more, seed=seed, learning_rate=0.1)
    comparison = compare(goal=goal, metric="val_loss")[0]
    assert comparison.trials[0].values == {"learning_rate": 0.3}
    table = report.ranked_table(comparison)
    row = dict(zip(table.columns, table.rows[1], strict=True))
    assert row["delta"] == f"{'+' if sign > 0 else '-'}0.012"
    assert row["wins"] == "0 of 3"
    assert WORSE in row["verdict"]
    assert BEST in table.rows[0][table.columns.index("verdict")]


def test_only_common_seeds_are_paired(write_run, compare):
    for seed in range(3):
        write_run(f"a{seed}", 0.1 + seed, seed=seed)
    for seed in (1, 2, 3):
        write_run(f"b{seed}", 0.5 + seed, seed=seed, learning_rate=9)
    (_, pair) = compare()[0].paired
    assert pair.differences == pytest.approx([0.4, 0.4])


def test_test_metrics_are_of_the_chosen_trial_only(write_run, compare):
    for at, rate in enumerate((1, 2, 3)):
        write_run(
            f"r{rate}",
            rate / 10,
            learning_rate=rate,
            metrics={"val_loss": rate / 10, "test_loss": 0.7 + at},
        )
    comparison = compare()[0]
    for form in ("table", "md"):
        text = report.formatted(comparison, form)
        assert "test_loss" not in text
        assert "1.7" not in text
        assert "1.7" in report.formatted(comparison, form, test=True)
    assert report.test_of_best(comparison) == "test_loss 0.7000"
    page = render(comparison)[0]
    assert "0.7000" in page
    assert "1.7000" not in page
    assert "1.7000" in render(comparison, test=True)[0]
    assert "1.7" in report.formatted(comparison, "csv")  # a file keeps all


@pytest.mark.parametrize("as_sweep", [(False, False), (True, False), (True, True)])
def test_seeds_of_two_sessions_are_one_trial(root, session, write_run, compare, as_sweep):
    import json

    from backproplab.runs import create_session

    newer = create_session(root)
    for place, seeds, is_sweep in ((session, (0, 1), as_sweep[0]), (newer, (1, 2), as_sweep[1])):
        for seed in seeds:
            folder = write_run(f"r{seed}", 0.1 + seed / 10, seed=seed, session=place)
            if place == newer:  # as version 0.1 wrote none, and as later ones write it
                with (folder / "config.yaml").open("a") as file:
                    file.write("learner:\n  name: gradient_descent\n  gradient: backprop\n")
        if is_sweep:
            trial = {"number": 0, "label": "r", "values": {}, "runs": [f"r{s}" for s in seeds]}
            (place / "sweep.json").write_text(json.dumps({"trials": [trial]}))
    found, _ = compare(session.name, newer.name)
    (trial,) = found.trials
    assert trial.mean("val_loss") == pytest.approx(0.2)
    assert len(trial.numbers("val_loss")) == 3  # seed 1 counts once
    assert trial.status == "completed"
