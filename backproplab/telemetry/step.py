"""Rehearsal: a training step on copies of everything that it moves, recorded layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np

from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.engines.peepholes import simplified
from backproplab.autograd.engines.program import Program
from backproplab.autograd.engines.recorder import Recorder, record
from backproplab.autograd.primitive import LISTENER
from backproplab.learners import Backprop, Descent
from backproplab.nn.chain import Place
from backproplab.nn.layer import Weights

LOSS, BACKWARD = "loss", "backward"
Passed = tuple[Place, Tensor, Tensor]  # a layer, what it took, what it gave


class Rehearsal:
    """The step of a run on its first examples, as training computes it; it moves no bit of the run.

    Of a gradient that is not found by backprop it is the forward pass.

    recorded: the program of the passes.  results: of it, the mean loss, then the gradient of each
        weight of ``moved`` if there is a backward pass.
    program: the same as it is replayed.  refusal: why there is none; empty if there is.
    """

    def __init__(self, learning: Descent, examples: int) -> None:
        train = learning.material.train
        self.network, self.loss = learning.network, learning.loss
        self.inputs = train.inputs[:examples], train.encoded[:examples]
        self.parameters = self.network.parameters(learning.material.dtype)
        self.parameters.flat[...] = learning.parameters.flat
        self.chance = deepcopy(learning.chance)
        self.moved = list(self.parameters.weights)
        self.has_backward = isinstance(learning.settings.gradient, Backprop)
        self._marks: list[tuple[int, str]] = []  # instructions before a scope begins
        with np.errstate(all="ignore"):
            self.results, found = record(
                self._step, self.inputs, list(self.parameters.views.values())
            )
        self.refusal = found if isinstance(found, str) else ""
        if isinstance(found, Program):
            self.recorded, self.program = found, simplified(found)

    def scopes(self) -> list[str]:
        """For each instruction of ``program``: ``dense_1``, ``dense_1/backward``, ``loss``, …

        A cast that was inserted before an instruction is of its scope.
        """
        outputs = [instruction.output for instruction in self.recorded.instructions]
        by_output = dict(zip(outputs, self._noted(), strict=True))
        found, scope = [], LOSS
        for instruction in reversed(self.program.instructions):
            scope = by_output.get(instruction.output, scope)
            found.append(scope)
        return found[::-1]

    def _noted(self) -> Iterator[str]:
        """The scope of each instruction that was recorded."""
        ends = [*(start for start, _ in self._marks[1:]), len(self.recorded.instructions)]
        for (start, scope), end in zip(self._marks, ends, strict=True):
            yield from [scope] * (end - start)

    def _enter(self, scope: str) -> None:
        recorder = LISTENER.get()
        assert isinstance(recorder, Recorder)
        self._marks.append((len(recorder.instructions), scope))

    def _step(self, inputs: Tensor, targets: Tensor) -> Sequence[Tensor]:
        """The graph is cut between the layers, so that each one's backward pass is known."""
        passed: list[Passed] = []
        weights = self.parameters.tensors(tracked=True)
        y = inputs
        for place in self.network.places:
            self._enter(place.name)
            x = Tensor(y.value, None, y.tracked)
            y = place.apply(weights, x, self.chance)
            passed.append((place, x, y))
        self._enter(LOSS)
        x = Tensor(y.value, None, True)
        mean = ops.sum(self.loss(x, targets), axis=-1) / len(inputs.value)
        return [mean, *(self._backward(weights, passed, mean, x) if self.has_backward else [])]

    def _backward(
        self, weights: Weights, passed: Sequence[Passed], mean: Tensor, last: Tensor
    ) -> list[Tensor]:
        self._enter(f"{LOSS}/{BACKWARD}")
        (flow,) = backward(mean, ops.ones_like(Tensor(mean.value)), [last])
        gradients: dict[str, Tensor] = {}
        for place, x, y in reversed(passed):
            self._enter(f"{place.name}/{BACKWARD}")
            names = [f"{place.name}/{name}" for name, w in place.weights.items() if w.trainable]
            if y.tracked:
                found = backward(y, flow, [*(weights[n] for n in names), *([x] * x.tracked)])
                gradients |= zip(names, found, strict=False)
                flow = found[-1]
        self.moved = list(gradients)
        return list(gradients.values())
