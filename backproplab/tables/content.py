"""The bytes of a text file with a table, refused with their line if they are none.

Form: how the file is written. This file knows no records and no pandas.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from backproplab.errors import DataError, Problem, reason
from backproplab.files import UnusableFile, open_regular, read_regular

HEAD = 2**20  # bytes in which the form is looked for
LIMIT = 2**36  # bytes of a file
PANDAS, CELL_TAKES = 150 * 2**20, 24  # bytes, measured
ADDRESS = re.compile(r"(^|/)(https?|ftp|s3|gs):/", re.IGNORECASE)  # within a path
EMPTY = b"\xef\xbb\xbf \t\r\n"  # a byte order mark, blanks and ends of lines
BEGINNINGS = {  # of files that are no text
    b"PK\x03\x04": "a ZIP archive, as .xlsx and .npz are",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "compressed by gzip",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"SQLite format 3": "an SQLite database",
    b"\x80\x04\x95": "a Python pickle, which is never loaded",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
}


@dataclass(frozen=True)
class Form:
    """How a file is written, as far as it is known; the rest is found.

    delimiter: one letter, or ``""``.  decimal: ``"."``, ``","``, or ``""``.
    header: whether the first row names the columns; None to find out.
    missing: texts that mean that there is no value, beside empty cells.
    """

    delimiter: str = ""
    decimal: str = ""
    header: bool | None = None
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()

    @property
    def codec(self) -> str:
        """Python's name of the encoding; a byte order mark is no text."""
        return "utf-8-sig" if self.encoding == "utf-8" else self.encoding


def bytes_of(path: Path, limit: int = LIMIT) -> bytes:
    """The bytes of a regular file. Raises DataError for anything else."""
    try:
        before = path.stat()
        limit = limit if before.st_size else HEAD  # /proc hides sizes
        content = read_regular(path, limit, follow=True)
        after = path.stat()
    except FileNotFoundError:
        raise absent(path) from None
    except UnusableFile as error:
        raise fault(path, reason(error), "name a file with a table") from None
    except (OSError, ValueError) as error:
        raise fault(path, f"cannot read: {reason(error)}", "name a file with a table") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise fault(path, "changed while it was read", "try again")
    return content


def memory_of(path: Path, delimiter: str = "") -> int:
    """Bytes that reading a table takes at most: pandas itself, the file twice, 24 for each cell.

    The file has as many cells as its beginning says; 0 if it cannot be read.
    """
    try:
        with os.fdopen(open_regular(path, follow=True), "rb") as file:
            size, head = os.fstat(file.fileno()).st_size, file.read(HEAD)
    except (OSError, ValueError):
        return 0
    marks = delimiter or ",;\t| "
    cells = head.count(b"\n") + max(head.count(mark.encode()) for mark in marks)
    return PANDAS + 2 * size + CELL_TAKES * cells * size // max(len(head), 1)


def content_of(path: Path) -> bytes:
    """The bytes of the file. Raises DataError unless they are text."""
    content = bytes_of(path)
    if not content[:HEAD].strip(EMPTY) and not content.strip(EMPTY):
        raise fault(path, "is empty", "a table needs a row for each example")
    for beginning, kind in BEGINNINGS.items():
        if content[: len(beginning)].lower() == beginning.lower():
            parquet = kind == "Parquet"
            hint = (
                "name it f.parquet, or set name: parquet" if parquet else "save it as CSV in UTF-8"
            )
            raise fault(path, f"the content is {kind}, not CSV", hint)
    if (at := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise fault(
            f"{path}:{line}", "holds a NUL byte, so it is no text", "save it as CSV in UTF-8"
        )
    return content


def absent(path: Path) -> DataError:
    """The error of a file that is not there, with what is nearest in its folder."""
    return fault(path, "there is no such file", _nearest(path))


def _nearest(path: Path) -> str:
    folder = path.parent
    if ADDRESS.search(str(path)):
        return "it is an address: download the file, and name it"
    try:
        found = [entry for entry in folder.iterdir() if entry.is_file() or not path.suffix]
        names = sorted(entry.name for entry in found)
    except OSError:
        return f"there is no folder {folder}"
    near = get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"looked in {folder}"


def head_of(path: Path, content: bytes, form: Form) -> str:
    """The first lines. Raises DataError if the file is not of this encoding."""
    if not content.isascii():
        try:
            content.decode(form.codec)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            what = f"byte {content[error.start]:#04x} is not {form.encoding}"
            raise fault(
                f"{path}:{line}", what, "save it as UTF-8, or set encoding: latin-1"
            ) from None
        except LookupError:
            raise fault(
                path, f"unknown encoding '{form.encoding}'", "such as utf-8 or latin-1"
            ) from None
    whole = len(content) <= HEAD
    part = content if whole else content[: content.rfind(b"\n", 0, HEAD) + 1] or content[:HEAD]
    return part.decode(form.codec, errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def fault(where: object, what: str, hint: str) -> DataError:
    """The error of a file, or of a line of it."""
    return DataError(str(Problem(str(where), what, hint)))
