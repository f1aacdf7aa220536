"""backproplab data: which data sets there are, and what is in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backproplab.data import Dataset, RawData, TableFile
    from backproplab.tables import Profile, Table, Target

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the data sets that a config can name."""
    from backproplab.cli.printing import sentence
    from backproplab.data import Dataset

    found = sorted(Dataset.members.items())
    indent = 2 + max(len(name) for name, _ in found)
    for name, member in found:
        first = (member.__doc__ or "").strip().split("\n")[0].replace("``", "")
        suffixes = " ".join(member.suffixes).replace("/", "FOLDER/")
        sentence(f"{first} Files: {suffixes}" if suffixes else first, f"{name:<{indent}}", indent)


@app.command()
def show(
    path: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER/|CONFIG", help="A table, arrays, images, or a YAML file."
        ),
    ],
    target: Annotated[str, typer.Option(help="The column to predict.")] = "",
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the keys that say what was found, for a config.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page, too.")
    ] = None,
) -> None:
    """Show each column of a table: what it is taken for and why, its values, what it tells.

    "tells" is how much of the target the column tells by itself: 1 is all of it. Of arrays and
    images: their shape, and the examples of each class.
    """
    from backproplab.data import TableFile
    from backproplab.errors import ConfigError, Problem
    from backproplab.streams import stream
    from backproplab.tables import profiles

    data = _described(path, target)
    if not isinstance(data, TableFile):
        if target or as_yaml or html:
            option = "--target" if target else "--yaml" if as_yaml else "--html"
            raise ConfigError(Problem(option, f"{data.name} is no table", "leave it out"))
        _show_arrays(data.read(stream(0, "data")))
        return
    table = data.table()
    found, roles = data.roles(table)
    columns = profiles(table, found, roles)
    if html:
        _write_page(html, data.title, table, found, columns)
    if as_yaml:
        typer.echo(_yaml(data, found, columns), nl=False)
        return
    _show(table, found, columns)
    if html:
        typer.echo(f"wrote {html}", err=True)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="fashion_mnist or mnist.")],
    mirror: Annotated[
        str, typer.Option(help="A folder with the same files: https://…, file:///…")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="The folder to put them; by default one that is looked in.")
    ] = None,
) -> None:
    """Download the files of a data set, about 30 MiB, and check their SHA-256.

    What has another SHA-256 is not written; files that are there already are not fetched again.
    """
    from backproplab.data import Dataset
    from backproplab.data.fetching import fetch as fetched
    from backproplab.data.images import FILES, ImageFiles
    from backproplab.errors import ConfigError, Problem

    member = Dataset.members.get(name)
    if member is None or not issubclass(member, ImageFiles) or not member.source:
        known = [n for n, m in Dataset.members.items() if getattr(m, "source", "")]
        hint = f"what can be fetched: {', '.join(sorted(known))}"
        raise ConfigError(Problem(name, "is not downloaded", hint))
    folder, source = to or member.kept(), mirror or member.source
    for file, sha256 in zip(FILES, member.sha256, strict=True):
        new = fetched(f"{source.rstrip('/')}/{file}.gz", folder / f"{file}.gz", sha256)
        typer.echo(f"{'fetched' if new else 'is there':<9}{folder / file}.gz", err=True)
    typer.echo(str(folder))


def _described(path: str, target: str) -> Dataset:
    """The data set of a file or a folder, or the one that a config names."""
    from backproplab.config import load
    from backproplab.data import Csv, Dataset, TableFile

    named = Path(path)
    if named.suffix.lower() in (".yaml", ".yml"):
        data = load(named).data
        chosen = target and isinstance(data, TableFile)
        return data.model_copy(update={"target": target}) if chosen else data
    name, fields, _ = Dataset.named_by(f"{path}/" if named.is_dir() else path)
    member = Dataset.members[name] if fields else Csv
    own = {"target": target} if issubclass(member, TableFile) else {}
    return member.model_validate({"path": path, **own})


