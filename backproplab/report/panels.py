"""The parts of the page with figures, each with its legend and caption.

This file must not know how a figure is drawn, or its position on the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.layout import middle
from backproplab.measures import named, parsed
from backproplab.palette import TRIALS
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.contour import contour_figure
from backproplab.report.curves import BANDED, Bands, Panel, curves_figure, is_cut
from backproplab.report.differences import ABSENT
from backproplab.report.figures import clipped, heat_figure, keys_figure, left_out
from backproplab.report.importance import VISIBLE, Importance, effects, importances
from backproplab.report.markup import Markup, element
from backproplab.report.parallel import parallel_figure
from backproplab.report.series import bands, pace
from backproplab.status import Status
from backproplab.text import counted, number

GREY = 60  # most gray curves, of trials beyond the best
LETTERS = 40  # of a value in a label
LABELED = 4  # most keys in a label
MOST_KEYS = 6  # most keys that the metric is drawn against
LINES = 300  # most lines of parallel coordinates


def label(comparison: Comparison, trial: RankedTrial) -> str:
    """``learning_rate 0.1, optimizer adam``; a run's name if too many keys differ."""
    said = [key for key in comparison.keys if trial.values[key] is not ABSENT]
    if not said or len(comparison.keys) > LABELED:
        return trial.best_record.info.name
    texts = [middle(comparison.label(key, trial.values[key]), LETTERS) for key in said]
    names = [short_key(comparison, key) for key in said]
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def short_key(comparison: Comparison, key: str) -> str:
    """``activation`` for ``model.activation``, unless another key has the same end."""
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in comparison.keys) == 1
    return last if alone and not last.isdigit() else key


