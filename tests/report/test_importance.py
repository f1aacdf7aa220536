"""The share of variance that a key explains, against SciPy's Kruskal-Wallis H."""

import numpy as np
import pytest
from scipy.stats import kruskal

from backproplab.report import panels
from backproplab.report.importance import (
    added_share,
    effects,
    groups_of,
    importances,
    rank_share,
)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_effect_size_of_h(seed, ties):
    """η²_H = (H - k + 1) / (n - k), Tomczak and Tomczak (2014), with SciPy's H."""
    random = np.random.default_rng(seed)
    groups, scores = random.integers(0, 3, 30), random.normal(size=30)
    scores = np.round(scores + groups, 0 if ties else 9)
    h = kruskal(*[scores[groups == group] for group in range(3)]).statistic
    assert rank_share(list(groups), scores) == pytest.approx(max(0, (h - 2) / 27))


@pytest.mark.parametrize(
    ("groups", "scores", "share"),
    [([0, 0, 1, 1], [1, 1, 2, 2], 1.0), ([0, 1, 0, 1], [1, 1, 2, 2], 0.0), ([0, 1, 2], [1, 2, 3], 0.0),
     ([0, 0, 0], [1, 2, 3], 0.0), ([0, 0, 1, 1], [5, 5, 5, 5], 0.0), ([0, 0, 1, 1], [1, 1, np.inf, np.inf], 1.0)],
)  # fmt: skip
def test_plain_cases(groups, scores, share):
    assert rank_share(groups, np.array(scores, float)) == share


def test_many_numbers_become_groups_of_neighbours():
    values = list(np.linspace(0, 1, 50))
    groups = groups_of(values)
    assert groups == sorted(groups)
    assert np.bincount(groups).tolist() == [10] * 5
    assert groups_of(["a", "b", "a"]) == [0, 1, 0]
    assert groups_of([0.1, 0.1, 3]) == [0, 0, 1]


def test_the_key_that_matters_comes_first(write_run, compare):
    for number in range(12):
        rate, activation = (0.1, 1, 1000)[number % 3], ("relu", "tanh")[number % 2]
        lost = rate == 1000
        write_run(f"r{number}", None if lost else rate + number / 1e4, status="diverged" if lost else "completed",
                  learning_rate=rate, activation=activation, optimizer=f"o{number // 6}")  # fmt: skip
    found = importances(compare()[0])
    assert found[0][0] == "learning_rate"
    assert found[0][1] > 0.9
    assert {key for key, _ in found} == {"learning_rate", "model.activation", "optimizer"}


def test_few_trials_or_one_key_say_nothing(write_run, compare):
    for number in range(8):
        write_run(f"r{number}", 0.1, learning_rate=number + 1)
    assert importances(compare()[0]) == []


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_effect_that_depends_on_another_key_is_shown(write_run, compare, seeds):
    """Each key alone does nothing: its effect turns round with the other one."""
    for number in range(16):
        rate, activation = number % 4, ("relu", "tanh")[number // 4 % 2]
        optimizer = f"o{number // 8}"
        good = (rate < 2) == (activation == "relu")
        for seed in range(seeds):
            value = (0.1 if good else 1.0) * (1 + number / 1000 + seed / 100)
            write_run(f"r{number}-{seed}", value, seed=seed, learning_rate=rate + 1,
                      activation=activation, optimizer=optimizer)  # fmt: skip
    comparison = compare()[0]
    found = {effect.key: effect for effect in effects(comparison)}
    rate = found["learning_rate"]
    assert rate.alone < 0.05
    assert rate.within.middle == pytest.approx(10, rel=0.05)
    assert found["optimizer"].within.middle < 1.05
    page = "".join(panels.importance(comparison))
    assert ">0%<" not in page
    assert "×1" in page


def test_a_search_shows_what_two_keys_do_together(write_run, compare):
    random = np.random.default_rng(0)
    for number in range(60):
        rate, activation = float(random.uniform(0, 1)), ("relu", "tanh")[int(random.integers(2))]
        value = 0.1 + ((rate > 0.5) == (activation == "relu")) + random.normal() / 100
        write_run(f"r{number}", float(value), learning_rate=rate, activation=activation)
    found = {effect.key: effect for effect in effects(compare()[0])}
    assert all(effect.alone < 0.2 < 0.5 < effect.together for effect in found.values())
    assert "more than learning_rate alone" in "".join(panels.importance(compare()[0]))


def test_chance_is_no_effect_of_two_keys():
    random = np.random.default_rng(1)
    joint = [list(random.integers(0, 5, 60)) for _ in range(2)]
    both = [5 * a + b for a, b in zip(*joint, strict=True)]
    shares = [added_share(both, joint[1], random.normal(size=60)) for _ in range(200)]
    assert np.mean(np.array(shares) > 0) < 0.03
