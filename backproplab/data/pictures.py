"""One image file as pixels, whatever its format: what is decided on the way is said.

Pillow is imported when an image is read. This file must not know classes, folders or splits.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError, Problem, reason
from backproplab.files import read_regular
from backproplab.text import times

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # none starts another program
PIXELS = 2**26  # of an image
BYTES = 2**28  # of a file


@dataclass(frozen=True)
class Reading:
    """How images become arrays.

    size: (height, width) to which they are scaled; None to leave them.  gray: one channel.
    """

    size: tuple[int, int] | None
    gray: bool

    @property
    def channels(self) -> tuple[int, ...]:
        """The axis of colors; gray images have none."""
        return () if self.gray else (3,)

    def __call__(self, path: Path) -> tuple[Array, list[str]]:
        """Pixels (height, width) or (height, width, 3) as uint8, and what was changed.

        Raises DataError for a file that is no whole image, or one of too many pixels.
        """
        return _tried(path, self._read)

    def size_of(self, path: Path) -> tuple[int, int]:
        """(height, width) as it will be read, from the beginning of the file. Raises DataError."""
        return self.size or _tried(path, lambda image: _turned(image).size[::-1])

    def _read(self, image: Any) -> tuple[Array, list[str]]:
        from PIL import Image

        turned, notes = _turned(image), []
        if turned is not image:
            notes.append("turned as their EXIF says")
        if getattr(image, "is_animated", False):
            notes.append("animated, of which the first picture counts")
        plain, changed = _plain(turned)
        notes += changed
        pixels = plain.convert("L" if self.gray else "RGB")
        if self.size and pixels.size != self.size[::-1]:
            pixels = pixels.resize(self.size[::-1], Image.Resampling.BILINEAR)
            notes.append(f"scaled to {times(self.size)}")
        return np.array(pixels), notes


def _tried(path: Path, use: Any) -> Any:
    """What ``use`` makes of the open image; DataError for all that can go wrong with a file."""
    from PIL import Image, UnidentifiedImageError

    content = b""
    try:
        content = read_regular(path, BYTES, follow=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about what it has mended
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > PIXELS:
                raise Image.DecompressionBombError
            return use(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        what = f"more than {PIXELS:,} pixels"
    except UnidentifiedImageError:
        what = "is empty" if not content else "the content is no image"
    except OSError as error:
        word = "damaged" if error.errno is None else "cannot read"
        what = f"{word}: {reason(error)}"
    except DataError as error:
        what = str(error)
    except Exception as error:  # Pillow's decoders raise whatever they stumble on
        what = f"damaged: {reason(error)[:80]}"
    raise DataError(str(Problem(str(path), what)))


def _turned(image: Any) -> Any:
    """The image as a viewer shows it; itself, where EXIF says nothing."""
    from PIL import ImageOps

    upright = image.getexif().get(274, 1) not in range(2, 9)  # the tag Orientation
    return image if upright else ImageOps.exif_transpose(image)


def _plain(image: Any) -> tuple[Any, list[str]]:
    """The image in 8 bits and without transparency, and what was changed."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), ["16 bits, now 8"]
    if image.mode in ("I", "F"):
        raise DataError("its pixels have 32 bits; save it with 8 or 16")
    if not image.has_transparency_data:
        return image, []
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    paper.alpha_composite(layer)
    clear = layer.getchannel("A").getextrema()[0] == 255
    return paper, [] if clear else ["transparent, laid on white"]
