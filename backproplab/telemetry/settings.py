"""TensorBoard: what a config says of the logs that TensorBoard shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from backproplab.spec import Lasts, Off, Spec

MOST = 10**9


def _histograms(value: Any) -> Any:
    """Validate by hand, for one message: pydantic reports each branch of a union."""
    if value == "looks" or (type(value) is int and 0 <= value <= MOST):
        return value
    raise PydanticCustomError("histograms", "must be looks, or a whole number of epochs from 0")


class TensorBoard(Spec):
    """What is written for TensorBoard beside the scalars.

    telemetry: scalars of every layer before the first update and after epochs spaced in log.
    gradient_noise: with them the gradient noise scale; a look takes ten times as long.
    histograms: ``looks`` writes them at the first, the middle and the last look; a number n after
        every n epochs; 0 never.
    """

    telemetry: Annotated[bool, Off(False)] = True
    gradient_noise: Annotated[bool, Off(False)] = False
    histograms: Annotated[
        Literal["looks"] | int,
        PlainValidator(_histograms),
        WithJsonSchema(
            {"anyOf": [{"const": "looks"}, {"type": "integer", "minimum": 0, "maximum": MOST}]}
        ),
        Lasts("epochs", 1, "only the first epoch has any"),
        Off(0),
    ] = "looks"
