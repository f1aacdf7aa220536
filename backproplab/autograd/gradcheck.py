"""Checks of analytic derivatives against numeric ones, in both modes, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.tensor import Tensor
from backproplab.autograd.transforms import fresh_leaf, jvp, vjp
from backproplab.errors import GraphError


class GradcheckError(GraphError):
    """An analytic derivative differs from the central difference."""


def central_difference(function: Callable[[float], Any], h: float = 1e-5) -> Any:
    """(f(h) - f(-h)) / 2h: the derivative at 0 with an error of order h²."""
    return (function(h) - function(-h)) / (2 * h)


def gradcheck(
    function: Callable[..., Any],
    *xs: Any,
    order: int = 2,
    every_entry: bool = False,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
) -> None:
    """Raise GradcheckError unless the derivatives of ``function`` at ``xs`` are right.

    Along a random direction v and for a random cotangent u it compares three numbers: the central
    difference of <u, f>, the reverse mode's <uᵀJ, v> and the forward mode's <u, Jv>, in float64.
    That needs two evaluations for any size; ``every_entry`` uses each unit vector as v instead.
    Order 2 checks the pullback ``(xs, u) -> uᵀJ`` in the same way, and so on up to ``order``.
    """
    generator = np.random.default_rng(seed)
    points = [fresh_leaf(x).value.astype(np.float64) for x in xs]
    y, pullback = vjp(function, *points)
    u = generator.standard_normal(y.shape)
    gradients = [g.value for g in pullback(u)]
    for v in _directions(points, every_entry, generator):

        def along(t: float, v: Sequence[Any] = v) -> Any:
            moved = function(*[Tensor(x + t * d) for x, d in zip(points, v, strict=True)])
            return np.sum(u * np.asarray(moved))

        numeric = central_difference(along, h)
        reverse = sum(np.sum(g * d) for g, d in zip(gradients, v, strict=True))
        forward = np.sum(u * jvp(function, points, v)[1].value)
        _compare("reverse mode (vjp)", reverse, numeric, rtol, atol)
        _compare("forward mode (jvp)", forward, numeric, rtol, atol)
    if order > 1:
        options: dict[str, Any] = {"h": h, "rtol": rtol, "atol": atol, "seed": seed + 1}
        for position in range(len(points)):
            gradcheck(_pullback_of(function, position), *points, u, order=order - 1, **options)


def _directions(points: Sequence[Any], every_entry: bool, generator: np.random.Generator) -> Any:
    if not every_entry:
        yield [generator.standard_normal(x.shape) for x in points]
        return
    for which, x in enumerate(points):
        for entry in np.ndindex(x.shape):
            v = [np.zeros_like(x) for x in points]
            v[which][entry] = 1
            yield v


def _pullback_of(function: Callable[..., Any], position: int) -> Callable[..., Any]:
    """(*xs, u) -> the cotangent of the input at ``position``."""
    return lambda *inputs: vjp(function, *inputs[:-1])[1](inputs[-1])[position]


def _compare(mode: str, analytic: Any, numeric: Any, rtol: float, atol: float) -> None:
    if abs(analytic - numeric) <= atol + rtol * max(abs(analytic), abs(numeric)):
        return
    scale = max(abs(analytic), abs(numeric))
    raise GradcheckError(
        f"{mode} gives {analytic:.12g} where the central difference gives {numeric:.12g} "
        f"(relative error {abs(analytic - numeric) / scale:.1e}, allowed {rtol:.0e})"
    )
