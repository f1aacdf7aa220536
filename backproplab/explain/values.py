"""The point at which an expression is explained: ``a=2 b=-1/3 t=pi/2 x=[1,2]``, read and checked.

A variable may be a formula of others, ``x=t**2``: then t needs a value. The expression may have a
name, too: ``C=5/9*(F-32)``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import ConfigError, Problem, did_you_mean
from backproplab.formulas.expression import Expression
from backproplab.formulas.parse import CONSTANTS, parse

Value = float | Array
ENTRIES = 16  # of the longest vector
OVER = ("inf", "-inf", "nan")  # values that show what arithmetic does with them


def read_point(text: str, words: Sequence[str]) -> tuple[Expression, dict[str, Value]]:
    """The expression, and a value for each of its variables, from words NAME=VALUE.

    Raises ConfigError with all problems.
    """
    result, text = _result(text)
    pairs = [(word, *_split(word)) for word in words]
    formulas = {name: value for _, name, value in pairs if name and value and _is_formula(value)}
    expression = parse(text, formulas=formulas)
    plain = parse(text) if formulas else expression
    problems: list[Problem] = []
    values: dict[str, Value] = {}
    known = {*expression.variables, *plain.variables, *_within(formulas)}
    seen: set[str] = set()
    for word, name, value in pairs:
        problem = _name_problem(known, seen, name, value)
        seen.add(name)
        if problem:
            problems.append(Problem(f"command line '{word[:40]}'", *problem))
        elif name not in formulas and value is not None:
            try:
                values[name] = read_value(name, value)
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
    return _called(expression, result), {name: values[name] for name in expression.variables}


def _result(text: str) -> tuple[str, str]:
    """(name, formula) of ``C=5/9*(F-32)``; without a name it is empty."""
    name, equals, formula = text.partition("=")
    is_named = equals and name.strip().isidentifier() and not formula.startswith("=")
    return (_split(text)[0], formula) if is_named else ("", text)


def _called(expression: Expression, name: str) -> Expression:
    """The expression, its result with this name. Raises ConfigError where that means another."""
    last = len(expression.steps) - 1
    taken = {*expression.variables, *expression.labels.values(), *CONSTANTS}
    if name in taken:
        what = f"{name} cannot be the result's name: it is another value's"
        raise ConfigError(Problem("expression", what, "choose another name"))
    if not name or expression.steps[last].kind != "call" or last in expression.labels:
        return expression
    return replace(expression, labels={**expression.labels, last: name})


def _split(word: str) -> tuple[str, str | None]:
    name, equals, value = word.partition("=")
    return unicodedata.normalize("NFKC", name.strip()), value if equals else None  # as ast reads


def _within(formulas: dict[str, str]) -> Iterable[str]:
    return (name for text in formulas.values() for name in parse(text).variables)


def _is_formula(text: str) -> bool:
    """Whether the text has variables of its own; a text with a fault is judged as a value."""
    try:
        return text.strip() not in OVER and bool(parse(text).variables)
    except ConfigError:
        return False


def _name_problem(
    known: set[str], seen: set[str], name: str, value: str | None
) -> tuple[str, str] | None:
    """(what is wrong with the word, what to do); None if it is right."""
    if value is None:
        return "expected NAME=VALUE", "put the expression in quotes"
    if name in CONSTANTS:
        return f"{name} is the constant {CONSTANTS[name]}", "choose another name for the variable"
    if name not in known:
        return f"the expression has no variable '{name[:40]}'", did_you_mean(name, known)
    return ("is given twice", "") if name in seen else None


def read_value(name: str, text: str) -> Value:
    """A number or a vector."""
    where = f"{name}={text[:40]}"
    if text.strip() in OVER:
        return float(text)
    formula = parse(text, where)
    if formula.variables:
        raise ConfigError(Problem(where, "must be a number or a vector", "2, 1e-3 or [1, 2]"))
    value = formula.evaluate({})[-1].value
    if value.ndim > 1 or value.size > ENTRIES:
        what = "a matrix" if value.ndim > 1 else f"a vector of {value.size} entries"
        raise ConfigError(Problem(where, f"is {what}", f"at most {ENTRIES} entries: [1, 2, 3]"))
    if not np.isfinite(value).all():
        raise ConfigError(Problem(where, f"is {value}", "give a finite number"))
    return value if value.ndim else float(value)
