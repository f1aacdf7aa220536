"""Experiment: everything that a config can say. Its fields are the YAML keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from backproplab.data import BatchMode, Dataset
from backproplab.files import is_plain_name
from backproplab.nn import Loss, Model
from backproplab.nn.losses import Auto
from backproplab.optim import Optimizer
from backproplab.optim.rules import Adam
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
    batch_mode: ``batch`` (all examples an update), ``stochastic`` (one), ``minibatch``.
    batch_size: read in minibatch mode only; by default 32, or all examples if they are fewer.
    epochs, steps: where training ends, whichever comes first.
    """

    name: Name = "experiment"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    dtype: Literal["float32", "float64"] = "float32"
    data: Dataset
    model: Model = Model()
    loss: Loss = Auto()
    optimizer: Optimizer = Adam()
    learning_rate: LearningRate | None = None
    batch_mode: BatchMode = "minibatch"
    batch_size: Count | None = None
    epochs: Count = 10
    steps: Count | None = None
    early_stopping: EarlyStopping | None = None
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
