"""Figures of a regression: what is left of each target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import MARGIN, SHADE, SIDE, TOP, Part, Picture, figure, points_of
from backproplab.assessing.sample import Sample
from backproplab.explain.axes import limits_of
from backproplab.explain.canvas import rectangle
from backproplab.text import counted

POINTS = 1000  # most of a figure; of more every second, third, … is drawn
BINS = 20
HIGH = 300.0  # of a panel


@dataclass(frozen=True, eq=False)
class Residuals(Part):
    """target - prediction by prediction, in the units of the target.

    left, predicted: (n, targets).
    """

    sample: Sample
    left: Array
    predicted: Array

    name = "residuals"
    title = "Residuals: target − prediction, by prediction"

    @classmethod
    def of(cls, sample: Sample) -> Residuals:
        return cls(sample, sample.truth - sample.predicted, sample.predicted)

    @property
    def names(self) -> list[str]:
        """Of the targets."""
        own, count = self.sample.model.preparation.task.target, self.left.shape[1]
        return [own or "target"] if count == 1 else [f"target {n + 1}" for n in range(count)]

    @property
    def aside(self) -> str:
        weights = self.sample.weights
        mean = float(np.average(self.left.mean(axis=1), weights=weights))
        root = float(np.sqrt(np.average((self.left**2).mean(axis=1), weights=weights)))
        many = counted(len(self.left), "example")
        return f"{self.sample.title}, {many}: mean {figure(mean)}, root mean square {figure(root)}"

    def tree(self) -> dict[str, object]:
        return {
            name: {"predicted": self.predicted[:, n], "residual": self.left[:, n]}
            for n, name in enumerate(self.names)
        }

    def draw(self, picture: Picture) -> None:
        """A row of panels for each target: residuals by prediction, and how many there are."""
        for n, name in enumerate(self.names):
            known = np.isfinite(self.left[:, n]) & np.isfinite(self.predicted[:, n])
            if known.any():
                top = TOP + n * (HIGH + 84)
                self._target(picture, name, self.left[known, n], self.predicted[known, n], top)

    def _target(
        self, picture: Picture, name: str, left: Array, predicted: Array, top: float
    ) -> None:
        theme, up = picture.theme, limits_of(np.append(left, 0.0))
        across = limits_of(predicted)
        panel = picture.panel(
            across, up, (f"predicted {name}", f"{name} − prediction"), y=top, height=HIGH
        )
        picture.reference(panel, [(across[0], 0), (across[1], 0)])
        step = -(-len(left) // POINTS)
        places = [panel.at(*point) for point in points_of(predicted[::step], left[::step])]
        circles = [f'<circle cx="{u:.1f}" cy="{v:.1f}" r="3"/>' for u, v in places]
        style = f'fill="{theme.value}" fill-opacity="{SHADE}"'
        picture.parts += [f"<g {style}>", *circles, "</g>"]
        counts, edges = np.histogram(left, BINS, up)
        beside = picture.panel(
            (0, float(counts.max())), up, ("examples", ""),
            panel.x + SIDE + 76, top, SIDE / 3, HIGH,
        )  # fmt: skip
        for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
            (x, y), (end, bottom) = beside.at(0, high), beside.at(count, low)
            bar = rectangle(x, y + 0.5, end - x, bottom - y - 1, theme.value,
                            more=f' fill-opacity="{SHADE}"')  # fmt: skip
            picture.parts.append(bar)
        if step > 1:
            text = f"every {step}th example is drawn"
            picture.words(text, MARGIN, top + HIGH + 60, second=True)
