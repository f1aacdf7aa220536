"""backproplab explain: explain the chain rule on an expression or on one update of a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backproplab.explain import Explanation, Report


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
        typer.Argument(metavar="[NAME=VALUE]...", help="Values of variables, or of config keys."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the graph as SVG; - for stdout.")
    ] = None,
    dot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the graph for Graphviz.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as Markdown.")
    ] = None,
) -> None:
    """Show forward values, the chain rule along each edge, every path, the derivative three ways.

    Formulas have numbers, names, + - * / **, brackets, pi, e, and functions such as sin, exp, relu.
    Put -- before a formula that starts with a minus.
    """
    from backproplab import explain

    is_config = _is_file(what) or what.endswith((".yaml", ".yml"))
    explanation = (
        explain.of_config(Path(what), words or [])
        if is_config
        else explain.of_expression(what, words or [])
    )
    outputs = {"svg": svg, "dot": dot, "markdown": markdown}
    _write(explanation, {form: path for form, path in outputs.items() if path})


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # not a valid file name
        return False


def _write(explanation: Explanation, outputs: Mapping[str, Path]) -> None:
    """Write the outputs, and the report unless another form goes to stdout.

    All files are checked before the first is written.
    """
    from backproplab.errors import ConfigError, RefusedError
    from backproplab.files import write_atomic

    if len(set(outputs.values())) < len(outputs):
        raise ConfigError("two outputs have the same file; give each its own")
    to_stdout = [form for form, path in outputs.items() if str(path) == "-"]
    files = {form: path for form, path in outputs.items() if form not in to_stdout}
    for path in files.values():
        if path.exists() and (path.is_symlink() or not path.is_file()):
            raise RefusedError(f"{path} is not a regular file; choose another name")
    texts = {form: getattr(explanation, form)() for form in outputs}
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
    from backproplab.cli.printing import lines, sentence, table
    from backproplab.layout import Column

    lines([report.title], "bold")
    for section in report.sections:
        lines(["", section.title], "bold")
        if isinstance(section.body, list):
            for line in section.body:
                sentence(line, "  ", 2)
            continue
        heads, rows = section.body.headers, section.body.rows
        last = len(heads) - 1
        table([
            Column(
                head, [row[at] for row in rows], right=head not in section.body.left,
                rank=0 if at in (0, last) else last - at,
            )
            for at, head in enumerate(heads)
        ])  # fmt: skip
