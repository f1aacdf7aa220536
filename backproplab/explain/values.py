"""The point at which an expression is explained: ``a=2 b=-1/3 t=pi/2``, read and checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from backproplab.errors import ConfigError, Problem, did_you_mean
from backproplab.explain.expression import Expression
from backproplab.explain.parse import CONSTANTS, parse


def read_values(expression: Expression, words: Sequence[str]) -> dict[str, float]:
    """A number for each variable, from words NAME=VALUE; a value may be a formula without names.

    Raises ConfigError with all problems.
    """
    problems: list[Problem] = []
    values: dict[str, float] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())  # as ast reads names
        if problem := _name_problem(expression, values, name, bool(equals)):
            problems.append(Problem(f"command line '{word[:40]}'", *problem))
            continue
        try:
            values[name] = _value(name, text)
        except ConfigError as error:
            problems += error.problems
            values[name] = 0.0  # already reported: not missing
    missing = [name for name in expression.variables if name not in values]
    if missing:
        point = " ".join(f"{name}=1" for name in missing)
        problems.append(
            Problem("", f"no value for {', '.join(missing)}", f"add for example {point}")
        )
    if problems:
        raise ConfigError(*problems)
    return values


def _name_problem(
    expression: Expression, values: dict[str, float], name: str, equals: bool
) -> tuple[str, str] | None:
    """(what is wrong with the word, what to do); None if it is right."""
    if not equals:
        return "expected NAME=VALUE", "put the expression in quotes"
    if name in CONSTANTS:
        return f"{name} is the constant {CONSTANTS[name]}", "choose another name for the variable"
    if name not in expression.variables:
        near = did_you_mean(name, expression.variables)
        return f"the expression has no variable '{name[:40]}'", near
    return ("is given twice", "") if name in values else None


def _value(name: str, text: str) -> float:
    formula = parse(text, f"{name}={text[:40]}")
    if formula.variables:
        raise ConfigError(Problem(f"{name}={text[:40]}", "must be a number", "2, 1e-3 or pi/2"))
    value = formula.evaluate({})[-1].value.item()
    if not np.isfinite(value):
        raise ConfigError(Problem(f"{name}={text[:40]}", f"is {value}", "give a finite number"))
    return float(value)
