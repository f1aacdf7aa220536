"""Report and drawing of one update of a network: every number of a small network, else norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.graph import number
from backproplab.explain import unit_paths, unit_report
from backproplab.explain.drawing import Arrow, Box, Drawing, Kind
from backproplab.explain.lines import Line, line, short
from backproplab.explain.report import Report, ReportTable, Section
from backproplab.explain.units import dense_places, unit_net
from backproplab.explain.update import Update, Value
from backproplab.nn import Activation, Place
from backproplab.nn.layers import Dense

EVERY_NUMBER = 60  # a network with at most this many parameters is shown in full
FEW, IN_A_BOX = 10, 4  # largest array shown in full, in entries: of a larger network, in a box


def report_of(update: Update) -> Report:
    """The report: forward layer by layer, backward by the chain rule, the optimizer's step."""
    parts = update.parts
    e, count = parts.experiment, update.network.size
    title = f"{e.name}: one update by the first example, {update.network}, {count:,} parameters"
    if net := unit_net(update):
        return Report(title, unit_report.sections(net))
    limit = EVERY_NUMBER if count <= EVERY_NUMBER else FEW
    step = f"Update: {e.optimizer.name}, learning rate {e.learning_rate:g}, its first step"
    return Report(
        title,
        [
            Section("Forward", _lines(_forward(update, limit))),
            Section(
                "Backward: by the chain rule, from the loss down",
                _lines(_backward(update, limit)),
            ),
            *_paths(update),
            Section(step, _moved(update) if count <= EVERY_NUMBER else _norms(update)),
        ],
    )


def _paths(update: Update) -> list[Section]:
    """The number of paths from the weights to the loss, of a network of dense layers alone."""
    if any(not isinstance(place.layer, Dense | Activation) for place in update.steps):
        return []
    count, onward = 0, 1
    for place in reversed(dense_places(update)):
        count += onward * sum(p.old.size for p in update.own(place).values())
        onward *= update.own(place)["kernel"].old.shape[-1]
    return [unit_paths.counted(count, "L")]


def _lines(texts: list[str]) -> list[Line]:
    return [line(text) for text in texts]


def _forward(update: Update, limit: int) -> list[str]:
    lines = [f"x = {shown(update.values[0].array, limit)}"]
    for place, before, value in zip(update.steps, update.values, update.values[1:], strict=False):
        for name, parameter in update.own(place).items():
            lines.append(f"{place.name}/{name} = {shown(parameter.old, limit)}")
        lines.append(f"{_made(place, before)} = {shown(value.array, limit)}")
    lines.append(f"target = {shown(update.target, limit)}")
    inner = f"{update.loss_name}({update.values[-1].name}, target)"
    return [*lines, f"L = {inner} = {number(update.loss)}"]


def _made(place: Place, before: Value) -> str:
    """``dense_1 = x kernel + bias``, ``tanh(dense_1)``, ``dropout_1(x)``."""
    if isinstance(place.layer, Dense):
        bias = f" + {_factor(place, 'bias')}bias" if place.layer.bias else ""
        return f"{place.name} = {_factor(place, 'kernel')}{before.name} kernel{bias}"
    return place.name if place.name.endswith(")") else f"{place.name}({before.name})"


def _factor(place: Place, name: str) -> str:
    """``0.5 `` before an array of the layer that is multiplied by it; empty for others."""
    factors = place.layer.factors(place.input_shape)
    return f"{factors[name]:.6g} " if name in factors else ""


