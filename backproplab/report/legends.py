"""The bar above the learning curves: what lines mean, and switches that work without scripts.

This file must not know how a curve is drawn.
"""

from __future__ import annotations

from backproplab.report.comparison import Comparison
from backproplab.report.markup import Markup, element
from backproplab.report.multiples import legend_key
from backproplab.report.naming import Layout

SAMPLES = {
    "validation": '<path class="va" d="M0 6H34"></path>',
    "training": '<path class="tr" d="M0 6H34"></path>',
    "least to most seed": '<rect width="34" height="12" fill="currentColor" opacity=".18"></rect>',
    "best epoch": '<circle class="be" cx="17" cy="6" r="4.2"></circle>',
}


CONTROLS = {  # id -> (further attributes, label)
    "ylog": ('type="radio" name="y" checked', "logarithmic"),
    "ylin": ('type="radio" name="y"', "linear"),
    "ktr": ('type="checkbox" checked', "training"),
    "kbd": ('type="checkbox" checked', "seeds"),
}


def curves_bar(comparison: Comparison, layout: Layout, is_log: bool) -> list[Markup]:
    """The controls, which the style sheet reads, and the bar with their labels.

    is_log: whether the curves can be switched to a linear scale.
    """
    several = comparison.several_seeds
    parts = [_sample(name) for name in SAMPLES if several or "seed" not in name]
    name, colors = legend_key(layout)
    if colors:
        swatches = [mark for color, label in colors for mark in _swatch(color, label)]
        parts.append(element("span", f"{name} ", *swatches, class_="key"))
    axis, shown = ["ylog", "ylin"] if is_log else [], ["ktr", *(["kbd"] if several else [])]
    labels = [*(["axis "] if axis else []), *map(_label, axis), "show ", *map(_label, shown)]
    parts.append(element("span", *labels, class_="sc"))
    return [*map(_control, [*axis, *shown]), element("div", *parts, class_="bar")]


def _sample(name: str) -> Markup:
    picture = element("svg", Markup(SAMPLES[name]), viewBox="0 0 34 12")
    return element("span", picture, name, class_="key")


def _swatch(color: str, label: str) -> list[Markup]:
    square = element("i", class_="sw", style=f"background:var(--{color})")
    return [square, element("span", label)]


def _control(name: str) -> Markup:
    return Markup(f'<input class="ctl" id="{name}" {CONTROLS[name][0]}>')


def _label(name: str) -> Markup:
    return Markup(f'<label for="{name}">{CONTROLS[name][1]}</label> ')
