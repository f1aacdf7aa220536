"""Folders of images: which files they hold, of which class and split. No image is opened here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from backproplab.data.pictures import SUFFIXES
from backproplab.data.splitting import PARTS
from backproplab.errors import reason
from backproplab.tables.content import absent, fault
from backproplab.text import counted

TRAIN = PARTS["train"]
MOST = 1_000_000  # files
HINT = "a folder for each class, or train, validation and test with one for each class"


@dataclass(frozen=True)
class Entry:
    """An image file.  name: its path within the folder.  part: of the splits.  label: its class."""

    path: Path
    name: str
    part: int = TRAIN
    label: str = ""


def holds_images(folder: Path) -> bool:
    """Whether there is an image in a folder of a class; few files are looked at."""
    if not folder.is_dir():
        return False
    found = (path for depth in ("*/*", "*/*/*") for path in folder.glob(depth))
    return any(path.suffix.lower() in SUFFIXES for path in islice(found, 1000))


def classified(folder: Path) -> tuple[list[Entry], list[str]]:
    """The images of all classes, by name, and what was left out. Raises DataError."""
    names = _folders(folder)
    if not names:
        raise fault(folder, "holds no folders of images", HINT)
    split = {name: PARTS.get(name.lower(), -1) for name in names}
    if min(split.values()) < 0 or TRAIN not in split.values():
        split = {"": TRAIN}
    entries, skipped = [], []
    for name, part in split.items():
        for label in _folders(folder / name):
            found, others = inside(folder / name / label)
            if not found:
                raise fault(folder / name / label, "holds no images", f"of {' '.join(SUFFIXES)}")
            within = PurePath(name, label)
            entries += [Entry(e.path, str(within / e.name), part, label) for e in found]
            skipped += [str(within / other) for other in others]
    if not any(entry.part == TRAIN for entry in entries):
        raise fault(folder, "no images to train on", HINT)
    left = f"without {counted(len(skipped), 'file')} of other kinds, such as " if skipped else ""
    return entries, [left + skipped[0]] if skipped else []


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones are none. Raises DataError."""
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        return sorted(entry.name for entry in found if entry.is_dir())
    except FileNotFoundError:
        raise absent(folder) from None
    except (OSError, ValueError) as error:
        raise fault(folder, f"cannot read: {reason(error)}", HINT) from None


def inside(folder: Path) -> tuple[list[Entry], list[str]]:
    """The images at any depth of a folder, by name, and the names of other files.

    Raises DataError for what cannot be listed.
    """
    found, others = [], []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            within = str(path.relative_to(folder))
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                found.append(Entry(path, within))
            elif not name.startswith("."):
                others.append(within)
        if len(found) > MOST:
            raise fault(folder, f"more than {MOST:,} images", "use fewer of them")
    return sorted(found, key=lambda entry: entry.name), others


def _refuse(error: OSError) -> None:
    raise fault(error.filename, f"cannot read: {reason(error)}", HINT)
