"""Faults of values and keys, their places, the limits; and a fuzz: only ConfigError escapes."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backproplab.config import yaml_source
from backproplab.config.composer import DEPTH, VALUES, compose, spot_of
from backproplab.config.scalars import FLOAT
from backproplab.errors import ConfigError


def parse_yaml(text, name):
    """The document; its faults are raised, so that faults of values and of syntax are tested alike."""
    document = yaml_source.parse_yaml(text, name)
    if document.faults:
        raise ConfigError(*document.faults)
    return document


FAULTS = [
    ("a: 1\na: 2", "2:1", "duplicate key 'a' (first at line 1)"),
    ("x:\n  a: 1\n  b: 2\n  a: 3", "4:3", "x: duplicate key 'a' (first at line 2)"),
    ("a: 1\n'a': 2", "2:1", "duplicate key 'a' (first at line 1)"),
    ("x: {a: 1, a: 1}", "1:11", "x: duplicate key 'a'"),
    ("x: !!python/object/apply:os.system [id]", "1:4", "tags (!!python/object/apply:os.system)"),
    ("x: !!int ''", "1:4", "x: tags (!!int) are not allowed"),
    ("x: !!bool abc", "1:4", "x: tags (!!bool) are not allowed"),
    ("x: !!timestamp abc", "1:4", "x: tags (!!timestamp) are not allowed"),
    ("x: !local {a: 1}", "1:4", "x: tags (!local) are not allowed"),
    ("!a x: 1", "1:1", "tags (!a) are not allowed"),
    ("x: &a 1", "1:4", "x: anchors (&a) are not allowed"),
    ("x: &a {b: 1}", "1:4", "x: anchors (&a) are not allowed"),
    ("x: [1, *a]", "1:8", "x.1: aliases (*a) are not allowed"),
    ("<<: {a: 1}", "1:1", "merge keys (<<) are not allowed"),
    ("1: a", "1:1", "keys must be text, got 1"),
    ("true: a", "1:1", "keys must be text, got true"),
    ("null: a", "1:1", "keys must be text, got null"),
    ("2024-01-01: a", "1:1", "keys must be text, got 2024-01-01"),
    ("a: 1\n[b]: 1", "2:1", "keys must be text"),
    ("? {a: b}\n: 1", "1:3", "keys must be text"),
    ("a: 1\n---\nb: 1", "2:1", "only one document is allowed"),
    ("---\na: 1\n---\nb: 1", "3:1", "only one document is allowed"),
    ("a:\n  b: [1, 010]", "2:10", "a.b.1: '010' has a leading zero"),
    ("v: no", "1:4", "v: 'no' is not a truth value"),
    ('a: "\\0"', "1:4", "a: control character U+0000"),
    ('a: "\\ud800"', "1:4", "a: lone surrogate U+D800"),
    ('"a\\x1b": 1', "1:1", "control character U+001B"),
    ("x: " + "[" * 200_000, "1:36", "nested deeper than 32"),
    ("[" * 200_000, "1:34", "nested deeper than 32"),
    ("x: [" + "1," * (VALUES + 1) + "]", "1:40001", "more than 20000 values"),
]


@pytest.mark.parametrize(("text", "place", "what"), FAULTS)
def test_a_fault_is_told_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_yaml(text, "c.yaml")
    (problem,) = raised.value.problems
    assert problem.where == f"c.yaml:{place}"
    assert what in problem.what
    assert problem.hint


def test_every_fault_of_a_file_is_told_in_order() -> None:
    text = "a: no\nb: &x 010\nc: *x\nd: [1:30, {e: 1_0, e: .inf}]\n1: 2\n"
    with pytest.raises(ConfigError) as raised:
        parse_yaml(text, "c")
    reported = [p.where for p in raised.value.problems]
    assert reported == [
        "c:1:4",
        "c:2:4",
        "c:2:4",
        "c:3:4",
        "c:4:5",
        "c:4:15",
        "c:4:20",
        "c:4:23",
        "c:5:1",
    ]


def test_an_alias_bomb_is_not_expanded() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    with pytest.raises(ConfigError, match=r"aliases \(\*l7\) are not allowed"):
        parse_yaml(f"l0: &l0 [x]\n{levels}", "c")


def test_words_that_switch_are_text_as_keys() -> None:
    assert parse_yaml("on: 1\nno: x\ny: 2\n", "c").tree == {"on": 1, "no": "x", "y": 2}


def test_quotes_make_text_of_anything() -> None:
    text = "a: 'no'\nb: \"010\"\nc: '1e3'\n'1': |\n  true\n"
    assert parse_yaml(text, "c").tree == {"a": "no", "b": "010", "c": "1e3", "1": "true\n"}


def test_the_deepest_value_allowed() -> None:
    def nested(depth: int) -> str:
        return "x: " + "[" * depth + "]" * depth

    parse_yaml(nested(DEPTH), "c")
    with pytest.raises(ConfigError, match="nested deeper"):
        parse_yaml(nested(DEPTH + 1), "c")


def test_the_most_values_allowed() -> None:
    items = VALUES - 2  # the mapping and the list are values too
    assert len(parse_yaml("x: [" + "1," * items + "]", "c").tree["x"]) == items


def test_a_value_may_stand_anywhere() -> None:
    (fault,) = compose("[1, no]", lambda spot: "here", ("a", "b")).faults
    assert str(fault).startswith("here: a.b.1: 'no' is not a truth value")


@given(st.text(alphabet="ab\r\n", max_size=30), st.data())
def test_spots_agree_with_universal_newlines(text: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(text)))
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    assert spot_of(text, index) == (before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


# 1e3 is a number in YAML 1.2 and a text in PyYAML's 1.1, which does not quote it
plain_text = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8).filter(
    lambda text: not FLOAT.fullmatch(text)
)
trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(plain_text, trees, min_size=1, max_size=4))
def test_what_is_quoted_as_json_comes_back(tree: dict[str, object]) -> None:
    """Reference: the standard library's JSON, which is YAML with every text quoted."""
    assert parse_yaml(json.dumps(tree, ensure_ascii=False), "c").tree == tree


