"""How good the answers of the best run are: figures of its network on examples that it did not see.

They take its data and its weights; a run that has none gets no such part.
"""

from __future__ import annotations

from backproplab.assessing import Sample, parts_of
from backproplab.errors import BackpropLabError
from backproplab.experiment import model
from backproplab.palette import Theme
from backproplab.report.comparison import Comparison
from backproplab.report.differences import shown
from backproplab.report.markup import Markup, element, section

PAGE = Theme(
    paper="var(--bg)", ink="var(--ink)", second="var(--soft)", rules="var(--line)",
    contours="var(--line)", value="var(--o1)", value_fill="var(--tint)", gradient="var(--o2)",
    gradient_line="var(--o2)", gradient_fill="var(--tint)", good="var(--good)", paths=(),
    runs=tuple(f"var(--o{n})" for n in range(1, 7)),
)  # fmt: skip


def section_of(comparison: Comparison) -> list[Markup]:
    """The figures of the best run's best weights; nothing if its folder holds no model."""
    info = comparison.trials[0].best_record.info
    try:
        used = model(info.folder)
    except BackpropLabError:
        return []
    try:
        sample = Sample.of(used)
        figures = [Markup(part.within_page(PAGE)) for part in parts_of(sample)]
    except BackpropLabError as error:
        return [section("Its answers", element("p", f"Not drawn: {error}", class_="cap wide"))]
    text = f"{shown(info.name)}, weights of its {used.weights} epoch, on its {sample.name} split."
    pictures = [element("figure", figure) for figure in figures]
    title = "Answers of number 1" if len(comparison.records) > 1 else "Answers"
    caption = element("p", text, class_="cap wide")
    return [section(title, caption, element("div", *pictures, class_="wide two"))]
