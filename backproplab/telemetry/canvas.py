"""Canvas: pictures made of whole pixels: squares, images and text, as PNG.

This file must not know what is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.palette import BLUE, INK, PAPER, VERMILION

SIZE = 12  # of text, in pixels
BANDS = 12  # shades of a color, from white


class Canvas:
    """A white picture of (height, width) pixels."""

    def __init__(self, height: int, width: int) -> None:
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def text(self, y: int, x: int, words: str, anchor: str = "mm", color: str = INK) -> None:
        """Words at a point. anchor: Pillow's: ``mm`` is its middle, ``lm`` its left end."""
        self._draw.text((x, y), words, color, _font(), anchor)

    def upright(self, y: int, x: int, words: str) -> None:
        """Words that are read from below, with their left end at (y, x)."""
        from PIL import Image, ImageDraw

        strip = Image.new("RGB", (width_of([words]), SIZE + 4), PAPER)
        ImageDraw.Draw(strip).text((0, SIZE // 2 + 2), words, INK, _font(), "lm")
        turned = strip.transpose(Image.Transpose.ROTATE_90)
        self.image.paste(turned, (x - turned.width // 2, y - turned.height))

    def mark(self, y: int, x: int, side: int, color: Sequence[int]) -> None:
        """A square around (y, x), in red, green and blue, with a white border."""
        half = side // 2
        self._draw.rectangle((x - half, y - half, x + half, y + half), tuple(color), PAPER)

    def put(self, y: int, x: int, pixels: Array, scale: int = 1) -> None:
        """Pixels (h, w) of gray or (h, w, 3), each as a square of ``scale``. uint8."""
        from PIL import Image

        self.image.paste(Image.fromarray(pixels.repeat(scale, 0).repeat(scale, 1)), (x, y))

    @property
    def png(self) -> bytes:
        """The file, of 256 colors: a third of the bytes; the same for the same picture."""
        from PIL.Image import Quantize

        file = io.BytesIO()
        self.image.quantize(256, Quantize.FASTOCTREE).save(file, "PNG")
        return file.getvalue()


@lru_cache
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(SIZE)


def width_of(words: Sequence[str]) -> int:
    """Of the longest text, in pixels."""
    return max((round(_font().getlength(word)) for word in words), default=0)


def rgb(color: str) -> Array:
    """``#0072b2`` as three numbers from 0 to 255."""
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], np.float64)


def blend(share: Array, color: str) -> Array:
    """From white, where the share (…) is 0, to the color, where it is 1: (…, 3) uint8."""
    share = np.clip(np.nan_to_num(share), 0, 1)[..., None]
    return (rgb(PAPER) + share * (rgb(color) - rgb(PAPER))).round().astype(np.uint8)


def diverging(values: Array) -> Array:
    """Blue below 0, white at 0, vermilion above, full at the largest size: (…, 3) uint8."""
    size = np.abs(values).max(initial=0.0) or 1.0
    share = (values / size * BANDS).round() / BANDS  # few colors, small files
    return np.where((share < 0)[..., None], blend(-share, BLUE), blend(share, VERMILION))


def gray(pixels: Array) -> Array:
    """Images (n, h, w) or (n, h, w, 3), each from its darkest to its brightest value, as uint8."""
    axes = tuple(range(1, pixels.ndim))
    low, high = (f(axis=axes, keepdims=True) for f in (pixels.min, pixels.max))
    return ((pixels - low) / np.where(high > low, high - low, 1) * 255).round().astype(np.uint8)
