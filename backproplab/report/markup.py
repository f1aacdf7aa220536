"""HTML elements, escaped in one place (``element``), and a whole page from its parts.

This file must not know what a page is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

SIGNATURE = '<meta name="generator" content="backproplab report">'
HATCH = (
    '<svg width="0" height="0" class="vh" aria-hidden="true"><defs><pattern id="hatch" width="7"'
    ' height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="htl" d="M0 0V7"></path></pattern><clipPath id="area">'
    '<rect x="0" y="25" width="480" height="226"></rect></clipPath></defs></svg>'
)


class Markup(str):
    """Text that is already HTML."""


def element(tag: str, *content: str, **attributes: str) -> Markup:
    """``<tag>content</tag>``; content is escaped unless it is Markup. class_: ``class``."""
    given = "".join(f' {k.rstrip("_")}="{escape(v)}"' for k, v in attributes.items() if v)
    inner = "".join(c if isinstance(c, Markup) else escape(c) for c in content)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


def section(title: str, *parts: Markup) -> Markup:
    """A part of the page with its heading."""
    return element("section", element("h2", title), *parts)


def document(title: str, parts: Sequence[Markup]) -> str:
    """The whole page, with its style sheet and its script, which only adds comfort."""
    room = files("backproplab.report")
    sheet, script = (room.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n{SIGNATURE}\n{element("title", title)}\n'
        f"<style>{sheet}</style>\n</head>\n<body>\n{HATCH}\n<main>\n{body}\n</main>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def pairs(rows: Iterable[tuple[str, str | Markup]]) -> Markup:
    """A list of names and values."""
    lines = [element("dt", name) + element("dd", value) for name, value in rows]
    return element("dl", *map(Markup, lines), class_="eq")
