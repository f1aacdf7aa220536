"""RunFolder: one run's folder; the names in it, its record, and how it begins.

config.yaml     the resolved config; training it again repeats the run
preparation.json    what was fitted on the training rows, so that other data are prepared alike
imported-….py   each file of the user that the config imports, as it was, by its SHA-256
traceback.txt   of a run that failed
run.json        the record: status, seeds, versions, hashes; written as strict JSON, and read as
                something that may be damaged
metrics.csv, checkpoints/, train/, validation/      see ``journal``
"""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from backproplab.errors import DamageError
from backproplab.files import LARGEST, PREPARATION, Folder, parse_object, unusable
from backproplab.files.reading import MIB
from backproplab.status import Status

CONFIG, RECORD, TRACEBACK = "config.yaml", "run.json", "traceback.txt"
FORMAT = 2
NEEDED: dict[str, type] = {"id": str, "status": str, "configs": list, "hashes": dict}
OPTIONAL: dict[str, type] = {
    "epochs": int,
    "steps": int,
    "ranks": int,
    "unit": str,
    "stop_reason": str,
    "resumed": list,
    "numerics": dict,
    "metrics": dict,
    "best": dict,
    "hparams": dict,
}
READS = (1, FORMAT)  # 1: of version 0.1


class RunFolder:
    """A run in a folder, which may be on the disk or in memory."""

    def __init__(self, files: Folder) -> None:
        self.files = files

    def __str__(self) -> str:
        return self.files.where()

    def begin(
        self,
        config: str,
        record: Mapping[str, Any],
        preparation: bytes = b"",
        imported: Iterable[bytes] = (),
    ) -> None:
        """Create the folder with config, record, imported files and, unless it is empty,
        preparation, all at once.

        Raises RunError if there is anything in it: a run is never written over.
        """
        files = {CONFIG: config.encode(), RECORD: _encoded(record), PREPARATION: preparation}
        files |= {imported_name(hashlib.sha256(own).hexdigest()): own for own in imported}
        self.files.create({name: content for name, content in files.items() if content})

    @property
    def record(self) -> dict[str, Any]:
        """run.json; empty if there is none. Raises DamageError for one that cannot be used."""
        where = self.files.where(RECORD)
        try:
            found = parse_object(self.files.read(RECORD, MIB))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DamageError(f"{where}: {unusable(error)}") from error
        if found.get("format") not in READS:
            raise DamageError(f"{where}: damaged, or of a newer version: no known 'format'")
        if Status.read(found.get("status")) is Status.UNREADABLE:
            raise DamageError(f"{where}: damaged: no known 'status'")
        return found

    def preparation(self, digest: str) -> dict[str, Any]:
        """preparation.json, whose SHA-256 the record has. Raises DamageError for another one."""
        try:
            content = self.files.read(PREPARATION, LARGEST)
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError("it is not the one that the run was trained with")
            return parse_object(content)
        except (OSError, ValueError) as error:
            raise DamageError(f"{self.files.where(PREPARATION)}: {unusable(error)}") from error

    def check(self, record: Mapping[str, Any]) -> None:
        """Raise DamageError unless the run can be continued from this record."""
        where = self.files.where(RECORD)
        if missing := [key for key in NEEDED if key not in record]:
            raise DamageError(f"{where}: damaged: {missing[0]!r} is missing")
        if key := wrong_entry(record):
            raise DamageError(f"{where}: damaged: {key!r} is not of the right type")
        if not isinstance(record.get("seconds", 0), int | float):
            raise DamageError(f"{where}: damaged: 'seconds' is not a number")
        hashes = [*record["configs"], *record["hashes"].values(), record["hashes"].get("data")]
        if not all(isinstance(text, str) for text in hashes):
            raise DamageError(f"{where}: damaged: a hash is missing")

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Replace run.json."""
        self.files.replace(RECORD, _encoded(record))

    def write_traceback(self, error: BaseException) -> None:
        """Replace traceback.txt."""
        text = "".join(traceback.format_exception(error))
        self.files.replace(TRACEBACK, text.encode(errors="backslashreplace"))

    @property
    def config(self) -> str:
        """config.yaml. Raises DamageError if it cannot be read."""
        try:
            return self.files.read(CONFIG, MIB).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise DamageError(f"{self.files.where(CONFIG)}: {unusable(error)}") from error

    def write_config(self, config: str) -> None:
        """Replace config.yaml."""
        self.files.replace(CONFIG, config.encode())


def imported_name(sha256: str) -> str:
    """The name of a run's copy of a file that its config imports."""
    return f"imported-{sha256[:12]}.py"


def is_of_run(config: Path) -> bool:
    """Whether a config is one that a run has recorded, beside its record."""
    return config.name == CONFIG and config.with_name(RECORD).is_file()


def wrong_entry(record: Mapping[str, Any]) -> str:
    """The first entry of a record that is not of its type; empty if all are."""
    kinds = NEEDED | OPTIONAL
    return next((k for k, kind in kinds.items() if not isinstance(record.get(k, kind()), kind)), "")


def _encoded(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
