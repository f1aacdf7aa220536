"""HTML elements, escaped in one place (``element``), and a whole page from its parts.

This file must not know what a page is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from backproplab.report.theme import style_sheet

SIGNATURE = '<meta name="generator" content="backproplab report">'


class Markup(str):
    """Text that is already HTML."""


def element(tag: str, *content: str, **attributes: str) -> Markup:
    """``<tag>content</tag>``; content is escaped unless it is Markup. class_: ``class``."""
    given = "".join(f' {k.rstrip("_")}="{escape(v)}"' for k, v in attributes.items() if v)
    inner = "".join(c if isinstance(c, Markup) else escape(c) for c in content)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


def document(title: str, parts: Sequence[Markup]) -> str:
    """The whole page, with its style sheet."""
    sheet = style_sheet() + files("backproplab.report").joinpath("page.css").read_text("utf-8")
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{SIGNATURE}\n{element('title', title)}\n<style>{sheet}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def pairs(rows: Iterable[tuple[str, str]]) -> Markup:
    """A table of names and values."""
    lines = [element("tr", element("th", name, scope="row"), element("td", v)) for name, v in rows]
    return element("table", element("tbody", *lines), class_="pairs")
