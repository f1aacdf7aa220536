"""The figures that evaluate writes into a folder, and the groups that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproplab.assessing import Coefficients, Groups, Sample
    from backproplab.experiment import Model

NUMBERS = "figures.json"


def figures_folder(folder: Path | None, theme: str) -> Path | None:
    """The folder to write to. Raises ConfigError for an unknown theme, or a folder within one that
    is not there; RefusedError for what is no folder."""
    from backproplab.errors import ConfigError, RefusedError
    from backproplab.palette import THEMES

    if theme not in THEMES:
        raise ConfigError(f"--theme {theme}: choose light or dark")
    if folder is None:
        return None
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RefusedError(f"{folder} is no folder; choose another name")
    if not folder.parent.is_dir():
        raise ConfigError(f"--figures {folder}: there is no folder {folder.parent}")
    return folder


def judged(model: Model, table: Any) -> Sample:
    """The examples that figures and groups are of."""
    from backproplab.assessing import Sample

    return Sample.of(model, table)


def grouped(sample: Sample, by: str) -> Groups:
    """Metrics of each value of a column. Raises DataError."""
    from backproplab.assessing import Groups

    return Groups.of(sample, by)


def write_figures(folder: Path, sample: Sample, by: str, theme: str) -> list[str]:
    """Draw every figure, then write them all, with their numbers; the names of the files.

    Raises RefusedError for a name that is taken by what is no regular file.
    """
    import json

    from backproplab.assessing import parts_of
    from backproplab.errors import RefusedError
    from backproplab.files import write_atomic
    from backproplab.palette import THEMES
    from backproplab.text import json_tree

    parts = list(parts_of(sample, by))
    contents = {f"{part.name}.svg": part.figure(THEMES[theme]) for part in parts}
    numbers = {part.name: json_tree(part.tree()) for part in parts}
    contents[NUMBERS] = json.dumps({"of": sample.title, **numbers}, indent=1) + "\n"
    for name in contents:
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise RefusedError(f"{path} is not a regular file; choose another folder")
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return list(contents)


def show_coefficients(line: Coefficients) -> None:
    """A row for each input: what one unit of it changes, in units of the target."""
    from backproplab.cli.printing import lines, printable, sentence, table
    from backproplab.layout import Column

    heads = "per unit", "least squares", "per deviation", "least squares"
    columns = [
        [f"{value:.6g}" for value in values] for values in list(zip(*line.rows, strict=True))[1:]
    ]
    lines([""])
    table([
        Column("input", [printable(name) for name, *_ in line.rows], is_name=True),
        *(Column(head, texts, right=True, rank=n // 2)
          for n, (head, texts) in enumerate(zip(heads, columns, strict=True))),
    ])  # fmt: skip
    if not line.is_unique:
        more = len(line.names) - line.rank
        sentence(
            f"{more} of these inputs {'follows' if more == 1 else 'follow'} from the others, so "
            "that other coefficients give the same predictions; least squares takes the smallest"
        )
    if line.model.weights == "best":
        sentence("weights of the best epoch; --weights last compares those it ended with")
