"""The callbacks of a run that write for TensorBoard."""

from __future__ import annotations

from backproplab.learners import Material
from backproplab.loop import Callback, Length
from backproplab.telemetry.beginning import Beginning
from backproplab.telemetry.settings import TensorBoard


def watchers(
    settings: TensorBoard, material: Material, length: Length, alone: bool
) -> list[Callback]:
    """What looks at the run for TensorBoard, and for its diagnosis.

    alone: it is no run of a sweep.
    """
    return [Beginning(material)] if material.network else []
