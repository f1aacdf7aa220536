"""Figures: what is measured inside a network at a look, of all members of a crew at once.

Plain numbers and tags; this file must not know when it is measured, nor what it is written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np

from backproplab.arrays import Array
from backproplab.journal.distributions import CHUNK, Distribution, distributions
from backproplab.learners import Glimpse, Inside
from backproplab.nn.activations import Linear

PREFIX = "telemetry"  # after epoch_ in the alphabet, by which TensorBoard sorts
FEW = 8  # examples of a small batch


def figures(inside: Inside) -> list[dict[str, float]]:
    """Scalars by tag, ``telemetry/<kind>/<layer>``, for each member.

    weight_norm, gradient_norm: 2-norms of a layer's weights and of ∂L/∂weights, biases included.
    z, activation, dL_dz, each as _mean and _std: over examples and units.
    dead_units: the share of units, or channels, that are at the activation's ``dead`` value for
        all examples.
    saturated_values: the share of values beyond the activation's ``knees``; saturated_units: of
        units for which that holds in more than 90 % of the examples.
    """
    weights = {name: inside.members(inside.parameters.views[name]) for name in inside.gradient}
    columns = dict(_norms("weight_norm", weights))
    columns |= _norms("gradient_norm", inside.gradient)
    for layer in inside.layers:
        found = {**_spreads(layer), **_shares(layer)}
        columns |= {f"{PREFIX}/{kind}/{layer.name}": x for kind, x in found.items()}
    rows = zip(*(x.tolist() for x in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def update_ratios(update: Mapping[str, Array], row: Mapping[str, float]) -> dict[str, float]:
    """The norm of each layer's update as a share of its weights' norm, which ``row`` holds."""
    found = _norms("update_ratio", {name: x[None] for name, x in update.items()})
    return {
        tag: float(norm[0]) / (row[tag.replace("update_ratio", "weight_norm")] or np.nan)
        for tag, norm in found
    }


def spreads(inside: Inside) -> list[dict[str, Distribution]]:
    """The distribution of each layer's weights, gradients and outputs, for each member."""
    arrays = {f"weights/{name}": inside.members(x) for name, x in inside.parameters.views.items()}
    arrays |= {f"gradients/{name}": x for name, x in inside.gradient.items()}
    arrays |= {f"outputs/{layer.name}": layer.a for layer in inside.layers}
    found = distributions([_rows(x) for x in arrays.values()])
    return [dict(zip(arrays, row, strict=True)) for row in zip(*found, strict=True)]


def spreads_of(kind: str, arrays: Mapping[str, Array]) -> dict[str, Distribution]:
    """The distribution of each array of one run."""
    found = distributions([_rows(x[None]) for x in arrays.values()])
    return {f"{kind}/{name}": row[0] for name, row in zip(arrays, found, strict=True)}


def weights_before(inside: Inside) -> list[Array]:
    """A copy of each member's weights, (n,)."""
    return list(inside.weights.copy())


def noise_scale(inside: Inside) -> list[dict[str, float]]:
    """tr(Σ) / |G|², in examples: batches beyond it bring little. For each member.

    McCandlish et al. 2018 (arXiv 1812.06162), appendix A.1: from the squared norms of gradients of
    8 examples and of all. Infinite where the estimate of |G|² is not positive.
    """
    small, large = FEW, inside.examples // FEW * FEW
    if large < 2 * FEW:
        return [{} for _ in inside.weights]
    parts = [inside.on(slice(at, at + small)) for at in range(0, large, small)]
    of_small = np.mean([_squares(part.gradient) for part in parts], axis=0)
    of_large = _squares(inside.on(slice(large)).gradient)
    signal = (large * of_large - small * of_small) / (large - small)
    noise = (of_small - of_large) / (1 / small - 1 / large)
    scale = np.where(signal > 0, noise / signal, np.inf)
    return [{f"{PREFIX}/gradient_noise": x} for x in scale.tolist()]


def _rows(x: Array) -> Array:
    """(P, …) as (P, values), each row in one piece of memory."""
    return np.ascontiguousarray(x.reshape(len(x), -1))


def _squares(arrays: Mapping[str, Array]) -> Array:
    """The squared 2-norm of all arrays together, (P,) in float64."""
    found = [np.vecdot(rows, rows) for rows in map(_rows, arrays.values())]
    return np.asarray(np.sum(found, axis=0, dtype=np.float64))


def _norms(kind: str, arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The 2-norm of each layer's arrays together, (P,), by tag."""
    for layer, names in groupby(arrays, lambda name: name.rpartition("/")[0]):
        yield f"{PREFIX}/{kind}/{layer}", np.sqrt(_squares({n: arrays[n] for n in names}))


def _spreads(layer: Glimpse) -> dict[str, Array]:
    """Mean and standard deviation of what a layer computes; z only where it is not a."""
    assert layer.delta is not None
    arrays = {"activation": layer.a, "dL_dz": layer.delta}
    if not isinstance(layer.activation, Linear):
        arrays["z"] = layer.z
    found = {}
    for kind, x in arrays.items():
        found[f"{kind}_mean"], found[f"{kind}_std"] = _mean_and_spread(_rows(x))
    return found


def _mean_and_spread(rows: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each row, in pieces that stay in the cache."""
    mean, count = rows.mean(axis=1), rows.shape[1]
    squares: list[Array] = []
    for start in range(0, count, CHUNK):
        away = rows[:, start : start + CHUNK] - mean[:, None]
        squares.append(np.vecdot(away, away))
    return mean, np.sqrt(np.sum(squares, axis=0) / count)


def _shares(layer: Glimpse) -> dict[str, Array]:
    """The shares of dead and of saturated units, where the activation knows such."""
    found = {}
    if layer.activation.dead is not None:
        found["dead_units"] = layer.dead.mean(axis=1)
    if layer.activation.knees:
        found["saturated_values"] = layer.saturated.mean(axis=1)
        found["saturated_units"] = layer.stuck.mean(axis=1)
    return found
