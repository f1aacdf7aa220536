"""RunFolder: one run's folder; the names in it, its record, and how it begins.

config.yaml     the resolved config; training it again repeats the run
traceback.txt   of a run that failed
run.json        the record: status, seeds, versions, hashes; written as strict JSON, and read as
                something that may be damaged
metrics.csv, checkpoints/, train/, validation/      see ``journal``
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any

from backproplab.errors import RunError, reason
from backproplab.files import Folder
from backproplab.runs.folders import object_in

CONFIG, RECORD, TRACEBACK = "config.yaml", "run.json", "traceback.txt"
FORMAT = 2
READS = (1, FORMAT)  # 1: of version 0.1


class RunFolder:
    """A run in a folder, which may be on the disk or in memory."""

    def __init__(self, files: Folder) -> None:
        self.files = files

    def __str__(self) -> str:
        return self.files.where()

    def begin(self, config: str, record: Mapping[str, Any]) -> None:
        """Create the folder with config and record in it, both at once.

        Raises RunError if there is anything in it: a run is never written over.
        """
        self.files.create({CONFIG: config.encode(), RECORD: _encoded(record)})

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return bool(self.record)

    @property
    def record(self) -> dict[str, Any]:
        """run.json; empty if it is missing, damaged or of an unknown format."""
        try:
            found = object_in(self.files.read(RECORD))
        except OSError:
            return {}
        return found if found.get("format") in READS else {}

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Replace run.json."""
        self.files.replace(RECORD, _encoded(record))

    def write_traceback(self, error: BaseException) -> None:
        """Replace traceback.txt."""
        text = "".join(traceback.format_exception(error))
        self.files.replace(TRACEBACK, text.encode(errors="backslashreplace"))

    @property
    def config(self) -> str:
        """config.yaml. Raises RunError if it cannot be read."""
        try:
            return self.files.read(CONFIG).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.files.where(CONFIG)}: cannot read: {reason(error)}") from error

    def write_config(self, config: str) -> None:
        """Replace config.yaml."""
        self.files.replace(CONFIG, config.encode())


def _encoded(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
