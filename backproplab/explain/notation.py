"""How formulas look: Python's spelling in the program, signs on a terminal, TeX on paper.

Reports and drawings hold formulas as they are typed, ``df/dc = 2 * x ** 3``. ``pretty`` writes one
with signs, ``tex`` as TeX, which Markdown keeps and typeset.py draws.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

GREEK = """alpha beta gamma delta epsilon eps zeta eta theta lambda mu nu xi pi rho sigma tau phi
    psi omega Delta Sigma""".split()  # noqa: SIM905
SIGNS = dict(zip(GREEK, "αβγδεεζηθλμνξπρστφψωΔΣ", strict=True))
SLOPE = re.compile(r"(?<![\w.])d([^\W\d]\w*)/d([^\W\d]\w*)(?![\w.])")
GENERAL = re.compile(r"(?<![\w.])d\(((?:[^()]|\([^()]*\))*)\)/d([^\W\d]\w*)")
OUTER = re.compile(r"(?<!\w)(\w+)(\^T)? (\w+)((?(2)|\^T))(?!\w)")  # p p^T, a^T delta
UNIT = re.compile(r"([a-zA-Z]+)(\d)_(\d+)")
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
POWERS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SUM, PRODUCT, MINUS, POWER, ATOM = range(5)
INFIX = {
    ast.Add: (" + ", SUM), ast.Sub: (" - ", SUM), ast.Mult: (r" \cdot ", PRODUCT),
    ast.MatMult: (r" \, ", PRODUCT),
}  # fmt: skip


def pretty(text: str) -> str:
    """``df/dx = 2 · x³``: products, powers, arrows and Greek letters as signs."""
    text = re.sub(rf"(?<![\w.]){UNIT.pattern}(?!\w)", _unit, text)
    below = r"(?<![\w.])(x|y|yhat)_(\d)(?!\w)"
    text = re.sub(below, lambda m: m[1] + m[2].translate(BELOW), text)
    text = text.replace("yhat", "ŷ")
    text = re.sub(r" ?\*\* ?(?:\((-?\d+)\)|(-?\d+))(?![\w.])", _power, text)
    text = re.sub(r" ?\*\* ?", "^", text).replace("*", "·").replace("->", "→")
    text = re.sub(r"(?<![\w.])(eps|delta|eta|sigma)(?![A-Za-z_])", lambda m: SIGNS[m[1]], text)
    return re.sub(r"(?<=\d) · (?=ε)", "", text).replace("...", "…")


def _unit(match: re.Match[str]) -> str:
    letter = SIGNS.get(match[1], match[1])
    return f"{letter}{match[2].translate(POWERS)}{match[3].translate(BELOW)}"


def _power(match: re.Match[str]) -> str:
    return (match[1] or match[2]).translate(POWERS)


def tex(text: str) -> str:
    """The formula, or equations joined by ``=``, as TeX; what is no formula becomes its text.

    A path ``z1_1 -> C`` has an arrow between its nodes.
    """
    if " -> " in text and " = " not in text:
        return r" \to ".join(_side(node.strip()) for node in text.split(" -> "))
    number = re.match(r"(\(\d\)) ", text)  # of one of the four equations
    lead = rf"{number[1]} \quad " if number else ""
    rest = text[number.end() :] if number else text
    return lead + " = ".join(_side(side.strip()) for side in rest.split(" = "))


def assignments(text: str) -> list[str]:
    """``x = [1, 2]`` and ``y = 3`` of ``x = [1, 2], y = 3``."""
    return [part for part in re.split(r", (?=\w+ = )", text) if part]


def slope(above: str, below: str) -> str:
    r"""``\frac{\partial f}{\partial c}``."""
    return rf"\frac{{\partial {word(above)}}}{{\partial {word(below)}}}"


def word(name: str) -> str:
    r"""A variable's name: ``w_{11}``, ``w^{1}_{12}`` for w1_12, ``\alpha``, ``\mathit{speed}``."""
    if found := UNIT.fullmatch(name):
        return f"{word(found[1])}^{{{found[2]}}}_{{{found[3]}}}"
    if name in ("inf", "nan"):
        return number(name)
    if name == "yhat" or re.fullmatch(r"yhat_\d+", name):
        return rf"\hat{{y}}{name[4:]}"
    head, digits = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if head in GREEK:
        head = "\\" + ("epsilon" if head == "eps" else head)
    elif len(head) != 1:
        return rf"\mathit{{{name.replace('_', chr(92) + '_')}}}"
    return f"{head}_{{{digits}}}" if digits else head


