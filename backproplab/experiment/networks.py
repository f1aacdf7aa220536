"""The network that an experiment trains: its model, after the vectors of embedded categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from backproplab.data import Preparation
from backproplab.errors import ConfigError, Problem
from backproplab.nn import Network
from backproplab.nn.embed_columns import EmbedColumns
from backproplab.nn.layer import Shape
from backproplab.nn.parametrization import Standard


class Describes(Protocol):
    """A model, or the function of an objective."""

    def network(self, input_shape: Shape, outputs: int) -> Network: ...


@dataclass(frozen=True, eq=False)
class _Same:
    """A model, equal to nothing but itself."""

    model: Describes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)


@lru_cache(maxsize=16)  # the runs of a trial share their model
def _made(same: _Same, shape: Shape, outputs: int) -> Network:
    return same.model.network(shape, outputs)


def network_of(model: Describes, preparation: Preparation, outputs: int) -> Network:
    """The network for prepared inputs. Raises ConfigError where layers do not fit."""
    columns, shape = preparation.embedded, preparation.shape
    if not columns:
        return _made(_Same(model), shape, outputs)
    first = EmbedColumns(columns=columns)
    found = model.network(first.output_shape(shape), outputs)
    if not isinstance(found.parametrization, Standard):
        what = "data.columns: an embedding has no form in the ntk parametrization"
        raise ConfigError(Problem("", what, "make it categorical"))
    return found.after(first, shape)
