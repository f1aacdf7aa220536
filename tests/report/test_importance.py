"""The share of variance that a key explains, against SciPy's Kruskal-Wallis H."""

import numpy as np
import pytest
from scipy.stats import kruskal

from backproplab.report.importance import groups_of, importances, rank_share


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
