"""The conclusion: every number of a sentence recomputed from results.csv; what may be claimed when."""

import csv
import io
import json
import math
import re
import statistics
from itertools import product

import pytest
from scipy import stats

from backproplab import report
from backproplab.report.conclusion import _kept, conclude
from backproplab.report.numerals import HARD
from backproplab.report.pairing import Paired

SEEDS = 3
# (optimizer, rate): best of each seed; last of each seed; best epoch of each seed; status
OPTIMIZERS = {
    ("adam", 0.01): ([0.10, 0.20, 0.12], [0.15, 0.25, 0.14], [4, 7, 5]),
    ("adam", 0.1): ([0.90, 1.40, 1.00], [9.0, 8.0, 7.0], [1, 2, 1]),
    ("sgd", 0.01): ([0.40, 0.55, 0.43], [0.40, 0.55, 0.43], [20, 20, 20]),
    ("sgd", 0.1): ([0.11, 0.19, 0.16], [0.11, 0.19, 0.165], [20, 20, 18]),
    ("sgd", 1.0): ([7.0, 6.0, 6.5], [1e18, 3e17, 2e18], [1, 1, 1]),
    ("sgd", 3.0): None,
}


@pytest.fixture
def sweep(write_run, session):
    """A sweep by hand: two optimizers, two to four rates, three seeds; one diverges, one blows up."""
    trials = []
    for number, ((optimizer, rate), found) in enumerate(OPTIMIZERS.items()):
        names = [f"t{number}-{seed}" for seed in range(SEEDS)]
        values = {"optimizer": optimizer, "learning_rate": rate}
        trials.append({"number": number, "label": "", "values": values, "runs": names})
        for seed, name in enumerate(names):
            given = {"seed": seed, "optimizer": optimizer, "learning_rate": rate, "epochs": 20,
                     "model": "64-32-10 relu", "argv": ["/bin/backproplab", "sweep", "s.yaml"]}  # fmt: skip
            if found is None:
                write_run(name, status="diverged", **given | {"epochs": 2 + seed // 2})
                continue
            best, last, epoch = (column[seed] for column in found)
            measured = {"loss": best / 2, "val_accuracy": 0.9}
            write_run(name, best, **given, metrics=measured | {"val_loss": last},
                      best=measured | {"val_loss": best, "epoch": epoch})  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"name": "s", "trials": trials}))


@pytest.fixture
def results(sweep, compare):
    """(the conclusion, the rows of results.csv by ``optimizer rate``), with every number of a row."""
    comparison, warnings = compare()
    assert warnings == []
    rows = csv.DictReader(io.StringIO(report.formatted(comparison, "csv")))
    return conclude(comparison), {
        f"{r['optimizer']}{HARD}{float(r['learning_rate']):g}": r for r in rows
    }


def two_digits(mean, std):
    places = 1 - math.floor(math.log10(std))
    return f"{mean:.{places}f}{HARD}±{HARD}{std:.{places}f}"


def test_the_first_sentence(results):
    found, rows = results
    first = next(iter(rows))
    value = two_digits(float(rows[first]["val_loss"]), float(rows[first]["val_loss_std"]))
    ties = [who for who, row in rows.items() if row["verdict"] == "≈ tie"]
    assert found.head == "No single winner."
    assert found.text == (
        f"{first} has the lowest validation loss, {value}, but {' and '.join(ties)} cannot be distinguished from it:"
        f" it is better on at least one of {rows[first]['seeds']} seeds."
    )  # fmt: skip


def sentences(found, begin):
    return next(f.text for f in found.findings if begin in f.text)


def test_which_key_decides_more(results):
    """By means: the best of each optimizer; the worst finite rate against the best of an optimizer."""
    found, rows = results
    means = {who: float(row["val_loss"]) for who, row in rows.items() if row["val_loss"]}
    of = {name: [m for who, m in means.items() if who.startswith(name)] for name in ("adam", "sgd")}
    bests = sorted(min(values) for values in of.values())
    within = max(max(values) / min(values) for values in of.values())
    text = sentences(found, "decides more")
    assert text.startswith("learning_rate decides more than optimizer.")
    for number in (
        f"{bests[0]:.3f} to {bests[1]:.3f}",
        f"×{bests[1] / bests[0]:.1f}",
        f"×{within:.1f}",
    ):
        assert number in text


def test_what_a_step_beside_the_best_rate_costs(results):
    found, rows = results
    means = {who: float(row["val_loss"]) for who, row in rows.items() if row["val_loss"]}
    smaller = means[f"sgd{HARD}0.01"] / means[f"sgd{HARD}0.1"]
    larger = [
        means[f"{o}{HARD}{b}"] / means[f"{o}{HARD}{a}"]
        for o, a, b in (("adam", "0.01", "0.1"), ("sgd", "0.1", "1"))
    ]
    text = sentences(found, "next smaller")
    assert f"The next smaller learning_rate than the best one costs sgd ×{smaller:.1f}." in text
    assert f"costs adam ×{larger[0]:.1f} and sgd ×{larger[1]:.1f}." in text


