"""EmbedColumns: vectors for the categories of some inputs, beside inputs that are numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from backproplab.autograd import Tensor, ops
from backproplab.autograd.ops.lookup import embedding
from backproplab.nn.initializers import Initializer, Uniform
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weight, Weights
from backproplab.nn.layers import whole_numbers
from backproplab.spec import Count

Place = Annotated[int, Field(ge=0)]
Column = Annotated[tuple[Place, Count, Count], Field(strict=False)]


class EmbedColumns(Layer, name="embed_columns"):
    """In place of some inputs, which are whole numbers, the rows of a table for each.

    columns: of each such input its place from 0, the rows of its table, and the units of a row;
        by place.
    x: (…, batch, features). Result: the other inputs in their order, then the rows, (…, batch,
    others + Σ units). Guo and Berkhahn 2016, "Entity embeddings of categorical variables".
    """

    columns: Annotated[tuple[Column, ...], Field(strict=False, min_length=1)]
    initializer: Initializer = Uniform()

    def output_shape(self, shape: Shape) -> Shape:
        places = [place for place, _, _ in self.columns]
        if len(shape) != 1 or max(places) >= shape[0]:
            raise ShapeError(f"takes ({max(places) + 1} or more,) inputs", "put it first")
        if any(first >= second for first, second in pairwise(places)):
            raise ShapeError("takes columns by place, each once")
        return (shape[0] - len(places) + sum(units for _, _, units in self.columns),)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return {
            f"table_{place}": Weight((rows, units), self.initializer)
            for place, rows, units in self.columns
        }

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        codes = {place: whole_numbers(x[..., place : place + 1]) for place, _, _ in self.columns}
        vectors = [embedding(codes[n], weights[f"table_{n}"])[..., 0, :] for n in codes]
        lead = vectors[0].shape[:-1]  # has the population's axis, which shared inputs lack
        others = [
            ops.broadcast_to(x[..., start:end], shape=(*lead, end - start))
            for start, end in self.runs(at.shape)
        ]
        return ops.concatenate([*others, *vectors], axis=-1)

    def runs(self, shape: Shape) -> Iterator[tuple[int, int]]:
        """The first and the past-the-end place of the inputs between two columns."""
        ends = [-1, *(place for place, _, _ in self.columns), shape[0]]
        return ((a + 1, b) for a, b in pairwise(ends) if b > a + 1)
