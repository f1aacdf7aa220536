"""TensorBoard: what a config says of the logs that TensorBoard shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from backproplab.spec import CountOr, Lasts, Off, Spec

MOST = 10**9


def _histograms(value: Any) -> Any:
    """Validate by hand, for one message: pydantic reports each branch of a union."""
    if value == "looks" or (type(value) is int and 0 <= value <= MOST):
        return value
    raise PydanticCustomError("histograms", "must be looks, or a whole number of epochs from 0")


class TensorBoard(Spec):
    """What is written for TensorBoard beside the scalars.

    update_freq: ``epoch`` writes scalars after each epoch; ``batch``, or a number n, also those of
        every (n-th) update, ``batch_loss`` and the like: of its own batch, before the update.
    by_passes: what every epoch measured once more, by the forward and backward passes until then.
    telemetry: scalars of every layer before the first update, after epochs 1, 3, 9, … and the last.
    gradient_noise: with them the gradient noise scale; a look takes ten times as long.
    jacobians: with them how much each layer stretches small changes; seconds a look in wide layers.
    graph: the training step as a graph, with the time and memory of its nodes; of a sweep the first
        run's.
    images: confusion matrix, weights of the first layer, examples, decision boundary.
    pr_curves: precision and recall of each class.
    projector: the last hidden layer, a point for each example.
    random: the course's demonstration of histograms, tag ``random``.
    histograms: ``looks`` writes them at the first, the middle and the last look; a number n after
        every n epochs; 0 never.
    Runs of sweeps write no images, PR curves, projector and demonstration.
    """

    update_freq: Annotated[
        int | Literal["epoch", "batch"],
        CountOr(("epoch", "batch")),
        Lasts("steps", 0, "no update is written"),
        Off("epoch"),
    ] = "epoch"
    by_passes: Annotated[bool, Off(False)] = True
    telemetry: Annotated[bool, Off(False)] = True
    gradient_noise: Annotated[bool, Off(False)] = False
    jacobians: Annotated[bool, Off(False)] = False
    graph: Annotated[bool, Off(False)] = True
    images: Annotated[bool, Off(False)] = True
    pr_curves: Annotated[bool, Off(False)] = True
    projector: Annotated[bool, Off(False)] = False
    random: Annotated[bool, Off(False)] = False
    histograms: Annotated[
        Literal["looks"] | int,
        PlainValidator(_histograms),
        WithJsonSchema(
            {"anyOf": [{"const": "looks"}, {"type": "integer", "minimum": 0, "maximum": MOST}]}
        ),
        Lasts("epochs", 1, "only the first epoch has any"),
        Off(0),
    ] = "looks"

    @property
    def updates(self) -> int:
        """Write the scalars of every n-th update; 0 for none."""
        every = self.update_freq
        return every if isinstance(every, int) else int(every == "batch")


NOTHING = {  # ``tensorboard: off``: the scalars of epochs alone
    name: False for name, field in TensorBoard.model_fields.items() if field.annotation is bool
} | {"histograms": 0}
