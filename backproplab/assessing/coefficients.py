"""Coefficients of a linear regression, beside those of least squares on the same training split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import MARGIN, ROW, SIDE, TOP, Part, Picture, figure
from backproplab.data import Examples, Preparation
from backproplab.errors import Problem, RunError
from backproplab.experiment import Model
from backproplab.explain.axes import Panel, limits_of, marker
from backproplab.explain.widths import width_of
from backproplab.layout import shortened
from backproplab.nn.layers import Dense

DRAWN = 30  # the largest ones
LETTERS = 22


@dataclass(frozen=True, eq=False)
class Line:
    """intercept + Σ slope · input, in the units of the target.

    slopes: of each input (n,) as the network takes it: of one deviation where it is standardized.
    """

    slopes: Array
    intercept: float

    def of_columns(self, preparation: Preparation) -> Line:
        """The same of the columns as they are: of one unit of each."""
        scaler = preparation.scaler
        slopes = self.slopes / np.reshape(scaler.scale, -1)
        return Line(slopes, self.intercept - float(np.sum(slopes * scaler.shift)))


@dataclass(frozen=True, eq=False)
class Coefficients(Part):
    """trained: of the run's weights.  exact: of least squares.  rank: of the inputs."""

    model: Model
    trained: Line
    exact: Line
    rank: int

    name = "coefficients"
    title = "Coefficients: the run beside least squares"

    @classmethod
    def of(cls, model: Model) -> Coefficients:
        """Raises RunError for a run that is no linear regression of one target."""
        if not is_linear(model):
            what = "it is no linear regression of one target, which alone has coefficients"
            hint = "train one with model.hidden=[]"
            raise RunError(str(Problem(str(model.folder), what, hint)))
        exact, rank = least_squares(model.splits().train, model.preparation)
        views, targets = model.parameters.views, model.preparation.targets
        place = model.network.places[0].name
        kernel = views[f"{place}/kernel"].astype(np.float64)[:, 0]
        bias = float(views[f"{place}/bias"][0]) if f"{place}/bias" in views else 0.0
        scale, shift = (float(np.reshape(x, -1)[0]) for x in (targets.scale, targets.shift))
        return cls(model, Line(kernel * scale, bias * scale + shift), exact, rank)

    @property
    def names(self) -> tuple[str, ...]:
        return self.model.preparation.names

    @cached_property
    def rows(self) -> list[tuple[str, float, float, float, float]]:
        """(name, of one unit by the run and by least squares, of one deviation by both); the
        intercept at the end."""
        lines = [self.trained, self.exact]
        both = [line.of_columns(self.model.preparation) for line in lines] + lines
        slopes = [line.slopes.tolist() for line in both]
        ends = [line.intercept for line in both]
        return [
            *zip(self.names, *slopes, strict=True),
            ("(intercept)", ends[0], ends[1], ends[2], ends[3]),
        ]

    @property
    def is_unique(self) -> bool:
        """Whether no input follows from the others."""
        return self.rank == len(self.names)

    @property
    def distance(self) -> float:
        """The largest difference from least squares, per deviation."""
        return float(np.max(np.abs(self.trained.slopes - self.exact.slopes)))

    @property
    def aside(self) -> str:
        which = f"{self.model.folder.name}, {self.model.weights} weights"
        return f"{which}: they differ by at most {figure(self.distance)}"

    def tree(self) -> dict[str, object]:
        heads = ("run", "least_squares", "run_per_deviation", "least_squares_per_deviation")
        return {name: dict(zip(heads, values, strict=True)) for name, *values in self.rows}

    def draw(self, picture: Picture) -> None:
        """A row for each input: the run hollow, least squares filled, both by one deviation."""
        theme, own = picture.theme, self.trained.slopes
        order = np.argsort(-np.abs(self.exact.slopes), kind="stable")[:DRAWN]
        names = shortened([self.names[n] for n in order], LETTERS)
        left = MARGIN + 13 * max(width_of(name, "sans") for name in names) + 14
        limits = limits_of(np.concatenate([own, self.exact.slopes, [0.0]]))
        high = ROW * len(order)
        panel = Panel(left, TOP + 30, SIDE * 1.3, high, limits, (0, 1), theme)
        picture.parts += panel.axis("change of the target per deviation of the input")
        picture.reference(panel, [(0, 0), (0, 1)])
        for n, (name, at) in enumerate(zip(names, order.tolist(), strict=True)):
            y = panel.y + ROW * (n + 0.5)
            picture.words(name, left - 12, y + 4.5, anchor="end")
            exact, trained = (
                panel.at(line.slopes[at], 0)[0] for line in (self.exact, self.trained)
            )
            picture.parts.append(marker(exact, y, 3, theme.runs[1], theme.runs[1], 5))
            picture.parts.append(marker(trained, y, 0, theme.runs[0], "none", 6.5))
        picture.parts.append(marker(left + 6, TOP + 2, 0, theme.runs[0], "none", 6.5))
        picture.words("the run", left + 20, TOP + 6.5)
        picture.parts.append(marker(left + 106, TOP + 2, 3, theme.runs[1], theme.runs[1], 5))
        picture.words("least squares", left + 120, TOP + 6.5)
        picture.reach(left + panel.width, panel.y + high + 37)


def is_linear(model: Model) -> bool:
    """Whether the network is one dense layer with one output and no activation, of a regression."""
    places, task = model.network.places, model.preparation.task
    layer = places[0].layer
    dense = len(places) == 1 and isinstance(layer, Dense) and layer.activation.name == "linear"
    return dense and task.kind == "regression" and task.outputs == 1


def least_squares(train: Examples, preparation: Preparation) -> tuple[Line, int]:
    """(the line with the least Σ weight (target - line)², the rank of the inputs).

    Of several such lines the one with the least slopes. In float64, by singular values.
    """
    x = train.inputs.astype(np.float64)
    y = preparation.real(train.targets)[:, 0]
    weights = np.ones(len(y)) if train.weights is None else train.weights.astype(np.float64)
    mean, center = np.average(x, axis=0, weights=weights), np.average(y, weights=weights)
    root = np.sqrt(weights)
    slopes, _, rank, _ = np.linalg.lstsq(root[:, None] * (x - mean), root * (y - center))
    return Line(slopes, float(center - mean @ slopes)), int(rank)
