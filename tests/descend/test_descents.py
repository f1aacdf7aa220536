"""Step counts, ends, manners and limits. Numbers: anchors/learners.md, section 13; mockups/README."""

import numpy as np
import pytest

from backproplab.descend import NAMED, descend_all
from backproplab.descend.asked import read
from backproplab.descend.scan import minima
from backproplab.descend.words import reasons
from backproplab.formulas.objective import Objective
from backproplab.optim import Optimizer


def shown(what, *words, **options):
    asked = read(what, words, **options)
    return descend_all(asked.objective, asked.settings, asked.steps, asked.tolerance, asked.known)


def verdict(what, *words, **options):
    """(end, manner, steps, reasons) of one run."""
    found = shown(what, *words, **options)
    (run,), (judged,) = found.runs, found.verdicts
    return judged.end, judged.manner, run.steps, " ".join(reasons(found.objective, run, judged))


# what, words, end, manner, steps (None: not stated), part of the reasons
ENDS = [
    ("(x - 3)**2", "x=0 learning_rate=0.01", "minimum", "slow", 739, "leaves 0.98 of the distance"),
    ("(x - 3)**2", "x=0 learning_rate=0.4", "minimum", "straight", 10, "leaves 0.2 of the distance"),
    ("(x - 3)**2", "x=0 learning_rate=0.95", "minimum", "oscillating", 142, "0.95 lies between 1/λ = 0.5 and 2/λ = 1"),
    ("(x - 3)**2", "x=0 learning_rate=1", "cycle", "oscillating", None, "1 is 2/λ = 1"),
    ("(x - 3)**2", "x=0 learning_rate=1.05", "gone", "oscillating", 61, "1.05 is above 2/λ = 1"),
    ("quadratic", "learning_rate=2/26", "minimum", "oscillating", 202, "2/λ = 0.08"),
    ("quadratic", "learning_rate=0.079", "minimum", "oscillating", 546, "2/λ = 0.08"),
    ("quadratic", "learning_rate=0.08", "cycle", "oscillating", None, "0.08 is 2/λ = 0.08 (λ = 25)"),
    ("quadratic", "learning_rate=0.081", "gone", "oscillating", None, "0.081 is above 2/λ = 0.08"),
    ("quadratic", "optimizer=momentum", "minimum", "oscillating", 49, "swings past"),
    ("quadratic", "optimizer=momentum learning_rate=0.1155", "minimum", "oscillating", None, ""),
    ("quadratic", "optimizer=momentum learning_rate=0.1157", "gone", "oscillating", None, "0.1157 is above 2(1+β)/λ = 0.1156"),
    ("quadratic", "optimizer=adam", "minimum", "oscillating", 268, "adam has no limit of this kind"),
    ("two_minima", "w=-1.8", "minimum", "straight", 48, "a minimum at -1.047, f = -0.3524"),
    ("two_minima", "w=0.05", "minimum", "straight", 115, "a minimum at -1.047"),
    ("two_minima", "w=0.15", "local minimum", "straight", 132, "a local minimum at 0.9456, f = -0.1526"),
    ("two_minima", "w=1.7", "local minimum", "straight", 65, "a lower one is known"),
    ("two_minima", "w=0.101031", "maximum", "straight", 0, "curved downward"),
    ("saddle", "x=1 y=0", "saddle", "straight", None, "curvatures of both signs"),
    ("saddle", "x=1 y=1e-8", "gone", "straight", None, "f may fall without end"),
    ("rosenbrock", "optimizer=momentum", "minimum", "slow", 1027, "λmax/λmin = 2.51e+03"),
    ("rosenbrock", "optimizer=adam", "minimum", "slow", 972, "no limit of this kind"),
    ("rosenbrock", "learning_rate=0.005", "cycle", "oscillating", None, "0.005 is above 2/λ = 0.001997"),
    ("rosenbrock", "learning_rate=0.01", "gone", "slow", None, "0.01 is above 2/λ"),
    ("himmelblau", "x=0 y=0", "minimum", "straight", None, "a minimum at (3, 2), f = 0"),
    ("himmelblau", "x=-4 y=-4", "minimum", "oscillating", None, "a minimum at (-3.779, -3.283), f = 0"),
    ("beale", "", "minimum", "slow", None, "a minimum at (3, 0.5)"),
    ("plateau", "", "stalled", "straight", 0, "far from any minimum"),
    ("log(x)", "x=-1", "gone", "straight", 0, "no finite value or slope at the start"),
    ("(x - 3)**2", "x=0 learning_rate=1e-5 steps=100", "out of steps", "slow", 100, "away from 3"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "words", "end", "manner", "steps", "reason"), ENDS)
def test_the_end_and_the_manner_are_named_with_their_reason(
    what, words, end, manner, steps, reason
):
    found = verdict(what, *words.split())
    assert found[:2] == (end, manner)
    assert steps is None or found[2] == steps
    assert reason in found[3]


@pytest.mark.slow
def test_sgd_on_rosenbrock_is_slow():
    assert verdict("rosenbrock")[:3] == ("minimum", "slow", 11329)


