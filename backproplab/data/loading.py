"""From a data set's description to the arrays of a run: read, split, scale."""

from __future__ import annotations

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
from backproplab.data.preprocessing import Scaler, partition
from backproplab.errors import ConfigError, Problem
from backproplab.streams import stream


def load(dataset: Dataset, seed: int, dtype: DTypeLike = np.float32) -> Splits:
    """The splits of ``dataset`` under the root ``seed``; real arrays are of ``dtype``.

    Examples are drawn from the random stream ``data``, and assigned to splits by the stream
    ``split``. Means and deviations are measured on the training split alone. Raises ConfigError
    for a split that would be empty, DataError for unusable files.
    """
    source = dataset.read(stream(seed, "data"))
    examples, regression = source.examples, source.task.kind == "regression"
    train, validation, test = _split(dataset, source, stream(seed, "split"))
    scale_inputs, scale_targets = Scaler(scale=source.unit), Scaler()
    if dataset.standardize:
        scale_inputs = Scaler.fit(examples.inputs, train, source.one_scale)
    if isinstance(dataset, RegressionDataset) and dataset.standardize_targets:
        scale_targets = Scaler.fit(examples.targets, train)

    def scaled(part: Examples, rows: Array) -> Examples:
        targets = scale_targets(part.targets, rows, dtype) if regression else part.targets[rows]
        return Examples(scale_inputs(part.inputs, rows, dtype), targets)

    own = source.test
    shift, scale = scale_inputs.shift, scale_inputs.scale
    drawn = scaled(examples, test) if len(test) else None
    return Splits(
        train=scaled(examples, train),
        validation=scaled(examples, validation) if len(validation) else None,
        test=scaled(own, np.arange(len(own))) if own else drawn,
        task=source.task,
        pixels=Pixels(source.image, shift, scale) if source.image else None,
        rows=train,
    )


def _split(dataset: Dataset, source: RawData, generator: np.random.Generator) -> list[Array]:
    """The rows of the training, validation and test splits, stratified by class."""
    n = len(source.examples)
    shares = {name: getattr(dataset, name) for name in ("validation_split", "test_split")}
    sizes = [int(n * share + 0.5) for share in shares.values()]
    if sum(sizes) >= n:
        raise _empty(f"{' and '.join(shares)}: none of {n} examples is left to train on", "smaller")
    regression = source.task.kind == "regression"
    classes = np.zeros(n, np.int64) if regression else source.examples.targets
    parts = partition(classes, sizes, generator)
    for (name, share), rows in zip(shares.items(), parts[1:], strict=True):
        if share and not len(rows):
            raise _empty(f"{name}: {share:g} of {n} examples is none", "larger")
    return parts


def _empty(what: str, direction: str) -> ConfigError:
    return ConfigError(
        Problem("", f"data.{what}", f"set a {direction} share, or use more examples")
    )
