"""backproplab explain: explain the chain rule on an expression or on one update of a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.drawings import Pdf, Png, Svg, ThemeName, checked, report, write

if TYPE_CHECKING:
    from backproplab.explain import Line, Report, ReportTable

ROLES = {
    "value": "bold cyan", "gradient": "bold yellow", "aside": "dim",
    "path1": "green", "path2": "magenta", "path3": "cyan", "path4": "yellow",
}  # fmt: skip


What = Annotated[
    str,
    typer.Argument(
        metavar="EXPR|CONFIG",
        help="A formula in quotes, such as '(a + b) * (b + 1)', or a YAML file.",
    ),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE]...",
        help="Values of variables: numbers, vectors, formulas of others; or of config keys.",
    ),
]
Upstream = Annotated[
    str | None,
    typer.Option(metavar="VALUE", help="The gradient that arrives at the result: [1,2,3]."),
]
Dot = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the graph for Graphviz.")]
Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the report as Markdown with LaTeX.")
]
Html = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a page that walks through the steps.")
]
Order = Annotated[int, typer.Option(metavar="1|2", help="2: second derivatives, term by term.")]
Implicit = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The variable that an equation defines: its slopes."),
]
Nudge = Annotated[
    bool,
    typer.Option(
        "--nudge",
        help="Difference quotients for h from 1 to 1e-15; of a config the changes that a"
        " weight's makes, such as dense_1/kernel[0,1]=0.001.",
    ),
]
Types = Annotated[
    str | None,
    typer.Option(metavar="TYPES", help="Every step in these: float16,float32,float64."),
]
Examples = Annotated[
    int, typer.Option(metavar="M", help="Of a config: the first M examples and their mean.")
]
Steps = Annotated[bool, typer.Option("--steps", help="Walk through both passes, one step a key.")]


BESIDE = re.compile(r" {3}.* -> ")  # the route of a path, at the end of its line


def command(
    what: What,
    words: Words = None,
    upstream: Upstream = None,
    svg: Svg = None,
    dot: Dot = None,
    markdown: Markdown = None,
    png: Png = None,
    pdf: Pdf = None,
    html: Html = None,
    order: Order = 1,
    implicit: Implicit = None,
    nudge: Nudge = False,
    dtype: Types = None,
    examples: Examples = 0,
    steps: Steps = False,
    theme: ThemeName = "light",
) -> None:
    """Show forward values, the chain rule along each edge, every path, the derivative three ways.

    Formulas have numbers, names, + - * / **, brackets, pi, e, vectors [1, 2] and their entries
    x[0], and functions such as sin, exp, relu, sum, softmax. A variable may be a formula of others:
    explain 'x**2 + y' 'x=2*t' 'y=exp(t)' t=1.
    """
    from backproplab import explain

    outputs = {"svg": svg, "dot": dot, "markdown": markdown, "html": html, "png": png, "pdf": pdf}
    files = checked(theme, **outputs)
    if _is_config(what):
        found = explain.of_config(Path(what), words or [], examples, nudge)
    else:
        types = tuple(dtype.split(",")) if dtype else ()
        asked = explain.Asked(upstream, order, implicit, nudge, types)
        found = explain.of_expression(what, words or [], asked)
    if steps:
        from backproplab.cli.explain_steps import walk

        return walk(found.trace)
    if not write(files, lambda form: getattr(found, form)(theme)):
        _show(found.report)
    report(files)


def _is_config(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) or _is_file(word)


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # not a valid file name
        return False


def _show(shown: Report) -> None:
    """Print the report on the terminal."""
    from backproplab.cli.printing import heading, pieces

    heading(signs(shown.title), shown.aside)
    for section in shown.sections:
        pieces(("", ""))
        if section.title:
            heading(section.title, signs(section.aside))
        if isinstance(section.body, list):
            for line in section.body:
                _print(line)
        else:
            _table(section.body)


def signs(text: str) -> str:
    """The formula with signs such as · and →, where the terminal has them."""
    from backproplab.cli.printing import is_drawable
    from backproplab.explain.notation import pretty

    return pretty(text) if is_drawable(pretty("a*b -> eps**-2 ...")) else text


def _print(line: Line) -> None:
    """A line in its colors; one that is too long goes without the route beside it, or is wrapped
    at spaces, without colors."""
    from backproplab.cli.printing import lines, pieces, width
    from backproplab.layout import paragraph

    room = width()
    for parts in (line, [piece for piece in line if not BESIDE.match(piece[0])]):
        styled = [(signs(text), ROLES.get(role, "")) for text, role in parts]
        if room is None or sum(len(text) for text, _ in styled) + 2 <= room:
            pieces(("  ", ""), *styled)
            return
    assert room is not None
    first, *rest = paragraph(signs("".join(text for text, _ in line)), room - 6)
    lines([f"  {first}", *(f"      {text}" for text in rest)])


def _table(body: ReportTable) -> None:
    from backproplab.cli.printing import table
    from backproplab.layout import Column

    roles, ranks = dict(body.roles), dict(body.ranks)
    table([
        Column(
            signs(head), [signs(row[at]) for row in body.rows], right=head not in body.left,
            rank=ranks.get(head, 0), styles=[ROLES.get(roles.get(head, ""), "")] * len(body.rows),
        )
        for at, head in enumerate(body.headers)
    ])  # fmt: skip