@pytest.mark.parametrize(
    ("optimizer", "steps", "f"),
    [("sgd", 1000, 0.4535), ("momentum", 1000, 2.5e-5), ("nesterov", 1000, 3.4e-5)],
)
def test_how_far_down_rosenbrock_s_valley_a_thousand_steps_lead(optimizer, steps, f):
    words = f"optimizer={optimizer} learning_rate=0.001 steps={steps} tolerance=1e-12"
    (run,) = shown("rosenbrock", *words.split()).runs
    assert run.values[-1] == pytest.approx(f, rel=0.02)


@pytest.mark.parametrize(
    ("starts", "minimum"), [("-2,-0.5,0,0.09", -1.046681), ("0.11,0.5,2", 0.945649)]
)
def test_the_barrier_between_two_minima_divides_the_starts(starts, minimum):
    found = shown("two_minima", f"w={starts}")
    assert [v.target[0] for v in found.verdicts] == pytest.approx([minimum] * len(found.runs))


def test_a_hill_is_climbed():
    found = verdict("-(x - 1)**2 - (y + 2)**2", "x=3", "y=3", "learning_rate=0.1", maximize=True)
    assert found[0] == "minimum"  # of -f
    assert "a maximum at (1, -2), f = 0" in found[3]
    two = verdict(
        "-(w**4/4 - w**2/2 + 0.1*w)", "w=1.7", "learning_rate=.05", "tolerance=.001", maximize=True
    )
    assert "a local maximum at 0.9456" in two[3]
    assert "a higher one is known" in two[3]


def test_no_minimum_of_himmelblau_is_called_local():
    found = shown("himmelblau", "x=0,-4,-3,3", "y=0,-4,3,-2")
    assert {judged.end for judged in found.verdicts} == {"minimum"}
    assert len(found.minima) == 4


@pytest.mark.parametrize("name", NAMED)
def test_the_table_s_minima_are_minima(name):
    named = NAMED[name]
    f = Objective(named.formula)
    for point in named.minima:
        assert np.linalg.norm(f.slope(np.array(point))[1]) < 1e-6
        assert (f.eigenvalues(np.array(point)) > 0).all()


@pytest.mark.parametrize("name", ["quadratic", "two_minima", "himmelblau", "beale", "rosenbrock"])
def test_a_scan_finds_the_table_s_minima(name):
    named = NAMED[name]
    found = minima(
        Objective(named.formula), (), [np.array(named.start), *map(np.array, named.minima)]
    )
    for point in named.minima:
        assert min(np.linalg.norm(other - point) for other in found) < 1e-6


def test_curvature_is_the_hessian():
    f = Objective(NAMED["rosenbrock"].formula)
    np.testing.assert_allclose(f.curvature(np.array([-1.2, 1.0])), [[1330, 480], [480, 200]])
    value, slope = f.slope(np.array([-1.2, 1.0]))
    assert value == pytest.approx(24.2)
    np.testing.assert_allclose(slope, [-215.6, -88])


@pytest.mark.parametrize("text", ["x**2 + y**2", "sum([x, y]) + x*y", "max([x, 2*y])"])
def test_a_grid_holds_the_function(text):
    f = Objective(text)
    x, y = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-2, 2, 4))
    expected = [
        [f.value((a, b)) for a, b in zip(*row, strict=True)] for row in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(f.on(x, y), expected)


OPTIMIZERS = sorted(n for n, m in Optimizer.members.items() if not m.second_order and n != "lbfgs")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_the_registry_descends(name):
    found = shown(
        "(x**2 + 4*y**2)/2", "x=3", "y=-1", f"optimizer={name}", "learning_rate=0.02", "steps=300"
    )
    (run,) = found.runs
    assert run.values[-1] < run.values[0]


def test_starts_are_pairs_and_optimizers_times_rates_are_combined():
    asked = read("x**2 + y**2", ["x=-1,2", "y=1,3", "learning_rate=.1,.2", "optimizer=sgd,adam"])
    assert [s.start for s in asked.settings[::4]] == [(-1, 1), (2, 3)]
    pairs = [(s.optimizer.name, s.learning_rate) for s in asked.settings[:4]]
    assert pairs == [("sgd", 0.1), ("sgd", 0.2), ("adam", 0.1), ("adam", 0.2)]
    one = read(
        "x**2 + y**2", ["x=-1,2", "y=1", "learning_rate=.1,.2", "optimizer=sgd,adam"], pair=True
    )
    assert [s.start for s in one.settings[::2]] == [(-1, 1), (2, 1)]
    assert [(s.optimizer.name, s.learning_rate) for s in one.settings[:2]] == [
        ("sgd", 0.1),
        ("adam", 0.2),
    ]


def test_a_named_function_brings_start_rates_and_settings():
    asked = read("quadratic", ["optimizer=sgd,momentum"])
    assert [s.start for s in asked.settings] == [(10, 1)] * 2
    assert [s.learning_rate for s in asked.settings] == [2 / 26, 0.11]
    assert asked.settings[1].optimizer.momentum == 0.4444
    assert (
        read("quadratic", ["optimizer=momentum", "momentum=0.9"]).settings[0].optimizer.momentum
        == 0.9
    )


def test_a_schedule_changes_the_rate():
    slow = shown(
        "x**2",
        "x=1",
        "learning_rate=0.4",
        "schedule=inverse_time",
        "rate=1",
        "decay_steps=10",
        "steps=50",
    ).runs[0]
    fast = shown("x**2", "x=1", "learning_rate=0.4", "steps=50").runs[0]
    assert slow.points[2, 0] != fast.points[2, 0] or slow.steps != fast.steps
