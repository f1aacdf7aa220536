"""Functions with a name: their formula, a start, known minima, and rates that suit optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Point = tuple[float, ...]


@dataclass(frozen=True)
class Named:
    """A function to descend. minima: those that are known. tolerance: how near counts as there.

    settings: for each optimizer its settings, the learning rate among them.
    """

    formula: str
    start: Point
    minima: tuple[Point, ...] = ()
    tolerance: float = 1e-6
    settings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""


HIMMELBLAU = (
    (3.0, 2.0), (-2.805118086952745, 3.131312518250573),
    (-3.779310253377747, -3.283185991286170), (3.584428340330492, -1.848126526964404),
)  # fmt: skip
NAMED = {
    "quadratic": Named(
        "(x**2 + 25*y**2)/2", (10.0, 1.0), ((0.0, 0.0),),
        settings={
            "sgd": {"learning_rate": 2 / 26},
            "momentum": {"learning_rate": 0.11, "momentum": 0.4444},
            "nesterov": {"learning_rate": 0.05, "momentum": 0.6},
            "adam": {"learning_rate": 0.5},
        },
        source="condition number 25",
    ),
    "rosenbrock": Named(
        "(1 - x)**2 + 100*(y - x**2)**2", (-1.2, 1.0), ((1.0, 1.0),), 0.01,
        {
            "sgd": {"learning_rate": 0.001},
            "momentum": {"learning_rate": 0.001, "momentum": 0.9},
            "nesterov": {"learning_rate": 0.001, "momentum": 0.9},
            "adam": {"learning_rate": 0.1},
        },
        "Rosenbrock 1960",
    ),
    "two_minima": Named(
        "w**4/4 - w**2/2 + 0.1*w", (-1.8,),
        ((-1.0466805318046022,), (0.945649276699157,)), 0.001,
        {"sgd": {"learning_rate": 0.05}},
    ),
    "saddle": Named(
        "x**2/2 - y**2/2", (1.0, 1e-8), (), settings={"sgd": {"learning_rate": 0.1}}
    ),
    "beale": Named(
        "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",
        (1.0, 1.0), ((3.0, 0.5),), 0.001,
        {"sgd": {"learning_rate": 0.01}, "adam": {"learning_rate": 0.05}}, "Beale 1958",
    ),
    "himmelblau": Named(
        "(x**2 + y - 11)**2 + (x + y**2 - 7)**2", (0.0, 0.0), HIMMELBLAU,
        settings={"sgd": {"learning_rate": 0.01}, "adam": {"learning_rate": 0.1}},
        source="Himmelblau 1972: four minima, all of value 0",
    ),
    "plateau": Named(
        "1 - exp(-x**2/2)", (6.0,), ((0.0,),), settings={"sgd": {"learning_rate": 0.5}}
    ),
}  # fmt: skip
