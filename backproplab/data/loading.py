"""From a data set's description to the arrays of a run: read, split, scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from backproplab.arrays import Array
from backproplab.data.dataset import (
    Dataset,
    Examples,
    Pixels,
    RawData,
    RegressionDataset,
    Splits,
)
from backproplab.data.encoding import Encoder
from backproplab.data.folds import Fold
from backproplab.data.preparation import Preparation
from backproplab.data.preprocessing import Scaler, first_of_each
from backproplab.errors import ConfigError, Problem
from backproplab.streams import stream


def load(
    dataset: Dataset, seed: int, dtype: DTypeLike = np.float32, kept: Preparation | None = None
) -> Splits:
    """The splits of ``dataset`` under the root ``seed``; real arrays are of ``dtype``.

    Examples are drawn from the random stream ``data``, and assigned to splits by the stream
    ``split``. Means, deviations and categories are those of the training split
    alone, unless they are ``kept`` from another run.
    Raises ConfigError for a split that would be empty, DataError for unusable files.
    """
    source, generator = dataset.read(stream(seed, "data")), stream(seed, "split")
    train, validation, test = _split(dataset, source, generator)
    noisy = _noisy(dataset, source, train, generator)
    train = _fewer(dataset, source, train)
    preparation = kept or _fitted(dataset, source, train, noisy)
    if kept:
        _check_fit(kept, source)

    def prepared(part: Examples, rows: Array) -> Examples:
        return Examples(
            preparation.prepare(source.columns or part.inputs, rows, dtype),
            preparation.encode(part.targets, rows, dtype),
            _weights(part, rows),
        )

    own, scaler = source.test, preparation.inputs
    drawn = prepared(source.examples, test) if len(test) else None
    return Splits(
        train=prepared(replace(source.examples, targets=noisy), train),
        validation=prepared(source.examples, validation) if len(validation) else None,
        test=prepared(own, np.arange(len(own))) if own else drawn,
        task=preparation.task,
        pixels=Pixels(source.image, scaler.shift, scaler.scale)
        if source.image and isinstance(scaler, Scaler)
        else None,
        rows=train,
        held={"validation": validation, "test": test},
        preparation=preparation,
        remarks=source.remarks,
    )


def _fitted(dataset: Dataset, source: RawData, train: Array, targets: Array) -> Preparation:
    """What the training rows say of inputs and targets; no other row has an influence."""
    inputs: Scaler | Encoder = Scaler(scale=source.unit)
    if source.columns:
        inputs = source.columns.fit(train, dataset.standardize)
    elif dataset.standardize:
        fit = Scaler.between if dataset.standardize == "minmax" else Scaler.fit
        inputs = fit(source.examples.inputs, train, source.one_scale)
    scale_targets = Scaler()
    if isinstance(dataset, RegressionDataset) and source.task.kind == "regression":
        scale_targets = Scaler.fit(targets, train) if dataset.standardize_targets else Scaler()
    shape = (
        (len(inputs.names),) if isinstance(inputs, Encoder) else source.examples.inputs.shape[1:]
    )
    task = source.task
    if task.kind == "classification":
        counts = np.bincount(targets[train], minlength=task.outputs)
        task = replace(task, counts=tuple(counts.tolist()))
    return Preparation(inputs, scale_targets, task, shape, source.names)


def _weights(part: Examples, rows: Array) -> Array | None:
    """What these rows count. Raises ConfigError if none of them counts anything."""
    if part.weights is None or not len(rows):
        return None
    weights = part.weights[rows]
    if not weights.any():
        what = f"data.weights: {len(rows):,} rows of one split have the weight 0, all that it has"
        raise ConfigError(Problem("", what, "leave them out, or use another split"))
    return weights


def _check_fit(kept: Preparation, source: RawData) -> None:
    """Raise ConfigError where data are not of the columns, shape and task of another run's."""
    inputs, task = kept.inputs, source.task
    if isinstance(inputs, Encoder):
        features = [(each.name, each.kind) for each in inputs.features]
        own = source.columns.features if source.columns else ()
        same = features == [(each.name, each.kind) for each in own]
        there = ", ".join(f"{name} ({kind})" for name, kind in features[:8])
    else:
        same = source.columns is None and kept.shape == source.examples.inputs.shape[1:]
        there = f"n × {' × '.join(map(str, kept.shape))} numbers"
    problems = [] if same else [f"the run's inputs are {there}, these are others"]
    if (kept.task.kind, kept.task.outputs, kept.task.labels) != (
        task.kind,
        task.outputs,
        task.labels,
    ):
        names = ", ".join(kept.task.labels[:8]) or f"{kept.task.outputs} numbers"
        problems.append(f"the run predicts another target: {names}")
    hint = "set data.columns, or init_from.preprocessing=own"
    if problems:
        raise ConfigError(*(Problem("", f"init_from.preprocessing: {p}", hint) for p in problems))


