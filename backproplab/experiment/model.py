"""model(folder) -> Model: a run's network, with all that it takes to predict from other data.

It needs the run's folder alone: config, preparation, checkpoint. Nothing is trained or written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab.arrays import Array
from backproplab.autograd import Tensor, vjp
from backproplab.config import Experiment, load
from backproplab.data import Examples, Others, Preparation, Splits, TableData
from backproplab.data.encoding import Columns, Encoder
from backproplab.errors import DamageError, DataError, Problem, RunError
from backproplab.experiment.limits import load as load_splits
from backproplab.experiment.networks import network_of
from backproplab.files import DiskFolder
from backproplab.journal.saved import Which, read_weights
from backproplab.learners import Evaluation, NoBrake
from backproplab.learners.evaluation import tile_length, tiles
from backproplab.measures import SPLITS, Row
from backproplab.nn import Loss, Network, ParameterVector, encoded, metrics_of, weighted
from backproplab.nn.layer import Weights
from backproplab.runs.run_folder import CONFIG, RECORD, RunFolder
from backproplab.tables import Table, Target, listed, table_of
from backproplab.text import counted, typed

Data = Any  # a path, a data frame of pandas, a Table, or an array (n, …)


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network.

    preparation: of its inputs and targets, as fitted when it was trained.
    weights: whether they are those of the best epoch, or the last.
    threads: of BLAS, as many as the run had.
    """

    folder: Path
    experiment: Experiment
    preparation: Preparation
    network: Network
    parameters: ParameterVector
    loss: Loss
    weights: Which
    threads: int = 1

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of ``probabilities``; empty for a regression."""
        task = self.preparation.task
        numbered = tuple(map(str, range(task.outputs)))
        return (task.labels or numbered) if task.kind == "classification" else ()

    @property
    def named(self) -> list[str] | list[int]:
        """The classes as they are predicted: whole numbers, where all are written as such."""
        names = self.classes
        whole = all(name.lstrip("-").isdecimal() and str(int(name)) == name for name in names)
        return [int(name) for name in names] if whole else list(names)

    @property
    def row_name(self) -> str:
        """The column that names the rows of the run's data; empty if there is none."""
        return str(getattr(self.experiment.data, "id", ""))

    def predict(self, data: Data) -> Array:
        """The predicted class of each row, or the number in the units of the target.

        Classes are texts (n,), or whole numbers if all of them are. Numbers are (n,), or
        (n, targets) if there are several. Raises DataError for data that it cannot take.
        """
        return self.decided(self.outputs(self.inputs(data)))

    def probabilities(self, data: Data) -> Array:
        """How sure it is of each class, (n, classes). Raises DataError."""
        if not self.classes:
            raise DataError(f"{self.folder}: it predicts a number, which has no probabilities")
        return self.loss.probabilities(self.outputs(self.inputs(data)))

    def inputs(self, data: Data) -> Array:
        """What the network takes, (n, *shape), prepared as in training. Raises DataError."""
        raw = self.raw(data)
        return self.preparation.prepare(raw, np.arange(len(raw)), self.parameters.flat.dtype)

    def raw(self, data: Data) -> Array | Columns:
        """The rows as the run's data set would read them. Raises DataError."""
        preparation, given = self.preparation, self.opened(data)
        if isinstance(preparation.inputs, Encoder):
            if not isinstance(given, Table):
                what = "it takes a table with named columns"
                names = ", ".join(feature.name for feature in preparation.inputs.features[:8])
                raise DataError(str(Problem(str(self.folder), what, f"such as {names}")))
            return Columns.of(given, preparation.inputs.features)
        if isinstance(given, Table):
            return self._array(_matrix(given, preparation))
        return self._array(given.inputs if isinstance(given, Others) else given)

    def _array(self, raw: Array) -> Array:
        shape = self.preparation.shape
        if prod(raw.shape[1:]) == prod(shape):  # an image as it is, of a run on flat ones
            raw = raw.reshape(len(raw), *shape)
        if raw.shape[1:] != shape:
            expected, found = (
                " × ".join(map(str, ("n", *each))) for each in (shape, raw.shape[1:])
            )
            raise DataError(f"{self.folder}: it takes {expected} numbers, these are {found}")
        if not np.isfinite(raw).all():
            raise DataError(
                f"{self.folder}: {np.sum(~np.isfinite(raw)):,} inputs are NaN or infinite"
            )
        return raw

    def opened(self, data: Data) -> Table | Array | Others:
        """What the data are: a table, an array, or inputs with names. Raises DataError."""
        if isinstance(data, Table | np.ndarray | Others):
            return data
        if isinstance(data, str | Path):
            inputs = self.preparation.inputs
            features = inputs.features if isinstance(inputs, Encoder) else ()
            texts = [feature.name for feature in features if feature.kind != "numeric"]
            return self.experiment.data.other(Path(data), texts)
        return table_of(data) if hasattr(data, "columns") else np.asarray(data)

    def outputs(self, inputs: Array) -> Array:
        """The network's outputs (n, units) of inputs that are prepared, without dropout."""
        tensors, length = self.parameters.tensors(), tile_length(self.network)
        with self._threads, np.errstate(all="ignore"):
            found = [
                self.network(tensors, Tensor(inputs[tile])).value
                for tile in tiles(len(inputs), length, NoBrake())
                if tile is not None
            ]
        none = np.empty((0, *self.network.output_shape), self.parameters.flat.dtype)
        return np.concatenate([none, *found])

    def decided(self, outputs: Array) -> Array:
        """What outputs say: classes, or numbers in the units of the target."""
        if not self.classes:
            real = self.preparation.real(outputs)
            return real[:, 0] if real.shape[-1] == 1 else real
        return np.array(self.named)[self.loss.decide(outputs)]

    def evaluate(self, data: Data = None, fgsm: float | None = None) -> dict[str, tuple[int, Row]]:
        """By name (rows, loss and metrics): of data with targets, or of the run's own splits.

        The loss is the one that was trained with; metrics are in the units of the target.
        fgsm: also of the same examples, attacked: ``test fgsm``.
        """
        examples = self.examples(data)
        found = {name: self._measured(part) for name, part in examples.items()}
        if fgsm is None:
            return found
        attacked = {f"{name} fgsm": self.attacked(part, fgsm) for name, part in examples.items()}
        return found | {name: self._measured(part) for name, part in attacked.items()}

    def attacked(self, examples: Examples, epsilon: float) -> Examples:
        """x + epsilon sign(∂loss/∂x): the fast gradient sign method, Goodfellow et al. 2015.

        x are the prepared inputs, in deviations where they are standardized.
        """
        signs = np.sign(self.input_gradients(examples))
        return replace(examples, inputs=examples.inputs + signs.dtype.type(epsilon) * signs)

    def input_gradients(self, examples: Examples) -> Array:
        """∂loss/∂x of each example's own loss, (n, *shape), at its prepared inputs x."""
        tensors, length = self.parameters.tensors(), tile_length(self.network)
        task, dtype = self.preparation.task, self.parameters.flat.dtype
        taken = self.loss.encode(examples.targets, task, dtype)
        slopes = np.empty_like(examples.inputs)
        with self._threads, np.errstate(all="ignore"):
            for tile in tiles(len(examples), length, NoBrake()):
                if tile is not None:
                    targets = Tensor(taken[tile])
                    x = examples.inputs[tile]
                    losses, pull = vjp(partial(self._losses, tensors, targets), x)
                    slopes[tile] = pull(np.ones_like(losses.value))[0].value
        return slopes

    def _losses(self, tensors: Weights, targets: Tensor, x: Tensor) -> Tensor:
        return self.loss(self.network(tensors, x), targets)

    def examples(self, data: Data = None) -> dict[str, Examples]:
        """Prepared examples by name: of data with targets, or the run's own splits."""
        if data is not None:
            return {"data": Examples(self.inputs(data), self.labels(data), self.counts(data))}
        splits = self.splits()
        found = {name: getattr(splits, name) for name in SPLITS}
        return {name: part for name, part in found.items() if part}

    def splits(self) -> Splits:
        """The splits of the run's own data, read again. Raises DataError."""
        e = self.experiment
        keeps = e.init_from and e.init_from.preprocessing == "keep"
        kept = self.preparation if keeps else None
        return load_splits(e.data, e.seed, np.dtype(e.dtype), kept)

    def labels(self, data: Data) -> Array:
        """The targets of data, as training holds them. Raises DataError if it has none."""
        table, task = self.opened(data), self.preparation.task
        if isinstance(table, Others):
            return self._places(table)
        if not isinstance(table, Table):
            raise DataError(f"{self.folder}: an array has no targets; give a table")
        assert task.kind != "objective"  # of which there is no model
        name = task.target or _last(table, self.preparation)
        targets = Target(name, task.kind, self.classes).read(table)
        return self.preparation.encode(targets, np.arange(len(targets)), self.parameters.flat.dtype)

    def _places(self, others: Others) -> Array:
        """The labels of examples whose classes are known. Raises DataError for another class."""
        if not others.classes:
            what = f"{self.folder}: the classes of these examples are not known"
            raise DataError(f"{what}; give a folder with a folder for each class")
        place = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted(set(others.classes) - set(place))
        if unknown:
            row = others.classes.index(unknown[0])
            what = f"the class '{unknown[0]}' is none of {listed(list(self.classes))}"
            raise DataError(str(Problem(others.names[row], what)))
        return np.array([place[name] for name in others.classes], np.int64)

    def counts(self, data: Data) -> Array | None:
        """What each row of a table counts, if the run's data have weights. Raises DataError."""
        dataset, table = self.experiment.data, self.opened(data)
        return (
            dataset.counts(table)
            if isinstance(dataset, TableData) and isinstance(table, Table)
            else None
        )

    def _measured(self, examples: Examples) -> tuple[int, Row]:
        task, dtype = self.preparation.task, self.parameters.flat.dtype
        loss = weighted(self.loss, examples.weights is not None)
        taken = encoded(loss, examples, task, dtype)
        evaluation = Evaluation(self.network, self.parameters, loss, ())
        with self._threads, np.errstate(all="ignore"):
            row = evaluation(examples.inputs, examples.targets, taken)
        assert row is not None
        outputs, targets = self.outputs(examples.inputs), examples.targets
        if task.kind == "regression":
            outputs, targets = (self.preparation.real(x) for x in (outputs, targets))
        of = self.loss, outputs, targets, examples.weights
        metrics = metrics_of(task, self.experiment.metrics or ())
        row |= {m.name: m.function(*of) for m in metrics}
        return len(examples), {name: float(value) for name, value in row.items()}

    def remarks(self, data: Data) -> Iterator[str]:
        """What is to be known of data: values that training has not seen, columns not used."""
        table, raw = self.opened(data), self.raw(data)
        inputs = self.preparation.inputs
        if isinstance(table, Table) and isinstance(raw, Columns) and isinstance(inputs, Encoder):
            yield from inputs.remarks(raw)
            dataset = self.experiment.data
            weights = dataset.weights if isinstance(dataset, TableData) else ""
            own = {self.preparation.task.target, self.row_name, weights}
            used = {feature.name for feature in raw.features} | own
            spare = [name for name in table.columns if name not in used]
            if spare:
                yield f"not used: {', '.join(spare[:8])}{', …' if len(spare) > 8 else ''}"

    @property
    def _threads(self) -> Any:
        return threadpool_limits(self.threads)


