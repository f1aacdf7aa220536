"""The callbacks of a run that write for TensorBoard."""

from __future__ import annotations

from backproplab.learners import Material
from backproplab.loop import Callback, Length
from backproplab.telemetry.by_update import ByUpdate, batch_scalars
from backproplab.telemetry.looks import Telemetry
from backproplab.telemetry.schedule import Looks, spaced
from backproplab.telemetry.settings import TensorBoard


def watchers(
    settings: TensorBoard, material: Material, length: Length, alone: bool
) -> list[Callback]:
    """What looks at the run for TensorBoard. alone: it is no run of a sweep."""
    every = settings.updates
    by_update = [ByUpdate(batch_scalars(material, length), every)] if every else []
    if not (settings.telemetry or settings.histograms):
        return [*by_update]
    return [*by_update, _telemetry(settings, length, alone)]


def _telemetry(settings: TensorBoard, length: Length, alone: bool) -> Telemetry:
    looks = spaced(length)
    scalars = Looks(length, looks if settings.telemetry else ())
    if settings.histograms == "looks":
        few = (looks[0], *[looks[len(looks) // 2]] * alone, looks[-1])
        histograms = Looks(length, few)
    else:
        histograms = Looks(length, every=settings.histograms)
    return Telemetry(scalars, histograms, settings.gradient_noise)
