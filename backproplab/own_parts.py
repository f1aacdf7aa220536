"""Files of the user: Python with optimizers, layers, data sets, … that configs can name.

A file is executed once in a process, as a module named after its content, so that two files of one
name, and two versions of one file, stay apart. Other processes are sent its text.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from backproplab.catalogs import CATALOGS
from backproplab.errors import ConfigError, Problem, RunError, reason
from backproplab.files import read_regular

ALONE = "put all of it into one file, or install it as a package: docs/own-parts.md"
Additions = list[tuple[dict[str, Any], dict[str, Any]]]  # (catalog, what is added to it)


@dataclass(frozen=True)
class Source:
    """A file of the user as it was read: what another process needs of it."""

    path: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def module(self) -> str:
        """The name of the module that it becomes."""
        return f"backproplab_own_{self.sha256[:16]}"


@dataclass
class _Used:
    """The files that this process has executed, by module, and those whose parts have names now."""

    additions: dict[str, Additions] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)  # by path


_used = _Used()


def use(path: str, sha256: str = "") -> Source:
    """Execute a file, unless it has been, so that its parts are known by their names.

    sha256: of the content that a run was made with.
    Raises ConfigError with the line of what is wrong in it, RunError for another content.
    """
    try:
        source = Source(path, read_regular(path, follow=True))
    except OSError as error:
        raise ConfigError(Problem(path, reason(error), "name a Python file")) from None
    if sha256 and source.sha256 != sha256:
        what = f"{path} has changed: SHA-256 {source.sha256[:12]}…, it was {sha256[:12]}…"
        kept = f"imported-{sha256[:12]}.py in the run's folder is what it was"
        raise RunError(f"{what} — put it back ({kept}), or train a new run")
    if _used.sources.get(path) != source:
        _drop(path)
        _name(source)
    return source


def known(path: str, sha256: str) -> bool:
    """Whether this process uses this content of the file."""
    return path in _used.sources and _used.sources[path].sha256 == sha256


def sources(paths: Iterable[str]) -> tuple[Source, ...]:
    """The files as they are used."""
    return tuple(_used.sources[path] for path in paths)


def install(needed: Iterable[Source]) -> None:
    """Use these sources and no others, as a worker does. Raises ConfigError."""
    for path in list(_used.sources):
        _drop(path)
    for source in needed:
        _name(source)


def place_of(error: BaseException) -> str:
    """``my_parts.py:12``: the last line of a file of the user that the error passed; or empty."""
    own = {source.path for source in _used.sources.values()}
    frames = traceback.extract_tb(error.__traceback__)
    return next((f"{f.filename}:{f.lineno}" for f in reversed(frames) if f.filename in own), "")


def _drop(path: str) -> None:
    """The parts of a file lose their names."""
    if source := _used.sources.pop(path, None):
        for catalog, added in _used.additions[source.module]:
            for name in added:
                catalog.pop(name, None)


def _name(source: Source) -> None:
    """The parts of a source get their names. Raises ConfigError if one has another owner."""
    if source.module not in _used.additions:
        _used.additions[source.module] = _executed(source)
    for catalog, added in _used.additions[source.module]:
        _refuse_taken(source, catalog, added)
    for catalog, added in _used.additions[source.module]:
        catalog.update(added)
    _used.sources[source.path] = source


def _refuse_taken(source: Source, catalog: dict[str, Any], added: dict[str, Any]) -> None:
    for name in sorted(n for n in added.keys() & catalog.keys() if catalog[n] is not added[n]):
        owner = getattr(catalog[name], "__module__", "")
        own = {each.module: each.path for each in _used.sources.values()}
        where = f"by {own[owner]}" if owner in own else "by backproplab"
        hint = "choose another name"
        raise ConfigError(Problem(source.path, f"the name '{name}' is taken {where}", hint))


def _executed(source: Source) -> Additions:
    """What a source adds to the catalogs, which are left as they were. Raises ConfigError."""
    module = ModuleType(source.module)
    module.__file__ = source.path
    lines = source.content.decode(errors="replace").splitlines(keepends=True)
    linecache.cache[source.path] = len(source.content), None, lines, source.path
    sys.modules[source.module] = module
    try:
        with _catalogs_restored() as found:
            exec(compile(source.content, source.path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[source.module]
        raise ConfigError(_fault(source, error)) from error
    if problems := [p for _, added in found for part in added.values() for p in _lacks(part)]:
        del sys.modules[source.module]
        raise ConfigError(*dict.fromkeys(problems))
    return found


def _lacks(part: Any) -> Iterator[Problem]:
    """What a class lacks to be used: types that its fields name, methods of its family."""
    if not isinstance(part, type) or not hasattr(part, "model_rebuild"):
        return
    where = f"{inspect.getsourcefile(part)}:{inspect.getsourcelines(part)[1]}"
    try:
        part.model_rebuild()
    except Exception as error:
        yield Problem(where, f"{part.__name__}: {str(error).partition(chr(10))[0]}")
    for base in part.__mro__:
        for name in vars(base).get("required", ()):
            if getattr(part, name, None) is getattr(base, name, None):
                yield Problem(where, f"{part.__name__} has no {name}", f"see {base.__name__}")


@contextmanager
def _catalogs_restored() -> Iterator[Additions]:
    """Around a file: the list is filled with what it has added or replaced."""
    before = [(catalog, dict(catalog)) for catalog in CATALOGS]
    found: Additions = []
    try:
        yield found
    finally:
        for catalog, entries in before:
            changed = {k: x for k, x in catalog.items() if entries.get(k) is not x}
            found += [(catalog, changed)] if changed else []
            catalog.clear()
            catalog.update(entries)


def _fault(source: Source, error: BaseException) -> Problem:
    """What is wrong with a file, at its line."""
    if isinstance(error, SyntaxError) and error.filename == source.path:
        where, what = f"{source.path}:{error.lineno}", f"SyntaxError: {error.msg}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == source.path), 1)
        first = str(error).partition("\n")[0]
        where, what = f"{source.path}:{line}", f"{type(error).__name__}: {first}"
    return Problem(where, what, ALONE if isinstance(error, ImportError) else "correct the file")
