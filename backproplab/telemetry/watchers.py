"""The callbacks of a run that write for TensorBoard."""

from __future__ import annotations

from backproplab.learners import Material
from backproplab.loop import Callback, Length
from backproplab.telemetry.graph import Graph
from backproplab.telemetry.looks import looks
from backproplab.telemetry.pictures import Pictures
from backproplab.telemetry.projector import Projector
from backproplab.telemetry.random_demo import RandomDemo
from backproplab.telemetry.settings import TensorBoard


def watchers(
    settings: TensorBoard, material: Material, length: Length, alone: bool
) -> list[Callback]:
    """What looks at the run for TensorBoard. alone: it is no run of a sweep."""
    found: list[Callback] = [Graph()] if settings.graph else []
    if alone and material.loss is not None:
        if settings.images or settings.pr_curves:
            found.append(Pictures(settings.images, settings.pr_curves, looks(length.epochs)))
        if settings.projector:
            found.append(Projector())
    if alone and settings.random:
        found.append(RandomDemo())
    return found
