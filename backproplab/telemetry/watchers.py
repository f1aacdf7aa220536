"""The callbacks of a run that write for TensorBoard."""

from __future__ import annotations

from backproplab.learners import Material
from backproplab.loop import Callback, Length
from backproplab.telemetry.by_update import ByUpdate, batch_scalars
from backproplab.telemetry.settings import TensorBoard


def watchers(
    settings: TensorBoard, material: Material, length: Length, alone: bool
) -> list[Callback]:
    """What looks at the run for TensorBoard. alone: it is no run of a sweep."""
    every = settings.updates
    return [ByUpdate(batch_scalars(material, length), every)] if every else []