def number(text: str) -> str:
    """A number as TeX: an exponent as a power of ten."""
    mantissa, e, exponent = text.partition("e")
    if not e:
        return {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{nan}"}.get(text, text)
    ten = f"10^{{{int(exponent)}}}"
    return ten if mantissa == "1" else rf"{mantissa} \cdot {ten}"


def _side(text: str) -> str:
    """One side of an equation; slopes are set aside, so that Python's grammar reads the rest."""
    if text in ("inf", "-inf", "nan"):
        return number(text)
    slopes: list[str] = []

    def aside(match: re.Match[str]) -> str:
        slopes.append(slope(match[1], match[2]))
        return f"_slope{len(slopes) - 1}_"

    def outer(match: re.Match[str]) -> str:
        left, right = ("^{T}" if match[n] else "" for n in (2, 4))
        slopes.append(rf"{word(match[1])}{left} \, {word(match[3])}{right}")
        return f"_slope{len(slopes) - 1}_"

    def general(match: re.Match[str]) -> str:
        inner = _write(ast.parse(match[1], mode="eval").body, ())[0]
        slopes.append(rf"\frac{{\partial}}{{\partial {word(match[2])}}}({inner})")
        return f"_slope{len(slopes) - 1}_"

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on how to write numbers
            plain = OUTER.sub(outer, SLOPE.sub(aside, GENERAL.sub(general, text)))
            plain = re.sub(r"(\w+)'\(", r"prime_\1(", plain)
            return _write(ast.parse(plain, mode="eval").body, slopes)[0]
    except (SyntaxError, KeyError, RecursionError):
        return rf"\text{{{_escaped(text)}}}"


def _escaped(text: str) -> str:
    plain = re.sub(r"[\\{}]", "", text)
    return re.sub(r"([_#%&$])", r"\\\1", plain).replace("^", r"\textasciicircum{}")


def _write(node: ast.expr, slopes: Sequence[str]) -> tuple[str, int]:
    """(TeX, precedence) of a node."""
    match node:
        case ast.Constant(value=int() | float() as value):
            text = number(repr(value)[:-2] if repr(value).endswith(".0") else repr(value))
            return text, PRODUCT if r"\cdot" in text else ATOM
        case ast.Constant(value=value) if value is ...:
            return r"\ldots", ATOM
        case ast.Name(id=name):
            found = re.fullmatch(r"_slope(\d+)_", name)
            return (slopes[int(found[1])] if found else word(name)), ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_held(operand, PRODUCT, slopes)}", MINUS
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            base = _held(left, ATOM, slopes)
            return f"{base}^{{{_write(right, slopes)[0]}}}", POWER
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            above, below = (_write(x, slopes)[0] for x in (left, right))
            return rf"\frac{{{above}}}{{{below}}}", ATOM
        case ast.BinOp(op=op, left=left, right=right):
            sign, hold = INFIX[type(op)]
            second = _held(right, hold + (sign == " - "), slopes)
            if second == r"\epsilon" and left.__class__ is ast.Constant:
                sign = r" \, "
            bare = second.startswith("-")
            return f"{_held(left, hold, slopes)}{sign}{f'({second})' if bare else second}", hold
        case ast.Call(func=ast.Name(id="sqrt"), args=[x]):
            return rf"\sqrt{{{_write(x, slopes)[0]}}}", ATOM
        case ast.Call(func=ast.Name(id=name), args=args):
            inner = ", ".join(_write(x, slopes)[0] for x in args)
            prime = "'" if name.startswith("prime_") else ""
            name = name.removeprefix("prime_")
            head = {"sigmoid": r"\sigma", "f": "f"}.get(name, rf"\operatorname{{{_escaped(name)}}}")
            head += prime
            return f"{head}({inner})", ATOM
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            inner = ", ".join(_write(x, slopes)[0] for x in elements)
            return (f"[{inner}]" if isinstance(node, ast.List) else f"({inner})"), ATOM
        case ast.Subscript(value=value, slice=index):
            return f"{{{_held(value, ATOM, slopes)}}}_{{{_write(index, slopes)[0]}}}", ATOM
    raise KeyError(type(node).__name__)


def _held(node: ast.expr, hold: int, slopes: Sequence[str]) -> str:
    text, own = _write(node, slopes)
    return text if own >= hold else f"({text})"
