"""Figures that a command is asked for: checked before anything is computed, then written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from backproplab.errors import ConfigError, RefusedError


def checked(forms: Mapping[str, Path | None], theme: str) -> dict[str, Path]:
    """The files that are asked for, by form: svg, png, pdf.

    Raises ConfigError, or RefusedError for what is no regular file.
    """
    from backproplab.explain import raster
    from backproplab.palette import THEMES

    if theme not in THEMES:
        raise ConfigError(f"--theme {theme}: choose light or dark")
    files = {form: path for form, path in forms.items() if path}
    if len(set(files.values())) < len(files):
        raise ConfigError("two outputs have the same file; give each its own")
    for form, path in files.items():
        if form != "svg":
            raster.check()
        if str(path) == "-" and form != "svg":
            raise ConfigError(f"--{form} writes a file, not to stdout")
        if path.exists() and (path.is_symlink() or not path.is_file()):
            raise RefusedError(f"{path} is not a regular file; choose another name")
        if str(path) != "-" and not path.parent.is_dir():
            raise ConfigError(f"--{form} {path}: there is no folder {path.parent}")
    return files


def drawn(render: Callable[[], str], files: Mapping[str, Path]) -> bool:
    """Write the figure to its files; true if it went to stdout."""
    from backproplab.explain import raster
    from backproplab.files import write_atomic

    if not files:
        return False
    text = render()
    for form, path in files.items():
        if str(path) != "-":
            write_atomic(path, {"png": raster.png, "pdf": raster.pdf}.get(form, str)(text))
            typer.echo(f"wrote {path}", err=True)
    if str(files.get("svg", "")) == "-":
        typer.echo(text, nl=False)
        return True
    return False
