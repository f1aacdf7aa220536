"""End: a run's last weights, looked at with its examples: dead and stuck units, recalls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.experiment import Parts
from backproplab.journal import LAST, load
from backproplab.learners.inside import hidden_layers
from backproplab.nn import Activation

EXAMPLES = 4096  # a unit that is 0 on these is dead
WORST = 10  # examples with the largest loss
WEIGHTS = "learner/weights/"  # how the last checkpoint names them


class Hidden(NamedTuple):
    """A hidden layer at the end. dead, stuck: numbers of units, see ``Glimpse``."""

    name: str
    activation: Activation
    units: int
    dead: int
    stuck: int


class End:
    """The run's network with the weights that it ended with; best: with those of its best epoch.

    Raises RunError for a checkpoint that cannot be used, LookupError for one of another network.
    """

    def __init__(
        self, parts: Parts, folder: Path, record: Mapping[str, Any], best: bool = False
    ) -> None:
        self.parts = parts
        self.descent = parts.descent()
        checkpoint = load(folder / LAST)
        found = checkpoint.arrays
        if best or record.get("restored_epoch"):
            (file,) = checkpoint.state["files"].values()
            found = {f"{WEIGHTS}{name}": x for name, x in load(folder / file).arrays.items()}
        for name, view in self.descent.weights.items():
            view[...] = found[f"{WEIGHTS}{name}"]

    @cached_property
    def hidden(self) -> list[Hidden]:
        """Every hidden layer, on the training examples or the first 4096 of them."""
        descent, inputs = self.descent, self.parts.splits.train.inputs[:EXAMPLES]
        with np.errstate(all="ignore"):
            layers = hidden_layers(descent.network, descent.parameters, inputs)
            return [
                Hidden(x.name, x.activation, x.units, int(x.dead.sum()), int(x.stuck.sum()))
                for x in layers
            ]

    @cached_property
    def worst(self) -> list[dict[str, Any]]:
        """The ten training examples with the largest loss, the largest first: their rows in the
        data, labels (or targets), the network's answers, their losses."""
        train, loss = self.parts.material.train, self.descent.loss
        weights, outputs, losses = self.descent.parameters.tensors(), [], []
        for start in range(0, len(train), EXAMPLES):
            part = slice(start, start + EXAMPLES)
            with np.errstate(all="ignore"):
                found = self.descent.network(weights, Tensor(train.inputs[part]))
                losses.append(loss(found, Tensor(train.encoded[part])).value)
            outputs.append(found.value)
        each, answers = np.concatenate(losses), np.concatenate(outputs)
        chosen = np.argsort(-each, kind="stable")[:WORST]
        is_classified = self.parts.splits.task.kind == "classification"
        named = loss.decide(answers[chosen]) if is_classified else answers[chosen].ravel()
        rows, labels = self.parts.splits.rows, train.targets[chosen].ravel()
        return [
            {
                "row": int(at if rows is None else rows[at]),
                "label": label.item(),
                "answer": answer.item(),
                "loss": float(each[at]),
            }
            for at, label, answer in zip(chosen, labels, named, strict=True)
        ]

    @cached_property
    def recalls(self) -> Array:
        """The share of the validation examples of each class that is found; NaN without any."""
        split = self.parts.material.splits["validation"]
        network, loss = self.descent.network, self.descent.loss
        outputs = network(self.descent.parameters.tensors(), Tensor(split.inputs)).value
        right = loss.decide(outputs) == split.targets
        counts = np.bincount(split.targets, minlength=self.parts.splits.task.outputs)
        hits = np.bincount(split.targets[right], minlength=len(counts))
        return np.divide(hits, counts, where=counts > 0, out=np.full(len(counts), np.nan))
