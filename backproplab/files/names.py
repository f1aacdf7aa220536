"""Names that files and folders may have."""

from __future__ import annotations

import re


def is_plain_name(name: str) -> bool:
    """Whether a run may be called so: a folder's name on any system, and a readable one."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name)) and ".." not in name
