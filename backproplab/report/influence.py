"""What each key does within the other keys, as tables of the page.

This file must not know how costs are computed.
"""

from __future__ import annotations

from backproplab.report.comparison import Comparison
from backproplab.report.effects import Group, cost, groups, is_ratio
from backproplab.report.markup import Markup, element
from backproplab.report.naming import Layout, phrase, short_key
from backproplab.report.numerals import ratio, signed, three
from backproplab.report.trials import RankedTrial

ROWS = 12  # most rows of a table
KEYS = 4  # most keys


def influence(comparison: Comparison) -> list[Markup]:
    """A table for each key that has groups of trials which are equal in all other keys."""
    if len(comparison.keys) > KEYS or comparison.is_search or not comparison.is_told_by_keys:
        return []
    layout = Layout(comparison)
    made = [(key, groups(comparison, key)) for key in comparison.keys]
    return [
        (_ordered if layout.axis(key).is_number else _named)(comparison, key, found)
        for key, found in made
        if found
    ]


def caption(comparison: Comparison) -> str:
    """What the numbers are."""
    name = comparison.metric.name
    if is_ratio(comparison):
        what = f"Ratios of mean {name}"
    else:
        what = f"Differences of mean {name}, positive if worse"
    seeds = "; in brackets the least and the greatest of a seed" if comparison.several_seeds else ""
    gone = "“Gone from”: the smallest value beyond the best that diverged or blew up."
    return f"{what}{seeds}. {gone}"


def _ordered(comparison: Comparison, key: str, found: list[Group]) -> Markup:
    """For a numeric key: its best value in each group, and what one step away costs."""
    name = comparison.metric.name
    rows = [
        element(
            "tr",
            element("th", _who(comparison, group), scope="row"),
            _n(comparison.label(key, group.best.values[key])),
            _n(three(group.best.mean(name) or 0.0)),
            _cost(comparison, group, group.beside(-1)),
            _cost(comparison, group, group.beside(1)),
            _n(
                comparison.label(key, gone.values[key])
                if (gone := group.gone_from)
                else "not reached"
            ),
        )
        for group in found[:ROWS]
    ]
    heads = ["", "best", name, "next smaller", "next larger", "gone from"]
    return _table(comparison, key, heads, rows, len(found))


def _named(comparison: Comparison, key: str, found: list[Group]) -> Markup:
    """For a key of words: their order in each group, and what the worst costs."""
    name, sign = comparison.metric.name, " < " if comparison.metric.goal == "min" else " > "
    rows = []
    for group in found[:ROWS]:
        order = sign.join(comparison.label(key, t.values[key]) for t in group.measured[:5])
        ends = [_n(three(t.mean(name) or 0.0)) for t in (group.best, group.worst)]
        worst = _cost(comparison, group, group.worst)
        who = element("th", _who(comparison, group), scope="row")
        rows.append(element("tr", who, element("td", order, class_="w"), *ends, worst))
    return _table(
        comparison,
        key,
        ["", "order, best first", "best", "worst", "worst to best"],
        rows,
        len(found),
    )


def _cost(comparison: Comparison, group: Group, trial: RankedTrial | None) -> Markup:
    if trial is None:
        return _n("not tried")
    ratios = is_ratio(comparison)
    paid = cost(trial, group.best, ratios)
    if paid is None:
        return element("td", element("b", "✗", class_="chip"), class_="n")
    write = ratio if ratios else signed
    ends = (
        f" ({write(paid.low).lstrip('×')}–{write(paid.high).lstrip('×')})"
        if paid.low != paid.high
        else ""
    )
    return element("td", write(paid.mean), element("span", ends, class_="ci"), class_="n")


def _who(comparison: Comparison, group: Group) -> str:
    others = [other for other in comparison.keys if other != group.key]
    if len(others) == 1:
        return comparison.label(others[0], group.best.values[others[0]])
    return phrase(comparison, group.best, others) if others else "all"


def _table(
    comparison: Comparison, key: str, heads: list[str], rows: list[Markup], count: int
) -> Markup:
    others = [short_key(comparison, other) for other in comparison.keys if other != key]
    within = f", within each {' and '.join(others)}" if others else ""
    left = f" (the best {ROWS} of {count})" if count > ROWS else ""
    words = ("", "order, best first")
    head = [element("th", h, class_="" if h in words else "n", scope="col") for h in heads]
    caption_of = element("caption", f"{short_key(comparison, key)}{within}{left}")
    body = element("tbody", *rows)
    return element("table", caption_of, element("thead", element("tr", *head)), body, class_="t2")


def _n(words: str) -> Markup:
    return element("td", words, class_="n")
