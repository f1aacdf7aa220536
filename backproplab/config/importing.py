"""The files of the user that a config imports: its own parts must be known before it is read.

``imports: [my_parts.py]`` is relative to the config; on the command line ``imports+=my_parts.py``
adds one, relative to the present folder.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from backproplab.config.composer import compose
from backproplab.config.wording import command_line
from backproplab.config.yaml_source import Document
from backproplab.errors import ConfigError, Problem
from backproplab.own_parts import known, use
from backproplab.spec import PathText, Spec, absolute

ADDS = "imports+="  # a word of the command line


class Import(Spec):
    """A file of the user that has been executed; its path alone stands for it.

    sha256: of its content; found where it is not given, and required where it is.
    """

    path: PathText
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @model_validator(mode="before")
    @classmethod
    def _executed(cls, given: Any) -> Any:
        fields = {"path": given} if isinstance(given, str) else given
        if not isinstance(fields, dict) or not isinstance(fields.get("path"), str):
            return fields
        path, sha256 = absolute(fields["path"]), str(fields.get("sha256") or "")
        if known(path, sha256):
            return fields
        try:
            return {**fields, "path": path, "sha256": use(path, sha256).sha256}
        except ConfigError as error:
            raise PydanticCustomError("own_parts", "{text}", {"text": str(error)}) from error

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema) | {"required": ["path"]}]}


def imported(document: Document, words: Sequence[str]) -> tuple[Document, list[str]]:
    """(the document with each import's absolute path and SHA-256, the words that are left).

    The files are executed. Raises ConfigError for those that cannot be, since nothing that names
    their parts can be checked; RunError for one with another SHA-256 than is given.
    """
    added = [word for word in words if word.startswith(ADDS)]
    listed = document.tree.get("imports")
    if not added and not isinstance(listed, list):
        return document, list(words)
    places: list[tuple[Any, str, Path]] = []  # what is written, where, and the folder
    for number, entry in enumerate(listed if isinstance(listed, list) else ()):
        where, typed = document.where(("imports", number)), document.spot(("imports", number))
        folder = Path() if isinstance(typed, str) else Path(document.name).parent
        places.append((entry, where, folder))
    for word in added:
        where = command_line(word)
        value = compose(word.removeprefix(ADDS), partial(_always, where)).value
        places.append((value, where, Path()))
    tree = copy.copy(document.tree)
    tree["imports"] = [_pinned(*place) for place in places]
    first = len(places) - len(added)
    own: Mapping[Any, str] = {("imports", first + n): word for n, word in enumerate(added)}
    rest = [word for word in words if word not in added]
    return replace(document, tree=tree, words={**document.words, **own}), rest


def _always(where: str, _: object) -> str:
    return where


def _pinned(entry: Any, where: str, folder: Path) -> Any:
    """An entry with what its file is now; one that is at fault as it is, for the schema."""
    fields = {"path": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, dict) or not isinstance(fields.get("path"), str):
        return entry
    path = absolute(fields["path"], folder)
    try:
        sha256 = use(path, str(fields.get("sha256") or "")).sha256
    except ConfigError as error:
        found = [Problem(where, f"imports: {p.where}: {p.what}", p.hint) for p in error.problems]
        raise ConfigError(*found) from error
    return {**fields, "path": path, "sha256": sha256}
