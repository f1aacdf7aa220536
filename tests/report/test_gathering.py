"""Configs of many runs: read once for each text of a key, and as the strict reader reads them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backproplab.config import load, to_yaml
from backproplab.config.yaml_source import read_yaml
from backproplab.errors import ConfigError
from backproplab.report.gathering import SMALL, read_config

ROOT = Path(__file__).parents[2] / "configs"
CONFIGS = [path for path in sorted(ROOT.glob("*.yaml")) if "\nbase:" not in path.read_text()]
LINES = (
    *("a: 1", "a: x-1.5", "b: 1e-3", "b: 1.0e-07", "a: no", "b: 010", "a:", "a: ~", "null: 1"),
    *("b: [1, 2]", "b: [1,", "  2]", "b: {c: 1,", "b: 'x", "  y'", "y'", 'b: "\\0"', "b: |"),
    *("  c: 2", "  c: [", "  - x", "- x", "   d: 3", "  ", "", "# note", "  # note", "a: 1 # note"),
    *("...", "---", "%YAML 1.2", "<<: {a: 1}", "a: &x 1", "b: *x", "b: !!str 1", "a:b", "a", "A: 1"),
    *("\ta: 1", "a: 1\r", "a: 1\rb: 2", "\ufeffa: 1", "a: \u2028", "? a", ": b", "a: b: c", "y: on"),
)  # fmt: skip


def tree_of(read, *arguments):
    """What is read; None where it is refused."""
    try:
        return read(*arguments)
    except ConfigError:
        return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(st.sampled_from(LINES), max_size=6).map("\n".join), st.sampled_from(["\n", ""]))
@example("a: 1\n...\nb: 2", "\n")
@example("a: [1,\nb: 2]", "\n")
@example("a: 1\na: 2", "\n")
def test_read_as_the_strict_reader_reads(tmp_path, text, end):
    path = tmp_path / "config.yaml"
    path.write_bytes((text + end).encode())
    whole = tree_of(lambda: read_yaml(path).tree)
    read = tree_of(read_config, path, {})
    assert repr(read) == repr(whole)  # the order of the keys too, and 1 is not 1.0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_saved_config_is_read_key_by_key(tmp_path, path):
    saved = tmp_path / "config.yaml"
    saved.write_text(to_yaml(load(path)))
    parsed = {}
    assert read_config(saved, parsed) == read_yaml(saved).tree
    assert "".join(parsed) == saved.read_text()


def test_each_text_of_a_key_is_parsed_once(tmp_path):
    base, path, parsed = load(CONFIGS[0]), tmp_path / "config.yaml", {}
    for number in range(300):
        update = {"name": f"r{number}", "seed": number % 20, "learning_rate": 0.1 + number // 20}
        path.write_text(to_yaml(base.model_copy(update=update)))
        assert read_config(path, parsed).items() >= update.items()
    others = len(read_config(path, {})) - 3
    assert len(parsed) == 300 + 20 + 15 + others


def test_the_limits_of_the_strict_reader_hold(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("".join(f"k{'a' * at}: 1\n" for at in range(300)))
    assert path.stat().st_size > SMALL
    parsed = {}
    assert read_config(path, parsed) == read_yaml(path).tree
    assert parsed == {}
    path.write_text("a: 1\n" * 2**18)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_config(path, {})
    path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        read_config(path, {})
