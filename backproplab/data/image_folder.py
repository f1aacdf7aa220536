"""A data set of images in folders, one for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.data.dataset import STRATIFIED, Dataset, Examples, Others, RawData
from backproplab.data.folders import HINT, TRAIN, Entry, classified, inside
from backproplab.data.pictures import SUFFIXES, Reading
from backproplab.data.splitting import PARTS, Given
from backproplab.errors import DataError
from backproplab.spec import Count, Off, PathText
from backproplab.tables import Table, listed
from backproplab.tables.content import fault
from backproplab.task import Task
from backproplab.text import counted, times

SHOWN = 5  # faults


class Images(Dataset, name="images"):
    """Images in a folder for each class, or in train, validation and test with one for each class.

    path: the folder.  size: pixels of a side, or ``[height, width]``, to which images are scaled;
    without it all must have one size.  channels: rgb, or gray. Inputs are flat: height, width and,
    of rgb, 3 channels; without ``standardize`` they are in 0 … 1.
    one_scale: with ``standardize``, by one mean and one deviation of all pixels.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("/",)

    path: PathText
    size: Annotated[Count | Annotated[tuple[Count, Count], Field(strict=False)] | None, Off()] = (
        None
    )
    channels: Literal["rgb", "gray"] = "rgb"
    one_scale: bool = False

    @property
    def reading(self) -> Reading:
        """How its files become arrays."""
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return Reading(size, self.channels == "gray")

    @property
    def memory(self) -> int:
        try:
            entries, _ = classified(Path(self.path))
            size = self.reading.size_of(entries[0].path)
        except DataError:
            return 0
        return 5 * len(entries) * int(np.prod([*size, *self.reading.channels]))

    def read(self, generator: np.random.Generator) -> RawData:
        folder = Path(self.path)
        entries, skipped = classified(folder)
        labels = sorted({entry.label for entry in entries if entry.part == TRAIN})
        place = {label: i for i, label in enumerate(labels)}
        unknown = [entry for entry in entries if entry.label not in place]
        if unknown:
            what = f"the class {unknown[0].label} has no images to train on"
            raise fault(unknown[0].path.parent, what, f"classes: {listed(labels)}")
        if len(labels) < 2:
            what = f"one class only: {labels[0]}"
            raise fault(folder, what, f"two classes are needed: {HINT}")
        images, notes = self._pixels(folder, entries)
        targets = np.array([place[entry.label] for entry in entries])
        examples = Examples(images.reshape(len(images), -1), targets)
        parts = np.array([entry.part for entry in entries])
        given = bool((parts == PARTS["validation"]).any())
        tested = parts == (-1 if given else PARTS["test"])
        if tested.any() and self.test_split:
            what = "data.test_split: must be 0: the folder has test images"
            raise fault(folder, what, "remove test_split")
        return RawData(
            examples.take(np.flatnonzero(~tested)) if tested.any() else examples,
            Task("classification", len(labels), tuple(labels)),
            examples.take(np.flatnonzero(tested)) if tested.any() else None,
            unit=255.0,
            image=images.shape[1:],
            one_scale=self.one_scale,
            split=Given() if given else STRATIFIED,
            keys=parts if given else None,
            remarks=(*notes, *skipped),
        )

    def other(self, path: Path, texts: Collection[str] = ()) -> Table | Array | Others:
        if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
            return super().other(path, texts)
        entries, _ = inside(path) if path.is_dir() else ([Entry(path, path.name)], [])
        if not entries:
            raise fault(path, "holds no images", f"of {' '.join(SUFFIXES)}")
        images, _ = self._pixels(path, entries)
        classes = [PurePath(entry.name).parts[0] for entry in entries if "/" in entry.name]
        known = tuple(classes) if len(classes) == len(entries) else ()
        names = tuple(entry.name for entry in entries)
        return Others(images.reshape(len(images), -1), "file", names, known)

    def _pixels(self, folder: Path, entries: Sequence[Entry]) -> tuple[Array, Iterator[str]]:
        """The images (n, height, width) or (n, height, width, 3), and what was changed in them.

        Raises DataError with every file that cannot be read.
        """
        reading, faults, notes = self.reading, [], Counter[str]()
        shape = (*reading.size_of(entries[0].path), *reading.channels)
        images = np.empty((len(entries), *shape), np.uint8)
        for i, entry in enumerate(entries):
            try:
                pixels, changed = reading(entry.path)
            except DataError as error:
                faults.append(str(error))
                continue
            if pixels.shape != shape:
                what = f"{times(pixels.shape[:2])} pixels; {entries[0].name} has "
                what += times(shape[:2])
                raise fault(entry.path, what, f"data.size={shape[0]} scales all images")
            images[i] = pixels
            notes.update(changed)
        if faults:
            more = len(faults) - SHOWN
            rest = [f"{folder}: {more:,} more images cannot be read"] if more > 0 else []
            raise DataError("\n".join([*faults[:SHOWN], *rest]))
        gray = not reading.gray and all(_is_gray(image) for image in images)
        return images, _remarks(notes, gray)


def _is_gray(image: Array) -> bool:
    return bool((image[..., :1] == image).all())


def _remarks(notes: Counter[str], gray: bool) -> Iterator[str]:
    """What was changed, a phrase for each kind of it."""
    for note, count in notes.items():
        yield f"{counted(count, 'image')} {note}"
    if gray:
        yield "every image is gray: data.channels=gray takes a third of the inputs"
