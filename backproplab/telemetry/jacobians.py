"""Jacobians: how much each layer stretches small changes of what it is given, for all of a crew.

Glorot and Bengio 2010, section 4.2.1: where the mean singular value is below 1, both what goes
forward and what comes back shrink from layer to layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward
from backproplab.learners import Inside
from backproplab.nn import Network, Place
from backproplab.nn.layer import Weights
from backproplab.telemetry.figures import PREFIX

EXAMPLES = 2  # whose Jacobians are taken; in wide layers all are much alike
MOST = 2048  # inputs or outputs; a layer with more is left out


def jacobian_sizes(inside: Inside) -> list[dict[str, float]]:
    """The mean singular value of each layer's Jacobian, by tag, for each member.

    A layer with a kernel takes with it what follows up to the next one: its activation, a
    normalization, pooling.
    """
    weights, columns = inside.parameters.tensors(), {}
    x = _first(inside)
    for name, places in _sections(inside.network):
        if max(prod(places[0].input_shape), prod(places[-1].output_shape)) <= MOST:
            found = [_mean_singular_value(j) for j in _jacobians(inside, places, weights, x)]
            columns[f"{PREFIX}/jacobian/{name}"] = inside.members(np.mean(found, axis=0))
        x = _applied(places, weights, Tensor(x)).value
    members = range(len(inside.weights))
    return [{tag: float(x[member]) for tag, x in columns.items()} for member in members]


def _first(inside: Inside) -> Array:
    """The first examples, (n, *input_shape), of a crew (P, n, *input_shape)."""
    few = inside.on(slice(EXAMPLES)).inputs
    population = inside.parameters.population[inside.axis :]
    return np.broadcast_to(few, (*population, *few.shape))


def _sections(network: Network) -> list[tuple[str, list[Place]]]:
    """The chain in pieces that begin with a layer with a kernel, by its name."""
    found: list[tuple[str, list[Place]]] = []
    before: list[Place] = []  # the first such layer
    for place in network.places:
        if any(name.rpartition("/")[2] == "kernel" for name in place.weights):
            found.append((place.name, [*before, place]))
            before = []
        else:
            (found[-1][1] if found else before).append(place)
    return found


def _applied(places: Sequence[Place], weights: Weights, x: Tensor) -> Tensor:
    for place in places:
        x = place.apply(weights, x, None)
    return x


def _jacobians(inside: Inside, places: Sequence[Place], weights: Weights, x: Array) -> list[Array]:
    """∂(the last layer's outputs)/∂(the first one's inputs) of each example, (…, outputs, inputs).

    Row by row, each from a copy of the example, as many at a time as a look has examples.
    """
    lead, example = inside.parameters.population, places[0].input_shape
    shape, outputs = places[-1].output_shape, prod(places[-1].output_shape)
    found = []
    for one in np.split(x, x.shape[len(lead)], axis=len(lead)):
        rows = []
        for start in range(0, outputs, inside.examples):
            count = min(inside.examples, outputs - start)
            seed = np.eye(count, outputs, start, dtype=x.dtype)
            each = (*lead, count)
            given = Tensor(np.broadcast_to(one, (*each, *example)), None, True)
            wanted = Tensor(np.broadcast_to(seed, (*each, outputs)).reshape(*each, *shape))
            (row,) = backward(_applied(places, weights, given), wanted, [given])
            rows.append(row.value.reshape(*each, -1))
        found.append(np.concatenate(rows, axis=-2))
    return found


def _mean_singular_value(jacobian: Array) -> Array:
    """Of each matrix (…, outputs, inputs); NaN where an entry is not finite."""
    finite = np.asarray(np.isfinite(jacobian).all(axis=(-2, -1)))
    safe = np.where(finite[..., None, None], jacobian, 0)
    means = np.linalg.svd(safe, compute_uv=False).mean(axis=-1)
    return np.asarray(np.where(finite, means, np.nan))
