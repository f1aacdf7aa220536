"""Functions that define their own derivative: stop_gradient, custom_vjp, checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from backproplab.arrays import Array
from backproplab.autograd.lowering import into
from backproplab.autograd.primitive import Op, Rule, apply, primitive
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor
from backproplab.autograd.transforms import vjp
from backproplab.errors import GraphError

stop_gradient = primitive(
    "stop_gradient",
    lambda x, out=None: x,
    vjp=[None],
    samples=reals((3, 4)),
    doc="x itself, but a constant to every gradient.",
    view=True,
)


def custom_vjp(function: Callable[..., Any], vjp: Sequence[Rule | None]) -> Callable[..., Tensor]:
    """``function`` with your own vjp rules instead of those of its ops.

    vjp: one rule per argument, ``rule(g, y, *inputs)``, written with ops; None for a constant.

    >>> from backproplab.autograd import grad, ops
    >>> gentle = custom_vjp(lambda x: x * 1.0, [lambda g, y, x: ops.clip(g, -1, 1)])
    >>> grad(lambda x: 100 * gentle(x))(2.0)
    Tensor(1., dtype=float64)
    """
    op = Op(_name(function), _forward(function), tuple(vjp), (), "a function with its own rules")
    return wraps(function)(lambda *inputs: op(*inputs))  # noqa: PLW0108  # a method cannot be wrapped


def checkpoint(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """``function`` whose inner values are computed again in the backward pass, not kept.

    The graph keeps only its inputs and its result: a chain of n checkpointed pieces needs the
    memory of one piece and n results, and one additional forward pass per argument. Chen et al.
    2016, arXiv 1604.06174. Arrays to differentiate by must be arguments: a captured one raises
    GraphError. Do not use it for a function that draws random numbers (dropout): it would draw
    others when it is computed again.
    """

    def rule(position: int) -> Rule:
        def pull(g: Tensor, y: Tensor, *inputs: Tensor) -> Tensor:
            def of_one(x: Tensor) -> Any:
                return function(*[x if i == position else z for i, z in enumerate(inputs)])

            cotangent: Tensor = vjp(of_one, inputs[position])[1](g)[0]
            return cotangent

        return pull

    op = Op(_name(function), _forward(function), rule, (), "recomputed when needed")
    return wraps(function)(lambda *inputs: apply(op, *inputs))


def _forward(function: Callable[..., Any]) -> Callable[..., Array]:
    """The function on arrays, without a graph. It raises GraphError if the result is tracked."""

    def forward(*arrays: Array) -> Any:
        y = function(*[Tensor(x) for x in arrays])
        if isinstance(y, Tensor) and y.tracked:
            raise GraphError(
                f"{_name(function)} uses a tracked tensor that is not an argument: pass it in"
            )
        return y.value if isinstance(y, Tensor) else y

    return into(forward)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "function").strip("<>")
