"""The files that a command draws, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Draw it as SVG; - for stdout.")
]
Png = Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw it as PNG.")]
Pdf = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Draw it as PDF.")]
ThemeName = Annotated[
    str, typer.Option("--theme", metavar="light|dark", help="Colors of drawings.")
]
BINARY = ("png", "pdf")


def checked(theme: str, **outputs: Path | None) -> dict[str, Path]:
    """The files that are asked for, by their form.

    Raises ConfigError for an unknown theme, for two outputs in one place, for a folder that is not
    there; RefusedError for what is no regular file.
    """
    from backproplab.errors import ConfigError, RefusedError
    from backproplab.palette import THEMES

    if theme not in THEMES:
        raise ConfigError(f"--theme {theme}: choose light or dark")
    files = {form: path for form, path in outputs.items() if path}
    if len(set(files.values())) < len(files):
        raise ConfigError("two outputs have the same file; give each its own")
    for form, path in files.items():
        if form in BINARY:
            _check_binary(form, path)
        if str(path) != "-" and path.exists() and (path.is_symlink() or not path.is_file()):
            raise RefusedError(f"{path} is not a regular file; choose another name")
        if str(path) != "-" and not path.parent.is_dir():
            raise ConfigError(f"--{form} {path}: there is no folder {path.parent}")
    return files


def _check_binary(form: str, path: Path) -> None:
    from backproplab.errors import ConfigError
    from backproplab.explain import raster

    if str(path) == "-":
        raise ConfigError(f"--{form} writes a file, not to stdout")
    raster.check()


def image(form: str, drawing: str) -> str | bytes:
    """The SVG as a file of this form: svg, png or pdf."""
    from backproplab.explain import raster

    made: str | bytes = {"png": raster.png, "pdf": raster.pdf}.get(form, str)(drawing)
    return made


def write(files: Mapping[str, Path], drawn: Callable[[str], str | bytes]) -> bool:
    """Write all outputs once all are drawn; whether one of them went to stdout.

    drawn: gives the content of a form.
    """
    from backproplab.files import write_atomic

    contents = {form: drawn(form) for form in files}
    for form, path in files.items():
        if str(path) == "-":
            typer.echo(contents[form], nl=False)
        else:
            write_atomic(path, contents[form])
    return "-" in map(str, files.values())


def report(files: Mapping[str, Path]) -> None:
    """Say which files were written, after everything else."""
    for path in files.values():
        if str(path) != "-":
            typer.echo(f"wrote {path}", err=True)
