"""Plain scalars: YAML 1.2.2's core schema for what is read, a refusal for what YAML 1.1 converts."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backproplab.config.scalars import is_text, plain
from backproplab.errors import ConfigError

READ = {
    "1e-3": 0.001,
    "1E-3": 0.001,
    "1.0e3": 1000.0,
    "-.5": -0.5,
    "+1e-3": 0.001,
    ".5": 0.5,
    "1.": 1.0,
    "0.0": 0.0,
    "-0.0": -0.0,
    "12e03": 12000.0,
    "1.10": 1.1,
    "0e5": 0.0,
    "0": 0,
    "-0": 0,
    "+7": 7,
    "42": 42,
    "9" * 19: int("9" * 19),
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "False": False,
    "TRUE": True,
    "adam": "adam",
    "/x/y": "/x/y",
    "0.1.2": "0.1.2",
    "20191003-153452": "20191003-153452",
    "nULL": "nULL",
    "tRue": "tRue",
    "yess": "yess",
    "1e": "1e",
    "-": "-",
    "e5": "e5",
    "٣": "٣",
    "a,b": "a,b",
    "=": "=",
    "1-2": "1-2",
    "nano": "nano",
    "3_images": "3_images",
}

REFUSED = {
    **dict.fromkeys(["010", "-010", "00", "08", "01.5", "007e1"], "has a leading zero"),
    **dict.fromkeys(["0x1F", "0b11", "0o10", "0X1f", "-0x_1"], "looks like a number but is not"),
    **dict.fromkeys(["1_000", "1_0.5", "0.5_5", "1e1_0", "1_"], "underscores"),
    **dict.fromkeys(["1:30", "190:20:30", "-1:30.5"], "looks like a number but is not"),
    **dict.fromkeys(["0,1", "1,5", "-1,5", "1,000,000", "1,5e3"], "is not a number"),
    **dict.fromkeys([".nan", ".NaN", ".inf", "-.INF", "nan", "inf", "-Infinity"], "not a usable"),
    **dict.fromkeys(["1e400", "-1.0e+400", "9" * 400 + ".0"], "too large for a float"),
    **dict.fromkeys(["1e-400", "-0.5e-999"], "too small for a float"),
    **dict.fromkeys(["9" * 20, "-" + "1" * 4400], "integer too long"),
    **dict.fromkeys(["yes", "No", "ON", "off", "y", "N"], "is not a truth value"),
    **dict.fromkeys(["2024-01-01", "2024-13-45", "2024-1-1T10:00:00Z"], "looks like a date"),
}


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_read(text: str, value: object) -> None:
    assert repr(plain(text)) == repr(value)


@pytest.mark.parametrize(("text", "fault"), REFUSED.items())
def test_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as raised:
        plain(text)
    (problem,) = raised.value.problems
    assert problem.hint
    assert len(problem.what) < 160


@pytest.mark.parametrize(
    ("text", "hint"),
    [("no", "true or false"), ("1,5", "decimal point"), ("010", "quote it"), ("0x1F", "decimal")],
)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        plain(text)


@pytest.mark.parametrize("text", ["on", "no", "y", "adam", "a-b", "1e", "=", "-"])
def test_may_be_a_key(text: str) -> None:
    assert is_text(text)


@pytest.mark.parametrize("text", ["1", "1.5", "true", "null", "", "~", "010", "nan", "2024-01-01"])
def test_may_not_be_a_key(text: str) -> None:
    assert not is_text(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_survives(number: float) -> None:
    assert repr(plain(repr(number))) == repr(number)


@given(st.integers(-(10**19) + 1, 10**19 - 1))
def test_an_integer_survives(number: int) -> None:
    assert plain(str(number)) == number


@given(st.from_regex(r"[-+.0-9_:,eExoabcTnylsNO~ ]{1,12}", fullmatch=True))
def test_where_yaml_1_1_sees_no_text_we_agree_or_refuse(text: str) -> None:
    """Reference: PyYAML's SafeLoader, a reader of YAML 1.1."""
    try:
        value = plain(text)
    except ConfigError:
        return
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    if not tag.endswith((":str", ":value", ":merge")):
        assert value == yaml.safe_load(text)
