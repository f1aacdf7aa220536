r"""Sets formulas in type: TeX, as notation.py writes it, as glyphs and lines with positions.

    line = Line(20).tex(r"\frac{\partial f}{\partial c} = ", INK).tex("2", VALUE, bold=True)

Letters are italic, digits, brackets and names of functions upright. Widths are those of Times and
Helvetica, whose twins are on most systems. Sizes are pixels; y grows downward from the baseline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from backproplab.explain.notation import GREEK, SIGNS
from backproplab.explain.widths import width_of

Face = Literal["serif", "italic", "bold", "sans", "strong", "sign"]
COMMANDS = {
    r"\partial": "∂", r"\cdot": "·", r"\infty": "∞", r"\nabla": "∇", r"\odot": "⊙", r"\ldots": "…",
    r"\leftarrow": "←", r"\rightarrow": "→", r"\approx": "≈", r"\le": "≤", r"\ge": "≥",
    r"\epsilon": "ε", r"\prime": "′", r"\_": "_", r"\%": "%", r"\#": "#", r"\&": "&", r"\$": "$",
    "'": "′", **{f"\\{name}": SIGNS[name] for name in GREEK},
}  # fmt: skip
RELATIONS, OPERATORS = "=←→≈≤≥<>", "+−·⊙"
TOKEN = re.compile(r"\\[A-Za-z]+ ?|\\.|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Glyphs:
    """A text at a place, in one face, size and color."""

    x: float
    y: float
    text: str
    face: Face
    size: float
    ink: str


@dataclass(frozen=True)
class Rule:
    """A horizontal line: of a fraction or a root."""

    x: float
    y: float
    width: float
    ink: str


@dataclass
class Line:
    """A line of type that grows to the right; ``ascent`` and ``descent`` are its extents."""

    size: float
    width: float = 0.0
    ascent: float = 0.0
    descent: float = 0.0
    glyphs: list[Glyphs] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    def tex(self, text: str, ink: str, bold: bool = False) -> Line:
        """Append a formula."""
        _Setter(TOKEN.findall(text), ink, bold).row(self)
        return self

    def say(self, text: str, ink: str, face: Face = "sans", size: float | None = None) -> Line:
        """Append words."""
        return self._put(text, face, ink, size or self.size)

    def skip(self, ems: float) -> Line:
        self.width += ems * self.size
        return self

    def join(self, other: Line, dy: float = 0.0) -> Line:
        """Append another line, lower by ``dy``."""
        self.glyphs += [replace(g, x=g.x + self.width, y=g.y + dy) for g in other.glyphs]
        self.rules += [replace(r, x=r.x + self.width, y=r.y + dy) for r in other.rules]
        self.width += other.width
        self.ascent = max(self.ascent, other.ascent - dy)
        self.descent = max(self.descent, other.descent + dy)
        return self

    def _put(self, text: str, face: Face, ink: str, size: float) -> Line:
        words = text.lstrip(" ")  # cairosvg leaves out a space where a text begins
        before = width_of(text[: len(text) - len(words)], face) * size
        self.glyphs.append(Glyphs(self.width + before, 0.0, words, face, size, ink))
        self.width += width_of(text, face) * size
        self.ascent, self.descent = max(self.ascent, 0.7 * size), max(self.descent, 0.22 * size)
        return self


class _Setter:
    """Reads TeX tokens, and appends what they say to a line."""

    def __init__(self, tokens: list[str], ink: str, bold: bool) -> None:
        self.tokens = [token.strip() or " " for token in tokens][::-1]
        self.ink, self.bold = ink, bold
        self.before = ""  # the sign before: a minus after a relation or bracket is no operator

    def row(self, line: Line, until: str = "") -> Line:
        while self.tokens and self.tokens[-1] != until:
            self.item(line)
        if until and self.tokens:
            self.tokens.pop()
        return line

    def item(self, line: Line) -> None:
        token = self.tokens.pop()
        if token == " ":
            return
        if token in "^_":
            self.scripts(line, token)
        elif token == r"\frac":
            self.fraction(line)
        elif token == r"\sqrt":
            self.root(line)
        elif token in (r"\text", r"\operatorname", r"\mathrm", r"\mathit", r"\mathbf"):
            face: Face = {r"\mathit": "italic", r"\mathbf": "bold"}.get(token, "serif")  # type: ignore[assignment]
            line._put(self.raw(), face, self.ink, line.size)
            self.before = "x"
        elif token in (r"\hat",):
            self.hat(line)
        elif token == "{":
            self.row(line, "}")
        elif token == r"\,":
            line.skip(0.17)
        elif token == r"\quad":
            line.skip(1)
        else:
            self.sign(line, COMMANDS.get(token, token.lstrip("\\")))

    def sign(self, line: Line, text: str) -> None:
        text = "−" if text == "-" else text
        binary = self.before not in ("", "(", "[", ",", *RELATIONS, *OPERATORS)
        gap = 0.26 if text in RELATIONS else 0.2 if text in OPERATORS and binary else 0.0
        letter = text.isalpha() or text == "∂"
        face: Face = "bold" if self.bold else "italic" if letter else "serif"
        face = "sign" if text in "∇⊙" else face  # which Times lacks
        line.skip(gap)
        line._put(text, face, self.ink, line.size)
        line.skip(0.22 if text == "," else gap)
        self.before = text

    def group(self, size: float) -> Line:
        """The next item or {group}, as a line of its own."""
        inner = _Setter([], self.ink, self.bold)
        inner.tokens = self.tokens
        while self.tokens and self.tokens[-1] == " ":
            self.tokens.pop()
        line = Line(size)
        if self.tokens:
            inner.item(line)
        self.before = "x"
        return line

    def raw(self) -> str:
        """The text of the next {group}, as it is."""
        self.tokens.pop()
        depth, parts = 1, []
        while self.tokens:
            token = self.tokens.pop()
            depth += (token == "{") - (token == "}")
            if not depth:
                break
            parts.append(COMMANDS.get(token, token))
        return "".join(parts)

    def scripts(self, line: Line, first: str) -> None:
        """A superscript, a subscript, or both above each other."""
        small = line.size * 0.7
        found = {first: self.group(small)}
        if self.tokens and self.tokens[-1] in "^_" and self.tokens[-1] not in found:
            second = self.tokens.pop()
            found[second] = self.group(small)
        start, end = line.width, line.width
        for mark, inner in found.items():
            line.width = start + 0.03 * line.size
            line.join(inner, -0.38 * line.size if mark == "^" else 0.2 * line.size)
            end = max(end, line.width)
        line.width = end + 0.04 * line.size

    def fraction(self, line: Line) -> None:
        size = max(line.size * 0.82, 9.0)
        above, below = self.group(size), self.group(size)
        width = max(above.width, below.width) + 0.2 * size
        middle, start = -0.27 * line.size, line.width + 0.06 * line.size
        line.rules.append(Rule(start, middle, width, self.ink))
        for part, dy in (
            (above, middle - 0.3 * size - above.descent * 0.6),
            (below, middle + 0.22 * size + below.ascent),
        ):
            line.width = start + (width - part.width) / 2
            line.join(part, dy)
        line.width = start + width + 0.06 * line.size

    def root(self, line: Line) -> None:
        inner = self.group(line.size)
        line._put("√", "serif", self.ink, line.size)
        line.rules.append(Rule(line.width, -0.8 * line.size, inner.width, self.ink))
        line.join(inner)

    def hat(self, line: Line) -> None:
        start = line.width
        inner = self.group(line.size)
        line.join(inner)
        end = line.width
        line.width = start + (inner.width - 0.33 * line.size) / 2 + 0.05 * line.size
        line.join(Line(line.size)._put("ˆ", "serif", self.ink, line.size))
        line.width = end