def model(folder: Path | str, weights: Which = "best") -> Model:
    """The model of a run.

    weights: of the best epoch, or the last; the last where there are no best ones.
    Raises RunError for a run that has no model to use, DamageError for a damaged one.
    """
    path = Path(folder)
    files = RunFolder(DiskFolder(path))
    record = files.record
    if not record:
        raise RunError(f"{path / RECORD}: no such file: there is no run")
    digest = record.get("hashes", {}).get("preparation")
    if not isinstance(digest, str):
        hint = typed("backproplab", "train", path / CONFIG)
        raise RunError(f"{path} did not keep how its data were prepared — train it again: {hint}")
    experiment = load(path / CONFIG)
    if experiment.objective:
        raise RunError(f"{path}: an objective predicts nothing; where it went is in metrics.csv")
    if not {"model", "loss"} <= experiment.learner.uses:
        name = experiment.learner.name
        raise RunError(f"{path}: the learner {name} keeps no network to predict with")
    try:
        preparation = Preparation.read(files.preparation(digest))
    except (LookupError, TypeError, ValueError) as error:
        raise DamageError(f"{path}: preparation.json: damaged: {error}") from error
    loss = experiment.loss.resolve(preparation.task)
    network = network_of(experiment.model, preparation, loss.units(preparation.task))
    parameters, which = _weights(path, network, np.dtype(experiment.dtype), weights)
    own = experiment, preparation, network, parameters, loss, which
    return Model(path, *own, threads=_threads(record))


