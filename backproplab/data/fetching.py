"""Files from the network: over https, of at most a stated size, with the SHA-256 that is expected.

What is fetched is checked before it is written, and written whole or not at all. This file must not
know data sets.
"""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from backproplab.errors import (
    ConfigError,
    DataError,
    MachineError,
    Problem,
    RefusedError,
    reason,
)
from backproplab.files import read_regular, write_atomic

LARGEST = 2**26  # bytes of a file
SECONDS = 30  # without an answer
LOCAL = ("localhost", "127.0.0.1", "::1")


def fetch(url: str, path: Path, sha256: str) -> bool:
    """Put the file at ``url`` to ``path``; False if it is there already.

    Raises ConfigError for an address that is not secure, MachineError without an answer, DataError
    for another file than expected, RefusedError if another one is at the path.
    """
    _check_secure(url)
    if path.exists():
        if hashlib.sha256(read_regular(path, LARGEST, follow=True)).hexdigest() == sha256:
            return False
        raise RefusedError(
            f"{path} is another file — move it away, or name another folder with --to"
        )
    content = _content(url)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        what = f"its SHA-256 is {found}, expected {sha256}"
        raise DataError(str(Problem(url, what, "nothing was written; try another --mirror")))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)
    return True


def _check_secure(url: str) -> None:
    """Raise ConfigError unless nobody on the way can read or change what is fetched."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in LOCAL
    if parts.scheme not in ("https", "file") and not local:
        hint = "https://…, file:///…, or http://localhost…"
        raise ConfigError(Problem(url, "is not fetched without encryption", hint))


class _Secure(HTTPRedirectHandler):
    """Follows no redirection to an address that is not secure; urllib follows none to a file."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> Request | None:  # fmt: skip
        _check_secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _content(url: str) -> bytes:
    local = urlsplit(url).hostname in LOCAL
    opener = build_opener(_Secure, *([ProxyHandler({})] if local else []))
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            content: bytes = answer.read(LARGEST + 1)
            promised = answer.headers.get("Content-Length")
    except HTTPError as error:
        what = f"the server answers {error.code} {str(error.reason).partition(chr(10))[0]}".strip()
        error.close()
        raise DataError(str(Problem(url, what, "name another --mirror"))) from None
    except (URLError, HTTPException, OSError) as error:
        why = error.reason if isinstance(error, URLError) else error
        text = reason(why) if isinstance(why, Exception) else str(why)
        raise MachineError(f"{url}: cannot be reached: {text} — name a --mirror") from None
    if len(content) > LARGEST:
        raise DataError(str(Problem(url, f"more than {LARGEST:,} bytes", "is it the right file?")))
    if promised and promised.isdecimal() and len(content) < int(promised):
        what = f"ended after {len(content):,} of {int(promised):,} bytes"
        raise MachineError(f"{url}: {what} — try again")
    return content
