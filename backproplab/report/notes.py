"""The reader's own notes: ``notes.md`` beside the runs, which no report overwrites.

A few signs of Markdown are understood: paragraphs, lists, headings, code. This file must not know
the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from backproplab.files import read_regular, unusable
from backproplab.report.comparison import Comparison
from backproplab.report.markup import Markup, element

NAME = "notes.md"
LIMIT = 2**18  # bytes
ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")


def read_notes(comparison: Comparison) -> tuple[str, list[str]]:
    """(the notes of the runs' sessions, warnings about unusable files)."""
    texts, warnings = [], []
    for session in sorted({record.info.folder.parent for record in comparison.records}):
        try:
            text = read_regular(session / NAME, LIMIT).decode("utf-8-sig", errors="replace").strip()
            texts.append(text)
        except FileNotFoundError:
            continue
        except OSError as error:
            warnings.append(f"{session / NAME}: {unusable(error)}")
    return "\n\n".join(filter(None, texts)), warnings


def where(comparison: Comparison) -> Path:
    """The file that the next notes belong into."""
    return comparison.trials[0].best_record.info.folder.parent / NAME


def as_markup(text: str) -> list[Markup]:
    """The notes as paragraphs, headings and lists."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    return [mark for block in blocks if block.strip() for mark in _block(block)]


def _block(block: str) -> Iterator[Markup]:
    lines = block.splitlines()
    if lines[0].startswith("#"):
        yield element("p", element("b", lines[0].lstrip("# ")))
        lines = lines[1:]
    if lines and all(ITEM.match(line) for line in lines):
        yield element(
            "ul", *[element("li", *_inline(ITEM.sub("", line, count=1))) for line in lines]
        )
    elif lines:
        yield element("p", *_inline("\n".join(lines)))


def _inline(text: str) -> Iterator[str]:
    """Every second piece between backticks is code."""
    for at, piece in enumerate(text.split("`")):
        yield element("code", piece) if at % 2 else piece
