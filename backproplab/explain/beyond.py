"""What leaves the numbers: the first step that is infinite or no number, how that spreads, and a
form of the formula that stays within them. Also one formula computed in several types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward
from backproplab.autograd.graph import nodes
from backproplab.errors import ConfigError, Problem
from backproplab.explain.formula import course_names, shown, write_step
from backproplab.explain.lines import Line, line, short
from backproplab.explain.report import ReportTable, Section
from backproplab.explain.stable import stable_form
from backproplab.explain.trace import GraphNode, Trace
from backproplab.explain.values import Value, read_point
from backproplab.formulas.expression import Expression

CLOSE = 1e-8  # relative, of numbers that differ by rounding alone
TYPES = "float16", "float32", "float64"


def section(seen: Trace, words: Sequence[str]) -> Section | None:
    """What went beyond the numbers, or lost its digits or its gradient; None if nothing did."""
    if lines := [*_forward(seen), *_backward(seen)]:
        return Section("Beyond the numbers", [*lines, *remedy(seen.text, words)])
    if _is_inexact(seen, words):
        return Section(
            "Lost digits", list(remedy(seen.text, words)), "the stable form has other numbers"
        )
    return None


def _is_inexact(seen: Trace, words: Sequence[str]) -> bool:
    """Whether the stable form has another value, or other gradients."""
    better, forms = stable_form(seen.text)
    if not forms:
        return False
    value, gradients = _computed(*read_point(better, words), np.float64)
    pairs = [(value, seen.result.value)]
    own = {seen.nodes[i].name: seen.nodes[i].gradient for i in seen.variables}
    pairs += [(gradient, own[name]) for name, gradient in gradients.items() if name in own]
    return any(not np.allclose(a, b, rtol=CLOSE, atol=0.0) for a, b in pairs)


def _is_lost(value: Value) -> bool:
    return not np.isfinite(value).all()


def _forward(seen: Trace) -> Iterator[Line]:
    lost = [node for node in seen.nodes if node.kind == "step" and _is_lost(node.value)]
    for n, node in enumerate(lost):
        numbers = f" = {node.numbers}" if node.numbers else ""
        text = f"{node.name} = {node.formula}{numbers} = "
        where = "   the first step that left the numbers" if n == 0 else "   it spreads"
        reason = f": {_reason(seen, node)}" if n == 0 else ""
        yield ((text, ""), (shown(node.value), "gradient"), (where + reason, "aside"))


def _reason(seen: Trace, node: GraphNode) -> str:
    """Why a step of finite numbers has no finite result."""
    limits = np.finfo(np.float64)
    if node.formula.startswith("exp("):
        return f"exp(x) overflows above {np.log(limits.max):.4f}"
    if node.formula.startswith(("log(", "log2(", "log10(")):
        return "log(0) is -inf, and of a negative number no number"
    if " / " in node.formula:
        return "a division by 0"
    if node.formula.startswith(("sqrt(", "arc")) or " ** " in node.formula:
        return f"outside the function's domain, or larger than {limits.max:.3g}"
    return f"larger than {limits.max:.3g}, or without a value"


def _backward(seen: Trace) -> Iterator[Line]:
    lost = [n for n in reversed(seen.nodes) if n.kind != "constant" and _is_lost(n.gradient)]
    if not lost:
        return
    first = lost[0]
    slope = f"d{seen.result.name}/d{first.name}"
    names = ", ".join(node.name for node in lost)
    yield ((f"{slope} = ", ""), (shown(first.gradient), "gradient"),
           (f"   the first gradient that is lost; lost are those of {names}", "aside"))  # fmt: skip


def remedy(text: str, words: Sequence[str]) -> Iterator[Line]:
    """The stable form with its value and its gradients beside it; or that none is known."""
    better, forms = stable_form(text)
    if not forms:
        yield line("stable form: none known", "aside")
        return
    expression, values = read_point(better, words)
    value, gradients = _computed(expression, values, np.float64)
    yield (("stable form  ", "aside"), (f"{better} = ", ""), (shown(value), "value"))
    for name, gradient in gradients.items():
        yield (("             ", ""), (f"df/d{name} = ", ""), (shown(gradient), "gradient"))
    for form in forms:
        yield ((f"{form.pattern} -> {form.stable}: {form.why}", "aside"),)


def _computed(
    expression: Expression, values: Mapping[str, Value], dtype: type
) -> tuple[Array, dict[str, Array]]:
    """The result and its gradients, all in one type."""
    tensors = expression.evaluate(values, dtype)
    root = tensors[-1]
    leaves = [x for s, x in zip(expression.steps, tensors, strict=True) if s.kind == "variable"]
    with np.errstate(all="ignore"):
        found = backward(root, Tensor(np.ones_like(root.value)), leaves)
    return root.value, dict(zip(expression.variables, (g.value for g in found), strict=True))


def types_table(
    words: Sequence[str], expression: Expression, values: Mapping[str, Value],
    seen: Trace, types: Sequence[str],
) -> Section:  # fmt: skip
    """Every step, and the stable form, in several types: a column for each."""
    for name in types:
        if name not in TYPES:
            raise ConfigError(
                Problem("--dtype", f"{name} is no type", f"choose {', '.join(TYPES)}")
            )
    rows = _rows(expression, values, seen, types)
    better, forms = stable_form(seen.text)
    if forms:
        kept, at = read_point(better, words)
        cells = [_computed(kept, at, np.dtype(name).type) for name in types]
        rows.append((f"stable: {better}", *(short(_plain(value)) for value, _ in cells)))
        for name in kept.variables:
            rows.append((f"stable: df/d{name}", *(short(_plain(g[name])) for _, g in cells)))
    limits = [np.finfo(kind) for kind in types]
    above = (f"{np.log(float(f.max)):.6g}" for f in limits)
    below = (f"{np.log(float(f.smallest_subnormal)) - np.log(2):.6g}" for f in limits)
    rows += [("exp overflows above", *above), ("exp is 0 below", *below)]
    return Section(
        "Types",
        ReportTable(("step", *types), rows, ("step",), (), tuple((t, 1) for t in types[:-1])),
        "every step in each type",
    )


def _rows(
    expression: Expression, values: Mapping[str, Value], seen: Trace, types: Sequence[str]
) -> list[tuple[str, ...]]:
    columns = [expression.evaluate(values, np.dtype(name).type) for name in types]
    plain = expression.evaluate(values)
    names = _names(expression, seen, plain)
    rows: list[tuple[str, ...]] = []
    for n, step in enumerate(expression.steps):
        if step.kind == "constant":
            continue
        head = names[n]
        rows.append((head, *(short(_plain(column[n].value)) for column in columns)))
    for name in expression.variables:
        found = [_computed(expression, values, np.dtype(kind).type)[1][name] for kind in types]
        rows.append((f"d{seen.result.name}/d{name}", *(short(_plain(g)) for g in found)))
    return rows


def _plain(array: Array) -> Value:
    return array if array.ndim else float(array)


def _names(expression: Expression, seen: Trace, tensors: Sequence[Tensor]) -> list[str]:
    """``c = exp(x)`` of each step, as the trace names it."""
    names = course_names(expression, tensors, nodes(tensors[-1]))
    texts = []
    for x in tensors:
        name = names.get(id(x), "")
        written = write_step(x, names) if x.node is not None else name
        texts.append(f"{name} = {written}" if written != name else name)
    return texts
