"""The report of a small network: each unit forward, the four fundamental equations, the update."""

from __future__ import annotations

from collections.abc import Iterator

from backproplab.explain import unit_paths
from backproplab.explain.lines import Line, bracketed, rounded, short
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.units import UnitLayer, UnitNet


def sections(net: UnitNet) -> list[Section]:
    """Forward, the equations at their place, the paths, and the table of the update."""
    return [
        Section("Forward", list(forward(net)), "z = W a + b, then a = f(z), unit by unit", True),
        Section("Backward", list(backward(net)), "the four fundamental equations", True),
        unit_paths.section(net),
        Section("Update", table(net), net.step),
        Section("", list(outcome(net))),
    ]  # fmt: skip


def outcome(net: UnitNet) -> Iterator[Line]:
    """The loss before and after: whether the step helped."""
    word = "the step helped" if net.after < net.loss else "the step went too far"
    yield (
        (f"C: {rounded(net.loss)} -> ", ""),
        (rounded(net.after), "value"),
        (f"   {word}", "aside"),
    )


def _value(text: str, value: float, role: str = "value") -> Line:
    return (f"{text} = ", ""), (rounded(value), role)


def forward(net: UnitNet) -> Iterator[Line]:
    for name, value in net.inputs(net.layers[0]):
        yield _value(name, value)
    for layer in net.layers:
        yield from _units(net, layer)
    if net.own_output:
        for j, value in enumerate(net.output):
            z = net.layers[-1].name("z", j)
            yield _value(f"yhat_{j + 1} = {net.own_output}({z})", float(value))
    for j, value in enumerate(net.y):
        yield _value(f"y_{j + 1}", float(value))
    yield _value(f"C = {net.loss_name}", net.loss)


def _units(net: UnitNet, layer: UnitLayer) -> Iterator[Line]:
    inputs = net.inputs(layer)
    for j in range(layer.z.size):
        terms = [f"w{layer.number}_{j + 1}{k + 1} * {name}" for k, (name, _) in enumerate(inputs)]
        numbers = [f"{_short(layer.kernel[j, k])} * {_short(v)}" for k, (_, v) in enumerate(inputs)]
        if layer.bias is not None:
            terms.append(layer.name("b", j))
            numbers.append(_short(layer.bias[j]))
        z = layer.name("z", j)
        text = f"{z} = {' + '.join(terms)} = {' + '.join(numbers)}"
        yield _value(text, float(layer.z[j]))
        if layer.activation != "linear":
            yield _value(f"{layer.name('a', j)} = {layer.activation}({z})", float(layer.a[j]))


def backward(net: UnitNet) -> Iterator[Line]:
    """Equation 1 at the output, then 2 with 3 and 4 for each layer before."""
    last = net.layers[-1]
    for j in range(last.z.size):
        yield _first(net, last, j)
    for layer, after in reversed(list(zip(net.layers, net.layers[1:], strict=False))):
        for j in range(layer.z.size):
            yield _second(layer, after, j)
    for moved in reversed(net.moved):
        for m in moved:
            number = "(3)" if m.name.startswith("b") else "(4)"
            yield (
                (f"{number} dC/d{m.name} = {m.rule} = ", ""),
                (rounded(m.gradient), "gradient"),
            )


def _first(net: UnitNet, layer: UnitLayer, j: int) -> Line:
    head = f"(1) {layer.name('delta', j)} = "
    if net.own_output:
        yhat, y = float(net.output[j]), float(net.y[j])
        return _value(
            f"{head}yhat_{j + 1} - y_{j + 1} = {_short(yhat)} - {_short(y)}",
            float(layer.delta[j]),
            "gradient",
        )
    a = layer.name("a" if layer.activation != "linear" else "z", j)
    slope = f" * f'({layer.name('z', j)})" if layer.activation != "linear" else ""
    numbers = _short(layer.gradient_a[j]) + (f" * {_short(layer.slope[j])}" if slope else "")
    return _value(f"{head}dC/d{a}{slope} = {numbers}", float(layer.delta[j]), "gradient")


def _second(layer: UnitLayer, after: UnitLayer, j: int) -> Line:
    terms = [
        f"w{after.number}_{i + 1}{j + 1} * {after.name('delta', i)}" for i in range(after.z.size)
    ]
    numbers = [
        f"{_short(after.kernel[i, j])} * {_short(after.delta[i])}" for i in range(after.z.size)
    ]
    several = len(terms) > 1
    inner, values = (" + ".join(x) for x in (terms, numbers))
    if several:
        inner, values = f"({inner})", f"({values})"
    slope = f" * {layer.activation}'({layer.name('z', j)})" if layer.activation != "linear" else ""
    values += f" * {_short(layer.slope[j])}" if slope else ""
    text = f"(2) {layer.name('delta', j)} = {inner}{slope} = {values}"
    return _value(text, float(layer.delta[j]), "gradient")


def table(net: UnitNet) -> ReportTable:
    """A row for each scalar weight: before, gradient with its rule, step, after."""
    rows: list[tuple[str, ...]] = [
        (m.name, short(m.old), m.rule, short(m.gradient), f"{m.new - m.old:+.6g}", short(m.new))
        for moved in net.moved
        for m in moved
    ]
    headers = ("weight", "before", "rule", "dC/dw", "step", "after")
    roles = (("before", "value"), ("dC/dw", "gradient"))
    left, math = ("weight", "rule"), ("weight", "rule")
    return ReportTable(headers, rows, left, roles, (("rule", 1),), math)


def _short(value: float) -> str:
    return bracketed(f"{float(value):.4g}")