@given(st.dictionaries(plain_text, trees, min_size=1, max_size=4))
def test_where_pyyaml_dumps_we_read_the_same_or_refuse(tree: dict[str, object]) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        document = parse_yaml(text, "c")
    except ConfigError:
        return
    assert document.tree == yaml.safe_load(text)


TOKENS = st.sampled_from(
    [
        *("a", "b: ", "- ", ": ", "\n", "\n  ", "\r", "\r\n", "\t", " ", "? ", ", ", "#", "---\n"),
        *("[", "]", "{", "}", "'", '"', "|", ">", "@", "`", "%", "%YAML 1.1\n", "...\n", "<<: "),
        *("!", "!!int ", "!!python/object:os.system ", "!<x> ", "&a ", "*a ", "&", "*", "!e!x "),
        *("0x_", "0b", "010", "1_0", "1:30", "2024-13-45", "1e400", ".inf", "no", "~", "=", "null"),
        *("9" * 4400, "0." + "0" * 400 + "1", '"\\U99999999"', '"\\ud800"', '"\\x', "\\", "é"),
        *("\x00", "\x07", "\x85", "\u2028", "\ud800", "\ufeff", "\uffff", "[" * 40, "\U0001f600"),
    ]
)


@settings(max_examples=600)
@given(st.lists(TOKENS, max_size=25).map("".join))
def test_only_config_error_escapes_from_text(text: str) -> None:
    _reads_or_refuses(text)


@settings(max_examples=300)
@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda t: t.encode("utf-16")))
def test_only_config_error_escapes_from_bytes(data: bytes) -> None:
    _reads_or_refuses(data)


def _reads_or_refuses(text: str | bytes) -> None:
    try:
        document = parse_yaml(text, "c.yaml")
    except ConfigError as error:
        reported = [str(problem) for problem in error.problems]
    else:
        reported = [document.where((key,)) for key in document.tree]
    assert reported
    assert all(line.startswith("c.yaml") and line.isprintable() for line in reported)
    assert max(map(len, reported)) < 600
