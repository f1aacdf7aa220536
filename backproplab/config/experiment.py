"""Experiment: everything that a config can say. Its fields are the YAML keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from backproplab.autograd.engines import EngineName
from backproplab.config.importing import Import
from backproplab.config.init_from import InitFrom
from backproplab.data import BatchMode, Dataset
from backproplab.files import is_plain_name
from backproplab.learners import NO_DATA, GradientDescent, Learner, Objective
from backproplab.loop import EarlyStopping, Observer
from backproplab.nn import Loss, MetricName, Model
from backproplab.nn.losses import Auto
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.optim.rules import Adam
from backproplab.optim.schedules import Constant
from backproplab.spec import Count, CountOr, Lasts, Off, Spec
from backproplab.telemetry import NOTHING, TensorBoard


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


def _data_or_objective(schema: dict[str, Any]) -> None:
    """For editors: one of them is needed; of an objective the data are filled in."""
    del schema["required"]
    schema["anyOf"] = [{"required": ["data"]}, {"required": ["objective"]}]


def _each_once(callbacks: tuple[Observer, ...] | None) -> tuple[Observer, ...] | None:
    names = [callback.name for callback in callbacks or ()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PydanticCustomError("twice", f"'{twice}' is listed twice")
    return callbacks


Name = Annotated[str, AfterValidator(_plain_name)]
LearningRate = Annotated[float, Field(gt=0, le=1e4)]


ADDED = ("learner",)  # keys that version 0.1 did not have
Threads = Annotated[int | Literal["auto"], CountOr(("auto",), 1024)]
Evaluations = Annotated[int | Literal["log"], CountOr(("log",))]


class Role(Enum):
    """What else is true of a key of Experiment, beside its type.

    NO_NUMBER: it changes no number that a run computes.
    OWN: runs that train together may each have their own.
    LENGTH: how long the run is; ``resume`` may raise it.
    """

    NO_NUMBER = "no number"
    OWN = "own"
    LENGTH = "length"


@dataclass(frozen=True)
class NotSwept:
    """A key that no sweep can vary. hint: what to do instead."""

    hint: str


class Experiment(Spec):
    """One training run, described. ``data`` or ``objective`` is needed, all else has a default.

    A learner that has no use for a key refuses it: ``optimizer`` is gradient descent's.

    imports: Python files with optimizers, layers, data sets, … of your own (docs/own-parts.md).
    learner: how weights are found; by default gradient_descent, by backprop.
    objective: a function to descend, in place of data, model and loss; then an epoch is an update,
        by default as many as ``steps``, else 1,000, and numbers are float64.
    init_from: the run whose weights are the first ones, ``{run: FOLDER}``; by default drawn.
    freeze: layers that training leaves as they are, by name: ``[dense_1]``.
    metrics: measured beside accuracy, or mae and r2: ``f1_macro``, and those of ``imports``.
    callbacks: of ``imports``; they look at the run while it trains.
    name: the folder of the run and its name in TensorBoard; by default the file's name.
    seed: the root of every random stream.
    learning_rate: by default the optimizer's own.
    schedule: how it changes from update to update.
    clipping: how large a gradient may be, ``{global_norm: 1}``.
    batch_mode: ``batch`` (all examples an update), ``stochastic`` (one), ``minibatch``.
    batch_size: read in minibatch mode only; by default 32, or all examples if they are fewer.
    accumulate: number of batches per update; their gradients are averaged.
    epochs: after which training ends.
    steps: after which training ends, if that is before: updates, or whatever the learner counts.
    evaluate_every: evaluate within epochs, too: after every n updates, or at updates spaced in
        ``log``: 0, 1, 2, 3, 4, 6, 8, 11, 16, …; it is written for TensorBoard, by updates and by
        examples, and decides nothing. For a learner without batches: steps an epoch, by default a
        tenth of ``steps``.
    trajectory: keep the weights after every n epochs, for ``backproplab landscape --path``.
    engine: ``replay`` records a step once and makes its NumPy calls again, ``native`` makes them
        without Python, ``eager`` builds its graph each time, ``auto`` is native where it can be;
        the numbers are the same.
    threads: where a batch is walked in tiles, each takes tiles of its own, and where it outgrows a
        tile but is normalized as a whole, they share each pass: then their number changes no bit;
        else they are threads of BLAS. ``auto``: as many as there are free cores, for tiles,
        passes or large products, else 1.
    """

    model_config = ConfigDict(json_schema_extra=_data_or_objective)

    name: Annotated[
        Name, Role.NO_NUMBER, Role.OWN, NotSwept("every trial is named by what differs")
    ] = "experiment"
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63),
        Role.OWN,
        NotSwept("write seeds: 5, or seeds: [0, 1]; on the command line --seeds 5"),
    ] = 42
    dtype: Literal["float32", "float64"] = "float32"
    imports: Annotated[
        tuple[Import, ...] | None,
        Field(strict=False),
        NotSwept("list all files in the base"),
        Off(),
    ] = None
    data: Dataset
    objective: Annotated[Objective | None, Off()] = None
    learner: Learner = GradientDescent()
    model: Model = Model()
    init_from: Annotated[InitFrom | None, Off()] = None
    freeze: Annotated[tuple[str, ...] | None, Field(strict=False), Off()] = None
    loss: Loss = Auto()
    metrics: Annotated[tuple[MetricName, ...] | None, Field(strict=False), Off()] = None
    optimizer: Optimizer = Adam()
    learning_rate: Annotated[LearningRate | None, Role.OWN] = None
    schedule: Annotated[Schedule, Role.OWN, Off("constant")] = Constant()
    clipping: Annotated[Clipping | None, Off()] = None
    batch_mode: BatchMode = "minibatch"
    batch_size: Count | None = None
    accumulate: Annotated[Count, Lasts("batches", 0, "an update takes those"), Off(1)] = 1
    epochs: Annotated[Count, Role.OWN, Role.LENGTH] = 10
    steps: Annotated[
        Count | None, Role.LENGTH, Lasts("steps", 0, "it ends by its epochs"), Off()
    ] = None
    evaluate_every: Annotated[
        Evaluations | None, Lasts("steps", 0, "nothing is measured in between")
    ] = None
    early_stopping: Annotated[EarlyStopping | None, Role.OWN, Off()] = None
    callbacks: Annotated[
        tuple[Observer, ...] | None,
        Field(strict=False),
        Role.OWN,
        AfterValidator(_each_once),
        Off(),
    ] = None
    trajectory: Annotated[
        Count | None,
        Role.NO_NUMBER,
        Role.OWN,
        NotSwept("it changes no number; set it in the base"),
        Lasts("epochs", 0, "only the first weights are kept"),
        Off(),
    ] = None
    engine: Annotated[
        EngineName, Role.NO_NUMBER, NotSwept("it changes no number; set it in the base")
    ] = "auto"
    threads: Threads = "auto"
    tensorboard: Annotated[
        TensorBoard,
        Role.NO_NUMBER,
        Role.OWN,
        NotSwept("set it in the base"),
        Off(NOTHING),
    ] = TensorBoard()
    sweep: Annotated[
        SkipJsonSchema[None], BeforeValidator(_no_sweep), NotSwept("a trial holds no sweep")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _own_learning_rate(cls, fields: Any) -> Any:
        """Where no learning rate is given, the config gets the optimizer's default."""
        if not isinstance(fields, dict) or fields.get("learning_rate") is not None:
            return fields
        try:
            learner = Learner.parse(fields.get("learner", GradientDescent()))
            optimizer = Optimizer.parse(fields.get("optimizer", Adam()))
        except ValueError:  # reported with the other problems, at its own place
            return fields
        if "learning_rate" not in learner.uses:
            return fields
        of = optimizer if "optimizer" in learner.uses else learner
        return {**fields, "learning_rate": of.default_learning_rate}

    @model_validator(mode="before")
    @classmethod
    def _without_data(cls, fields: Any) -> Any:
        """An objective has one example that nobody reads, and an epoch is an update."""
        if not isinstance(fields, dict) or fields.get("objective") is None:
            return fields
        try:
            batches = Learner.parse(fields.get("learner", GradientDescent())).batches
        except ValueError:  # reported at its own place
            batches = False
        own = {"dtype": "float64", "data": NO_DATA}
        if batches:
            own |= {"batch_mode": "batch", "epochs": fields.get("steps") or UPDATES}
        return {**own, **fields}

    @model_validator(mode="before")
    @classmethod
    def _null_unsets(cls, fields: Any) -> Any:
        """A key that only some learners use is as if it were not there where it is null."""
        if not isinstance(fields, dict):
            return fields  # of validators ``before`` the last one is the first to run
        return {k: v for k, v in fields.items() if v is not None or k not in SOMETIMES | REPLACED}

    @model_validator(mode="after")
    def _every_key_is_used(self) -> Self:
        """Raises an error for each key that is set and that the learner has no use for."""
        found = [key for key in type(self).model_fields if key in self.unused_keys]
        found = [key for key in found if key in self.model_fields_set and not self._is_off(key)]
        found = [key for key in found if getattr(self, key) is not NO_DATA]
        if found:
            kind = _not_used(self, found)
            errors = [InitErrorDetails(type=kind, loc=(k,), input=getattr(self, k)) for k in found]
            raise ValidationError.from_exception_data("Experiment", errors)
        return self

    @model_validator(mode="after")
    def _learner_fits_the_objective(self) -> Self:
        if self.objective and (why := self.objective.problem(self.learner)):
            raise PydanticCustomError("objective", "{why}", {"why": why, "path": "learner"})
        return self

    def _is_off(self, key: str) -> bool:
        """Whether a key that can be off is."""
        field = type(self).model_fields[key]
        can_be = any(isinstance(mark, Off) for mark in field.metadata)
        return can_be and getattr(self, key) == field.default

    @property
    def unused_keys(self) -> frozenset[str]:
        """The keys that the learner has no use for, and those that an objective replaces."""
        used = self.learner.uses | (BATCHED if self.learner.batches else set())
        used |= {"trajectory"} if "model" in used else set()
        return (SOMETIMES - used) | (REPLACED if self.objective else set())