def test_what_failed(results):
    found, rows = results
    text = sentences(found, "Diverged on every seed")
    lost = [who for who, row in rows.items() if row["status"] == "diverged"]
    assert f"Diverged on every seed: {' and '.join(lost)}." in text
    assert f"sgd{HARD}1 counts as completed, but its validation loss ended at 1.1·10¹⁸." in text
    assert float(rows[f"sgd{HARD}1"]["last"]) == pytest.approx(1.1e18)
    above = [
        who for who, row in rows.items() if row["last"] and math.log(10) < float(row["last"]) < 100
    ]
    assert f"ln 10 = {math.log(10):.3f}: {', '.join(above)}." in text


def test_what_came_after_the_best_epoch(results):
    found, rows = results
    text = sentences(found, "rises again")
    growths = {
        who: float(row["last"]) / float(row["val_loss"]) for who, row in rows.items() if row["last"]
    }
    for who in [who for who, growth in growths.items() if 1.1 < growth < 100]:
        first, last = rows[who]["best_epoch"].split("–")
        percent = f"{100 * (growths[who] - 1):.0f}{HARD}% higher at the end"
        assert (
            f"{who} (best after {first} to {last} of {rows[who]['epochs']} epochs, {percent})"
            in text
        )
    still = [who for who, row in rows.items() if row["last"] and row["best_epoch"] == row["epochs"]]
    assert (
        f"Still improving in the last epoch on every seed: {', '.join(still)}; more epochs" in text
    )


def test_how_many_seeds_would_decide(results):
    """The least n with t(0.975, n - 1) · s / √n ≤ |Δ|; s from the interval in results.csv."""
    found, rows = results
    (who, row), *_ = [(w, r) for w, r in rows.items() if r["verdict"] == "≈ tie"]
    delta, low, high = (float(row[name]) for name in ("delta", "delta_low", "delta_high"))
    deviation = (high - low) / 2 * math.sqrt(SEEDS) / stats.t.ppf(0.975, SEEDS - 1)
    enough = (
        n
        for n in range(2, 10_000)
        if stats.t.ppf(0.975, n - 1) * deviation / math.sqrt(n) <= abs(delta)
    )
    seeds = next(enough)
    doubts = " ".join(found.doubts)
    assert f"about {seeds} for {who} ({delta:+.3f})" in doubts
    assert found.command == f"backproplab sweep s.yaml --seeds {seeds}"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("--import my_parts.py -j 2", "--import my_parts.py"),
        ("learning_rate=0.1,0.3 --import=a/b.py --folds", "learning_rate=0.1,0.3 --import=a/b.py"),
        ("--log-dir x=y epochs=3 --quiet", "epochs=3"),
    ],
)
def test_the_same_sweep_with_more_seeds_keeps_what_makes_it_this_one(typed, kept):
    assert " ".join(_kept(typed.split())) == kept


def test_what_limits_it_is_said(results):
    found, rows = results
    doubts = " ".join(found.doubts)
    compared = sum(bool(row["delta"]) for row in rows.values())
    assert f"not corrected for {compared} comparisons" in doubts
    assert "picked by the same numbers" in doubts
    assert "There is no test split" in doubts


@pytest.mark.parametrize(
    ("differences", "head"),
    [((0.3, 0.31, 0.29), f"learning_rate{HARD}0.1 wins."),
     ((0.01, 0.5, 0.02), f"learning_rate{HARD}0.1 leads, unproven."),
     ((0.3, -0.1, 0.05), "No single winner."), ((0.0, 0.0, 0.0), "No single winner.")],
)  # fmt: skip
def test_what_may_be_claimed(write_run, session, compare, differences, head):
    trials = []
    for number, rate in enumerate((0.1, 1.0)):
        names = [f"r{number}-{seed}" for seed in range(3)]
        trials.append(
            {"number": number, "label": "", "values": {"learning_rate": rate}, "runs": names}
        )
        for seed, name in enumerate(names):
            write_run(name, 0.5 + number * differences[seed], seed=seed, learning_rate=rate)
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    found = conclude(compare()[0])
    assert found.head == head
    assert not any(word in f"{found.head} {found.text}" for word in ("nan", "inf", "None"))


def test_one_seed_each_says_nothing_about_chance(write_run, compare):
    write_run("a", 0.1)
    write_run("b", 0.2, learning_rate=1)
    found = conclude(compare()[0])
    assert (found.head, "nothing is known about chance" in found.text) == ("a came first.", True)


