"""Each run: the best trials seed by seed as a figure, and all trials as a table.

This file must not know other parts of the page.
"""

from __future__ import annotations

import os
from pathlib import Path
from statistics import fmean, pvariance
from urllib.parse import quote

from backproplab.report.comparison import Comparison
from backproplab.report.gathering import Record
from backproplab.report.markup import Markup, element
from backproplab.report.naming import name_of, tags
from backproplab.report.numerals import HARD, listed, ratio, value
from backproplab.report.outcomes import value_by_seed
from backproplab.report.scales import Scale
from backproplab.report.svg import Frame, apart, circle, labels_beside, path, svg, text
from backproplab.report.trials import RankedTrial, value_of
from backproplab.status import Status

BEST, ROWS, SEEDS = 6, 40, 6  # most lines, rows, columns of seeds


def seeds_of(comparison: Comparison) -> list[str]:
    """The seeds that the runs have, in order."""
    found = {record.repeat for record in comparison.records}
    return sorted(found, key=lambda seed: (len(seed), seed))


def figure(comparison: Comparison) -> tuple[Markup, str] | None:
    """(lines of the best trials over the seeds that all of them have, caption); None for fewer
    than two such seeds or trials."""
    name = comparison.metric.name
    trials = [t for t in comparison.trials if t.mean(name) is not None][:BEST]
    values = [value_by_seed(trial) for trial in trials]
    seeds = [seed for seed in seeds_of(comparison) if all(seed in found for found in values)]
    if len(seeds) < 2 or len(trials) < 2:
        return None
    scale = Scale.of_metric([v for found in values for v in found.values()], comparison.metric.sign)
    names, room = labels_beside(tags(comparison, trials))
    frame = Frame(50, 520 - room, 24, 290, Scale(0, len(seeds) - 1), scale.wider())
    parts = [text(8, 12, name), *frame.rows()]
    step = -(-len(seeds) // 8)
    ticks = [(at / (len(seeds) - 1), seed) for at, seed in enumerate(seeds)][::step]
    parts += frame.columns(ticks, "seed")
    ends = []
    for at, found in reversed(list(enumerate(values, start=1))):
        points = frame.points(range(len(seeds)), [found[seed] for seed in seeds])
        points = [(x, min(max(y, frame.top), frame.bottom)) for x, y in points]
        parts.append(path(points, f"ol o{at}{' hi' if at == 1 else ''}"))
        parts += [circle(x, y, 3, f"mk o{at}") for x, y in points]
        ends.append(points[-1][1])
    places = apart(ends[::-1], 16, 24, 290)
    parts += [
        text(530 - room, place + 4, label, f"lb o{at}")
        for at, (place, label) in enumerate(zip(places, names, strict=True), start=1)
    ]
    return svg(520, 334, f"{name} of the best trials by seed", parts), _told(
        comparison, values, seeds
    )


def _told(comparison: Comparison, values: list[dict[str, float]], seeds: list[str]) -> str:
    """How much of the spread is the seeds': it moves all trials alike."""
    rows = [[found[seed] for seed in seeds] for found in values]
    share = seed_share(rows)
    text = f"The best {len(rows)}, seed by seed. "
    if min(map(min, rows)) > 0 and comparison.metric.goal == "min":
        factors = [max(row) / min(row) for row in rows]
        low, high = (ratio(end(factors))[1:] for end in (min, max))
        text += f"From seed to seed a trial changes by a factor of {low} to {high}. "
    text += f"{100 * share:.0f}{HARD}% of the variance is what a seed does to all of them alike"
    return text + (
        ", so ± says little about differences."
        if share > 0.5
        else "; where lines cross, the order depends on the seed."
    )


def spread(comparison: Comparison) -> str:
    """How much of the variance of the best trials is the seeds', in a sentence; empty for fewer
    than two trials or seeds in common."""
    trials = [t for t in comparison.trials if t.mean(comparison.metric.name) is not None][:BEST]
    values = [value_by_seed(trial) for trial in trials]
    seeds = [seed for seed in seeds_of(comparison) if all(seed in found for found in values)]
    if len(seeds) < 2 or len(trials) < 2:
        return ""
    share = seed_share([[found[seed] for seed in seeds] for found in values])
    text = (
        f"{100 * share:.0f} % of the variance of the best {len(trials)} is what a "
        f"{comparison.repeats.removesuffix('s')} does to all"
    )
    return f"{text} alike" + ("; so look at Δ, not at ±." if share > 0.5 else ".")


def seed_share(rows: list[list[float]]) -> float:
    """The share of the variance of a table (trials × seeds) that is between the seeds' means."""
    total = pvariance([v for row in rows for v in row])
    return (
        pvariance([fmean(column) for column in zip(*rows, strict=True)]) / total if total else 0.0
    )


def table(comparison: Comparison, beside: Path | None = None) -> Markup:
    """The metric of each run @ its best epoch. beside: the page's folder, for links to the runs."""
    seeds = seeds_of(comparison)
    columns = seeds[:SEEDS] if comparison.several_seeds else []
    heads = [element("th", f"seed {seed}", class_="n", scope="col") for seed in columns]
    heads = heads or [element("th", comparison.metric.name, class_="n", scope="col")]
    rows = []
    for trial in comparison.trials[:ROWS]:
        cells = [_of_seed(trial, seed, beside) for seed in columns] or [
            _run(trial.best_record, trial, beside)
        ]
        rows.append(element("tr", element("th", name_of(comparison, trial), scope="row"), *cells))
    head = element("thead", element("tr", element("th"), *heads))
    return element("table", head, element("tbody", *rows), class_="t3")


def _of_seed(trial: RankedTrial, seed: str, beside: Path | None) -> Markup:
    known = [record for record in (*trial.counted, *trial.records) if record.repeat == seed]
    return _run(known[0], trial, beside) if known else element("td", "–", class_="n")


def _run(record: Record, trial: RankedTrial, beside: Path | None) -> Markup:
    found = value_of(record, trial.metric.name, trial.metric.at)
    status = record.info.status
    if found is None or not (status.counts or status.is_under_way):
        sign = f"✗ epoch {record.info.epochs + 1}" if status is Status.DIVERGED else str(status)
        return element("td", link(record, sign, beside), class_="n")
    epoch = record.info.best.get("epoch")
    after = [element("span", f" @ {epoch:.0f}", class_="ci")] if epoch else []
    return element("td", link(record, value(found), beside), *after, class_="n")


def link(record: Record, words: str, beside: Path | None) -> Markup:
    if beside is None:
        return element("span", words)
    where = os.path.relpath(record.info.folder.absolute(), beside.absolute())
    return element("a", words, href=quote(where) + "/")


def more(comparison: Comparison) -> str:
    """What the table leaves out."""
    left = [
        f"{count} more {what}"
        for what, count in (
            ("trials", len(comparison.trials) - ROWS),
            ("seeds", len(seeds_of(comparison)) - SEEDS if comparison.several_seeds else 0),
        )
        if count > 0
    ]
    return f" Left out: {listed(left)}; all are in results.csv." if left else ""
