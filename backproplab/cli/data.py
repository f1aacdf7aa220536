"""backproplab data: which data sets there are, and what is in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backproplab.data import TableFile
    from backproplab.tables import Profile, Target

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the data sets that a config can name."""
    from backproplab.cli.printing import table
    from backproplab.data import Dataset
    from backproplab.layout import Column

    found = sorted(Dataset.members.items())
    firsts = [(member.__doc__ or "").strip().split("\n")[0] for _, member in found]
    table([Column("data", [name for name, _ in found]), Column("what it is", firsts)])


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="FILE|CONFIG", help="A table, or a YAML file.")],
    target: Annotated[str, typer.Option(help="The column to predict.")] = "",
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the keys that say what was found, for a config.")
    ] = False,
) -> None:
    """Show each column of a table: what it is taken for and why, its values, what it tells.

    "tells" is how much of the target the column tells by itself: 1 is all of it.
    """
    from backproplab.tables import profiles

    data = _described(path, target)
    table = data.table()
    found, roles = data.roles(table)
    columns = profiles(table, found, roles)
    if as_yaml:
        typer.echo(_yaml(data, found, columns), nl=False)
        return
    _show(len(table), found, columns)


def _described(path: Path, target: str) -> TableFile:
    """The table of a file, or the one that a config names. Raises ConfigError for other data."""
    from backproplab.config import load
    from backproplab.data import Csv, Parquet, TableFile
    from backproplab.errors import ConfigError, Problem

    if path.suffix.lower() not in (".yaml", ".yml"):
        kind = Parquet if path.suffix.lower() in Parquet.suffixes else Csv
        return kind(path=str(path), target=target, columns={})
    data = load(path).data
    if not isinstance(data, TableFile):
        hint = "name a table in a file, or a config whose data is one"
        raise ConfigError(Problem(str(path), f"its data, {data.name}, is no table", hint))
    return data.model_copy(update={"target": target}) if target else data


def _show(rows: int, target: Target, found: Sequence[Profile]) -> None:
    from backproplab.cli.printing import lines, printable, sentence, table
    from backproplab.layout import Column, sparkline
    from backproplab.tables import Feature
    from backproplab.text import counted

    classes = f", {counted(len(target.classes), 'class')}" if target.classes else ""
    why = f" ({target.why})" if target.why else ""
    sentence(f"{counted(rows, 'row')}, target {target.name}: {target.kind}{classes}{why}")
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
    leaks = [each.role.name for each in found if each.is_leak]
    if leaks:
        lines([""])
        of = "tells" if len(leaks) == 1 else "tell"
        sentence(
            f"{', '.join(leaks)} {of} all of the target: a copy of it, or known only after it?"
        )


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
            kind = (role.format or role.kind) if isinstance(role, Feature) else "ignore"
            value = f"{{date: {json.dumps(kind)}}}" if "%" in kind else kind
            lines.append(f"    {json.dumps(role.name, ensure_ascii=False)}: {value}")
    return "\n".join(lines) + "\n"
