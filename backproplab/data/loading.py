"""From a data set's description to the arrays of a run: read, split, scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from backproplab.data.dataset import Dataset, Examples, RegressionDataset, Source, Splits
from backproplab.data.preprocessing import Scaler, partition
from backproplab.errors import ConfigError, Problem
from backproplab.streams import stream


def load(dataset: Dataset, seed: int, dtype: DTypeLike = np.float32) -> Splits:
    """The splits of ``dataset`` under the root ``seed``; real arrays are of ``dtype``.

    What is drawn depends on the stream ``data``, who goes where on the stream ``split``. Means
    and deviations are measured on the training split alone. Raises ConfigError for a split that
    would be empty, DataError for files that cannot be used.
    """
    source = dataset.read(stream(seed, "data"))
    train, validation, test = _split(dataset, source, stream(seed, "split"))
    scale_inputs = Scaler.fit(train.inputs) if dataset.standardize else Scaler(scale=source.unit)
    scale_targets = Scaler()
    if isinstance(dataset, RegressionDataset) and dataset.standardize_targets:
        scale_targets = Scaler.fit(train.targets)

    def scaled(part: Examples) -> Examples:
        regression = source.task.kind == "regression"
        targets = scale_targets(part.targets, dtype) if regression else part.targets
        return Examples(scale_inputs(part.inputs, dtype), targets)

    return Splits(
        train=scaled(train),
        validation=scaled(validation) if validation else None,
        test=scaled(test) if test else None,
        task=source.task,
    )


def _split(
    dataset: Dataset, source: Source, generator: np.random.Generator
) -> tuple[Examples, Examples | None, Examples | None]:
    """Training, validation and test examples; classes keep their shares."""
    examples, n = source.examples, len(source.examples)
    shares = {name: getattr(dataset, name) for name in ("validation_split", "test_split")}
    sizes = [int(n * share + 0.5) for share in shares.values()]
    if sum(sizes) >= n:
        raise _empty(f"{' and '.join(shares)}: none of {n} examples is left to train on", "less")
    regression = source.task.kind == "regression"
    classes = np.zeros(n, np.int64) if regression else examples.targets
    train, *held_out = partition(classes, sizes, generator)
    for (name, share), indices in zip(shares.items(), held_out, strict=True):
        if share and not len(indices):
            raise _empty(f"{name}: {share:g} of {n} examples is none", "more")
    validation, test = (examples.take(part) if len(part) else None for part in held_out)
    return examples.take(train), validation, test if source.test is None else source.test


def _empty(what: str, direction: str) -> ConfigError:
    return ConfigError(Problem("", f"data.{what}", f"ask for {direction}, or use more examples"))
