"""Trace: plain NumPy code on fixed arrays, such as an optimizer's update, as calls to play.

The code runs on arrays that note each call instead of making it. Its numbers, such as a learning
rate, may be others in each round: code that only notes its numbers runs once a round, so they are
Python's own. This file must not know what is computed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Unplayable

Call = Callable[[], Any]
Operand = Any  # a Traced, or a number
AHEAD = 512  # rounds whose numbers are computed together


class Trace:
    """The calls of some code, for up to ``rounds`` rounds.

    tables: of each number in the calls its values, (rounds,) or (rounds, P, 1).
    ear: takes the place of each array where only the numbers are wanted.
    """

    def __init__(self, dtype: np.dtype[Any], rounds: int) -> None:
        self.dtype = dtype
        self.rounds = rounds
        self.calls: list[Call] = []
        self.tables: list[Array] = []
        self.notes: list[tuple[Any, tuple[Operand, ...], Array]] = []
        self.ear = Ear()
        # numbers that are known: of this rate, from the first update to before the end
        self.known: tuple[Any, int, float, list[Array]] = None, 0, 0, []

    def view(self, x: Array) -> Array:
        """The same memory as an array that notes calls. Code must use it for all that it writes."""
        traced: Any = x.view(Traced)
        traced.noted_by = self
        return traced

    def record(self, code: Callable[[Any, Any], None], rate: Any, t: int) -> None:
        """Note the calls of ``code(rate, t)``; codes recorded later have the same numbers.

        Raises Unplayable for code that does anything but ufuncs with ``out``.
        """
        self.notes = []
        try:
            code(rate, t)
        except Exception as error:  # arrays that only note calls may lead it anywhere
            raise Unplayable(str(error)) from None
        numbers = iter(self._numbered(self._numbers()))
        for function, inputs, out in self.notes:
            own = [
                np.asarray(x) if isinstance(x, Traced) else next(numbers)[0, ...] for x in inputs
            ]
            end = (np.asarray(out), own[0]) if function is np.copyto else (*own, np.asarray(out))
            self.calls.append(partial(function, *end))
        self.notes = []

    def fill(
        self, code: Callable[[Any, Any], None], rates: Sequence[Any], t: int, count: int
    ) -> None:
        """The numbers of ``count`` rounds that begin with update ``t``; a rate for each or for all.

        code: as recorded, but on an Ear instead of arrays. Raises Unplayable if it has others.
        """
        alike = all(rate is rates[0] for rate in rates)
        found = self._together(code, rates[0], t, count) if alike else []
        found = found or self._one_by_one(code, [*rates] * (count // len(rates)), t)
        if len(found) != len(self.tables):
            raise Unplayable("its numbers depend on its arrays")
        for table, values in zip(self.tables, found, strict=True):
            table[:count] = values

    def _together(
        self, code: Callable[[Any, Any], None], rate: Any, t: int, count: int
    ) -> list[Array]:
        """Each number in all rounds, by one run of the code for these and the next ones; empty if
        it takes one for each."""
        of, first, end, numbers = self.known
        if of is not rate or not first <= t <= end - count:
            first, end = t, t + max(count, AHEAD)
            try:
                heard = self._heard(code, rate, Rounds(range(first, end)))
            except (TypeError, AttributeError):  # it asks for a number itself
                return []
            numbers = [self._column(x.each if isinstance(x, Rounds) else [x]) for x in heard]
            constant = all(len(own) == 1 for own in numbers)
            self.known = rate, 0 if constant else first, math.inf if constant else end, numbers
        at = t - first
        return [own[at : at + count] if len(own) > 1 else own for own in numbers]

    def _one_by_one(
        self, code: Callable[[Any, Any], None], rates: Sequence[Any], t: int
    ) -> list[Array]:
        """Each number in all rounds, by a run of the code for each round."""
        heard = [self._heard(code, rate, t + round_) for round_, rate in enumerate(rates)]
        return list(map(self._column, zip(*heard, strict=True)))

    def _column(self, values: Sequence[Any]) -> Array:
        return np.array([getattr(x, "values", x) for x in values], self.dtype)

    def _heard(self, code: Callable[[Any, Any], None], rate: Any, t: Any) -> list[Any]:
        self.ear.numbers = []
        code(rate, t)
        return self.ear.numbers

    def _numbers(self) -> list[Array]:
        return [
            self._number(x) for _, inputs, _ in self.notes for x in inputs if type(x) is not Traced
        ]

    def _number(self, x: Any) -> Array:
        """As NumPy would convert it; an array of another type would change the result's."""
        if isinstance(x, np.ndarray | np.generic) and x.dtype != self.dtype:
            raise Unplayable(f"a number of type {x.dtype}")
        return np.asarray(getattr(x, "values", x), self.dtype)  # a Column has values

    def _numbered(self, values: Sequence[Array]) -> list[Array]:
        """The tables, made by the first record."""
        if not self.tables:
            self.tables = [np.empty((self.rounds, *x.shape), self.dtype) for x in values]
        if [x.shape for x in values] != [table.shape[1:] for table in self.tables]:
            raise Unplayable("not the numbers of the code before")
        return self.tables


