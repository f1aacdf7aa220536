"""The recorded training step as TensorBoard's graph, and what each of its nodes takes.

Each layer is a box, its backward pass a box inside it; the loss and the optimizer are boxes, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.engines.plan import Plan
from backproplab.autograd.engines.program import Buffer
from backproplab.journal.graphs import Cost, GraphNode, costs_record, graph_record
from backproplab.learners import Arrays, Descent, Json
from backproplab.loop import Callback, Lane
from backproplab.loop.lane import TRAIN
from backproplab.optim import Updater
from backproplab.status import Status
from backproplab.telemetry.step import Rehearsal

MOST = 1024  # examples of the step that is drawn
ROUNDS = 9  # in which a node is timed; the median counts
UPDATES = 1000  # whose time is given: TensorBoard knows whole µs only
RATE, OPTIMIZER, CLIPPING = "optimizer/learning_rate", "optimizer/{}", "optimizer/clipping"
PLAIN = (int, float, str, tuple)


class Graph(Callback):
    """Writes the graph before the first update, and the time of its nodes after the last one."""

    def __init__(self) -> None:
        self.written = False

    def start(self, lane: Lane) -> None:
        if not self.written and (step := _rehearsal(lane)):
            lane.journal.records(TRAIN, graph_record(Nodes(step, lane.learning).all))
        self.written = True

    def finish(self, lane: Lane) -> None:
        ended = lane.progress.status in (Status.COMPLETED, Status.DIVERGED)
        if ended and (step := _rehearsal(lane)):
            _write_costs(lane, step)

    def state(self) -> tuple[Arrays, Json]:
        return {}, {"written": self.written}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.written = state["written"]


def _rehearsal(lane: Lane) -> Rehearsal | None:
    """None for a learner without gradients of batches, or a step that cannot be recorded."""
    if not isinstance(lane.learning, Descent) or lane.order is None:
        return None
    tile = getattr(lane.learning.updates.source, "tile", MOST)
    step = Rehearsal(lane.learning, min(lane.order.length, tile, MOST))
    return None if step.refusal else step


class Nodes:
    """The nodes of a step. made: one for each instruction of its program, in order."""

    def __init__(self, step: Rehearsal, learning: Any) -> None:
        self.step = step
        keys = learning.material.keys
        self.leaves: list[GraphNode] = []
        self.names: dict[int, str] = {}  # by buffer
        self.taken = {"inputs", "targets", RATE, CLIPPING}
        known = ["inputs", "targets", *step.parameters.views]
        for number, (name, buffer) in enumerate(zip(known, step.program.buffers, strict=False)):
            self._leaf(number, name, "Placeholder" if number < 2 else "VariableV2", buffer)
        steps = zip(step.program.instructions, step.scopes(), strict=True)
        self.made = [self._made(instruction, scope) for instruction, scope in steps]
        self.optimizer = list(self._optimizer(keys["optimizer"].name, keys["clipping"]))

    @property
    def all(self) -> list[GraphNode]:
        return [*self.leaves, *self.made, *self.optimizer]

    def _leaf(self, number: int, name: str, op: str, buffer: Buffer) -> None:
        self.taken.update(_above(name))
        self.names[number] = name
        self.leaves.append(GraphNode(name, op, (), (buffer.shape,)))

    def _made(self, instruction: Any, scope: str) -> GraphNode:
        for number in instruction.inputs:
            if number not in self.names:
                name = self._free(f"{scope}/constant")
                self._leaf(number, name, "Const", self.step.program.buffers[number])
        name = self._free(f"{scope}/{instruction.op.name}")
        inputs = tuple(self.names[number] for number in instruction.inputs)
        self.names.setdefault(instruction.output, name)  # an assignment is to a leaf
        shape = self.step.program.buffers[instruction.output].shape
        settings = {k: str(x) for k, x in instruction.settings.items() if isinstance(x, PLAIN)}
        return GraphNode(name, instruction.op.name, inputs, (shape,), settings)

    def _free(self, name: str) -> str:
        """The name, or with a number after it: neither a node nor a box has it."""
        count, found = 1, name
        while found in self.taken:
            count, found = count + 1, f"{name}_{count + 1}"
        self.taken.update(_above(found))
        return found

    def _optimizer(self, kind: str, clipping: Any) -> Iterator[GraphNode]:
        """One update of all weights, which are one vector."""
        gradients = tuple(self.names[number] for number in self.step.program.results[1:])
        weights = {name: self.step.parameters.shapes[name] for name in self.step.moved}
        yield GraphNode(RATE, "Placeholder", (), ((),))
        if clipping:
            yield GraphNode(CLIPPING, clipping.name, gradients, tuple(weights.values()))
            gradients = tuple(f"{CLIPPING}:{n}" if n else CLIPPING for n in range(len(weights)))
        size = (len(self.step.parameters),)
        yield GraphNode(OPTIMIZER.format(kind), kind, (*weights, *gradients, RATE), (size,))


def _above(name: str) -> Iterable[str]:
    """The name and the boxes around it."""
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _write_costs(lane: Lane, step: Rehearsal) -> None:
    """End to end, because TensorBoard takes a box's time from its first start to its last end."""
    nodes, program = Nodes(step, lane.learning), step.program
    instructions = program.instructions
    with np.errstate(all="ignore"):
        calls, updates = _times(step, lane.learning)
    sizes = [0 if program.is_view(i) else program.buffers[i.output].nbytes for i in instructions]
    sizes += [step.parameters.flat.nbytes] * len(updates)
    timed = [*zip([*nodes.made, *nodes.optimizer[1:]], [*calls, *updates], sizes, strict=True)]
    timed.sort(key=lambda each: each[0].name.partition("/")[0])  # a layer's nodes stay together
    costs: list[Cost] = []
    start = 0
    for node, seconds, nbytes in timed:
        costs.append(Cost(node, start, round(seconds * UPDATES * 1e6), nbytes))
        start += costs[-1].micros
    tag = f"{UPDATES} updates, timed after epoch {lane.progress.epoch}"
    lane.journal.aside.log.append(costs_record(tag, lane.progress.step, costs))


def _times(step: Rehearsal, learning: Any) -> tuple[list[float], list[float]]:
    """Seconds of each instruction, and of clipping, if there is any, and the optimizer."""
    parameters, keys = step.parameters, learning.material.keys
    gradient = parameters.twin()
    into = [np.empty((), parameters.flat.dtype)]
    into += [gradient.views[name] for name in step.moved if step.has_backward]
    plan = Plan(step.recorded, len(step.inputs), into)
    for own, given in zip(plan.inputs, step.inputs, strict=True):
        np.copyto(own, given)
    slots = {name: vector.flat.copy() for name, vector in learning.slots.items()}
    updater = Updater(keys["optimizer"], parameters.trainable, gradient.flat, slots)
    calls: list[list[Any]] = [*map(list, plan.steps)]
    if clipping := keys["clipping"]:
        calls.append([lambda: clipping.clip(gradient.flat, gradient.views)])
    calls.append([lambda: updater(0.0, 1)])
    rounds = [_timed(calls) for _ in range(ROUNDS)]
    found = np.median(rounds, axis=0).tolist()
    return found[: len(plan.steps)], found[len(plan.steps) :]


def _timed(calls: Iterable[Sequence[Any]]) -> list[float]:
    """Seconds of each group of calls, one after the other."""
    found = []
    for group in calls:
        start = time.perf_counter()
        for call in group:
            call()
        found.append(time.perf_counter() - start)
    return found
