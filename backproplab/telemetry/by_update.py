"""ByUpdate: what updates measured of their own batches, as Keras writes it with ``update_freq``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproplab.arrays import Array
from backproplab.learners import Material
from backproplab.loop import Callback, Lane, Length

RATES = ("learning_rate", "gradient_norm")


class ByUpdate(Callback):
    """Writes ``batch_<name>`` in ``train`` at every n-th update; the step is the update, from 1.

    Loss and metrics are those of the update's own batch, before the update and with dropout.
    (Keras writes the mean of all batches since the epoch began.)
    """

    name = "by_update"

    def __init__(self, names: Sequence[str], every: int) -> None:
        self.hears = dict.fromkeys(names, every)

    def hear(self, lane: Lane, heard: Mapping[str, tuple[Array, Array]]) -> None:
        found = {f"batch_{n}": (s.tolist(), x.tolist()) for n, (s, x) in heard.items()}
        lane.report_series(found)


def batch_scalars(material: Material, length: Length) -> list[str]:
    """What there is to write of an update: no metric that batches of this size cannot have."""
    train = material.train
    batch = train.targets[: -(-len(train) // length.each)]
    return ["loss", *(m.name for m in material.metrics if not m.undefined(batch)), *RATES]
