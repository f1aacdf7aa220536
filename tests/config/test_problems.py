"""pydantic's errors with our wording, at the right line; on a small schema."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from backproplab.config.overrides import apply_overrides
from backproplab.config.problems import problems_of
from backproplab.config.yaml_source import parse_yaml
from backproplab.errors import Problem
from backproplab.spec import Count, Family, Fraction, Spec


class Rule(Family):
    pass


class Adam(Rule, name="adam"):
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999

    @model_validator(mode="after")
    def _ordered(self) -> "Adam":
        if self.beta_1 == self.beta_2:
            message, context = "must differ from beta_1", {"path": "beta_2", "hint": "raise it"}
            raise PydanticCustomError("order", message, context)
        return self


class Sgd(Rule, name="sgd"):
    pass


class Layer(Family):
    pass


class Dense(Layer, name="dense"):
    units: Count
    bias: bool = True


class Relu(Layer, name="relu"):
    pass


class Net(Spec):
    hidden: Annotated[tuple[Count, ...], Field(strict=False)]
    layers: Annotated[tuple[Layer, ...], Field(strict=False, min_length=1)] | None = None
    activation: Literal["relu", "tanh"] = "relu"
    pair: Annotated[tuple[int, float], Field(strict=False)] | None = None
    table: dict[str, Fraction] = Field(default_factory=dict)


class Settings(Spec):
    name: Annotated[str, Field(pattern="^[a-z]+$", max_length=8)] = "run"
    model: Net | None = None
    optimizer: Rule = Adam()
    rate: Annotated[float, Field(gt=0, le=1e4)] | None = None
    epochs: Count = 10
    mode: Literal["batch", "stochastic", "minibatch"] = "batch"
    shuffle: bool = True
    either: int | list[int] = 1
    even: Annotated[int, Field(multiple_of=2)] = 2

    @field_validator("epochs")
    @classmethod
    def _lucky(cls, epochs: int) -> int:
        if epochs == 13:
            raise ValueError("13 brings bad luck")
        return epochs

    @model_validator(mode="after")
    def _fits(self) -> "Settings":
        if self.mode == "stochastic" and self.epochs == 99:
            raise PydanticCustomError("whole", "too many epochs for one example each")
        return self


def problems(text: str, *words: str) -> tuple[Problem, ...]:
    document = apply_overrides(parse_yaml(text, "c"), words)
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(document.tree)
    return problems_of(raised.value, document, Settings)


RANGE = "must be >= 1 and <= 1000000000"
CASES: list[tuple[str, str, str, str]] = [
    # keys
    ("epochss: 10", "1:1", "unknown key 'epochss'", "did you mean 'epochs'?"),
    ("name: a\nEpochs: 10", "2:1", "unknown key 'Epochs'", "did you mean 'epochs'?"),
    ("'epochs ': 1", "1:1", "unknown key 'epochs '", "did you mean 'epochs'?"),
    (
        "lr: 1",
        "1:1",
        "unknown key 'lr'",
        "valid keys: name, model, optimizer, rate, epochs, mode, shuffle, either, even",
    ),
    (
        "model:\n  hidden: [1]\n  activaton: x",
        "3:3",
        "model.activaton: unknown key 'activaton'",
        "did you mean 'activation'?",
    ),
    (
        "optimizer: {name: adam, beta1: 1}",
        "1:25",
        "optimizer.beta1: unknown key 'beta1' of adam",
        "did you mean 'beta_1'?",
    ),
    (
        "optimizer:\n  adam:\n    beta1: 1",
        "3:5",
        "optimizer.adam.beta1: unknown key 'beta1' of adam",
        "did you mean 'beta_1'?",
    ),
    ("optimizer: {name: sgd, x: 1}", "1:24", "optimizer.x: unknown key 'x' of sgd", "it takes no keys"),
    ("optimizer: {sgd: 1}", "1:13", "optimizer.sgd: unknown key 'sgd' of sgd", "it takes no keys"),
    ("name: a\nmodel:\n  activation: relu", "2:1", "model.hidden is missing", ""),
    (
        "model: {hidden: [1], layers: [relu, dense]}",
        "1:37",
        "model.layers.1.units is missing",
        "",
    ),
    (
        "model: {hidden: [1], layers: [{dense: {bias: true}}]}",
        "1:32",
        "model.layers.0.dense.units is missing",
        "",
    ),
    # types
    ("epochs: '10'", "1:9", "epochs: must be a whole number, got text '10'", "remove the quotes"),
    ("epochs: ten", "1:9", "epochs: must be a whole number, got text 'ten'", ""),
    ("epochs: 10.0", "1:9", "epochs: must be a whole number, got 10.0", "write 10"),
    ("epochs: 10.5", "1:9", "epochs: must be a whole number, got 10.5", ""),
    ("epochs: true", "1:9", "epochs: must be a whole number, got true", ""),
    ("rate: true", "1:7", "rate: must be a number, got true", ""),
    ("rate: [0.1]", "1:7", "rate: must be a number, got a list", ""),
    ("rate: {}", "1:7", "rate: must be a number, got a mapping", ""),
    ("rate: '1e-3'", "1:7", "rate: must be a number, got text '1e-3'", "remove the quotes"),
    ("rate: '1,5'", "1:7", "rate: must be a number, got text '1,5'", ""),
    ("shuffle: 1", "1:10", "shuffle: must be true or false, got 1", ""),
    ("shuffle: null", "1:10", "shuffle: must be true or false, got null", ""),
    ("name: 10", "1:7", "name: must be text, got 10", "quote it"),
    ("model: {hidden: 8}", "1:17", "model.hidden: must be a list, got 8", "put it in brackets"),
    ("model: 3", "1:8", "model: must be a mapping, got 3", ""),
    # ranges and lengths
    ("rate: -0.1", "1:7", "rate: must be > 0 and <= 10000, got -0.1", ""),
    ("rate: 1e9", "1:7", "rate: must be > 0 and <= 10000, got 1000000000.0", ""),
    ("epochs: 0", "1:9", f"epochs: {RANGE}, got 0", ""),
    ("model:\n  hidden: [8, 0]", "2:15", f"model.hidden.1: {RANGE}, got 0", ""),
    (
        "model: {hidden: [1], layers: [{dense: 0}]}",
        "1:39",
        f"model.layers.0.dense: {RANGE}, got 0",
        "",
    ),
    (
        "model: {hidden: [1], layers: [{dense: {units: 0}}]}",
        "1:47",
        f"model.layers.0.dense.units: {RANGE}, got 0",
        "",
    ),
    ("optimizer: {adam: 2}", "1:19", "optimizer.adam: must be >= 0 and < 1, got 2", ""),
    (
        "model: {hidden: [1], table: {a: 2}}",
        "1:33",
        "model.table.a: must be >= 0 and < 1, got 2",
        "",
    ),
    ("model: {hidden: [1], pair: [1, x]}", "1:32", "model.pair.1: must be a number, got text 'x'", ""),
    ("model: {hidden: [1], layers: []}", "1:30", "model.layers: its length must be >= 1, got 0", ""),
    ("name: abcdefghi", "1:7", "name: its length must be <= 8, got 9", ""),
    ("name: A", "1:7", "name: must match ^[a-z]+$, got text 'A'", ""),
    ("even: 3", "1:7", "even: must be a multiple of 2", ""),
    # names
    (
        "mode: minibach",
        "1:7",
        "mode: 'minibach' is not one of batch, stochastic, minibatch",
        "did you mean 'minibatch'?",
    ),
    ("mode: 3", "1:7", "mode: 3 is not one of batch, stochastic, minibatch", ""),
    (
        "model: {hidden: [1], activation: tahn}",
        "1:34",
        "model.activation: 'tahn' is not one of relu, tanh",
        "did you mean 'tanh'?",
    ),
    (
        "optimizer: adma",
        "1:12",
        "optimizer: 'adma' is not known; one of adam, sgd",
        "did you mean 'adam'?",
    ),
    (
        "optimizer: {beta_1: 0, name: SGD}",
        "1:30",
        "optimizer: 'SGD' is not known; one of adam, sgd",
        "did you mean 'sgd'?",
    ),
    (
        "optimizer:\n  adma: {beta_1: 2}",
        "2:3",
        "optimizer: 'adma' is not known; one of adam, sgd",
        "did you mean 'adam'?",
    ),
    (
        "optimizer: os.system",
        "1:12",
        "optimizer: 'os.system' is not known; one of adam, sgd",
        "",
    ),
    (
        "optimizer: {beta_1: 0.8}",
        "1:13",
        "optimizer: 'beta_1' is not known; one of adam, sgd",
        "keys of adam: add 'name: adam'",
    ),
    (
        "optimizer: {beta_1: 0.8, beta_2: 0.9}",
        "1:12",
        "optimizer: must be a name (adam, sgd) or a mapping with a name, got a mapping",
        "keys of adam: add 'name: adam'",
    ),
    (
        "model: {hidden: [1], layers: [{dense: 3, bias: false}]}",
        "1:31",
        "model.layers.0: must be a name (dense, relu) or a mapping with a name, got a mapping",
        "put the other keys inside 'dense', or write 'name: dense'",
    ),
    (
        "optimizer: 3",
        "1:12",
        "optimizer: must be a name (adam, sgd) or a mapping with a name, got 3",
        "",
    ),
    # raised by the model itself
    ("epochs: 13", "1:9", "epochs: 13 brings bad luck", ""),
    ("name: a\nepochs: 99\nmode: stochastic", "1:1", "too many epochs for one example each", ""),
    (
        "optimizer: {name: adam, beta_1: 0.5, beta_2: 0.5}",
        "1:46",
        "optimizer.beta_2: must differ from beta_1",
        "raise it",
    ),
    (
        "optimizer:\n  adam:\n    beta_1: 0.999",
        "3:5",
        "optimizer.adam.beta_2: must differ from beta_1",
        "raise it",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "what", "hint"), CASES)
def test_a_problem_is_told_in_our_words(text: str, place: str, what: str, hint: str) -> None:
    assert problems(text) == (Problem(f"c:{place}", what, hint),)


def test_the_branches_of_a_union_are_told_at_its_value() -> None:
    reported = [str(p) for p in problems("either: x")]
    assert reported == [
        "c:1:9: either: must be a whole number, got text 'x'",
        "c:1:9: either: must be a list, got text 'x' — put it in brackets",
    ]


def test_all_problems_in_the_order_of_the_file_and_words_last() -> None:
    text = "shuffle: 3\nepochs: 0\nmodel:\n  layers: [dens, {dense: 0}]\n  x: 1\nname: 3\n"
    reported = [p.where for p in problems(text, "rate=-1", "optimizer.beta_1=7")]
    words = ["command line 'optimizer.beta_1=7'", "command line 'rate=-1'"]
    assert reported[:-2] == ["c:1:10", "c:2:9", "c:3:1", "c:4:12", "c:4:26", "c:5:3", "c:6:7"]
    assert sorted(reported[-2:]) == words


def test_a_value_from_the_command_line() -> None:
    (problem,) = problems("optimizer: adam\n", "optimizer.beta_1=1.5")
    word = "command line 'optimizer.beta_1=1.5'"
    assert problem == Problem(word, "optimizer.beta_1: must be >= 0 and < 1, got 1.5")


@pytest.mark.parametrize("value", ["'" + "x" * 1000 + "'", '"a\\n\\tb\\u202e"'])
def test_values_are_cut_and_printable(value: str) -> None:
    reported = [
        *problems(f"epochs: {value}"),
        *problems(f"mode: {value}"),
        *problems(f"{value}: 1"),
    ]
    for problem in reported:
        assert str(problem).isprintable()
        assert len(str(problem)) < 260


GOOD = {
    "name": "abc",
    "model": {
        "hidden": [8],
        "layers": [{"dense": {"units": 3, "bias": True}}, {"name": "dense", "units": 3}],
        "activation": "relu",
    },
    "optimizer": {"name": "adam", "beta_1": 0.5, "beta_2": 0.7},
    "epochs": 5,
    "shuffle": True,
}


def lines_of(tree: Any, indent: str = "") -> list[str]:
    """Block YAML with one key a line."""
    lines: list[str] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *lines_of(value, indent + "  ")]
        elif isinstance(value, list) and isinstance(value[0], dict):
            lines.append(f"{indent}{key}:")
            for item in value:
                first, *rest = lines_of(item, indent + "  ")
                lines += [f"{indent}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{indent}{key}: {str(value).lower()}")
    return lines


LINES = lines_of(GOOD)
KEY_LINES = [n for n, line in enumerate(LINES) if ":" in line]


def test_the_good_one_is_good() -> None:
    assert Settings.model_validate(parse_yaml("\n".join(LINES), "c").tree)


@given(st.sampled_from(KEY_LINES), st.data(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_typo_of_one_character_is_told_at_its_line(
    number: int, data: st.DataObject, end: str
) -> None:
    key = LINES[number].strip(" -").partition(":")[0]
    index = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from(["", "q", f"{key[index]}q"]))
    typo = key[:index] + letter + key[index + 1 :]
    assume(typo not in Settings.model_fields)  # model and mode
    lines = [*LINES]
    lines[number] = lines[number].replace(key, typo, 1)
    reported = problems(end.join(lines))
    assert any(p.where.startswith(f"c:{number + 1}:") for p in reported), reported
    assert any(repr(typo) in p.what or "must be a name" in p.what for p in reported), reported


@given(st.sampled_from(sorted(Settings.model_fields)), st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-9, 9) | st.text("adb_: .", max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "adam", "dense", "units", "layers", "hidden", "q"]), inner),
    max_leaves=6,
))  # fmt: skip
def test_any_tree_is_good_or_told(key: str, value: Any) -> None:
    document = parse_yaml("name: a", "c")
    document.tree[key] = value
    try:
        Settings.model_validate(document.tree)
    except ValidationError as error:
        reported = problems_of(error, document, Settings)
        assert reported
        assert all("Input should" not in p.what and p.where for p in reported)
