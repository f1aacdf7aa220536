"""TensorBoard: what a config says of the logs that TensorBoard shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backproplab.spec import Lasts, Off, Spec


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
        Literal["looks"] | Annotated[int, Field(ge=0, le=10**9)],
        Lasts("epochs", 1, "only the first epoch has any"),
        Off(0),
    ] = "looks"