def _backward(update: Update, limit: int) -> list[str]:
    last = update.values[-1]
    lines = [f"dL/d({last.name}) = {shown(last.gradient, limit)}"]
    pairs = zip(update.values, update.values[1:], strict=False)
    for place, (before, after) in reversed(list(zip(update.steps, pairs, strict=True))):
        flow = f"dL/d({after.name})"
        rules = {"kernel": f" = {before.name}^T {flow}", "bias": f" = {flow}"}
        for name, parameter in update.own(place).items():
            rule = rules[name] if isinstance(place.layer, Dense) else ""
            rule = rule.replace("= ", f"= {_factor(place, name)}", 1)
            gradient = shown(parameter.gradient, limit)
            lines.append(f"dL/d({place.name}/{name}){rule} = {gradient}")
        chain = _chain(place, after, limit)
        lines.append(f"dL/d({before.name}) = {chain} = {shown(before.gradient, limit)}")
    return lines


def _chain(place: Place, after: Value, limit: int) -> str:
    """The product that carries the gradient through a step."""
    flow = f"dL/d({after.name})"
    if isinstance(place.layer, Activation) and after.slope is not None:
        numbers = f"{shown(after.gradient, limit)} * {shown(after.slope, limit)}"
        return f"{flow} * {place.layer.name}' = {numbers}"
    if isinstance(place.layer, Dense):
        return f"{_factor(place, 'kernel')}{flow} kernel^T"
    return f"{flow} through {place.name}"


def _moved(update: Update) -> ReportTable:
    """A row for each parameter: old value, gradient, new value."""
    rows: list[tuple[str, ...]] = []
    for name, p in update.parameters.items():
        for index in np.ndindex(p.old.shape):
            entries = [short(float(array[index])) for array in (p.old, p.gradient, p.new)]
            rows.append((f"{name}[{', '.join(map(str, index))}]", *entries))
    return ReportTable(("parameter", "old", "gradient", "new"), rows, ("parameter",))


def _norms(update: Update) -> ReportTable:
    """A row for each parameter tensor: norms of its old value, its gradient and its step."""
    rows: list[tuple[str, ...]] = [
        (name, str(p.old.shape), _norm(p.old), _norm(p.gradient), _norm(p.new - p.old))
        for name, p in update.parameters.items()
    ]
    headers = ("parameter", "shape", "norm", "norm of the gradient", "norm of the step")
    return ReportTable(headers, rows, ("parameter", "shape"))


def shown(array: Array, limit: int, digits: int = 6) -> str:
    """The array as text: every number if there are at most ``limit``, else shape and norm."""
    if array.size > limit:
        return f"{array.shape} of norm {_norm(array)}"
    style: Any = {"all": lambda value: f"{value:.{digits}g}"}
    text = np.array2string(array, separator=", ", formatter=style, max_line_width=10**6)
    return text.replace("\n", "")


def _norm(array: Array) -> str:
    return short(float(np.linalg.norm(array)))


def drawing_of(update: Update) -> Drawing:
    """A box for each array of the step, from the input and the parameters to the loss."""
    boxes = [_box("x", update.values[0].array, update.values[0].gradient)]
    arrows: list[Arrow] = []
    for place, value in zip(update.steps, update.values[1:], strict=True):
        sources = [len(boxes) - 1]
        for name, p in update.own(place).items():
            sources.append(len(boxes))
            boxes.append(_box(f"{place.name}/{name}", p.old, p.gradient))
        arrows += [Arrow(i, len(boxes), boxes[i].gradient) for i in sources]
        boxes.append(_box(value.name, value.array, value.gradient, "step"))
    last = len(boxes) - 1
    boxes.append(Box("target", "constant", "target", shown(update.target, IN_A_BOX)))
    boxes.append(Box("L", "result", f"L = {update.loss_name}", short(update.loss)))
    arrows += [Arrow(last, last + 2, boxes[last].gradient), Arrow(last + 1, last + 2)]
    title = f"{update.parts.experiment.name}: {update.network}"
    return Drawing(title, tuple(boxes), tuple(arrows))


def _box(name: str, array: Array, gradient: Array, kind: Kind = "variable") -> Box:
    return Box(name, kind, name, shown(array, IN_A_BOX, 4), shown(gradient, IN_A_BOX, 4))