def _show_arrays(raw: RawData) -> None:
    """The shape of the inputs and what they hold; how many examples each class has."""
    import numpy as np

    from backproplab.cli.printing import lines, printable, sentence, table
    from backproplab.layout import Column, sparkline
    from backproplab.text import counted, times

    examples, test, task = raw.examples, raw.test, raw.task
    shape = times(raw.image or examples.inputs.shape[1:])
    tested = f" and {len(test):,} to test" if test else ""
    sentence(f"{counted(len(examples), 'example')}{tested}, {shape} numbers each: {task}")
    low, high = examples.inputs.min(axis=0), examples.inputs.max(axis=0)
    same = int((low == high).sum())
    constant = f"; {same:,} of {len(low):,} inputs are constant" if same else ""
    sentence(f"inputs {low.min():.4g} … {high.max():.4g}{constant}")
    for remark in raw.remarks:
        sentence(remark)
    lines([""])
    if task.kind == "regression":
        targets = examples.targets
        histograms = [tuple(np.histogram(column, 12)[0].tolist()) for column in targets.T]
        table([
            Column("target", [f"{i + 1}" for i in range(targets.shape[1])]),
            Column("values", [f"{y.min():.4g} … {y.max():.4g}" for y in targets.T]),
            Column("mean", [f"{y.mean():.4g}" for y in targets.T], right=True),
            Column("rows by value", [sparkline(each, 12) for each in histograms]),
        ])  # fmt: skip
        return
    counts = np.bincount(examples.targets, minlength=task.outputs)
    held = np.bincount(test.targets, minlength=task.outputs) if test else counts
    names = task.labels or tuple(map(str, range(task.outputs)))
    table([
        Column("class", [printable(name) for name in names], is_name=True),
        Column("examples", [f"{count:,}" for count in counts], right=True),
        Column("share", [f"{count / counts.sum():.1%}" for count in counts], right=True),
        *([Column("to test", [f"{count:,}" for count in held], right=True)] if test else []),
    ])  # fmt: skip


def _write_page(
    path: Path, name: str, rows: Table, target: Target, found: Sequence[Profile]
) -> None:
    """Raises ConfigError for a path that is no page's, RefusedError for what is there already."""
    from backproplab.cli.report import checked_page
    from backproplab.files import write_atomic
    from backproplab.report import table_page
    from backproplab.tables import balance, summary, suspicions

    checked_page(path, "--html")
    classes = balance(rows, target) if target.classes else []
    page = table_page(name, summary(len(rows), target), suspicions(found), classes, found)
    write_atomic(path, page)


def _show(rows: Table, target: Target, found: Sequence[Profile]) -> None:
    from backproplab.cli.printing import lines, printable, sentence, table
    from backproplab.layout import Column, sparkline
    from backproplab.tables import Feature, balance, listed, summary, suspicions

    sentence(summary(len(rows), target))
    if target.classes:
        classes = sorted(balance(rows, target), key=lambda pair: -pair[1])
        shares = [f"{printable(name)} {count / len(rows):.1%}" for name, count in classes]
        sentence(f"classes: {listed(shares)}")
    lines([""])
    kinds = [each.role.kind if isinstance(each.role, Feature) else "-" for each in found]
    names = [printable(each.role.name) for each in found]
    values = [printable(each.values) for each in found]
    table([
        Column("column", names, is_name=True),
        Column("kind", kinds),
        Column("why", [each.role.why for each in found], rank=2),
        Column("distinct", [f"{each.distinct:,}" for each in found], right=True),
        Column("missing", [f"{p.missing:,}" if p.missing else "" for p in found], right=True),
        Column("values", values, rank=3),
        Column("tells", ["" if p.tells is None else f"{p.tells:.2f}" for p in found], right=True),
        Column("rows by value", [sparkline(each.counts, 12) for each in found], rank=4),
    ])  # fmt: skip
    if doubts := suspicions(found):
        lines(["", *map(printable, doubts)])


def _yaml(data: TableFile, target: Target, found: Sequence[Profile]) -> str:
    """The section ``data`` of a config that says all that was found."""
    import json

    from backproplab.tables import Feature

    lines = [
        "data:",
        f"  name: {data.name}",
        f"  path: {json.dumps(data.path, ensure_ascii=False)}",
    ]
    lines += [f"  target: {json.dumps(target.name, ensure_ascii=False)}", f"  task: {target.kind}"]
    lines += ["  columns:"]
    for each in found:
        role = each.role
        if role.name != target.name:
            kind = role.asked if isinstance(role, Feature) else "ignore"
            value = f"{{date: {json.dumps(kind)}}}" if "%" in kind else kind
            lines.append(f"    {json.dumps(role.name, ensure_ascii=False)}: {value}")
    return "\n".join(lines) + "\n"