def test_one_run_and_none_that_was_measured(write_run, compare):
    write_run("a", 0.25)
    found = conclude(compare("a")[0])
    assert found.head == "val_loss 0.2500."
    assert "at the best epoch, 2 of 2" in found.text
    write_run("b", status="diverged", learning_rate=9)
    assert conclude(compare("b")[0]).text == "No run has a finite val_loss: 1 of 1 run diverged."


def test_a_search_tells_where_its_best_trials_lie(write_run, session, compare):
    trials = []
    for number in range(12):
        values = {
            "learning_rate": 0.1 * (number + 1),
            "model.activation": "tanh" if number < 4 else "relu",
        }
        trials.append({"number": number, "label": "", "values": values, "runs": [f"r{number}"]})
        write_run(
            f"r{number}",
            0.1 + number,
            learning_rate=values["learning_rate"],
            activation=values["model.activation"],
        )
    asked = {"parameters": {"learning_rate": {}, "model.activation": {}}}
    (session / "sweep.json").write_text(json.dumps({"trials": trials, "sweep": asked}))
    text = conclude(compare()[0]).findings[0].text
    where = f"learning_rate 0.1 to 0.5 (tried: 0.1 to 1.2); activation tanh{HARD}4×, relu{HARD}1×"
    assert text == f"The best five of 12 lie at {where}."


def test_seeds_to_tell_are_the_least_that_suffice():
    pair = Paired([0.1, 0.2, 0.0], 1)
    n = pair.seeds_to_tell
    reach = [
        stats.t.ppf(0.975, k - 1) * statistics.stdev(pair.differences) / math.sqrt(k)
        for k in (n - 1, n)
    ]
    assert reach[1] <= pair.mean < reach[0]
    assert Paired([0.1, -0.1], 1).seeds_to_tell is None
    assert Paired([0.1, 0.1], 1).seeds_to_tell == 2


def test_numbers_in_sentences_do_not_break(results):
    found, _ = results
    whole = " ".join([found.text, *found.doubts, *(f.text for f in found.findings)])
    assert not re.search(r"\d ±|± \d|\d %", whole)


@pytest.mark.parametrize("goal", ["min", "max"])
def test_what_each_of_three_keys_costs(write_run, session, compare, goal):
    """The worst of each group that is equal in all other keys against its best, from results.csv."""
    name = "val_loss" if goal == "min" else "val_accuracy"
    trials = []
    for number, (optimizer, rate, word) in enumerate(
        product(("adam", "sgd"), (0.1, 1.0), ("relu", "tanh"))
    ):
        values = {"optimizer": optimizer, "learning_rate": rate, "model.activation": word}
        trials.append({"number": number, "label": "", "values": values, "runs": [f"r{number}"]})
        measured = {name: (0.11, 0.7, 0.31, 0.42, 0.55, 0.63, 0.17, 0.29)[number]}
        write_run(f"r{number}", optimizer=optimizer, learning_rate=rate, activation=word, metrics=measured, best=measured | {"epoch": 2})  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    comparison = compare(metric=name)[0]
    rows = list(csv.DictReader(io.StringIO(report.formatted(comparison, "csv"))))
    text = conclude(comparison).findings[0].text
    for key in ("optimizer", "learning_rate", "model.activation"):
        others = [other for other in comparison.keys if other != key]
        groups = {}
        for row in rows:
            groups.setdefault(tuple(row[other] for other in others), []).append(float(row[name]))
        ends = [(min(values), max(values)) for values in groups.values()]
        most = max(high / low if goal == "min" else high - low for low, high in ends)
        told = f"×{most:.1f}" if goal == "min" else f"+{most:.3f}"
        assert f"{told} for {key.removeprefix('model.')}" in text


def test_the_numbers_of_one_seed_each(write_run, session, compare):
    trials = []
    for number, rate in enumerate((0.1, 1.0)):
        trials.append(
            {
                "number": number,
                "label": "",
                "values": {"learning_rate": rate},
                "runs": [f"r{number}"],
            }
        )
        write_run(f"r{number}", 0.25 + number / 3, learning_rate=rate)
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    comparison = compare()[0]
    first, second = csv.DictReader(io.StringIO(report.formatted(comparison, "csv")))
    low, high = (f"{float(row['val_loss']):.4f}" for row in (first, second))
    text = conclude(comparison).text
    assert text.startswith(
        f"It has the lowest validation loss, {low}; the next is learning_rate{HARD}1 with {high}."
    )


def test_runs_on_different_data_are_said_to_be_no_contest(write_run, compare, session):
    write_run("a", 0.1)
    write_run("b", 0.2)
    config = session / "b" / "config.yaml"
    config.write_text(config.read_text().replace("circle", "xor"))
    (first, *_) = conclude(compare()[0]).doubts
    assert (
        first == "They learned from different data, circle and xor: their numbers do not compare."
    )
