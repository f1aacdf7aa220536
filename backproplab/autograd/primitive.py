"""Op, primitive() and apply(): every array of a step is computed by ``apply``.

An op is one declaration: its forward function on NumPy arrays, one vector-Jacobian rule per
argument, and samples to check them with. Everything else (derivatives of any order, gradient
checks, the graph) follows from it.

    tanh = primitive("tanh", np.tanh, vjp=[lambda g, y, x: g * (1 - y * y)], samples=reals((3, 4)))

The conventions, everywhere: positional arguments are arrays, keywords are settings. In a rule
``g`` is the cotangent of the result ``y``, then come the inputs, then the settings as keywords.
A rule is written with ops, so a gradient can be differentiated again. It may return a result that
is still broadcast: the reverse sweep sums it to the input's shape. Axes are counted from the right,
so an array may have additional leading axes (a population) in the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.samples import Sample
from backproplab.autograd.tensor import Node, Tensor
from backproplab.errors import GraphError

Rule = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Op:
    """A differentiable function of arrays, as data; a call applies it.

    forward: ``(*arrays, out=None, **settings) -> array``; never changes an input.
    vjp: one rule per argument (None: not differentiable), or, for any number of arguments,
        a function from the argument's position to its rule.
    settings: a function from the arrays and the user's keywords to the canonical settings that
        the forward function and the rules receive, such as axes counted from the right.
    view: the result may share memory with the first input.
    in_place: ``out`` may be the memory of an input that has the result's shape and type.
    shape_only: the result depends only on the shapes and types of the arrays.
    effect: it draws random numbers or writes to an input: no call may be left out.
    lowering: ``(*arrays, out, **settings) -> calls``: a rule of autograd/lowering that binds the
        arrays once and returns the NumPy calls that recompute ``out`` from them; for an op that
        takes several calls or scratch memory. None: one call of ``forward``.
    """

    name: str
    forward: Callable[..., Array]
    vjp: tuple[Rule | None, ...] | Callable[[int], Rule]
    samples: tuple[Sample, ...]
    doc: str
    settings: Callable[..., dict[str, Any]] | None = None
    view: bool = False
    in_place: bool = False
    shape_only: bool = False
    effect: bool = False
    lowering: Callable[..., Sequence[Callable[[], Any]]] | None = None

    def rule(self, position: int) -> Rule | None:
        """The vector-Jacobian rule of the argument at ``position``."""
        return self.vjp(position) if callable(self.vjp) else self.vjp[position]

    @cached_property
    def differentiable(self) -> bool:
        return callable(self.vjp) or any(self.vjp)

    @cached_property
    def arity(self) -> int | None:
        """The number of arrays that it takes; None for any number."""
        return None if callable(self.vjp) else len(self.vjp)

    def canonical(self, *arrays: Any, **keywords: Any) -> dict[str, Any]:
        """The settings as the forward function takes them."""
        return self.settings(*arrays, **keywords) if self.settings else keywords

    def __call__(self, *arrays: Any, **keywords: Any) -> Tensor:
        if len(arrays) != self.arity is not None:
            raise GraphError(
                f"{self.name} takes {self.arity} arrays, got {len(arrays)}: "
                "settings such as axis and shape are keywords"
            )
        if self.settings is not None:
            keywords = self.settings(*arrays, **keywords)
        return applied(self, arrays, keywords)

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.doc}>"


ARRAYS = (Tensor, np.ndarray, float, int, bool)
NUMBERS = (float, int, bool)  # Python's numbers: they take the type of the arrays beside them
F = TypeVar("F", bound=Callable[..., Any])

Listener = Callable[[Op, tuple[Any, ...], tuple[Tensor, ...], Any, dict[str, Any]], Array]
LISTENER: ContextVar[Listener | None] = ContextVar("LISTENER", default=None)  # called by apply
OPS: dict[str, Op] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the ops and their compositions, by name


def primitive(
    name: str,
    forward: Callable[..., Any],
    *,
    vjp: Sequence[Rule | None] | Callable[[int], Rule],
    samples: Sample | Sequence[Sample],
    doc: str,
    settings: Callable[..., dict[str, Any]] | None = None,
    view: bool = False,
    in_place: bool = False,
    shape_only: bool = False,
    effect: bool = False,
    lowering: Callable[..., Sequence[Callable[[], Any]]] | None = None,
) -> Op:
    """The op of this declaration, registered by name; :class:`Op` explains the fields.

    Raises ValueError if the name is taken.
    """
    if name in OPS:
        raise ValueError(f"the op {name!r} is declared twice")
    rules = vjp if callable(vjp) else tuple(vjp)
    tests = (samples,) if isinstance(samples, Sample) else tuple(samples)
    in_place = in_place or (isinstance(forward, np.ufunc) and forward.signature is None)
    op = Op(
        name, forward, rules, tests, doc, settings, view, in_place, shape_only, effect, lowering
    )
    OPS[name] = FUNCTIONS[name] = op
    return op


def composition(function: F) -> F:
    """The function itself, registered by name; it is made of ops and needs no vjp rule.

    Its positional arguments are arrays, and its settings are keyword-only.
    """
    FUNCTIONS[function.__name__] = function
    return function


def apply(op: Op, *arrays: Any, **settings: Any) -> Tensor:
    """The result of ``op``, with a node that records how it was computed if an input is tracked."""
    return applied(op, arrays, settings)


def applied(op: Op, arrays: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
    """``apply``, of arguments that are packed already."""
    inputs, values, tracked = arrays, [], False
    for x in arrays:  # in one pass, as every op pays for it
        if type(x) is not Tensor:
            inputs = lift(*arrays)
            values = [x.value for x in inputs]
            tracked = True in [x.tracked for x in inputs]
            break
        values.append(x.value)
        tracked = tracked or x.tracked
    value = op.forward(*values, **settings) if settings else op.forward(*values)
    if (listener := LISTENER.get()) is not None:
        value = listener(op, arrays, inputs, value, settings)
    if tracked and op.differentiable:
        return Tensor(value, Node(op, inputs, settings), True)
    return Tensor(value)


def lift(*arrays: Any) -> tuple[Tensor, ...]:
    """The arguments as tensors. A Python number takes the type of the others, as in NumPy."""
    if len(arrays) == 2:  # a tensor and a number, the most frequent
        a, b = arrays
        if type(a) is Tensor and type(b) in NUMBERS and a.value.dtype.kind == "f":
            return a, Tensor(np.asarray(b, a.value.dtype))
        if type(b) is Tensor and type(a) in NUMBERS and b.value.dtype.kind == "f":
            return Tensor(np.asarray(a, b.value.dtype)), b
    for x in arrays:
        if type(x) is not Tensor:
            break
    else:
        return arrays
    known = [x if type(x) in ARRAYS else np.asarray(x) for x in arrays]
    common: Any = None
    for x in known:
        if type(x) not in NUMBERS and x.dtype.kind != "b":
            if common is not None and x.dtype != common:
                common = None
                break
            common = x.dtype
    if common is None or common.kind != "f":
        common = np.result_type(*[x if type(x) in NUMBERS else x.dtype for x in known])
    return tuple([x if type(x) is Tensor else _tensor(x, common) for x in known])


def _tensor(x: Any, common: Any) -> Tensor:
    return Tensor(np.asarray(x, common) if type(x) in NUMBERS else x)


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a tensor or of anything NumPy can measure."""
    return x.value.shape if type(x) is Tensor else np.shape(x)