class Traced(np.ndarray[Any, Any]):
    """An array whose ufuncs are noted, not made."""

    noted_by: Trace | None

    def __array_finalize__(self, obj: Any) -> None:
        self.noted_by = getattr(obj, "noted_by", None)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **settings: Any
    ) -> Any:
        others = settings and any(x is not None for x in settings.values())
        if method != "__call__" or len(out) != 1 or others or self.noted_by is None:
            raise Unplayable(f"{ufunc.__name__} makes a new array")
        self.noted_by.notes.append((ufunc, inputs, out[0]))
        return out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is not np.copyto:
            return super().__array_function__(func, types, args, kwargs)
        if kwargs or self.noted_by is None:
            raise Unplayable("a masked copy")
        self.noted_by.notes.append((func, args[1:], args[0]))
        return None

    def __bool__(self) -> bool:
        raise Unplayable("code that asks for the numbers in an array")


class Ear:
    """Hears the numbers that are combined with it, in the order in which a Traced notes them."""

    def __init__(self) -> None:
        self.numbers: list[Any] = []

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Ear:
        self.numbers += [x for x in inputs if x is not self]
        return self

    def __array_function__(self, function: Any, types: Any, given: Any, settings: Any) -> Ear:
        self.numbers += [x for x in given if x is not self]
        return self

    def _combine(self, other: Any) -> Ear:
        if other is not self:
            self.numbers.append(other)
        return self

    __iadd__ = __isub__ = __imul__ = __itruediv__ = _combine


class Rounds:
    """A number that is another one in each round; arithmetic is done with each of them.

    It has the results that the numbers have one by one, or raises TypeError.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, each: Iterable[Any]) -> None:
        self.each = list(each)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        given = (int, float, np.ndarray, np.generic, Rounds)
        plain = method == "__call__" and not settings and all(isinstance(x, given) for x in inputs)
        # an array to some power is not always the ufunc's
        return self.made(ufunc, *inputs) if plain and ufunc is not np.power else NotImplemented

    def made(self, function: Callable[..., Any], *inputs: Any) -> Rounds:
        """The function's result in each round."""
        own = [x.each if isinstance(x, Rounds) else repeat(x) for x in inputs]
        return Rounds(map(function, *own))

    def __eq__(self, other: object) -> bool:
        raise TypeError("a number of several rounds equals none")

    def __bool__(self) -> bool:
        raise TypeError("a number of several rounds is neither true nor false")


def _in_each(name: str) -> Callable[..., Any]:
    return lambda self, other: self.made(getattr(operator, name), self, other)


def _in_each_reflected(name: str) -> Callable[..., Any]:
    return lambda self, other: self.made(getattr(operator, name), other, self)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Rounds, f"__{_name}__", _in_each(_name))
    setattr(Rounds, f"__r{_name}__", _in_each_reflected(_name))
