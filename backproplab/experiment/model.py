"""model(folder) -> Model: a run's network, with all that it takes to predict from other data.

It needs the run's folder alone: config, preparation, checkpoint. Nothing is trained or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab.arrays import Array
from backproplab.autograd import Tensor, vjp
from backproplab.config import Experiment, load
from backproplab.data import Examples, Preparation, Splits
from backproplab.errors import DamageError, DataError, RunError
from backproplab.experiment.intake import Data, Intake
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
from backproplab.text import typed


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network.

    intake: how data become its inputs and targets, as fitted when it was trained.
    weights: whether they are those of the best epoch, or the last.
    threads: of BLAS, as many as the run had.
    """

    folder: Path
    experiment: Experiment
    intake: Intake
    network: Network
    parameters: ParameterVector
    loss: Loss
    weights: Which
    threads: int = 1

    @property
    def preparation(self) -> Preparation:
        """Of inputs and targets, as fitted when it was trained."""
        return self.intake.preparation

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of ``probabilities``; empty for a regression."""
        return self.intake.classes

    @property
    def named(self) -> list[str] | list[int]:
        """The classes as they are predicted: whole numbers, where all are written as such."""
        names = self.classes
        whole = all(name.lstrip("-").isdecimal() and str(int(name)) == name for name in names)
        return [int(name) for name in names] if whole else list(names)

    def predict(self, data: Data) -> Array:
        """The predicted class of each row, or the number in the units of the target.

        Classes are texts (n,), or whole numbers if all of them are. Numbers are (n,), or
        (n, targets) if there are several. Raises DataError for data that it cannot take.
        """
        return self.decided(self.outputs(self.intake.inputs(data)))

    def probabilities(self, data: Data) -> Array:
        """How sure it is of each class, (n, classes). Raises DataError."""
        if not self.classes:
            raise DataError(f"{self.folder}: it predicts a number, which has no probabilities")
        return self.loss.probabilities(self.outputs(self.intake.inputs(data)))

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
            return {"data": self.intake.examples(data)}
        splits = self.splits()
        found = {name: getattr(splits, name) for name in SPLITS}
        return {name: part for name, part in found.items() if part}

    def splits(self) -> Splits:
        """The splits of the run's own data, read again. Raises DataError."""
        e = self.experiment
        keeps = e.init_from and e.init_from.preprocessing == "keep"
        kept = self.preparation if keeps else None
        return load_splits(e.data, e.seed, np.dtype(e.dtype), kept)

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
    intake = Intake(path, experiment.data, preparation, parameters.flat.dtype)
    own = experiment, intake, network, parameters, loss, which
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
