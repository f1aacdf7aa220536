"""The figure of descents as a GIF that moves along the paths: for slides. By CairoSVG and Pillow.

What its frames show is what the page of ``animation`` does: the whole path pale, the part that has
been walked in its color, a mark where each run is.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from xml.etree import ElementTree

import numpy as np

from backproplab.arrays import Array
from backproplab.descend import Shown
from backproplab.descend.animation import frames
from backproplab.descend.figure import picture
from backproplab.explain import raster
from backproplab.explain.canvas import set_line
from backproplab.explain.typeset import Line
from backproplab.palette import THEMES, Theme

FRAMES = 40
SECONDS, LAST = 6.0, 2.5  # of the way, and at its end
SHARES = (1.0, 0.8, 0.6, 0.4, 0.22, 0.1)  # of a color on the paper, at the edges of lines
NAMESPACE = "http://www.w3.org/2000/svg"


def render(shown: Shown, theme: str) -> bytes:
    """The GIF, which repeats. Raises ConfigError if the extra ``figures`` is not installed."""
    from PIL import Image

    drawn = picture(shown, THEMES[theme], moving=True)
    svg, every = drawn.draw(), frames(drawn.last)
    chosen = np.unique(np.linspace(0, len(every) - 1, FRAMES).round().astype(int))
    palette, images = _colors(THEMES[theme]), []
    for n in chosen:
        png = raster.png(frame(svg, every[n], THEMES[theme]), 1.0)
        image = Image.fromarray(_nearest(np.asarray(Image.open(io.BytesIO(png))), palette))
        image.putpalette([int(x) for x in palette.ravel()])
        images.append(image)
    times = [int(1000 * SECONDS / len(images))] * (len(images) - 1) + [int(1000 * LAST)]
    content = io.BytesIO()
    images[0].save(content, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0)
    return content.getvalue()


def _nearest(pixels: Array, palette: Array) -> Array:
    """For each pixel (h, w, 3 or 4) the number of the nearest color (colors, 3)."""
    red, green, blue = np.moveaxis(pixels[..., :3].astype(np.int64), -1, 0)
    packed = red << 16 | green << 8 | blue
    seen, which = np.unique(packed, return_inverse=True)
    apart = np.stack([seen >> 16, seen >> 8 & 255, seen & 255], axis=1)[:, None] - palette
    chosen = np.square(apart).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    return np.reshape(chosen[which], packed.shape)


def _colors(theme: Theme) -> Array:
    """The theme's colors, each in several shares on its paper, (colors, 3)."""
    inks = {value for value in vars(theme).values() if isinstance(value, str)} | {*theme.runs}
    found = np.array([list(bytes.fromhex(ink[1:])) for ink in sorted(inks)])
    paper = np.array(list(bytes.fromhex(theme.paper[1:])))
    mixed = np.concatenate([paper + share * (found - paper) for share in SHARES])
    return mixed.round().astype(np.int64)


def frame(svg: str, step: int, theme: Theme) -> str:
    """The moving figure as it is at a step."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.fromstring(svg)
    for track in root.iter(f"{{{NAMESPACE}}}g"):
        if track.get("class") == "track":
            _place(track, step)
    label = set_line(
        Line(15).say(f"step {step:,}", theme.second), float(root.get("width", 0)) - 34, 44, "end"
    )
    for part in label:
        root.append(ElementTree.fromstring(part.replace(" ", f' xmlns="{NAMESPACE}" ', 1)))
    return ElementTree.tostring(root, encoding="unicode")


def _place(track: ElementTree.Element, step: int) -> None:
    """Walk along a path up to a step."""
    whole, line, head = track
    places = [place.split(",") for place in (track.get("data-at") or "").split()]
    count = bisect_right([float(at) for at, _, _ in places], step)
    passed = places[: max(count, 1)]
    whole.set("opacity", "0.22")
    line.set("d", "M" + "L".join(f"{x} {y}" for _, x, y in passed))
    head.set("transform", f"translate({passed[-1][1]} {passed[-1][2]})")
    if not count:  # it has not begun: its first place is a later step
        track.remove(head)