def curves(comparison: Comparison, warnings: list[str]) -> list[Markup]:
    """Learning curves: the best trials in color, some of the others in gray."""
    most = len(TRIALS)
    best = [bands(trial, warnings) for trial in comparison.trials[:most]]
    rest = comparison.trials[most:]
    step = -(-len(rest) // GREY) or 1
    others = [bands(trial, warnings) for trial in rest[::step]]
    if not any(best):
        return []
    names = dict.fromkeys(name for each in best for name in each)
    pairs = [(split, bare) for _, bare in map(parsed, names) for split in ("train", "validation")]
    chosen = [name for pair in dict.fromkeys(pairs) if (name := named(*pair)) in names]
    if not chosen:
        return []
    legend = [_legend_entry(comparison, at) for at, each in enumerate(best) if each]
    lost = {at for at, t in enumerate(comparison.trials[:most]) if Status.DIVERGED in t.status}
    drawn = [Panel(name, best, others, lost=lost) for name in chosen]
    paced = _paced(comparison, drawn, rest[::step])
    cut = any(map(is_cut, drawn))
    caption = _caption(comparison, len(others), len(rest), cut, bool(paced), bool(lost))
    figure = element("div", Markup(curves_figure([*drawn, *paced])), class_="panels")
    return [
        element("h2", "Learning curves"),
        element("figure", element("ul", *legend, class_="legend"), figure, caption),
    ]


def _paced(comparison: Comparison, drawn: list[Panel], rest: Sequence[RankedTrial]) -> list[Panel]:
    """The metric over updates and over seconds, if the best trials' epochs differ in updates."""
    by_name = {panel.name: panel for panel in drawn}
    panel = by_name.get(comparison.metric.name, drawn[0])
    best = comparison.trials[: len(panel.best)]
    whole = [trial for trial in best if trial.status == Status.COMPLETED]  # others end in an epoch
    if len({round(pace(trial, "steps")) for trial in whole}) < 2:
        return []

    def over(what: str, trials: Sequence[RankedTrial], bands: Sequence[Bands]) -> list[Bands]:
        pairs = [(pace(trial, what), each) for trial, each in zip(trials, bands, strict=True)]
        return [{name: band.by(p) for name, band in each.items() if p > 0} for p, each in pairs]

    return [
        Panel(
            panel.name,
            over(what, best, panel.best),
            over(what, rest, panel.others),
            unit,
            panel.lost if all(pace(trial, what) > 0 for trial in best) else (),
        )
        for what, unit in [("steps", "update"), ("seconds", "second of training")]
    ]


def _legend_entry(comparison: Comparison, at: int) -> Markup:
    dash = "solid" if at < len(TRIALS) // 2 else "dashed"
    swatch = element("span", class_="swatch", style=f"border-top:3px {dash} var(--trial-{at})")
    trial = comparison.trials[at]
    state = "" if trial.status == Status.COMPLETED else f" ({trial.status})"
    return element("li", swatch, f"{label(comparison, trial)}{state}")


def _caption(
    comparison: Comparison, drawn: int, rest: int, cut: bool, paced: bool, lost: bool
) -> Markup:
    text = []
    if comparison.several_seeds:
        whose = f" of the best {BANDED}" if len(comparison.trials) > BANDED else ""
        text.append("Lines are means over the seeds,")
        text.append(f"bands{whose} reach from the smallest to the largest.")
        text.append("A curve ends where the first of its seeds ends.")
    if rest:
        some = f"{drawn} of the " if drawn < rest else "the "
        text.append(f"In grey: {some}{rest} trials beyond the best {len(TRIALS)}.")
    if paced:
        text.append("Trials differ in their updates per epoch; the last two panels show the metric")
        text.append("over updates and over seconds. Seconds can be compared if each run had a core")
        text.append("to itself (lockstep: off).")
    if cut:
        text.append("▲ and ▼ mark where a curve leaves the axis.")
    if lost:
        text.append("× marks the last finite value of a trial with diverged runs.")
    unseen = [trial for trial in comparison.trials if trial.mean(trial.metric.name) is None]
    if unseen:
        text.append(
            f"{counted(len(unseen), 'trial')} without a finite value: no curve, or its start."
        )
    return element("figcaption", " ".join(text))


def keys(comparison: Comparison) -> list[Markup]:
    """The metric against each key, two keys and all keys; empty unless trials outnumber keys."""
    shown_keys, name = comparison.keys[:MOST_KEYS], comparison.metric.name
    if not len(comparison.trials) > len(comparison.keys) > 0:
        return []
    seeds = "'s mean, a line its range over seeds" if comparison.several_seeds else ""
    pruned = any(Status.PRUNED in trial.status for trial in comparison.trials)
    caption = [f"{name}: a point is a trial{seeds}{'; hollow: pruned' if pruned else ''}."]
    if out := left_out(comparison):
        caption.append(f"Not shown as numbers: {', '.join(out)}.")
    if hidden := comparison.keys[MOST_KEYS:]:
        caption.append(f"Not drawn: {', '.join(hidden)}.")
    figure = element("div", Markup(keys_figure(comparison, shown_keys)), class_="panels")
    parts = [
        element("h2", f"{name} by key"),
        element("figure", figure, element("figcaption", " ".join(caption))),
    ]
    return [*parts, *_two_keys(comparison), *_all_keys(comparison)]


def _two_keys(comparison: Comparison) -> list[Markup]:
    """A heat map for a grid of two keys, else contours over the two most important numbers."""
    name = comparison.metric.name
    if len(comparison.keys) == 2 and (heat := heat_figure(comparison)):
        return [_wide(heat, _heat_caption(comparison))]
    if not (contour := contour_figure(comparison)):
        return []
    caption = (
        f"{name} over the two numbers that matter most, interpolated between the trials (dots). "
        "Each shade holds as many trials. The ring is the best, × a trial that diverged: it has no "
        "number and is no part of the surface."
    )
    return [_wide(contour, caption)]


def _wide(figure: str, caption: str) -> Markup:
    """A figure that scrolls sideways where the screen is too narrow to read it."""
    inside = element("div", Markup(figure), class_="wide")
    return element("figure", inside, element("figcaption", caption))


def _heat_caption(comparison: Comparison) -> str:
    count, scale = clipped(comparison)
    text = f"Mean {comparison.metric.name} of each cell; the brighter, the better."
    if count:
        text += (
            f" Colors reach from {number(scale.low)} to {number(scale.high)}. Beyond them:"
            f" {counted(count, 'cell')}, hatched, in the color of that end."
        )
    if any(trial.status != Status.COMPLETED for trial in comparison.trials):
        text += (
            " A status in a cell: not all of its runs completed; hatched without a number: none."
        )
    return text + " An empty cell was not tried."


def _all_keys(comparison: Comparison) -> list[Markup]:
    """Parallel coordinates if several keys differ; the last key is the most important."""
    measured = sum(t.mean(t.metric.name) is not None for t in comparison.trials)  # they come first
    lost = [trial for trial in comparison.trials[measured:] if Status.DIVERGED in trial.status]
    trials = [*comparison.trials[:measured], *lost]
    if len(comparison.keys) < 2 or measured < 2:
        return []
    drawn = trials[:: -(-len(trials) // LINES)]
    order = [key for key, _ in importances(comparison)] or list(comparison.keys)
    order = [key for key in order if any(t.values[key] is not ABSENT for t in drawn)]
    figure = parallel_figure(comparison, drawn, order[:MOST_KEYS][::-1])
    caption = [
        f"A line is a trial, from its keys to its mean {comparison.metric.name}; the best is thick,"
        " and on top. Each shade holds as many trials. Dashed: diverged."
    ]
    if len(drawn) < len(trials):
        caption.append(f"{len(drawn)} of the {len(trials):,} trials are drawn.")
    if missing := len(comparison.trials) - len(trials):
        caption.append(f"{counted(missing, 'trial')} without a value: not drawn.")
    return [_wide(figure, " ".join(caption))]


def importance(comparison: Comparison) -> list[Markup]:
    """What each key explains: within groups of equal other keys for a grid, else with another."""
    found = effects(comparison)
    if not found:
        return []
    name = comparison.metric.name
    is_grid = any(effect.within for effect in found)
    rows = [
        element("tr", element("th", effect.key, scope="row"), *_alone(effect), _within(effect))
        for effect in found
    ]
    heads = ["key", "alone", "", "within the others" if is_grid else "with another key"]
    head = element("thead", element("tr", *[element("th", text) for text in heads]))
    alone = (
        f"alone: the share of the variance of the ranks of {name} that the key explains without "
        "the others (η² of Kruskal and Wallis; Tomczak and Tomczak, 2014; corrected for chance; "
        "diverged trials rank last; shares need not add up to 100 %). A key without a number here "
        "may still matter together with another key. "
    )
    grid = (
        "within the others: in groups of trials that are equal in all other keys, the worst mean "
        "divided by the best (or minus it): smallest, median, largest. It includes chance."
    )
    other = "with another key: how much more both keys explain than the other one alone."
    note = alone + (grid if is_grid else other)
    table = element("table", head, element("tbody", *rows), class_="bars")
    return [
        element("h2", "What each key does"),
        element("div", table, class_="scroll"),
        element("p", note, class_="note"),
    ]


def _alone(effect: Importance) -> list[Markup]:
    """The bar and the number; a dash in place of 0 %, which would say that a key has no effect."""
    seen = effect.alone >= VISIBLE
    bar = [element("span", class_="bar", style=f"width:{effect.alone:.1%}")] if seen else []
    return [
        element("td", *bar),
        element("td", f"{effect.alone:.0%}" if seen else "–", class_="right"),
    ]


def _within(effect: Importance) -> Markup:
    within = effect.within
    if within is None:
        text = f"{effect.together:.0%} more than {effect.partner} alone"
        return element("td", text if effect.together >= VISIBLE else "–")
    ends = [min(within.ratios), within.middle, max(within.ratios)]
    texts = [f"×{x:.3g}" if within.is_ratio else f"{x:.3g}" for x in ends]
    value, wins = within.best
    said = f"{' · '.join(texts)}; {value} is best in {wins} of {within.groups} groups"
    return element("td", said + (f"; some trial diverged in {within.lost}" if within.lost else ""))
