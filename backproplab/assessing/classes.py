"""Figures of a classification: what was taken for what, and each class at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import (
    LETTERS,
    MARGIN,
    SHADE,
    SIDE,
    TOP,
    Part,
    Picture,
    Point,
    points_of,
)
from backproplab.assessing.sample import Sample
from backproplab.assessing.thresholds import Thresholds
from backproplab.explain.axes import Panel
from backproplab.explain.canvas import rectangle
from backproplab.explain.widths import width_of
from backproplab.layout import shortened
from backproplab.text import counted

DRAWN = 12  # most curves in a figure
CELLS = (10.0, 46.0)  # least and largest side of a cell
NUMBERED = 30.0  # the least side of a cell with its count


@dataclass(frozen=True, eq=False)
class Confusion(Part):
    """counts: examples (classes, classes), by their class, then by the predicted one."""

    sample: Sample
    counts: Array

    name = "confusion"
    title = "Confusion matrix"

    @classmethod
    def of(cls, sample: Sample) -> Confusion:
        classes = len(sample.classes)
        pairs = sample.truth * classes + sample.decided
        return cls(sample, np.bincount(pairs, minlength=classes**2).reshape(classes, classes))

    @property
    def aside(self) -> str:
        right, all_ = int(np.trace(self.counts)), int(self.counts.sum())
        return f"{self.sample.title}: {right:,} of {counted(all_, 'example')} right"

    def tree(self) -> dict[str, object]:
        return {"classes": list(self.sample.classes), "counts": self.counts}

    def draw(self, picture: Picture) -> None:
        """A row for each class, a column for each predicted one; the shade is a share of the row:
        blue where it is right, vermilion where it is wrong."""
        names, theme = shortened(self.sample.classes, LETTERS), picture.theme
        side = float(np.clip(10 * SIDE / (8 * len(names)), *CELLS))
        room = 13 * max(width_of(name, "sans") for name in names)
        left, top = MARGIN + room + 12, TOP + 0.77 * room + 8
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        for i, name in enumerate(names):
            middle = top + side * (i + 0.5)
            if side >= 14:
                picture.words(name, left - 9, middle + 4.5, anchor="end")
                picture.slanted(name, left + side * (i + 0.5) + 2, top - 7)
            for j, count in enumerate(self.counts[i].tolist()):
                ink = theme.value if i == j else theme.gradient_line
                shade = SHADE * (shares[i, j] if i == j else np.sqrt(shares[i, j]))
                x, more = left + side * j, f' fill-opacity="{shade:.3f}"'
                y = top + side * i
                picture.parts.append(rectangle(x, y, side, side, ink, theme.rules, 0, 0.8, more))
                if count and side >= NUMBERED:
                    size = 13 if count < 1000 else 11
                    picture.words(f"{count:,}", x + side / 2, middle + 4.5, size, anchor="middle")
        end = side * len(names)
        below = "rows: the class; columns: what was predicted"
        picture.words(below, MARGIN, top + end + 30, second=True)
        picture.reach(left + end, top + end)


@dataclass(frozen=True, eq=False)
class Curves(Part):
    """A curve for each class, and the area below it.

    word: what the area is called.  axes: their names.
    """

    word: ClassVar[str]
    axes: ClassVar[tuple[str, str]]

    sample: Sample

    @cached_property
    def found(self) -> Mapping[str, Thresholds]:
        """Of two classes the second alone, whose mirror image the first is. Classes that no example
        or every one has are left out."""
        sample = self.sample
        numbers = [1] if len(sample.classes) == 2 else range(len(sample.classes))
        every = {
            sample.classes[n]: Thresholds.of(
                sample.truth == n, sample.probabilities[:, n], sample.weights
            )
            for n in numbers
        }
        return {name: found for name, found in every.items() if 0 < found.share < 1}

    @property
    def values(self) -> dict[str, float]:
        """The area below each curve."""
        raise NotImplementedError

    @property
    def aside(self) -> str:
        mean = float(np.mean(list(self.values.values())))
        of = next(iter(self.values)) if len(self.values) == 1 else "mean of the classes"
        many = counted(len(self.sample), "example")
        return f"{self.sample.title}, {many}: {self.word} {mean:.4f}, {of}"

    def points(self, found: Thresholds) -> list[Point]:
        """The curve of a class, in the units of the axes."""
        raise NotImplementedError

    def guess(self, picture: Picture, panel: Panel) -> None:
        """Draw what guessing would give."""
        raise NotImplementedError

    @property
    def drawn(self) -> list[str]:
        """The classes whose curves are drawn: at most 12, those with the least area."""
        worst = sorted(self.values, key=self.values.__getitem__)[:DRAWN]
        return [name for name in self.found if name in worst]

    def draw(self, picture: Picture) -> None:
        panel = picture.panel((0, 1), (0, 1), self.axes)
        self.guess(picture, panel)
        for n, name in enumerate(self.drawn):
            picture.line(panel, self.points(self.found[name]), n)
        entries = [(name, f"{self.values[name]:.4f}") for name in self.drawn]
        picture.legend(entries, panel.x + panel.width + 36, ("class", self.word))
        if len(self.found) > DRAWN:
            text = f"the {DRAWN} of {len(self.found)} classes with the least area"
            picture.words(text, panel.x + panel.width + 36, TOP + 44 + 23 * DRAWN, second=True)


class Roc(Curves):
    """The receiver operating characteristic of each class against the others."""

    name = "roc"
    title = "ROC: found against falsely found, at every threshold"
    word = "AUC"
    axes = ("false positive rate: share of the others", "true positive rate: share of the class")

    @property
    def values(self) -> dict[str, float]:
        return {name: found.area for name, found in self.found.items()}

    def points(self, found: Thresholds) -> list[Point]:
        return points_of(found.false_rate, found.recall)

    def guess(self, picture: Picture, panel: Panel) -> None:
        picture.reference(panel, [(0, 0), (1, 1)])

    def tree(self) -> dict[str, object]:
        return {
            name: {"auc": found.area, "false_positive_rate": found.false_rate,
                   "true_positive_rate": found.recall}
            for name, found in self.found.items()
        }  # fmt: skip


class PrecisionRecall(Curves):
    """Precision by recall of each class; of one class dotted the precision of guessing."""

    name = "precision_recall"
    title = "Precision and recall, at every threshold"
    word = "AP"
    axes = ("recall: share of the class that is found", "precision: share of what is found")

    @property
    def values(self) -> dict[str, float]:
        return {name: found.average_precision for name, found in self.found.items()}

    def points(self, found: Thresholds) -> list[Point]:
        """As steps: between two thresholds the precision of the one with more recall."""
        recall, precision = found.recall, found.precision
        return points_of(np.repeat(recall, 2)[:-1], np.repeat(precision, 2)[1:])

    def guess(self, picture: Picture, panel: Panel) -> None:
        if len(self.found) == 1:
            share = next(iter(self.found.values())).share
            picture.reference(panel, [(0, share), (1, share)])

    def tree(self) -> dict[str, object]:
        return {
            name: {"average_precision": found.average_precision, "recall": found.recall,
                   "precision": found.precision}
            for name, found in self.found.items()
        }  # fmt: skip
