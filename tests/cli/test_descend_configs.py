"""``descend`` of files with an ``objective``: ends and manners of the issue's list."""

from pathlib import Path

import pytest

from backproplab.cli.descend import _experiments
from backproplab.descend import descend_all
from backproplab.descend.configs import asked_of

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "objectives"
ENDS = {
    "rates": ["minimum slow", "minimum straight", "minimum oscillating", "cycle oscillating",
              "gone oscillating"],
    "quadratic": ["minimum oscillating", "minimum oscillating", "cycle oscillating",
                  "gone oscillating", "minimum oscillating", "gone oscillating",
                  "minimum oscillating"],
    "two_minima": ["minimum straight", "minimum straight", "local minimum straight",
                   "local minimum straight", "maximum straight"],
    "saddle": ["saddle straight", "gone straight"],
    "valley": ["minimum slow", "cycle oscillating", "gone slow"],
    "himmelblau": ["minimum straight", "minimum oscillating"],
    "beale": ["minimum slow"],
    "plateau": ["stalled straight"],
    "hill": ["minimum oscillating"],  # of -f
    "rosenbrock": ["minimum slow"],
}  # fmt: skip
STEPS = {"rates": [739, 10, 142, None, 61], "quadratic": [202, 546, None, None, None, None, 268],
         "two_minima": [48, 115, 132, 65, 0], "valley": [11329, None, None]}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "valley")) for n in ENDS]
)
def test_each_run_of_the_file_ends_as_listed(name):
    asked = asked_of(_experiments(CONFIGS / f"{name}.yaml", []))
    found = descend_all(asked.objective, asked.settings, asked.steps, asked.tolerance, asked.known)
    assert [f"{v.end} {v.manner}" for v in found.verdicts] == ENDS[name]
    for run, steps in zip(found.runs, STEPS.get(name, ()), strict=False):
        assert steps is None or run.steps == steps


def test_words_are_keys_and_several_values_are_runs(backproplab):
    config = CONFIGS / "rosenbrock.yaml"
    one = backproplab(f"descend {config} learning_rate=0.05")
    assert "adam, learning_rate 0.05" in one.out
    several = backproplab(f"descend {config} learning_rate=0.05,0.2")
    assert len([line for line in several.out.splitlines() if " a minimum " in line]) == 4


WRONG = {
    "no objective": ("data.yaml", "objective is missing — descend shows a function"),
    "learner": ("ok.yaml learner=random_guess optimizer=null", "descend shows gradient_descent"),
    "optimizer": ("ok.yaml optimizer=newton", "descend does not show newton"),
    "functions": ("ok.yaml objective.function=x**2,x**4", "the runs have different functions"),
    "variables": ("three.yaml", "3 variables, descend shows one or two"),
    "runs": (f"ok.yaml learning_rate={','.join(f'0.{n}' for n in range(10, 36))}", "26 runs"),
    "key": ("ok.yaml objective.strat=1", "did you mean 'start'"),
    "option": ("ok.yaml --maximize", "are for formulas; a file has its own keys"),
    "missing": ("none.yaml", "none.yaml: no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_it_does_not_show_is_refused(backproplab, tmp_path, case):
    words, message = WRONG[case]
    (tmp_path / "data.yaml").write_text("data: circle\n")
    ok = "objective: {function: x**2, start: {x: 1}}\noptimizer: sgd\nsteps: 50\n"
    (tmp_path / "ok.yaml").write_text(ok)
    three = "objective: {function: x**2 + y*z, start: {x: 1, y: 1, z: 1}}\noptimizer: sgd\n"
    (tmp_path / "three.yaml").write_text(three)
    ended = backproplab(f"descend {words}")
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
