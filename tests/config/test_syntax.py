"""Syntax errors, from text to sentence: the lines are counted by hand."""

import pytest

from backproplab.config.yaml_source import parse_yaml
from backproplab.errors import ConfigError

CASES = [
    ("a:\n\tb: 1", "2:1", "tabs cannot indent"),
    ("\ta: 1", "1:1", "tabs cannot indent"),
    ("a: 1\t# comment", "1:5", "tabs cannot indent or separate"),
    ("x: a: b", "1:5", "a ':' does not fit here"),
    ("key\nb: 1", "2:2", "a ':' does not fit here"),
    ("a: 1\nb c\n", "2:1", "a line without ':'"),
    ("a: 1\nx: {a: 1", "2:4", "a '}' or a ',' is missing"),
    ("[1, 2", "1:1", "a ']' or a ',' is missing"),
    ("a: [1\nb: 2", "1:4", "a ']' or a ',' is missing"),
    ("x: @a", "1:4", "'@' cannot start a value"),
    ("x: `a`", "1:4", "'`' cannot start a value"),
    ("x: %a", "1:4", "'%' cannot start a value"),
    ("%a", "1:3", "directive"),
    ("%YAML 2.0\n---\na: 1", "1:1", "directive"),
    ("%YAML 1.1\n%YAML 1.1\n---\na: 1", "2:1", "directive"),
    (f"%YAML {'9' * 5000}.1\n---\na: 1", "1:7", "a number out of range"),
    ("a: 'abc\nb: 1\n", "1:4", "a quote is never closed"),
    ('a: "abc', "1:4", "a quote is never closed"),
    ("a: 'x\n---\n", "1:4", "a quote is never closed"),
    ("a: 'it's'", "1:8", "text after the end of the value"),
    ('a: "\\q"', "1:6", "no known escape"),
    ('a: "\\x4"', "1:7", "no known escape"),
    ('a: "\\U99999999"', "1:7", "a number out of range"),
    ("a:\n  b: 1\n c: 2", "3:2", "the indentation does not fit"),
    ("- a\nb: 1", "2:1", "the indentation does not fit"),
    (" a: 1\nb: 2", "2:1", "the indentation does not fit"),
    ("a: ,", "1:4", "a value is missing before ','"),
    ("x: ]", "1:4", "a value is missing before ']'"),
    ("a: [1]]", "1:7", "']' does not fit here"),
    ("a: - b", "1:4", "a list item cannot start here"),
    ("a: ?", "1:4", "'?' cannot start a value"),
    ("a: |x\n b", "1:5", "'|' and '>' start a block of text"),
    ("a: *", "1:5", "aliases (*) are not allowed"),
    ("a: &", "1:5", "anchors (&) are not allowed"),
    ("a: !<", "1:6", "tags (!) are not allowed"),
    ("a: !e!x y", "1:4", "tags (!) are not allowed"),
    ("a: 1\nb: 2\x07", "2:5", "control character U+0007"),
    ("a: 1\nb: \x00", "2:4", "control character U+0000"),
    ("a: 1\nb: \x85", "2:4", "control character U+0085"),
    ("a: 1\n\n\nb: \ud800", "4:4", "lone surrogate U+D800"),
    ("a: 1\nb: \ufeff", "2:4", "control character U+FEFF"),
]


@pytest.mark.parametrize(("text", "place", "what"), CASES)
def test_a_syntax_error_is_told_in_a_sentence(text: str, place: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_yaml(text, "c.yaml")
    (problem,) = raised.value.problems
    assert problem.where == f"c.yaml:{place}"
    assert what in problem.what
    assert problem.hint


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_are_counted_by_any_line_end(end: str) -> None:
    text = end.join(["# a comment", "a: 1", "", "b:", "  c: d: e"])
    with pytest.raises(ConfigError, match=r"c\.yaml:5:7: a ':' does not fit"):
        parse_yaml(text, "c.yaml")


def test_a_syntax_error_ends_the_list_of_problems() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_yaml("a: no\nb: 010\nc: d: e\nd: off\n", "c.yaml")
    assert [p.where for p in raised.value.problems] == ["c.yaml:1:4", "c.yaml:2:4", "c.yaml:3:5"]
