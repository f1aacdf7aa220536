"""Experiment: everything that a config can say. Its fields are the YAML keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from backproplab.autograd.engines import EngineName
from backproplab.data import BatchMode, Dataset
from backproplab.files import is_plain_name
from backproplab.nn import Loss, Model
from backproplab.nn.losses import Auto
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.optim.rules import Adam
from backproplab.optim.schedules import Constant
from backproplab.spec import Count, Spec
from backproplab.train.callbacks import EarlyStopping


def _plain_name(name: str) -> str:
    if is_plain_name(name):
        return name
    raise PydanticCustomError(
        "name",
        "it names a folder: at most 80 letters, digits, '.', '_' or '-', no '..', "
        "and a letter or digit first",
    )


def _no_sweep(value: Any) -> Any:
    if value is not None:
        raise PydanticCustomError("sweep", "a sweep cannot be trained; use 'backproplab sweep'")


Name = Annotated[str, AfterValidator(_plain_name)]
LearningRate = Annotated[float, Field(gt=0, le=1e4)]


def _threads(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 1 <= value <= MOST_THREADS):
        return value
    raise PydanticCustomError("threads", f"must be auto, or a number from 1 to {MOST_THREADS}")


MOST_THREADS = 1024
Threads = Annotated[
    int | Literal["auto"],
    PlainValidator(_threads),
    WithJsonSchema(
        {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": MOST_THREADS}]}
    ),
]


class TensorBoard(Spec):
    """What is written for TensorBoard beside the scalars.

    histograms: every so many epochs; 0 for never.
    """

    histograms: int = Field(default=1, ge=0, le=10**9)


class Experiment(Spec):
    """One training run, described. ``data`` is needed, every other key has a default.

    name: the folder of the run and its name in TensorBoard; by default the file's name.
    seed: the root of every random stream.
    learning_rate: by default the optimizer's own.
    schedule: how it changes from update to update.
    clipping: how large a gradient may be, ``{global_norm: 1}``.
    batch_mode: ``batch`` (all examples an update), ``stochastic`` (one), ``minibatch``.
    batch_size: read in minibatch mode only; by default 32, or all examples if they are fewer.
    accumulate: so many batches make one update, by the mean of their gradients.
    epochs, steps: where training ends, whichever comes first.
    engine: ``replay`` records a step once and replays it, ``eager`` builds its graph each time,
        ``auto`` replays what can be replayed; the numbers are the same.
    threads: of BLAS; ``auto`` chooses by the size of the largest product.
    """

    name: Name = "experiment"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    dtype: Literal["float32", "float64"] = "float32"
    data: Dataset
    model: Model = Model()
    loss: Loss = Auto()
    optimizer: Optimizer = Adam()
    learning_rate: LearningRate | None = None
    schedule: Schedule = Constant()
    clipping: Clipping | None = None
    batch_mode: BatchMode = "minibatch"
    batch_size: Count | None = None
    accumulate: Count = 1
    epochs: Count = 10
    steps: Count | None = None
    early_stopping: EarlyStopping | None = None
    engine: EngineName = "auto"
    threads: Threads = "auto"
    tensorboard: TensorBoard = TensorBoard()
    sweep: Annotated[SkipJsonSchema[None], BeforeValidator(_no_sweep)] = None

    @model_validator(mode="before")
    @classmethod
    def _own_learning_rate(cls, fields: Any) -> Any:
        """Where no learning rate is given, the optimizer's default stands in the config."""
        if not isinstance(fields, dict) or fields.get("learning_rate") is not None:
            return fields
        try:
            optimizer = Optimizer.parse(fields.get("optimizer", Adam()))
        except ValueError:  # told with the other problems, at its own place
            return fields
        return {**fields, "learning_rate": optimizer.default_learning_rate}

    @property
    def rate(self) -> float:
        """The learning rate, given or default."""
        return self.learning_rate or self.optimizer.default_learning_rate
