"""A value of another key is known there: its family is named, over all families of the experiment."""

import pytest

from backproplab.config import Experiment, load
from backproplab.config.cursor import is_family
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
