"""The last hidden layer for TensorBoard's Projector: a point for each example, with its image.

Files in the folder of the split: the projector reads no events.
"""

from __future__ import annotations

import math

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.learners import Descent
from backproplab.loop import Callback, Lane
from backproplab.status import Status
from backproplab.telemetry.answers import TILE, Answers
from backproplab.telemetry.canvas import Canvas, gray

MOST = 2000  # points
CONFIG = """embeddings {{
  tensor_name: "input of {layer}"
  tensor_path: "embedding.tsv"
  metadata_path: "labels.tsv"
{sprite}}}
"""
SPRITE = """  sprite {{
    image_path: "sprite.png"
    single_image_dim: {0}
    single_image_dim: {1}
  }}
"""


class Projector(Callback):
    """Writes what the output layer is given, at the end of the run."""

    def finish(self, lane: Lane) -> None:
        learning = lane.learning
        if lane.progress.status is Status.COMPLETED and isinstance(learning, Descent):
            for name, content in files_of(learning).items():
                lane.journal.folder.replace(name, content)


def files_of(learning: Descent) -> dict[str, bytes]:
    """The projector's files, by their names in the run's folder."""
    answers, pixels = Answers(learning), learning.material.pixels
    inputs = answers.of.inputs[:MOST]
    layer, points = _hidden(learning, inputs)
    files = {"embedding.tsv": _table(points), "labels.tsv": _labels(answers)}
    sprite = ""
    if pixels and len(pixels.shape) == 2:
        sprite = SPRITE.format(*pixels.shape[::-1])
        files["sprite.png"] = _sprite(gray(pixels(inputs)))
    files["projector_config.pbtxt"] = CONFIG.format(layer=layer, sprite=sprite).encode()
    return {f"{answers.split}/{name}": content for name, content in files.items()}


def _hidden(learning: Descent, inputs: Array) -> tuple[str, Array]:
    """The last layer with weights, and what it is given: (n, features)."""
    places, weights = learning.network.places, learning.parameters.tensors()
    last = max((k for k, place in enumerate(places) if place.parameters), default=0)
    found = []
    for start in range(0, len(inputs), TILE):
        x = Tensor(inputs[start : start + TILE])
        for place in places[:last]:
            x = place.apply(weights, x, None)
        found.append(x.value.reshape(len(x.value), -1))
    return places[last].name, np.concatenate(found)


def _table(points: Array) -> bytes:
    return "".join("\t".join(f"{x:.6g}" for x in row) + "\n" for row in points.tolist()).encode()


def _labels(answers: Answers) -> bytes:
    """The class and the predicted one; of a regression the targets."""
    if answers.material.task.kind == "regression":
        return _table(answers.of.targets[:MOST, :1])
    pairs = zip(answers.of.targets[:MOST].tolist(), answers.classes.tolist(), strict=False)
    rows = [f"{answers.labels[a]}\t{answers.labels[b]}" for a, b in pairs]
    return "\n".join(["class\tprediction", *rows, ""]).encode()


def _sprite(images: Array) -> bytes:
    """All images in one, row by row: as many columns as rows, as the projector counts them."""
    side = math.ceil(math.sqrt(len(images)))
    height, width = images.shape[1:]
    canvas = Canvas(side * height, side * width)
    for n, picture in enumerate(images):
        canvas.put(n // side * height, n % side * width, picture)
    return canvas.png
