"""The parts of the page that hold figures, each with its legend and caption.

This file must not know how a figure is drawn, nor where on the page it stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.measures import named, parsed
from backproplab.report.comparison import Comparison, Trial
from backproplab.report.contour import contour_figure
from backproplab.report.curves import BANDED, Bands, Panel, curves_figure, is_cut
from backproplab.report.differences import ABSENT, shown
from backproplab.report.figures import heat_figure, keys_figure
from backproplab.report.importance import importances
from backproplab.report.markup import Markup, element
from backproplab.report.parallel import parallel_figure
from backproplab.report.series import bands, pace
from backproplab.report.theme import TRIALS
from backproplab.status import Status

GREY = 60  # curves of trials beyond the best
LABELED = 4  # keys that a label can say
MOST_KEYS = 6  # that the metric is drawn against
LINES = 300  # of parallel coordinates


def label(comparison: Comparison, trial: Trial) -> str:
    """``learning_rate 0.1, optimizer adam``; a run's name where too much differs to be said."""
    said = [key for key in comparison.keys if trial.values[key] is not ABSENT]
    if not said or len(comparison.keys) > LABELED:
        return trial.best_record.info.name
    return ", ".join(f"{short_key(comparison, key)} {shown(trial.values[key])}" for key in said)


def short_key(comparison: Comparison, key: str) -> str:
    """``activation`` for ``model.activation``, where no other key ends so."""
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in comparison.keys) == 1
    return last if alone and not last.isdigit() else key


def curves(comparison: Comparison, warnings: list[str]) -> list[Markup]:
    """Learning curves: the best trials in color, some of the others in grey."""
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
    drawn = [Panel(name, best, others) for name in chosen]
    paced = _paced(comparison, drawn, rest[::step])
    cut = any(map(is_cut, drawn))
    caption = _caption(comparison, len(others), len(rest), cut, bool(paced))
    figure = Markup(curves_figure([*drawn, *paced]))
    return [
        element("h2", "Learning curves"),
        element("figure", figure, element("ul", *legend, class_="legend"), caption),
    ]


def _paced(comparison: Comparison, drawn: list[Panel], rest: Sequence[Trial]) -> list[Panel]:
    """The metric over updates and over seconds, where the epochs of the best have other numbers."""
    by_name = {panel.name: panel for panel in drawn}
    panel = by_name.get(comparison.metric.name, drawn[0])
    best = comparison.trials[: len(panel.best)]
    whole = [trial for trial in best if trial.status == Status.COMPLETED]  # others end in an epoch
    if len({round(pace(trial, "steps")) for trial in whole}) < 2:
        return []

    def over(what: str, trials: Sequence[Trial], bands: Sequence[Bands]) -> list[Bands]:
        pairs = [(pace(trial, what), each) for trial, each in zip(trials, bands, strict=True)]
        return [{name: band.by(p) for name, band in each.items() if p > 0} for p, each in pairs]

    return [
        Panel(panel.name, over(what, best, panel.best), over(what, rest, panel.others), unit)
        for what, unit in [("steps", "update"), ("seconds", "second of training")]
    ]


def _legend_entry(comparison: Comparison, at: int) -> Markup:
    dash = "solid" if at < len(TRIALS) // 2 else "dashed"
    swatch = element("span", class_="swatch", style=f"border-top:3px {dash} var(--trial-{at})")
    return element("li", swatch, label(comparison, comparison.trials[at]))


def _caption(comparison: Comparison, drawn: int, rest: int, cut: bool, paced: bool) -> Markup:
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
        text.append("Epochs differ in their updates, hence the last two panels; seconds compare")
        text.append("where each run had a core to itself (lockstep: off).")
    if cut:
        text.append("What leaves an axis runs along its end.")
    return element("figcaption", " ".join(text))


def keys(comparison: Comparison) -> list[Markup]:
    """The metric against each key, two and all of them; none of fewer trials than keys."""
    shown_keys, name = comparison.keys[:MOST_KEYS], comparison.metric.name
    if not len(comparison.trials) > len(comparison.keys) > 0:
        return []
    seeds = "'s mean, a line its range over seeds" if comparison.several_seeds else ""
    caption = f"{name}: a point is a trial{seeds}, a triangle one beyond the axis, × a divergence"
    pruned = any(Status.PRUNED in trial.status for trial in comparison.trials)
    caption += ", hollow one that was pruned." if pruned else "."
    parts = [
        element("h2", f"{name} by key"),
        element(
            "figure", Markup(keys_figure(comparison, shown_keys)), element("figcaption", caption)
        ),
    ]
    return [*parts, *_two_keys(comparison), *_all_keys(comparison)]


def _two_keys(comparison: Comparison) -> list[Markup]:
    """A heat map of a grid of two keys, else contours over the two numbers that matter most."""
    name = comparison.metric.name
    if len(comparison.keys) == 2 and (heat := heat_figure(comparison)):
        caption = f"Mean {name} of each cell; the brighter, the better."
        return [element("figure", Markup(heat), element("figcaption", caption))]
    if not (contour := contour_figure(comparison)):
        return []
    caption = (
        f"{name} over the two numbers that matter most, interpolated between the trials (dots). "
        "Each shade holds as many trials. The ring is the best, × a divergence."
    )
    return [element("figure", Markup(contour), element("figcaption", caption))]


def _all_keys(comparison: Comparison) -> list[Markup]:
    """Parallel coordinates, where there is more than one key; the last is the most important."""
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
    return [element("figure", Markup(figure), element("figcaption", " ".join(caption)))]


def importance(comparison: Comparison) -> list[Markup]:
    found = importances(comparison)
    if not found:
        return []
    rows = [
        element(
            "tr",
            element("th", key, scope="row"),
            element("td", element("span", class_="bar", style=f"width:{share:.1%}")),
            element("td", f"{share:.0%}", class_="right"),
        )
        for key, share in found
    ]
    text = (
        f"The share of the variance of the ranks of {comparison.metric.name} that the key explains "
        "alone: η² of Kruskal and Wallis (Tomczak and Tomczak, 2014), corrected for chance. "
        "Diverged trials rank last; shares need not add up to 100 %."
    )
    table = element("table", element("tbody", *rows), class_="bars")
    return [element("h2", "Which key matters"), table, element("p", text, class_="note")]
