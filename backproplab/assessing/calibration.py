"""Calibration: whether what is predicted with 70 % comes true in 70 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import BELOW, SHADE, TOP, Part, Picture, points_of
from backproplab.assessing.sample import Sample
from backproplab.explain.axes import marker
from backproplab.explain.canvas import rectangle
from backproplab.text import counted

BINS = 10  # of equal width
HIGH = 96.0  # of the panel with the number of examples


@dataclass(frozen=True, eq=False)
class Bins:
    """Of each bin of probabilities that has examples (bins,).

    places: its number from 0.  counts: of its examples.  shares: what they count, of all.
    said: their mean probability.  came: how often it came true.
    """

    places: Array
    counts: Array
    shares: Array
    said: Array
    came: Array

    @classmethod
    def of(cls, probabilities: Array, came: Array, weights: Array) -> Bins:
        """probabilities, whether they came true, weights: of each example (n,).

        Bin k holds p above k/10 and up to (k + 1)/10, the first one 0 too: scikit-learn's
        ``calibration_curve``.
        """
        edges = np.linspace(0, 1, BINS + 1)
        place = np.searchsorted(edges[1:-1], probabilities)
        sums = np.bincount(place, weights, BINS)
        kept = np.flatnonzero(sums > 0)
        said, true = (
            np.bincount(place, weights * part, BINS)[kept] / sums[kept]
            for part in (probabilities, came)
        )
        counts = np.bincount(place, minlength=BINS)[kept]
        return cls(kept, counts, sums[kept] / sums.sum(), said, true)

    @property
    def error(self) -> float:
        """The expected calibration error, Σ share |came - said|; Naeini et al. 2015."""
        return float(np.sum(self.shares * np.abs(self.came - self.said)))


@dataclass(frozen=True, eq=False)
class Calibration(Part):
    """of: whose probability it is: of the second of two classes, else of the predicted class."""

    sample: Sample
    of_what: str
    bins: Bins

    name = "calibration"
    title = "Calibration: how often it is so, by how sure the model is"

    @classmethod
    def of(cls, sample: Sample) -> Calibration:
        p, truth = sample.probabilities, sample.truth
        if len(sample.classes) == 2:
            found = Bins.of(p[:, 1], truth == 1, sample.weights)
            return cls(sample, f"p of {sample.classes[1]}", found)
        sure = np.take_along_axis(p, sample.decided[:, None], axis=1)[:, 0]
        found = Bins.of(sure, sample.decided == truth, sample.weights)
        return cls(sample, "p of the predicted class", found)

    @property
    def aside(self) -> str:
        many = counted(len(self.sample), "example")
        return f"{self.sample.title}, {many}: expected error {self.bins.error:.4f}, {self.of_what}"

    def tree(self) -> dict[str, object]:
        bins = self.bins
        return {
            "of": self.of_what, "error": bins.error, "from": bins.places / BINS,
            "examples": bins.counts, "predicted": bins.said, "observed": bins.came,
        }  # fmt: skip

    def draw(self, picture: Picture) -> None:
        """Above the share that came true by the predicted one, below the examples of each bin."""
        theme, bins = picture.theme, self.bins
        panel = picture.panel((0, 1), (0, 1), ("", "how often it came true"))
        picture.reference(panel, [(0, 0), (1, 1)])
        points = points_of(bins.said, bins.came)
        picture.line(panel, points, 0)
        picture.parts += [
            marker(*panel.at(*point), 0, theme.runs[0], theme.paper, 5) for point in points
        ]
        top = TOP + panel.height + BELOW
        most = float(bins.counts.max(initial=1))
        below = picture.panel(
            (0, 1), (0, 1.25 * most), (self.of_what, "examples"), y=top, height=HIGH
        )
        for place, count in zip(bins.places.tolist(), bins.counts.tolist(), strict=True):
            (x, y), (end, zero) = below.at(place / BINS, count), below.at((place + 1) / BINS, 0)
            more = f' fill-opacity="{SHADE}"'
            bar = rectangle(x + 1, y, end - x - 2, zero - y, theme.value, more=more)
            picture.parts.append(bar)
            picture.words(f"{count:,}", (x + end) / 2, y - 5, 11, anchor="middle")
