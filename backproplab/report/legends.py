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


def curves_bar(comparison: Comparison, layout: Layout, is_log: bool) -> list[Markup]:
    """Radio buttons and boxes, which the style sheet reads, and the bar with their labels.

    is_log: whether the curves can be switched to a linear scale.
    """
    shown = [name for name in SAMPLES if comparison.several_seeds or "seed" not in name]
    keys = [
        element(
            "span", element("svg", Markup(SAMPLES[name]), viewBox="0 0 34 12"), name, class_="key"
        )
        for name in shown
    ]
    name, colors = legend_key(layout)
    swatches = [
        Markup(
            element("i", class_="sw", style=f"background:var(--{color})") + element("span", label)
        )
        for color, label in colors
    ]
    keys += [element("span", f"{name} ", *swatches, class_="key")] if colors else []
    return [*_controls(), element("div", *keys, *_switches(comparison, is_log), class_="bar")]


def _controls() -> list[Markup]:
    kinds = {"ylog": "radio", "ylin": "radio", "ktr": "checkbox", "kbd": "checkbox"}
    return [
        Markup(
            f'<input class="ctl" type="{kind}" id="{name}" aria-label="{name}"'
            f"{' name=y' if kind == 'radio' else ''}{'' if name == 'ylin' else ' checked'}>"
        )
        for name, kind in kinds.items()
    ]


def _switches(comparison: Comparison, is_log: bool) -> list[Markup]:
    """Labels of the controls that change something here."""

    def label(name: str, words: str) -> Markup:
        return Markup(f'<label for="{name}">{words}</label> ')

    parts: list[str] = []
    if is_log:
        parts += ["axis ", label("ylog", "logarithmic"), label("ylin", "linear")]
    parts += ["show ", label("ktr", "training")]
    parts += [label("kbd", "seeds")] if comparison.several_seeds else []
    return [element("span", *parts, class_="sc")]
