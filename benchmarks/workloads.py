"""The rows of the speed table as data: networks, goals, inputs and first weights.

This file knows what is trained, but no library that trains it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
ROWS, CLASSES = 60_000, 10
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


class Side(NamedTuple):
    """One implementation of a workload, ready to train.

    step: trains on the next k minibatches and returns when the weights are computed.
    weights: returns the current weights in the form of ``first_weights``.
    """

    step: Callable[[int], None]
    weights: Callable[[], list[Array]]


@dataclass(frozen=True)
class Workload:
    """One network, trained with softmax cross-entropy.

    inputs, hidden: widths of the input and of the hidden dense layers.
    filters: for each, a 3×3 convolution (same), 2×2 max pool, relu before them; 28×28 images.
    steps: training steps per round.
    activation: of the hidden layers.  dropout: after each of them.
    batch_norm: after each convolution.  dtype: of data and weights.
    """

    name: str
    title: str
    inputs: int
    hidden: tuple[int, ...]
    batch: int
    optimizer: Literal["sgd", "momentum", "adam"]
    rate: float
    steps: int
    filters: tuple[int, ...] = ()
    activation: Literal["relu", "tanh"] = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    dtype: Literal["float32", "float64"] = "float32"

    @property
    def is_plain(self) -> bool:
        """Whether every side has it; the others are compared with PyTorch alone."""
        own = self.activation, self.dropout, self.batch_norm, self.dtype
        return own == ("relu", 0.0, False, "float32")

    @property
    def kernels(self) -> list[tuple[int, ...]]:
        """The shape of each layer's kernel: (3, 3, channels, filters) or (inputs, units)."""
        convolutions = [(3, 3, *ends) for ends in pairwise((1, *self.filters))]
        side = 28 >> len(self.filters)
        features = side * side * self.filters[-1] if self.filters else self.inputs
        return [*convolutions, *pairwise((features, *self.hidden, CLASSES))]


WORKLOADS = {
    work.name: work
    for work in (
        Workload("A", "784-128-10, minibatch 32, Adam", 784, (128,), 32, "adam", 1e-3, 300),
        Workload("B", "64-32-10, stochastic, SGD", 64, (32,), 1, "sgd", 1e-2, 2000),
        Workload(
            "C", "784-1024-1024-10, minibatch 128, momentum", 784, (1024,) * 2, 128, "momentum",
            1e-2, 20,
        ),
        Workload("D", "784-128-10, batch of 60 000, SGD", 784, (128,), ROWS, "sgd", 1e-1, 1),
        Workload(
            "CNN", "conv 16-32, 3×3, pool, dense, minibatch 64", 784, (), 64, "sgd", 1e-2, 10,
            (16, 32),
        ),
        Workload(
            "CNN-norm", "the same with batch normalization after each convolution", 784, (), 64,
            "sgd", 1e-2, 10, (16, 32), batch_norm=True,
        ),
        Workload(
            "dropout", "784-256-256-10, dropout of a half, minibatch 64, Adam", 784, (256,) * 2, 64,
            "adam", 1e-3, 100, dropout=0.5,
        ),
        Workload(
            "float64", "784-128-10, minibatch 32, Adam, float64", 784, (128,), 32, "adam", 1e-3,
            200, dtype="float64",
        ),
        Workload(
            "deep", "784, five times 200 tanh, 10, minibatch 10, SGD", 784, (200,) * 5, 10, "sgd",
            1e-2, 200, activation="tanh",
        ),
    )
}  # fmt: skip

