"""backproplab explain: explain the chain rule on an expression or on one update of a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backproplab.explain import Explanation, Line, Report, ReportTable

ROLES = {
    "value": "bold cyan", "gradient": "bold yellow", "aside": "dim",
    "path1": "green", "path2": "magenta", "path3": "cyan", "path4": "yellow",
}  # fmt: skip


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="EXPR|CONFIG",
            help="A formula in quotes, such as '(a + b) * (b + 1)', or a YAML file.",
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            help="Values of variables: numbers, vectors, formulas of others; or of config keys.",
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="The gradient that arrives at the result: [1,2,3]."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the graph as SVG; - for stdout.")
    ] = None,
    dot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the graph for Graphviz.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as Markdown with LaTeX.")
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the graph as PNG.")] = None,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the graph as PDF.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that walks through the steps.")
    ] = None,
    order: Annotated[
        int, typer.Option(metavar="1|2", help="2: second derivatives, term by term.")
    ] = 1,
    implicit: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The variable that an equation defines: its slopes."),
    ] = None,
    nudge: Annotated[
        bool,
        typer.Option(
            "--nudge",
            help="Difference quotients for h from 1 to 1e-15; of a config the changes that a"
            " weight's makes, such as dense_1/kernel[0,1]=0.001.",
        ),
    ] = False,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="TYPES", help="Every step in these: float16,float32,float64."),
    ] = None,
    examples: Annotated[
        int, typer.Option(metavar="M", help="Of a config: the first M examples and their mean.")
    ] = 0,
    steps: Annotated[
        bool, typer.Option("--steps", help="Walk through both passes, one step a key.")
    ] = False,
    theme: Annotated[str, typer.Option(metavar="light|dark", help="Colors of drawings.")] = "light",
) -> None:
    """Show forward values, the chain rule along each edge, every path, the derivative three ways.

    Formulas have numbers, names, + - * / **, brackets, pi, e, vectors [1, 2] and their entries
    x[0], and functions such as sin, exp, relu, sum, softmax. A variable may be a formula of others:
    explain 'x**2 + y' 'x=2*t' 'y=exp(t)' t=1. Put -- before a formula that starts with a minus.
    """
    from backproplab import explain
    from backproplab.errors import ConfigError
    from backproplab.palette import THEMES

    if theme not in THEMES:
        raise ConfigError(f"--theme {theme}: choose light or dark")
    if order not in (1, 2):
        raise ConfigError(f"--order {order}: choose 1 or 2")
    types = tuple(dtype.split(",")) if dtype else ()
    asked = explain.Asked(upstream, order, implicit, nudge, types)
    is_config = _is_file(what) or what.endswith((".yaml", ".yml"))
    explanation = (
        explain.of_config(Path(what), words or [], examples, nudge)
        if is_config
        else explain.of_expression(what, words or [], asked)
    )
    if steps:
        from backproplab.cli.explain_steps import walk

        return walk(explanation.trace)
    outputs = {"svg": svg, "dot": dot, "markdown": markdown, "html": html, "png": png, "pdf": pdf}
    _write(explanation, {form: path for form, path in outputs.items() if path}, theme)


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # not a valid file name
        return False


def _write(explanation: Explanation, outputs: Mapping[str, Path], theme: str) -> None:
    """Write the outputs, and the report unless another form goes to stdout.

    All files are checked before the first is written.
    """
    from backproplab.errors import ConfigError, RefusedError
    from backproplab.files import write_atomic

    if len(set(outputs.values())) < len(outputs):
        raise ConfigError("two outputs have the same file; give each its own")
    if any(str(outputs.get(form, "")) == "-" for form in ("png", "pdf")):
        raise ConfigError("--png and --pdf write files, not to stdout")
    to_stdout = [form for form, path in outputs.items() if str(path) == "-"]
    files = {form: path for form, path in outputs.items() if form not in to_stdout}
    for path in files.values():
        if path.exists() and (path.is_symlink() or not path.is_file()):
            raise RefusedError(f"{path} is not a regular file; choose another name")
    texts = {form: getattr(explanation, form)(theme) for form in outputs}
    for form, path in files.items():
        write_atomic(path, texts[form])
    if to_stdout:
        typer.echo(texts[to_stdout[0]], nl=False)
    else:
        _show(explanation.report)
    for path in files.values():
        typer.echo(f"wrote {path}", err=True)


def _show(report: Report) -> None:
    """Print the report on the terminal."""
    from backproplab.cli.printing import pieces

    aside = f"   {report.aside}" if report.aside else ""
    pieces((signs(report.title), "bold"), (aside, "dim"))
    for section in report.sections:
        pieces(("", ""))
        if section.title:
            aside = f"   {signs(section.aside)}" if section.aside else ""
            pieces((section.title, "bold"), (aside, "dim"))
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
    """A line in its colors; one that is too long is wrapped at spaces, without."""
    from backproplab.cli.printing import pieces, sentence, width

    styled = [(signs(text), ROLES.get(role, "")) for text, role in line]
    text = "".join(text for text, _ in styled)
    room = width()
    if room is not None and len(text) + 2 > room:
        sentence(text, "  ", 6)
    else:
        pieces(("  ", ""), *styled)


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