def _noisy(
    dataset: Dataset, source: RawData, train: Array, generator: np.random.Generator
) -> Array:
    """The targets, with ``label_noise`` in the training rows: the same rows for any size."""
    targets = source.examples.targets
    if not dataset.label_noise:
        return targets
    changed = targets.copy()
    if source.task.kind == "regression":
        noise = generator.standard_normal(targets.shape) * targets[train].std(axis=0)
        changed[train] = (targets + dataset.label_noise * noise)[train]
        return changed
    chosen = generator.random(len(targets)) < dataset.label_noise
    shift = generator.integers(1, max(source.task.outputs, 2), len(targets))
    other = (targets + shift) % source.task.outputs
    changed[train] = np.where(chosen, other, targets)[train]
    return changed


def _fewer(dataset: Dataset, source: RawData, train: Array) -> Array:
    """The first ``train_samples`` training rows, class by class in proportion."""
    most = dataset.train_samples
    if most is None:
        return train
    if most > len(train):
        what = f"train_samples: {most:,} of {len(train):,} training examples"
        raise ConfigError(Problem("", f"data.{what}", "set a smaller number"))
    regression = source.task.kind == "regression"
    classes = np.zeros(len(train), np.int64) if regression else source.examples.targets[train]
    return train[first_of_each(classes, most)]


def _split(dataset: Dataset, source: RawData, generator: np.random.Generator) -> list[Array]:
    """The rows of the training, validation and test splits, by the rule of the data."""
    n = len(source.examples)
    shares = {name: getattr(dataset, name) for name in ("validation_split", "test_split")}
    sizes = [int(n * share + 0.5) for share in shares.values()]
    given = source.split.is_given
    if sum(sizes) >= n and not given:
        raise _empty(f"{' and '.join(shares)}: none of {n} examples is left to train on", "smaller")
    regression = source.task.kind == "regression"
    classes = np.zeros(n, np.int64) if regression else source.examples.targets
    keys = np.zeros(n) if source.keys is None else source.keys
    if dataset.fold:
        return _fold(dataset, dataset.fold, source, keys, classes, generator)
    parts = source.split.rows(keys, classes, sizes, generator)
    if not len(parts[0]):
        raise ConfigError(Problem("", f"data.split: no row is left to train on, of {n:,}"))
    for (name, share), rows in zip(shares.items(), parts[1:], strict=True):
        if share and not len(rows) and not given:
            raise _empty(f"{name}: {share:g} of {n} examples is none", "larger")
    return parts


def _fold(
    dataset: Dataset,
    fold: Fold,
    source: RawData,
    keys: Array,
    classes: Array,
    generator: np.random.Generator,
) -> list[Array]:
    """The rows of the splits, of which the test split is one fold."""
    share = dataset.validation_split
    if source.test or source.split.is_given:
        what = "data.fold: the data bring their own test examples, and a fold would be another test"
        raise ConfigError(Problem("", what, "remove it"))
    parts = source.split.fold(fold, keys, classes, share, generator)
    for name, rows in zip(("train on", "validate on", "test"), parts, strict=True):
        if not len(rows) and (share or name != "validate on"):
            what = (
                f"data.fold: fold {fold.index} of {fold.of} leaves none of {len(keys):,} examples"
            )
            raise ConfigError(Problem("", f"{what} to {name}", "use fewer folds, or more examples"))
    return parts


def _empty(what: str, direction: str) -> ConfigError:
    return ConfigError(
        Problem("", f"data.{what}", f"set a {direction} share, or use more examples")
    )