# (row, side): what the time of that side, divided by ours, is to be at least; a pair where it is
# another one with several threads
GOALS: dict[tuple[str, str], float | tuple[float, float]] = {
    ("A", "torch"): 3.0, ("A", "torch.compile"): 1.4, ("A", "jax"): 1.0,
    ("A", "jax.scan"): (1.25, 1.0), ("A", "keras.fit"): 1.0,
    ("A", "scikit-learn"): 2.0, ("A", "keras"): 4.0, ("A", "hand"): 0.87,
    ("B", "torch"): 150.0, ("B", "torch.compile"): 7.0, ("B", "jax"): 1.0, ("B", "jax.scan"): 1.4,
    ("B", "keras.fit"): 1.0,
    ("B", "scikit-learn"): 2.5, ("B", "keras"): 40.0, ("B", "hand"): 0.87,
    ("C", "torch"): 1.0, ("C", "torch.compile"): 1.0, ("C", "jax"): 1.0, ("C", "jax.scan"): 1.0,
    ("C", "keras.fit"): 1.0, ("C", "hand"): 0.87,
    ("D", "torch"): (1.15, 1.3), ("D", "torch.compile"): 1.0, ("D", "jax"): 1.5,
    ("D", "keras.fit"): 1.0, ("D", "scikit-learn"): 1.3, ("D", "hand"): 0.87,
    ("CNN", "torch"): 1.0, ("CNN", "torch.channels_last"): 1.1, ("CNN", "torch.compile"): 1.0,
    ("CNN", "jax"): 1.0, ("CNN", "keras.fit"): 1.0,
    ("CNN-norm", "torch.channels_last"): 1.0, ("CNN-norm", "torch.compile"): 1.0,
    ("dropout", "torch"): 1.0, ("dropout", "torch.compile"): 1.0,
    ("float64", "torch"): 1.0, ("float64", "torch.compile"): 1.0,
    ("deep", "torch"): 1.0, ("deep", "torch.compile"): 1.0,
    ("genetic-wide", "hand"): 0.91, ("genetic", "hand"): 0.91, ("genetic-small", "hand"): 0.91,
    ("genetic-wide", "one at a time"): 2.0, ("genetic", "one at a time"): 2.0,
    ("genetic-small", "one at a time"): 2.0,
    ("genetic-wide", "torch"): 1.0, ("genetic", "torch"): 1.0, ("genetic-small", "torch"): 1.0,
    ("numeric", "hand"): 0.91, ("numeric", "one at a time"): 2.0,
    ("sweep", "one at a time"): 10.0, ("sweep-command", "one at a time"): 5.0,
    ("sweep", "optuna + torch"): 40.0, ("sweep-command", "optuna + torch"): 15.0,
    ("sweep", "scikit-learn + joblib"): 30.0, ("sweep-command", "scikit-learn + joblib"): 10.0,
    ("sweep", "jax vmap + scan"): 1.0, ("sweep-command", "jax vmap + scan"): 1.0,
}  # fmt: skip

# row of the product itself: what its time, divided by the reference's, is to be at most
LIMITS = {
    "--help": 1.3, "config error": 1.3,
    "default, quickstart": 1.1, "default, Fashion-MNIST": 1.1, "default, CNN": 1.1,
    "default, crew": 1.15,
    "update_freq: batch, quickstart": 1.5, "update_freq: batch, Fashion-MNIST": 1.15,
    "update_freq: 10, quickstart": 1.15, "update_freq: 10, Fashion-MNIST": 1.15,
}  # fmt: skip


def source() -> str:
    """The name of the data trained on."""
    return "Fashion-MNIST" if FASHION_MNIST.is_dir() else "random data (no Fashion-MNIST here)"


@lru_cache(maxsize=1)  # all sides share it
def examples(inputs: int, dtype: str = "float32") -> tuple[Array, Array]:
    """60 000 inputs (standardized) and labels (int64).

    784 inputs are the images, 64 every third pixel of their center; any other number is noise.
    """
    if inputs not in (784, 64) or not FASHION_MNIST.is_dir():
        generator = np.random.default_rng(0)
        noise = generator.standard_normal((ROWS, inputs), np.float32)
        return noise.astype(dtype), generator.integers(0, CLASSES, ROWS)
    x = _idx("train-images-idx3-ubyte.gz", 16).reshape(ROWS, 28, 28)
    x = x if inputs == 784 else x[:, 2:26:3, 2:26:3]
    x = x.reshape(ROWS, inputs).astype(np.float32)
    x -= x.mean()
    x /= x.std()
    return x.astype(dtype, copy=False), _idx("train-labels-idx1-ubyte.gz", 8).astype(np.int64)


def _idx(name: str, header: int) -> Array:
    return np.frombuffer(gzip.decompress((FASHION_MNIST / name).read_bytes()), np.uint8)[header:]


def first_weights(work: Workload) -> list[Array]:
    """Of each layer kernel and bias, Glorot uniform and zero, the same for all sides; after each
    convolution, where there is batch normalization, its scale and shift, 1 and 0."""
    generator, weights = np.random.default_rng(0), []
    for shape in work.kernels:
        window = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (window * (shape[-2] + shape[-1])))
        kernel = generator.uniform(-limit, limit, shape).astype(work.dtype)
        weights += [kernel, np.zeros(shape[-1], work.dtype)]
        if work.batch_norm and len(shape) == 4:
            weights += [np.ones(shape[-1], work.dtype), np.zeros(shape[-1], work.dtype)]
    return weights


def minibatches(work: Workload) -> Iterator[slice]:
    """Contiguous minibatches in an endless cycle, without an incomplete last one."""
    starts = range(0, ROWS - work.batch + 1, work.batch)
    return cycle([slice(start, start + work.batch) for start in starts])


def stretches(batches: Iterable[slice]) -> list[slice]:
    """The rows of the ``batches`` in as few slices as possible."""
    ends: list[int] = []  # begin and end of each, in turn: slices would take longer than B's step
    for rows in batches:
        if ends and ends[-1] == rows.start:
            ends[-1] = rows.stop
        else:
            ends += rows.start, rows.stop
    return [slice(*pair) for pair in zip(ends[::2], ends[1::2], strict=True)]
