"""Formulas that overflow, underflow or cancel, and equal ones that do not: a table of patterns.

A capital letter of a pattern stands for any part of a formula; sums match in both orders.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

ANY = frozenset("ABC")


@dataclass(frozen=True)
class Form:
    """A pattern, the form that stays within the numbers, and what was wrong."""

    pattern: str
    stable: str
    why: str


# larger patterns first: the first one that fits a part is taken
FORMS = (
    Form("-log((exp(A) / sum(exp(A)))[B])", "cross_entropy(A, B)", "exp overflows, log meets 0"),
    Form("-log(softmax(A)[B])", "cross_entropy(A, B)", "softmax underflows to 0, then log(0)"),
    Form("-log(maximum(softmax(A)[B], C))", "cross_entropy(A, B)", "the clip has no gradient"),
    Form("-log(minimum(maximum(softmax(A)[B], C), 1 - C))", "cross_entropy(A, B)", "no gradient"),
    Form("log(exp(A) / sum(exp(A)))", "log_softmax(A)", "exp overflows, log meets 0"),
    Form("log(softmax(A))", "log_softmax(A)", "softmax underflows to 0, then log(0)"),
    Form("exp(A) / sum(exp(A))", "softmax(A)", "exp overflows; shifted by the maximum it does not"),
    Form("log(sum(exp(A)))", "logsumexp(A)", "exp overflows; shifted by the maximum it does not"),
    Form("log(exp(A) + exp(B))", "logaddexp(A, B)", "exp overflows; the larger one is taken out"),
    Form("log(1 + exp(A))", "softplus(A)", "exp overflows; for large x it is x"),
    Form("log(sigmoid(A))", "-softplus(-A)", "sigmoid underflows to 0, then log(0)"),
    Form("log(1 - sigmoid(A))", "-softplus(A)", "sigmoid rounds to 1, then log(0)"),
    Form("log(1 / (1 + exp(-A)))", "-softplus(-A)", "exp overflows, log meets 0"),
    Form("exp(A) / (1 + exp(A))", "sigmoid(A)", "exp overflows: inf / inf"),
    Form("1 / (1 + exp(-A))", "sigmoid(A)", "exp overflows for very negative x"),
    Form("exp(A) / (exp(A) + exp(B))", "sigmoid(A - B)", "exp overflows: inf / inf"),
    Form("exp(A) / exp(B)", "exp(A - B)", "exp overflows: inf / inf; subtract first"),
    Form("exp(A) * exp(B)", "exp(A + B)", "exp overflows or underflows; add first"),
    Form("log(exp(A))", "A", "exp overflows; log undoes it"),
    Form("log(A * B)", "log(A) + log(B)", "the product overflows or underflows"),
    Form("sqrt(A**2 + B**2)", "hypot(A, B)", "the squares overflow"),
    Form("log(1 + A)", "log1p(A)", "1 + x rounds to 1"),
    Form("exp(A) - 1", "expm1(A)", "exp(x) - 1 cancels"),
    Form("mean(A**2) - mean(A)**2", "mean((A - mean(A))**2)", "the squares cancel"),
)  # fmt: skip


def stable_form(text: str) -> tuple[str, list[Form]]:
    """The formula with every known part replaced, and the forms used; none: none is known."""
    rewriter = _Rewriter()
    tree = rewriter.visit(ast.parse(text.strip(), mode="eval"))
    return ast.unparse(tree), rewriter.used


class _Rewriter(ast.NodeTransformer):
    def __init__(self) -> None:
        self.used: list[Form] = []

    def visit(self, node: ast.AST) -> ast.AST:
        for form in FORMS:
            found: dict[str, ast.AST] = {}
            if isinstance(node, ast.expr) and _matches(_parsed(form.pattern), node, found):
                self.used.append(form)
                parts = {name: self.visit(part) for name, part in found.items()}
                return _Filler(parts).visit(_parsed(form.stable))
        return self.generic_visit(node)


class _Filler(ast.NodeTransformer):
    def __init__(self, parts: dict[str, ast.AST]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.parts.get(node.id, node)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _matches(pattern: ast.AST, node: ast.AST, found: dict[str, ast.AST]) -> bool:
    """Whether the node fits the pattern; ``found``: what the letters stand for."""
    if isinstance(pattern, ast.Name) and pattern.id in ANY:
        if pattern.id in found:
            return ast.dump(found[pattern.id]) == ast.dump(node)
        found[pattern.id] = node
        return True
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.Constant) and isinstance(node, ast.Constant):
        return bool(pattern.value == node.value)
    if isinstance(pattern, ast.BinOp) and isinstance(node, ast.BinOp):
        return _match_operation(pattern, node, found)
    parts = zip(ast.iter_child_nodes(pattern), ast.iter_child_nodes(node), strict=False)
    same = len(list(ast.iter_child_nodes(pattern))) == len(list(ast.iter_child_nodes(node)))
    names = getattr(pattern, "id", None) == getattr(node, "id", None)
    return same and names and all(_matches(a, b, found) for a, b in parts)


def _match_operation(pattern: ast.BinOp, node: ast.BinOp, found: dict[str, ast.AST]) -> bool:
    if type(pattern.op) is not type(node.op):
        return False
    orders = [(node.left, node.right)]
    if isinstance(pattern.op, ast.Add | ast.Mult):
        orders.append((node.right, node.left))
    for left, right in orders:
        attempt = dict(found)
        if _matches(pattern.left, left, attempt) and _matches(pattern.right, right, attempt):
            found.update(attempt)
            return True
    return False
