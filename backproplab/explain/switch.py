"""A page's colors as CSS variables, so that it can switch between light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from backproplab.palette import THEMES, Theme

RUN = "run-{}"


def variables() -> Theme:
    """A theme whose colors are CSS variables."""
    names = {f.name: f"var(--{f.name.replace('_', '-')})" for f in fields(Theme)}
    runs = tuple(f"var(--{RUN.format(n)})" for n in range(len(THEMES["light"].runs)))
    return Theme(**{**names, "paths": THEMES["light"].paths, "runs": runs})  # type: ignore[arg-type]


def colors() -> str:
    """The two themes as CSS; the reader's system chooses, unless the page does."""
    light, dark = ("".join(_declared(THEMES[name])) for name in ("light", "dark"))
    return (
        f":root{{{light}color-scheme:light}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}"
        f":root[data-theme=dark]{{{dark}color-scheme:dark}}"
    )


def _declared(theme: Theme) -> Iterator[str]:
    for field in fields(Theme):
        if isinstance(value := getattr(theme, field.name), str):
            yield f"--{field.name.replace('_', '-')}:{value};"
    for n, ink in enumerate(theme.runs):
        yield f"--{RUN.format(n)}:{ink};"