BATCHED = frozenset({"epochs", "batch_mode", "batch_size", "accumulate"})
REPLACED = frozenset({"data", "model", "loss", "metrics", "init_from", "freeze", "trajectory"})
UPDATES = 1000  # of an objective whose config does not say
SOMETIMES = BATCHED | {
    "init_from",
    "freeze",
    "model",
    "loss",
    "metrics",
    "optimizer",
    "learning_rate",
    "schedule",
    "clipping",
    "trajectory",
}


def _not_used(experiment: Experiment, unused: Sequence[str]) -> PydanticCustomError:
    """unused: all keys that are refused; a base's are unset by null."""
    what = "the learner {learner} has no use for it"
    if experiment.objective and REPLACED & set(unused):
        what = "the objective replaces data, model and loss"
    closing = f", or append {' '.join(f'{key}=null' for key in unused)}"
    context = {"learner": experiment.learner.name, "hint": "remove it", "closing": closing}
    return PydanticCustomError("not_used", what, context)


def keys(role: Role) -> frozenset[str]:
    """The keys of Experiment with this role."""
    fields = Experiment.model_fields
    return frozenset(name for name, field in fields.items() if role in field.metadata)


@cache
def added_defaults() -> dict[str, Any]:
    """The keys that version 0.1 did not have, with the value that its configs mean, as JSON."""
    tree = Experiment.model_validate({"data": "circle"}).model_dump(mode="json", exclude_none=True)
    return {key: tree[key] for key in ADDED if key in tree}


def not_swept() -> dict[str, str]:
    """Key -> what to do instead, of those that no sweep can vary."""
    return {
        name: mark.hint
        for name, field in Experiment.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, NotSwept)
    }
