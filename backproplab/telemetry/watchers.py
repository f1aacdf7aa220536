"""The callbacks of a run that write for TensorBoard."""

from __future__ import annotations

from backproplab.learners import Material
from backproplab.loop import Callback, Length
from backproplab.telemetry.beginning import Beginning
from backproplab.telemetry.by_passes import ByPasses
from backproplab.telemetry.by_update import ByUpdate, batch_scalars
from backproplab.telemetry.figures import noise_scale
from backproplab.telemetry.graph import Graph
from backproplab.telemetry.jacobians import jacobian_sizes
from backproplab.telemetry.looks import Telemetry
from backproplab.telemetry.pictures import Pictures
from backproplab.telemetry.projector import Projector
from backproplab.telemetry.random_demo import RandomDemo
from backproplab.telemetry.schedule import Looks, spaced
from backproplab.telemetry.settings import TensorBoard


def watchers(
    settings: TensorBoard, material: Material, length: Length, alone: bool
) -> list[Callback]:
    """What looks at the run for TensorBoard, and for its diagnosis.

    alone: it is no run of a sweep.
    """
    descends = "optimizer" in material.keys
    found: list[Callback] = [Beginning(material, alone)] if descends else []
    if settings.by_passes:
        found.append(ByPasses())
    if settings.graph:
        found.append(Graph())
    if every := settings.updates:
        found.append(ByUpdate(batch_scalars(material, length), every))
    if settings.telemetry or settings.histograms:
        found.append(_telemetry(settings, length, alone))
    return [*found, *_of_one_run(settings, material, length)] if alone else found


def _telemetry(settings: TensorBoard, length: Length, alone: bool) -> Telemetry:
    looks = spaced(length)
    scalars = Looks(length, looks if settings.telemetry else ())
    if settings.histograms == "looks":
        few = (looks[0], *[looks[len(looks) // 2]] * alone, looks[-1])
        histograms = Looks(length, few)
    else:
        histograms = Looks(length, every=settings.histograms)
    more = [noise_scale] * settings.gradient_noise + [jacobian_sizes] * settings.jacobians
    return Telemetry(scalars, histograms, more)


def _of_one_run(settings: TensorBoard, material: Material, length: Length) -> list[Callback]:
    found: list[Callback] = []
    if settings.images or settings.pr_curves:
        found.append(Pictures(settings.images, settings.pr_curves, spaced(length)))
    if settings.projector and material.loss is not None:
        found.append(Projector())
    if settings.random:
        found.append(RandomDemo())
    return found
