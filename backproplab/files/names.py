"""Names that files and folders may have, in any script.

A name is made of letters, marks and digits of any script, and ``.``, ``_`` and ``-``: nothing that
a shell, a file system or a terminal takes for something else.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 80  # letters
BYTES = 200  # of UTF-8: file systems take 255, and hidden names add some

PREPARATION = "preparation.json"  # in a run; read also by a run that begins with its weights
LARGEST = 256 * 2**20  # bytes of it


def is_plain_name(name: str) -> bool:
    """Whether a run may be called so: a folder's name on any system, and a readable one.

    Two names that look the same are the same: the letters are composed (Unicode's NFC).
    """
    if not name or len(name) > LONGEST or ".." in name or not all(map(_fits, name)):
        return False
    is_short = len(name.encode()) <= BYTES
    return name[0].isalnum() and is_short and unicodedata.is_normalized("NFC", name)


def plain_name(text: str) -> str:
    """The text as a plain name, ``exp 1`` as ``exp-1``; empty if it has no letter and no digit."""
    text = unicodedata.normalize("NFKC", text)
    slug = "".join(letter if _fits(letter) else " " for letter in text)
    slug = re.sub(r"\.{2,}", ".", re.sub(r" +", "-", slug))
    while slug and not slug[0].isalnum():
        slug = slug[1:]
    slug = slug[:LONGEST]
    return slug.encode()[:BYTES].decode(errors="ignore")


def _fits(letter: str) -> bool:
    return letter in "._-" or unicodedata.category(letter) in CATEGORIES


CATEGORIES = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}
