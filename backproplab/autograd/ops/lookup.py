"""Rows of a table by index: embeddings."""

from __future__ import annotations

from math import prod

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into
from backproplab.autograd.primitive import Op, primitive
from backproplab.autograd.samples import sample
from backproplab.errors import GraphError


def _rows_of(indices: Array, members: tuple[int, ...], rows: int) -> Array:
    """The indices as rows of all members' tables, joined along the rows."""
    first = rows * np.arange(prod(members)).reshape(*members, 1, 1)
    at: Array = indices + first
    return at


def _embedding(indices: Array, table: Array) -> Array:
    if indices.dtype.kind not in "iu":
        raise GraphError(f"embedding takes whole numbers, got {indices.dtype}")
    if indices.size and not 0 <= indices.min() <= indices.max() < table.shape[-2]:
        raise GraphError(
            f"embedding: {indices.min()} to {indices.max()} are not all among the "
            f"{table.shape[-2]} rows of the table, 0 to {table.shape[-2] - 1}"
        )
    members, rows = np.broadcast_shapes(indices.shape[:-2], table.shape[:-2]), table.shape[-2:]
    every = np.broadcast_to(table, (*members, *rows)).reshape(prod(members) * rows[0], rows[1])
    return every[_rows_of(indices, members, rows[0])]


def _add_rows(g: Array, indices: Array, rows: int) -> Array:
    """Zeros with each row of g added at its index. Sorts g by index, so that each sum is over
    adjacent rows: np.add.at takes ten times as long."""
    members, units = g.shape[:-3], g.shape[-1]
    at = np.broadcast_to(_rows_of(indices, members, rows), g.shape[:-1]).ravel()
    order = np.argsort(at, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    total = np.zeros((prod(members) * rows, units), g.dtype)
    if len(starts):
        total[at[order][starts]] = np.add.reduceat(g.reshape(-1, units)[order], starts, axis=0)
    return total.reshape(*members, rows, units)


embedding: Op = primitive(
    "embedding",
    into(_embedding),
    vjp=[None, lambda g, y, indices, table: add_rows(g, indices, rows=table.shape[-2])],
    samples=[
        sample(lambda rng: (rng.integers(0, 4, (2, 5)), rng.standard_normal((4, 3)))),
        sample(lambda rng: (np.array([[1, 1, 0], [1, 2, 1]]), rng.standard_normal((4, 3)))),
    ],
    doc="table[indices] for whole numbers (…, n, length) and a table (…, rows, units).",
)
add_rows: Op = primitive(
    "add_rows",
    into(_add_rows),
    vjp=[lambda g, y, x, indices, rows: embedding(indices, g), None],
    samples=sample(
        lambda rng: (rng.standard_normal((2, 5, 3)), rng.integers(0, 4, (2, 5))), rows=4
    ),
    doc="Zeros (…, rows, units) with each row of x added at its index; the transpose of embedding.",
)
