"""Readable messages for the syntax errors of PyYAML's scanner and parser.

This file knows PyYAML's phrases (6.0) and no configs; an unknown phrase is shown as it is.
"""

from __future__ import annotations

import re

import yaml

QUOTE = "quote the value"
ONE_LINE = "write 'key: value'; the fault may be in the line above"

# Pattern of "context; problem", what, hint; the first match is used.
SENTENCES = (
    (r"character '\\t'", "tabs cannot indent or separate", "use spaces"),
    (r"character (.+) that cannot start", "the character {} cannot start a value", QUOTE),
    (r"an anchor; ", "anchors (&) are not allowed", "write the value out, or quote it"),
    (r"an alias; ", "aliases (*) are not allowed", "write the value out, or quote it"),
    (r"a tag; |tag handle", "tags (!) are not allowed", "remove the tag, or quote the value"),
    (
        r"quoted scalar; found unexpected",
        "a quote is never closed",
        "close it; a quote inside single quotes is written twice",
    ),
    (
        r"quoted scalar; ",
        "the backslash starts no known escape",
        "use single quotes around text with backslashes",
    ),
    (r"expected ',' or '(.)'", "a '{}' or a ',' is missing", "close the bracket"),
    (r"block scalar; ", "'|' and '>' start a block of text", QUOTE),
    (r"mapping values are not allowed", "a ':' does not fit here", f"{QUOTE}, or {ONE_LINE}"),
    (r"could not find expected ':'", "a line without ':'", ONE_LINE),
    (r"sequence entries are not", "a list item cannot start here", "write the list as [a, b]"),
    (r"mapping keys are not", "'?' cannot start a value", QUOTE),
    (r"node content, but found (.+)", "a value is missing before {}", "write it, or quote it"),
    (
        r"expected .*(end>|start>').* found ('<block \w+ start>'|'\?'|'-')",
        "the indentation does not fit",
        "start the keys of one mapping in the same column",
    ),
    (
        r"directive|YAML document|found '<stream end>'",
        "a directive (%) that is not understood",
        "remove the line",
    ),
    (
        r"found '<scalar>'",
        "text after the end of the value",
        "quote it as a whole; a quote inside single quotes is written twice",
    ),
    (r"expected .*(?:end>|start>').* found (.+)", "{} does not fit here", QUOTE),
    (r"; (.*)", "not valid YAML: {}", "look at this line and the one above"),
)
AT_CONTEXT = re.compile(r"found unexpected (end|document)|could not find|expected ',' or")
"""For these the fault is where PyYAML's context starts, not where it found the problem."""


def explain(error: yaml.MarkedYAMLError) -> tuple[yaml.Mark | None, str, str]:
    """(where, what, hint) of a syntax error."""
    text = f"{error.context or ''}; {error.problem or ''}"
    mark = error.context_mark if AT_CONTEXT.search(text) else error.problem_mark
    matches = ((re.search(pattern, text), what, hint) for pattern, what, hint in SENTENCES)
    found, what, hint = next(match for match in matches if match[0])
    return mark or error.problem_mark, what.format(*found.groups() if found else ()), hint
