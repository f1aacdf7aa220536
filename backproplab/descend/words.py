"""The words of a verdict: how it ended, in what manner, and why."""

from __future__ import annotations

import numpy as np

from backproplab.descend.path import FLAT, Descent
from backproplab.descend.verdict import Verdict
from backproplab.formulas.objective import Objective

NAMES = {
    "minimum": "a minimum", "local minimum": "a local minimum", "saddle": "a saddle",
    "maximum": "a maximum", "cycle": "a cycle", "stalled": "stalled",
    "out of steps": "out of steps", "gone": "gone",
}  # fmt: skip


def number(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}"


def height(value: float) -> str:
    """A value of f, whose rounding around 0 is not shown."""
    return number(round(value, 12) + 0.0)


def place(point: np.ndarray) -> str:
    """``3`` or ``(1, 1)``."""
    values = [number(float(x) + 0.0) for x in point]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def run_name(run: Descent) -> str:
    """``sgd 0.1 from (-1.2, 1)``."""
    setting = run.setting
    return f"{setting.optimizer.name} {number(setting.learning_rate)} from {place(run.points[0])}"


def end_word(f: Objective, verdict: Verdict) -> str:
    """``a local minimum``; of what is maximized ``a local maximum``."""
    if f.sign < 0:
        swap = {"minimum": "a maximum", "local minimum": "a local maximum", "maximum": "a minimum"}
        return swap.get(verdict.end, NAMES[verdict.end])
    return NAMES[verdict.end]


def reasons(f: Objective, run: Descent, verdict: Verdict) -> list[str]:
    """Sentences: where it ended and why, then how it went and why."""
    return [*_end(f, run, verdict), *_manner(run, verdict)]


def _end(f: Objective, run: Descent, v: Verdict) -> list[str]:
    steps = f"{run.steps:,} step{'' if run.steps == 1 else 's'}"
    word, at = end_word(f, v), place(v.target) if v.target is not None else ""
    if v.end in ("minimum", "local minimum"):
        value = height(f.value(v.target)) if v.target is not None else ""
        lower = ": a lower one is known" if f.sign > 0 else ": a higher one is known"
        return [
            f"{word} at {at}, f = {value}, in {steps}{lower if v.end == 'local minimum' else ''}"
        ]
    if v.end in ("saddle", "maximum"):
        eigen = (
            ", ".join(number(float(x)) for x in v.eigenvalues) if v.eigenvalues is not None else ""
        )
        curved = "curvatures of both signs" if v.end == "saddle" else "curved downward"
        return [f"{word} at {at} after {steps}: the slope is 0 there, {curved} ({eigen})"]
    if v.end == "stalled":
        slope = number(float(np.linalg.norm(run.slopes[-1])))
        return [f"stalled after {steps}: the slope {slope} is below {FLAT:g}, far from any minimum"]
    if v.end == "cycle":
        length = f"repeats {v.period} points" if v.period else "wanders without settling"
        return [f"a cycle: after {steps} it {length}"]
    if v.end == "gone":
        if not run.steps:
            return ["gone: f has no finite value or slope at the start"]
        falls = "" if v.target is not None else "; no minimum is known, f may fall without end"
        return [f"gone after {steps}: it left, or f has no finite value there{falls}"]
    left = number(float(np.linalg.norm(run.points[-1] - v.target))) if v.target is not None else ""
    return [f"out of steps after {steps}" + (f": {left} away from {at}" if left else "")]


def _manner(run: Descent, v: Verdict) -> list[str]:
    rate = run.setting.learning_rate
    name, formula = run.setting.optimizer.name, run.setting.optimizer.limit
    beyond = v.limit is not None and rate > v.limit * (1 + 1e-9)
    at = v.limit is not None and abs(rate / v.limit - 1) <= 1e-9
    if v.limit is not None and v.eigenvalues is not None and (beyond or at):
        verb, what = "is", "the steep direction keeps its distance"
        if beyond:
            verb = "is above"
            what = "near the minimum each step lands farther away"
            what += ", farther out it is turned back" if v.end == "cycle" else ""
        steep = number(float(v.eigenvalues[-1]))
        return [f"{number(rate)} {verb} {formula} = {number(v.limit)} (λ = {steep}): {what}"]
    found = [_how(v, rate, name)]
    if not formula and v.end not in ("stalled", "maximum"):
        found.append(f"{name} has no limit of this kind: its step does not grow with the slope")
    return [text for text in found if text]


def _how(v: Verdict, rate: float, name: str) -> str:
    leaves = f"a late step leaves {number(v.factor)} of the distance"
    if v.end in ("stalled", "maximum", "gone", "cycle") or v.eigenvalues is None:
        return ""
    steep, flat = float(v.eigenvalues[-1]), float(v.eigenvalues[0])
    if v.manner == "oscillating" and name == "sgd" and rate > 1 / steep:
        return (
            f"oscillating: {number(rate)} lies between 1/λ = {number(1 / steep)} and"
            f" 2/λ = {number(2 / steep)}, so it changes sides; {leaves}"
        )
    if v.manner == "oscillating":
        return f"oscillating: it swings past and comes back; {leaves}"
    if v.manner == "slow" and flat > 0 and steep / flat > 10:
        condition = number(steep / flat, 3)
        return f"slow: the steep direction limits the rate, λmax/λmin = {condition}; {leaves}"
    if v.manner == "slow":
        return f"slow: {leaves}" + (
            f"; 1/λ = {number(1 / steep)} would be fastest" if steep > 0 else ""
        )
    return f"straight: {leaves}"
