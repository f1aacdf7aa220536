"""Command-line words over a file."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.config.overrides import apply_overrides
from backproplab.config.yaml_source import Document, parse_yaml
from backproplab.errors import ConfigError

TEXT = """\
name: exp1
optimizer: adam
model:
  layers: [{name: dense, units: 8}, relu]
early_stopping: null
epochs: 10
"""


@pytest.fixture
def document() -> Document:
    return parse_yaml(TEXT, "c.yaml")


def at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("learning_rate=1e-3", "learning_rate", 0.001),
        ("epochs=20", "epochs", 20),
        ("model.hidden=[64,32]", "model.hidden", [64, 32]),
        ("optimizer={name: adam, beta_1: 0.8}", "optimizer", {"name": "adam", "beta_1": 0.8}),
        ("name=exp2", "name", "exp2"),
        ("name='a,b #c'", "name", "a,b #c"),
        ('name=""', "name", ""),
        ("name='10'", "name", "10"),
        ("name=a=b", "name", "a=b"),
        ("name=a#b", "name", "a#b"),
        ("data.path=/x/y", "data.path", "/x/y"),
        ("early_stopping=null", "early_stopping", None),
        ("early_stopping.patience=3", "early_stopping", {"patience": 3}),
        ("tensorboard.graph=true", "tensorboard", {"graph": True}),
        ("optimizer.beta_1=0.8", "optimizer", {"name": "adam", "beta_1": 0.8}),
        ("model.layers.0.units=3", "model.layers.0", {"name": "dense", "units": 3}),
        ("model.layers.1=tanh", "model.layers.1", "tanh"),
        ("model.layers.1.slope=0.1", "model.layers.1", {"name": "relu", "slope": 0.1}),
    ],
)
def test_a_word_sets_its_value(document: Document, word: str, path: str, value: object) -> None:
    assert at(apply_overrides(document, [word]).tree, path) == value


def test_the_document_stays_as_it_was(document: Document) -> None:
    apply_overrides(document, ["optimizer.beta_1=0.8", "model.layers.0.units=3", "name=x"])
    assert document == parse_yaml(TEXT, "c.yaml")
    assert apply_overrides(document, []) == document


def test_the_order_of_the_words_means_nothing(document: Document) -> None:
    words = ["optimizer.beta_1=0.8", "optimizer=nadam", "model.layers.1.x=1", "epochs=1"]
    trees = [apply_overrides(document, order).tree for order in itertools.permutations(words)]
    assert trees[0]["optimizer"] == {"name": "nadam", "beta_1": 0.8}
    assert all(tree == trees[0] for tree in trees)


def test_where_a_value_comes_from(document: Document) -> None:
    words = ["epochs=20", "optimizer.beta_1=0.8", "model.layers={dense: 3}"]
    changed = apply_overrides(document, words)
    assert changed.where(("epochs",)) == "command line 'epochs=20'"
    assert changed.where(("epochs",), key=True) == "command line 'epochs=20'"
    assert changed.where(("optimizer", "beta_1")) == "command line 'optimizer.beta_1=0.8'"
    assert changed.where(("optimizer", "name")) == "c.yaml:2:12"
    assert changed.where(("model", "layers", 0, "units")) == f"command line {words[2]!r}"
    assert changed.where(("name",)) == "c.yaml:1:7"


def test_the_name_of_a_short_form_from_the_command_line(document: Document) -> None:
    changed = apply_overrides(document, ["optimizer=nadam", "optimizer.beta_1=0.8"])
    assert changed.where(("optimizer", "name")) == "command line 'optimizer=nadam'"


@pytest.mark.parametrize(
    ("word", "what", "hint"),
    [
        ("epochs", "is not key=value", "without spaces"),
        ("=3", "the key is empty", "optimizer.beta_1=0.8"),
        ("a..b=3", "the key is empty", ""),
        ("a.=3", "the key is empty", ""),
        ("epochs=", "epochs: no value", "null"),
        ("epochs=  ", "epochs: no value", "null"),
        ("learning_rate=0.3,0.1", "several values, '0.3,0.1'", "backproplab sweep"),
        ("optimizer=adam,sgd", "several values", "looks like a sweep"),
        ("model.hidden=[8],[8,8]", "several values", "looks like a sweep"),
        ("model.hidden=16,32", "several values", "brackets"),
        ("learning_rate=0,1", "several values", "looks like a sweep"),
        ("learning_rate=0,1", "several values", "write 0.1 for a decimal comma"),
        ("name=a #b", "'#' would start a comment", "quotes"),
        ("name=#b", "'#' would start a comment", "quotes"),
        ("epochs=010", "epochs: '010' has a leading zero", "quote"),
        ("epochs=!!int 3", "epochs: tags (!!int) are not allowed", ""),
        ("epochs=*a", "epochs: aliases (*a) are not allowed", ""),
        ("model.hidden=[1, no]", "model.hidden.1: 'no' is not a truth value", "true or false"),
        ("model.hidden=[1, 2", "a ']' or a ',' is missing", "bracket"),
        ("name=@x", "'@' cannot start a value", "quote"),
        ("name=\udcff", "lone surrogate U+DCFF", ""),
        ("epochs.x=3", "epochs is 10, which has no keys", "epochs=…"),
        ("model.layers.2.units=3", "takes an index from 0 to 1, got '2'", "model.layers=[…]"),
        ("model.layers.-1=relu", "takes an index from 0 to 1, got '-1'", ""),
        ("model.layers.units=3", "model.layers is a list", ""),
        (f"model.layers.{'9' * 5000}=3", "takes an index from 0 to 1", ""),
        (".".join("a" * 40) + "=3", "nested deeper than 32", ""),
    ],
)
def test_a_word_that_cannot_be_applied(document: Document, word: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        apply_overrides(document, [word])
    (problem,) = raised.value.problems
    assert what in problem.what
    assert hint in problem.hint
    assert problem.where.startswith("command line '")
    assert str(problem).isprintable()


def test_every_problem_of_every_word_is_told(document: Document) -> None:
    with pytest.raises(ConfigError) as raised:
        apply_overrides(document, ["x", "seed=[010, no]", "epochs.x=1", "a=1,2", "name=fine"])
    reported = [p.where for p in raised.value.problems]
    assert reported == [
        "command line 'x'",
        "command line 'seed=[010, no]'",
        "command line 'seed=[010, no]'",
        "command line 'epochs.x=1'",
        "command line 'a=1,2'",
    ]


def test_the_same_key_twice(document: Document) -> None:
    assert apply_overrides(document, ["epochs=3", "epochs=3"]).tree["epochs"] == 3
    with pytest.raises(ConfigError, match="epochs: given twice, first as 'epochs=3'"):
        apply_overrides(document, ["epochs=3", "epochs=3.0"])


@given(st.lists(st.text(max_size=12) | st.from_regex(r"[a-c.01]{0,5}=.{0,8}"), max_size=4))
def test_only_config_error_escapes(words: list[str]) -> None:
    document = parse_yaml("a: x\nb: [{c: 1}]\nc: {a: null}", "c.yaml")
    try:
        apply_overrides(document, words)
    except ConfigError as error:
        reported = str(error).split("\n")
        assert all(line.startswith("command line ") and line.isprintable() for line in reported)
