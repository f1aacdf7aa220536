"""Views of a run's landscape: each with its figure, its sentences, its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.errors import RunError
from backproplab.landscape.figure import Figure, span
from backproplab.landscape.path import Path2D, walked
from backproplab.landscape.surface import Line, Plane, around, between
from backproplab.landscape.trained import Trained
from backproplab.text import counted, json_tree, short


@dataclass(frozen=True)
class View:
    """What is known of a run's surroundings; each part None where it was not asked for."""

    run: Trained
    other: Trained | None = None
    line: Line | None = None
    plane: Plane | None = None
    path: Path2D | None = None

    @property
    def loss(self) -> dict[str, float]:
        """Of each split, with the run's weights."""
        return {
            name: float(self.run.losses(self.run.center[None], name)[0]) for name in self.run.splits
        }

    def figure(self, theme: str) -> str:
        """As SVG."""
        figure = Figure(self.run.name, self._aside(), theme)
        if self.path:
            return figure.path(self.path)
        assert self.line is not None
        if self.other:
            return figure.between(self.line, ("this run", self.other.name))
        assert self.plane is not None
        return figure.around(self.line, self.plane)

    def _aside(self) -> str:
        count = len(self.run.splits["train"])
        sharp = ", ".join(short(x) for x in self.run.spectrum.largest)
        return f"{self.run.weights} weights, loss of {count:,} examples; Hessian: λ = {sharp}"

    def sentences(self) -> Iterator[tuple[str, str]]:
        """(label, sentence)."""
        losses = ", ".join(f"{name} loss {short(x)}" for name, x in self.loss.items())
        yield "run", f"{self.run.name}, {self.run.weights} weights: {losses}"
        if self.line and self.other:
            yield "line", self._barrier(self.line)
        elif self.line:
            yield "line", self._width(self.line)
        for label, plane in (("plane", self.plane), ("plane", self.path and self.path.plane)):
            if plane:
                yield label, _heights(plane)
        if self.path:
            both = " and ".join(f"{share:.1%}" for share in self.path.shares)
            epochs = counted(int(self.path.epochs[-1]), "epoch")
            source = "trained again" if self.path.again else "from its trajectory"
            yield (
                "path",
                f"{epochs}, {len(self.path.epochs):,} places, {source}; "
                f"two directions hold {both} of its squared distances",
            )
        largest, least = self.run.spectrum
        most = ", ".join(short(x) for x in largest)
        yield "curvature", f"largest eigenvalues of the Hessian {most}; the smallest {short(least)}"

    def _barrier(self, line: Line) -> str:
        """How high the loss rises between two runs."""
        assert self.other is not None
        losses, inside = line.losses["train"], (line.places >= 0) & (line.places <= 1)
        at = int(np.nanargmax(np.where(inside, losses, -np.inf)))
        ends = [float(np.interp(place, line.places, losses)) for place in (0, 1)]
        rise = float(losses[at]) - max(ends)
        found = f"from {short(ends[0])} here to {short(ends[1])} at {self.other.name}"
        if rise <= 0.05 * abs(max(ends)):
            return f"{found}: no barrier between them on the straight line"
        return f"{found}: a barrier of {short(float(losses[at]))} at {line.places[at]:.2f}"

    def _width(self, line: Line) -> str:
        """Where the training loss has doubled, at both sides."""
        losses, places = line.losses["train"], line.places
        double = 2 * float(losses[np.abs(places).argmin()])
        sides = []
        for sign in (-1, 1):
            beyond = places[(losses > double) & (sign * places > 0)]
            sides.append(f"{sign * float(np.abs(beyond).min()):.2f}" if beyond.size else "nowhere")
        reach = short(float(places[-1]))
        return (
            f"along a random direction, ±{reach} of the weights' lengths, loss {span(losses)}; "
            f"twice the run's at {sides[0]} and {sides[1]}"
        )

    def tree(self) -> dict[str, Any]:
        """All numbers; null where one is not finite."""
        largest, least = self.run.spectrum
        found: dict[str, Any] = {
            "run": self.run.name,
            "weights": self.run.weights,
            "examples": {name: len(split) for name, split in self.run.splits.items()},
            "loss": self.loss,
            "eigenvalues": {"largest": largest, "smallest": least},
        }
        if self.other:
            found["to"] = self.other.name
        if self.line:
            found["line"] = {"places": self.line.places, "losses": self.line.losses}
        if plane := self.plane or (self.path and self.path.plane):
            found["plane"] = {"across": plane.across, "up": plane.up, "losses": plane.losses}
        if self.path:
            path = self.path
            found["path"] = {
                "epochs": path.epochs.tolist(),
                "places": path.places,
                "shares": path.shares,
            }
        tree: dict[str, Any] = json_tree(found)
        return tree


def view(run: Trained, other: Trained | None, path: bool, points: int, reach: float) -> View:
    """The path in its plane, the line to another run, or what is around the run.

    Raises RunError where the loss of a run is not finite.
    """
    for one in filter(None, (run, other)):
        if not np.isfinite(one.losses(one.center[None])).all():
            hint = " — try --weights best" if one.weights == "last" else ""
            raise RunError(
                f"{one.folder}: the loss of its {one.weights} weights is not finite{hint}"
            )
    if path:
        return View(run, path=walked(run, points))
    if other:
        return View(run, other, between(run, other, points))
    line, plane = around(run, points, reach)
    return View(run, None, line, plane)


def _heights(plane: Plane) -> str:
    j, i = np.unravel_index(np.nanargmin(plane.losses), plane.losses.shape)
    at = f"({plane.across[i]:.2g}, {plane.up[j]:.2g})"
    count = f"{len(plane.across)} × {len(plane.up)} points"
    return f"{count}, loss {span(plane.losses)}; least at {at}"
