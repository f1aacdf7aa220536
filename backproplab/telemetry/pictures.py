"""Pictures and precision-recall curves at looks, of what a run has learned so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from backproplab.journal.summaries import image, pr_curve
from backproplab.learners import Arrays, Json, Learning
from backproplab.loop import Callback, Lane
from backproplab.loop.lane import TRAIN
from backproplab.telemetry import drawings
from backproplab.telemetry.answers import Answers, predicted
from backproplab.telemetry.canvas import Canvas, diverging, gray

FEW = 12  # examples shown of each kind
MARKS = 300  # points drawn on a boundary

Shown = Iterator[tuple[str, Any]]  # split, value


class Pictures(Callback):
    """Draws at looks: the boundary at each, others, which take longer, before and after training.

    images, curves: what is asked for.  Steps are those of ``epoch_*``: 0 after the first epoch, -1
    before the first update. A run that ends early is drawn at its end, too.
    """

    def __init__(self, images: bool, curves: bool, looks: Sequence[int]) -> None:
        self.images = images
        self.curves = curves
        self.looks = looks
        self.begun = False

    def start(self, lane: Lane) -> None:
        if not self.begun:
            self.begun = True
            self._write(lane, self._plane, self._learned)

    def look(self, lane: Lane) -> None:
        epoch = lane.progress.epoch
        if epoch == self.looks[-1] or lane.ended:
            self._write(lane, self._plane, self._learned, self._examples)
        elif epoch in self.looks:
            self._write(lane, self._plane)

    def state(self) -> tuple[Arrays, Json]:
        return {}, {"begun": self.begun}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.begun = state["begun"]

    def _write(self, lane: Lane, *drawn: Callable[[Learning], Shown]) -> None:
        epoch = lane.progress.epoch
        by_split: dict[str, list[Any]] = {}
        with np.errstate(all="ignore"):  # weights may be of any size
            for split, value in chain.from_iterable(draw(lane.learning) for draw in drawn):
                by_split.setdefault(split, []).append(value)
        for split, values in by_split.items():
            lane.journal.events[split].write(epoch - 1, values)

    def _plane(self, learning: Learning) -> Shown:
        material = learning.material
        if self.images and material.loss and material.train.inputs.shape[1:] == (2,):
            yield TRAIN, _boundary(learning)

    def _learned(self, learning: Learning) -> Shown:
        if self.images:
            yield from _first_layer(learning)
            yield from _made(learning)
        if predicts_classes(learning):
            answers = Answers(learning)
            if self.images:
                yield answers.split, _confusion(answers)
            if self.curves:
                yield from _curves(answers)

    def _examples(self, learning: Learning) -> Shown:
        if self.images and learning.material.pixels and predicts_classes(learning):
            yield from _examples(Answers(learning))


def _picture(tag: str, canvas: Canvas, description: str) -> Any:
    width, height = canvas.image.size
    return image(f"images/{tag}", canvas.png, height, width, description)


def _confusion(answers: Answers) -> Any:
    counts = answers.counts
    what = f"{counts.sum()} examples of {answers.split}; rows: class, columns: prediction"
    return _picture("confusion_matrix", drawings.confusion(counts, answers.labels), what)


def _curves(answers: Answers) -> Shown:
    """One for each class against all others; of two classes the second's."""
    for label in range(1 if len(answers.labels) == 2 else 0, len(answers.labels)):
        name = re.sub(r"[^\w.-]+", "_", answers.labels[label])
        of_label = answers.probabilities[:, label], answers.of.targets == label
        what = f"class {answers.labels[label]} against all others, {answers.split}"
        yield answers.split, pr_curve(f"pr_curves/{name}", *of_label, what)


def _examples(answers: Answers) -> Shown:
    losses = np.nan_to_num(answers.losses, nan=np.inf)
    spread = np.linspace(0, len(losses) - 1, min(FEW, len(losses))).astype(int)
    worst = np.argsort(-losses, kind="stable")[:FEW]
    for tag, rows in (("worst_examples", worst), ("examples", spread)):
        found = answers.classes[rows], answers.probabilities[rows]
        captions = [f"{answers.labels[c]} {p[c]:.0%}" for c, p in zip(*found, strict=True)]
        truth = [answers.labels[label] for label in answers.of.targets[rows]]
        assert answers.material.pixels
        pixels = answers.material.pixels(answers.of.inputs[rows])
        what = f"{answers.split}: class, then prediction"
        yield answers.split, _picture(tag, drawings.examples(pixels, truth, captions), what)


def _first_layer(learning: Learning) -> Shown:
    """The kernel of the first layer that has one of two axes, or of four."""
    pixels = learning.material.pixels
    for name, kernel in learning.weights.items():
        if name.endswith("/kernel") and kernel.ndim in (2, 4):
            canvas = drawings.weights(kernel, pixels.shape if pixels else ())
            what = f"{name}: blue is negative, vermilion positive"
            yield TRAIN, _picture("first_layer", canvas, what)
            return


def _made(learning: Learning) -> Shown:
    """What the learner itself shows as images."""
    if (pixels := learning.material.pixels) is None:
        return
    for tag, made in learning.pictures().items():
        images = gray(pixels(made.inputs))
        scale = max(drawings.IMAGE // images.shape[1], 1)
        yield TRAIN, _picture(tag, drawings.tiles(images, scale, made.columns), made.description)


def predicts_classes(learning: Learning) -> bool:
    """Whether it predicts classes; one without a loss predicts nothing."""
    return learning.material.loss is not None and learning.material.task.kind == "classification"


def _boundary(learning: Learning) -> Any:
    """What is predicted around the training inputs, and the split's points in their own colors."""
    material = learning.material
    grid, corners = drawings.plane(material.train.inputs)
    outputs = predicted(learning, grid.astype(material.dtype))
    shown = material.splits.get("validation", material.train)
    points, targets = shown.inputs[:MARKS], shown.targets[:MARKS]
    if material.task.kind == "classification":
        assert material.loss is not None
        colors = drawings.of_classes(material.loss.probabilities(outputs))
        marks = drawings.colors_of(targets)
    else:
        both = np.concatenate([outputs[:, 0], targets[:, 0]])
        shades = diverging(both)
        colors, marks = shades[: len(grid)], shades[len(grid) :]
    return _picture("boundary", drawings.boundary(colors, points, marks, corners), "x1, x2")