def _threads(record: Mapping[str, Any]) -> int:
    """Threads of BLAS in a run: another number rounds differently."""
    threads = record.get("numerics", {}).get("threads")
    return threads if type(threads) is int and threads > 0 else 1


def _weights(
    path: Path, network: Network, dtype: np.dtype[Any], wanted: Which
) -> tuple[ParameterVector, Which]:
    """The weights of a checkpoint, and which they are."""
    arrays, which = read_weights(path, wanted)
    parameters = network.parameters(dtype)
    for name, view in parameters.views.items():
        if name not in arrays or arrays[name].shape != view.shape:
            raise DamageError(
                f"{path}: the checkpoint's weights are not those of its config: {name}"
            )
        np.copyto(view, arrays[name])
    return parameters, which


def _matrix(table: Table, preparation: Preparation) -> Array:
    """The numbers of a table, column by column, of data without names; the target may follow."""
    from backproplab.tables import Feature, measured

    width = int(np.prod(preparation.shape))
    names = list(table.columns)
    if len(names) not in (width, width + 1):
        raise DataError(
            f"{table.name}: {counted(len(names), 'column')}, expected {width:,} numbers"
        )
    columns = [measured(table, Feature(name, "numeric")) for name in names[:width]]
    return np.hstack([np.asarray(c) for c in columns]).reshape(len(table), *preparation.shape)


def _last(table: Table, preparation: Preparation) -> str:
    """The column after the inputs, of data whose target has no name."""
    width = int(np.prod(preparation.shape))
    if len(table.columns) != width + 1:
        what = f"{counted(len(table.columns), 'column')}, expected {width:,} inputs and the target"
        raise DataError(f"{table.name}: {what}")
    return list(table.columns)[-1]
