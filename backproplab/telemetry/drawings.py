"""Drawings of what a network has learned: arrays in, canvases out. They must not know the run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.palette import BLUE, INK, PAPER, TRIALS, VERMILION
from backproplab.telemetry.canvas import BANDS, Canvas, blend, diverging, gray, rgb, width_of

CELL, LINE, GAP = 36, 18, 4  # pixels
MOST = 64  # images of weights
NARROW, WIDEST = 400, 640  # pixels of a row of images
IMAGE = 72  # pixels of an example's image
GRID = 64  # points along each axis of a boundary


def confusion(counts: Array, labels: Sequence[str]) -> Canvas:
    """Counts (classes, classes): a row for each class, a column for each predicted one.

    The shade is the share of the row: blue where it is right, vermilion where it is wrong.
    """
    classes = len(counts)
    cell = CELL if classes <= 20 else max(WIDEST // classes, 1)
    left = width_of(labels) + 2 * GAP
    top = 2 * LINE if left <= cell else 2 * LINE + left  # long names stand upright
    title = f"{np.trace(counts)} of {counts.sum()} right; row: class, column: prediction"
    width = max(left + classes * cell, width_of([title])) + 2 * GAP
    canvas = Canvas(top + classes * cell + GAP, width)
    canvas.text(LINE // 2, GAP, title, "lm")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(classes, dtype=bool)[..., None]
    shades = np.where(diagonal, blend(shares, BLUE), blend(np.sqrt(shares), VERMILION))
    canvas.put(top, left, shades, cell)
    if cell == CELL:
        _write_counts(canvas, counts, shares, labels, top, left)
    return canvas


def _write_counts(
    canvas: Canvas, counts: Array, shares: Array, labels: Sequence[str], top: int, left: int
) -> None:
    middle = CELL // 2
    for i, label in enumerate(labels):
        at = i * CELL + middle
        canvas.text(top + at, left - GAP, label, "rm")
        if top == 2 * LINE:
            canvas.text(top - LINE // 2, left + at, label)
        else:
            canvas.upright(top - GAP, left + at, label)
        for j, count in enumerate(counts[i]):
            dark = shares[i, j] > (0.5 if i == j else 0.25)
            color = PAPER if dark else INK
            if count:
                canvas.text(top + at, left + j * CELL + middle, str(int(count)), color=color)


def tiles(images: Array, scale: int, columns: int) -> Canvas:
    """Images (n, h, w) of gray or (n, h, w, 3), row by row; each pixel as ``scale`` pixels."""
    height, width = (GAP + side * scale for side in images.shape[1:3])
    canvas = Canvas(GAP + -(-len(images) // columns) * height, GAP + columns * width)
    for n, image in enumerate(images):
        canvas.put(GAP + n // columns * height, GAP + n % columns * width, image, scale)
    return canvas


def weights(kernel: Array, image: tuple[int, ...]) -> Canvas:
    """The weights of a first layer; blue is negative, vermilion positive.

    kernel: (inputs, units): one image a unit, if inputs are images of this shape, else a heat map;
        or (h, w, channels, filters): one image a filter and channel.
    """
    if kernel.ndim == 4:
        images = kernel.transpose(3, 2, 0, 1).reshape(-1, *kernel.shape[:2])
    elif len(image) == 2 and math.prod(image) == len(kernel):
        images = kernel.T.reshape(-1, *image)
    else:
        images = kernel.reshape(1, -1, kernel.shape[-1])
    images = images[:MOST]
    columns = math.ceil(math.sqrt(len(images)))
    scale = max(min(NARROW // (columns * images.shape[2]), CELL // 3), 1)
    return tiles(diverging(images), scale, columns)


def examples(pixels: Array, truth: Sequence[str], predicted: Sequence[str]) -> Canvas:
    """Images (n, h, w), each with its class and with what was predicted below it."""
    scale = max(IMAGE // pixels.shape[1], 1)
    height, width = (side * scale for side in pixels.shape[1:3])
    room = max(width, width_of([*truth, *predicted])) + 2 * GAP
    columns = max(min(WIDEST // room, len(pixels)), 1)
    down = height + 2 * LINE + GAP
    canvas = Canvas(GAP + -(-len(pixels) // columns) * down, columns * room)
    for n, image in enumerate(gray(pixels)):
        y, x = GAP + n // columns * down, n % columns * room
        canvas.put(y, x + (room - width) // 2, image, scale)
        wrong = truth[n] != predicted[n].rpartition(" ")[0]
        canvas.text(y + height + LINE // 2, x + room // 2, truth[n])
        color = VERMILION if wrong else INK
        canvas.text(y + height + LINE + LINE // 2, x + room // 2, predicted[n], color=color)
    return canvas


def plane(points: Array) -> tuple[Array, Array]:
    """A grid over points (n, 2), a tenth wider on each side: (GRID², 2), and its two corners."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = (high - low) / 10
    corners = np.stack([low - margin, high + margin])
    x, y = np.linspace(corners[0], corners[1], GRID).T
    return np.stack(np.meshgrid(x, y[::-1]), axis=-1).reshape(-1, 2), corners


def boundary(colors: Array, points: Array, marks: Array, corners: Array) -> Canvas:
    """Colors (GRID², 3) of a ``plane``, and points (n, 2) in it, of colors ``marks`` (n, 3)."""
    scale = 6
    canvas = Canvas(GRID * scale, GRID * scale)
    canvas.put(0, 0, colors.reshape(GRID, GRID, 3), scale)
    share = (points - corners[0]) / (corners[1] - corners[0])
    places = (share * (GRID * scale - 1)).round().astype(int)
    for (x, y), color in zip(places.tolist(), marks.tolist(), strict=True):
        canvas.mark(GRID * scale - 1 - y, x, 7, color)
    return canvas


def of_classes(probabilities: Array) -> Array:
    """(n, classes) as colors: of the likeliest class, in bands, white where it is uncertain."""
    classes = probabilities.shape[1]
    best = probabilities.argmax(axis=1)
    sure = (probabilities.max(axis=1) - 1 / classes) / (1 - 1 / classes)
    sure = np.ceil(np.nan_to_num(sure).clip(0, 1) * BANDS) / BANDS
    pale = 0.7 * sure[:, None]  # points, in the full color, stand out
    return (255 + pale * (colors_of(best) - 255.0)).round().astype(np.uint8)


def colors_of(labels: Array) -> Array:
    """The colors (n, 3) of classes (n,)."""
    palette = np.array([rgb(light) for light, _ in TRIALS], np.uint8)
    return palette[labels % len(palette)]
