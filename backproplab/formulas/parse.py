"""Parse an expression into steps with ``ast`` and a whitelist; Python never evaluates the text.

Equal subexpressions are one step: ``(a + b) * (a + b)`` adds once and multiplies the sum by
itself. Sizes are limited before any work is done, so that a hostile text costs nothing.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping
from typing import NoReturn

from backproplab.errors import ConfigError, Problem, did_you_mean
from backproplab.formulas import functions
from backproplab.formulas.expression import INDEX, LIST, Expression, Step

LENGTH, DEPTH, STEPS = 2_000, 100, 500
CONSTANTS = {"pi": math.pi, "e": math.e}
OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
ALLOWED = "write numbers, names, + - * / **, brackets and functions such as sin(x)"
COMMON = "sin, cos, exp, log, sqrt, tanh, sigmoid, relu, sum, softmax"
KINDS = {
    ast.BinOp: "this operator",
    ast.UnaryOp: "this operator",
    ast.Constant: "this constant",
    ast.Call: "such a call",
}


def parse(
    text: str, where: str = "expression", formulas: Mapping[str, str] | None = None
) -> Expression:
    """The expression written in ``text``.

    where: names the text in errors. formulas: variables that are functions of others, by name.
    Raises ConfigError with the column of the fault.
    """
    text = text.strip()
    reader = _Reader(text, where, formulas or {})
    reader.read(reader.syntax(), 1)
    steps = tuple(reader.index)
    return Expression(text, steps, tuple(reader.places), reader.labels)


def _check_size(text: str, where: str) -> None:
    """Refuse a text that is too long, nested too deep or no formula, before Python parses it."""
    if not text:
        _refuse(where, 1, "empty", "write a formula, such as (a + b) * (b + 1)")
    if len(text) > LENGTH:
        _refuse(where, LENGTH, f"longer than {LENGTH:,} characters ({len(text):,})")
    depth = 0
    for column, letter in enumerate(text, start=1):
        depth += (letter in "([{") - (letter in ")]}")
        if depth > DEPTH:
            _refuse(where, column, f"nested deeper than {DEPTH}")
        if not letter.isprintable() or letter in "\"'`#\\":
            _refuse(where, column, f"{letter!a} is not allowed", ALLOWED)


def _syntax(text: str, where: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on how to write numbers
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        _refuse(where, max(1, error.offset or 1), error.msg.partition(".")[0], ALLOWED)
    except (RecursionError, MemoryError):
        _refuse(where, 1, f"nested deeper than {DEPTH}")


def _refuse(where: str, column: int, what: str, hint: str = "") -> NoReturn:
    raise ConfigError(Problem(f"{where}, column {column}", what, hint)) from None


class _Reader:
    """Turns a syntax tree into steps; an equal step is reused."""

    def __init__(self, text: str, where: str, formulas: Mapping[str, str]) -> None:
        self.text = text
        self.where = where
        self.formulas = formulas
        self.index: dict[Step, int] = {}
        self.places: list[str] = []
        self.labels: dict[int, str] = {}
        self.defined: dict[str, int | None] = {}  # None while a formula is being read

    def syntax(self) -> ast.expr:
        _check_size(self.text, self.where)
        return _syntax(self.text, self.where)

    def read(self, node: ast.expr, depth: int) -> int:
        """The number of the step that computes ``node``."""
        if depth > DEPTH:
            hint = "a long sum nests too: put brackets around its halves"
            self.refuse(node, f"nested deeper than {DEPTH}", hint)
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self.constant(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.call(node, "negative", [operand], depth)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATORS:
                return self.call(node, OPERATORS[type(op)], [left, right], depth)
            case ast.BinOp(op=ast.BitXor()):
                self.refuse(node, "^ is not allowed", "write ** for a power")
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.function(node, name, arguments, depth)
            case ast.Subscript(value=value, slice=index):
                return self.entry(node, value, index, depth)
            case ast.List(elts=[*elements]) if elements:
                return self.call(node, LIST, elements, depth)
            case ast.Call(func=ast.Attribute() as attribute):
                node = attribute
        self.refuse(node, f"{_kind(node)} is not allowed", ALLOWED)

    def constant(self, node: ast.expr, value: int | float) -> int:
        try:
            real = float(value)
        except OverflowError:
            real = math.inf
        if math.isinf(real):
            self.refuse(node, "the number is too large")
        return self.add(Step("constant", "", real), node)

    def name(self, node: ast.expr, name: str) -> int:
        if name in CONSTANTS:
            return self.add(Step("constant", name, CONSTANTS[name]), node)
        if name in self.formulas:
            return self.formula(node, name)
        if functions.find(name):
            self.refuse(node, f"{name} is a function", f"give it an argument: {name}(x)")
        return self.add(Step("variable", name), node)

    def formula(self, node: ast.expr, name: str) -> int:
        """The step of a variable that is a formula; its text is read once."""
        if name not in self.defined:
            outer, self.defined[name] = (self.text, self.where), None
            self.text, self.where = self.formulas[name].strip(), f"{name}={self.formulas[name]}"
            step = self.read(self.syntax(), 1)
            self.text, self.where = outer
            self.defined[name] = step
            self.labels.setdefault(step, name)
        found = self.defined[name]
        if found is None:
            self.refuse(node, f"{name} is defined by itself")
        return found

    def entry(self, node: ast.expr, value: ast.expr, index: ast.expr, depth: int) -> int:
        """``x[2]``, or ``x[-1]`` for the last."""
        try:
            at = ast.literal_eval(index)
        except ValueError:
            at = None
        if not isinstance(at, int) or isinstance(at, bool) or abs(at) > LENGTH:
            self.refuse(index, "an index is a whole number", "x[0] is the first entry")
        return self.add(Step("call", INDEX, at, (self.read(value, depth + 1),)), node)

    def function(self, node: ast.expr, name: str, arguments: list[ast.expr], depth: int) -> int:
        function = functions.find(name)
        if function is None:
            hint = did_you_mean(name, functions.known()) or f"use {COMMON} or another op"
            self.refuse(node, f"{name[:40]!r} is not a differentiable function", hint)
        wanted = functions.arguments(name)
        if len(arguments) != wanted:
            numbers = "one argument" if wanted == 1 else "two arguments"
            self.refuse(node, f"{name} takes {numbers}, got {len(arguments)}")
        return self.call(node, name, arguments, depth)

    def call(self, node: ast.expr, name: str, arguments: list[ast.expr], depth: int) -> int:
        inputs = tuple([self.read(argument, depth + 1) for argument in arguments])
        return self.add(Step("call", name, 0.0, inputs), node)

    def add(self, step: Step, node: ast.expr) -> int:
        if step not in self.index:
            if len(self.index) >= STEPS:
                self.refuse(node, f"more than {STEPS} steps")
            self.index[step] = len(self.index)
            self.places.append(f"{self.where}, column {self.column(node)}")
        return self.index[step]

    def column(self, node: ast.expr) -> int:
        """The node's column in characters, from 1; ast counts bytes of UTF-8."""
        return len(self.text.encode()[: node.col_offset].decode()) + 1

    def refuse(self, node: ast.expr, what: str, hint: str = "") -> NoReturn:
        _refuse(self.where, self.column(node), what, hint)


def _kind(node: ast.expr) -> str:
    """The kind of node in words: ``attribute``, ``list comp``, ``this operator``."""
    plain = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
    return KINDS.get(type(node), plain)
