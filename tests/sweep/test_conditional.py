"""Keys that only some of the swept values have: refused, with the value and what to write."""

from pathlib import Path

import pytest
import yaml

from backproplab.config import Experiment
from backproplab.config.cursor import Cursor, is_family
from backproplab.errors import ConfigError
from backproplab.sweep import read

BASE = {"data": "iris", "epochs": 1}


def families() -> list[tuple[str, str, str, str]]:
    """(path, a member without the key, one that has it, the key) of each family of a config."""
    found = []
    for path in Experiment.model_fields:
        family = Cursor((), {path: None}, Experiment).follow([path]).annotation
        if not is_family(family):
            continue
        plain = {
            n: m for n, m in family.members.items() if not m.model_json_schema().get("required")
        }
        pairs = [
            (path, without, name, key)
            for name, member in plain.items()
            for key in member.model_fields
            for without, other in plain.items()
            if key not in other.model_fields
        ]
        found += pairs[:1] + pairs[-1:]
    return found


def refused(folder: Path, sweep: dict) -> list[str]:  # type: ignore[type-arg]
    (folder / "s.yaml").write_text(yaml.safe_dump(sweep, default_flow_style=None))
    with pytest.raises(ConfigError) as caught:
        read(folder / "s.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_there_are_such_families() -> None:
    assert {path for path, *_ in families()} >= {"optimizer", "schedule", "data"}


@pytest.mark.parametrize(("path", "without", "having", "key"), families())
def test_the_member_is_named_and_the_branch(
    tmp_path: Path, path: str, without: str, having: str, key: str
) -> None:
    grid = {path: [without, having], f"{path}.{key}": [_value(path, having, key)]}
    (found,) = [p for p in refused(tmp_path, {"base": BASE, "grid": grid}) if "unknown key" in p]
    assert f"{path}.{key}: unknown key '{key}' of {without} (with {path}: {without}) — " in found
    assert f"branches: [{{{path}: " in found
    assert f"grid: {{{path}.{key}: […]}}" in found
    assert found.startswith(f"{tmp_path / 's.yaml'}:")


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_names_the_member_too(tmp_path: Path, method: str) -> None:
    choices = {"optimizer": {"values": ["sgd", "adam"]}, "optimizer.beta_1": {"values": [0.8]}}
    sweep = {"base": BASE, "method": method, "num_trials": 2, "parameters": choices}
    (found,) = refused(tmp_path, sweep)
    assert "(with optimizer: sgd)" in found
    assert "a search has no branches: sweep each optimizer on its own" in found
    assert "branches: [" not in found


@pytest.mark.parametrize(
    ("outer", "value", "inner", "number"),
    [
        ("early_stopping", {"monitor": "loss"}, "early_stopping.patience", 3),
        ("clipping", {"name": "global_norm", "limit": 1.0}, "clipping.limit", 2.0),
    ],
)
def test_a_swept_null_is_not_filled_in(
    tmp_path: Path, outer: str, value: object, inner: str, number: float
) -> None:
    grid = {outer: [None, value], inner: [number]}
    (found,) = refused(tmp_path, {"base": BASE, "grid": grid})
    assert (
        f"{inner}: there is none with {outer}: null — to sweep it for some only, write branches"
        in found
    )


def test_a_key_that_no_member_has_keeps_its_hint(tmp_path: Path) -> None:
    (found,) = refused(
        tmp_path, {"base": BASE, "grid": {"optimizer": ["adam"], "optimizer.beta_11": [0.8]}}
    )
    assert "did you mean 'beta_1'?" in found


def _value(path: str, member: str, key: str) -> object:
    family = Cursor((), {path: None}, Experiment).follow([path]).annotation
    value = getattr(family.members[member](), key)
    return value.describe() if hasattr(value, "describe") else value
