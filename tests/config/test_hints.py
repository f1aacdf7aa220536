"""A value of another key is known there: its family is named, over all families of the experiment."""

import pytest

from backproplab.config import Experiment, habits, load
from backproplab.config.cursor import is_family
from backproplab.data import Csv
from backproplab.errors import ConfigError

FAMILIES = {
    key: field.annotation.members
    for key, field in Experiment.model_fields.items()
    if is_family(field.annotation)
}
MISPLACED = [
    (key, owner, name)
    for key in FAMILIES
    for owner in FAMILIES
    for name in sorted(FAMILIES[owner])[:2]
    if name not in FAMILIES[key] and key != "data"  # where a text may be a file's name
]


@pytest.mark.parametrize(("key", "owner", "name"), MISPLACED)
def test_a_value_of_another_key_is_named_with_it(tmp_path, key, owner, name):
    config = tmp_path / "a.yaml"
    config.write_text(f"data: iris\nmodel: {{hidden: [2]}}\n{key}: {name}\n")
    with pytest.raises(ConfigError) as caught:
        load(config)
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"{key}: '{name}' is not known")
    assert problem.hint == f"{name} is a value of {owner}: {owner}={name}"


OF_DATA = [(word, hint) for hint, words in habits.OF_DATA.items() for word in words.split()]


@pytest.mark.parametrize(("word", "hint"), OF_DATA)
def test_a_word_of_pandas_or_scikit_learn_is_answered_with_our_key(tmp_path, word, hint):
    """And the key is one of tables."""
    assert hint.partition(":")[0] in Csv.model_fields
    config = tmp_path / "a.yaml"
    config.write_text(f"data: {{path: f.csv, {word}: x}}\n")
    with pytest.raises(ConfigError) as caught:
        load(config)
    (problem,) = caught.value.problems
    assert problem.what == f"data.{word}: unknown key '{word}' of csv"
    assert problem.hint == f"write {hint}"


@pytest.mark.parametrize("place", ["", "data"])
@pytest.mark.parametrize("word", habits.PAIRS)
def test_a_key_at_home_elsewhere_says_where(tmp_path, word, place):
    config = tmp_path / "a.yaml"
    data = f"{{path: f.csv, {word}: x}}" if place else "f.csv"
    config.write_text(f"data: {data}\n" + ("" if place else f"{word}: x\n"))
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert [problem.hint for problem in caught.value.problems] == [habits.PAIRS[word]]
