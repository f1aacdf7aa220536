"""scipy.integrate on tensors: odeint, differentiated by its adjoint equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops, vjp
from backproplab.autograd.lowering import into
from backproplab.autograd.primitive import Op, lift
from backproplab.autograd.trees import leaves, mapped, rebuild
from backproplab.scipy.others import scipys

Function = Callable[..., Any]


def odeint(func: Function, y0: Any, t: Any, args: tuple[Any, ...] = (), **options: Any) -> Tensor:
    """y at the times t, of dy/dt = func(y, t, *args) with y(t[0]) = y0; shape (times, units).

    The gradient by y0, t and the arrays in args is an integral back in time (Chen et al. 2018,
    arXiv 1806.07366), by the same solver, and can be differentiated again.

    options: those of scipy.integrate.odeint, such as rtol and atol.
    """
    (y0,), (t,) = lift(y0), lift(t)
    numbers = mapped(lambda x: lift(x)[0], args)
    parts = [y0, t, *leaves(numbers)]
    sizes, ends = [x.size for x in parts], np.cumsum([x.size for x in parts])

    def unpacked(packed: Any) -> list[Any]:
        pieces = [packed[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return [ops.reshape(p, shape=x.shape) for p, x in zip(pieces, parts, strict=True)]

    def slope(y: Any, now: Any, packed: Any) -> Any:
        return func(y, now, *rebuild(numbers, iter(unpacked(packed)[2:])))

    def forward(packed: Any) -> Any:
        from scipy.integrate import odeint as solve

        start, times = packed[: y0.size], packed[y0.size : y0.size + t.size]
        plain = lambda y, now: np.asarray(slope(Tensor(y), now, Tensor(packed)))
        return solve(plain, start, times, **options)

    def rule(g: Tensor, y: Tensor, packed: Tensor) -> Tensor:
        return _back(slope, g, y, packed, y0.size, t.size, options)

    op = Op("odeint", into(forward), (rule,), (), "the solution of a differential equation")
    return op(ops.concatenate([ops.ravel(x) for x in parts]))


def _back(
    slope: Function, g: Tensor, y: Tensor, packed: Tensor, units: int, count: int,
    options: dict[str, Any],
) -> Tensor:  # fmt: skip
    """The gradient by everything packed: y0, the times, the arguments."""

    def augmented(state: Any, now: Any, packed: Any) -> Any:
        at, a = state[:units], state[units : 2 * units]
        dy, pull = vjp(slope, at, now, packed)
        by_y, by_t, by_packed = pull(-a)
        return ops.concatenate([dy, by_y, ops.reshape(by_t, shape=1), by_packed])

    times = packed[units : units + count]
    a, by_packed, start = g[-1], ops.zeros_like(packed), ops.zeros_like(packed[:1])
    by_times: list[Tensor] = []
    for i in range(count - 1, 0, -1):
        moved = ops.sum(ops.reshape(slope(y[i], times[i], packed), shape=-1) * g[i])
        by_times.append(ops.reshape(moved, shape=1))
        start = start - moved
        state = ops.concatenate([y[i], a, start, by_packed])
        before = odeint(augmented, state, ops.stack([times[i], times[i - 1]]), (packed,), **options)
        last = before[1]
        a = last[units : 2 * units] + g[i - 1]
        start, by_packed = last[2 * units : 2 * units + 1], last[2 * units + 1 :]
    own = ops.concatenate([a, start, *reversed(by_times)])
    return by_packed + ops.concatenate([own, ops.zeros_like(packed[units + count :])])


def __getattr__(name: str) -> Any:
    return scipys("integrate", name)
