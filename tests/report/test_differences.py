"""What differs between configs: the keys, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.report.differences import ABSENT, differences, lookup, paths, shown

# trees, what differs
CASES = {
    "nothing": ([{"a": 1}, {"a": 1}], {}),
    "one tree": ([{"a": 1}], {}),
    "a number": ([{"a": 1, "b": 2}, {"a": 3, "b": 2}], {"a": [1, 3]}),
    "one is not 1.0 is not true": ([{"a": 1}, {"a": 1.0}, {"a": True}], {"a": [1, 1.0, True]}),
    "deep": ([{"m": {"h": [4]}}, {"m": {"h": [8]}}], {"m.h": [[4], [8]]}),
    "absent": ([{"a": 1}, {}], {"a": [1, ABSENT]}),
    "other specs differ by their name": (
        [{"o": {"name": "sgd", "nesterov": False}}, {"o": {"name": "adam", "beta": 0.9}}],
        {"o": ["sgd", "adam"]},
    ),
    "and by settings that both have": (
        [{"o": {"name": "sgd", "decay": 0}}, {"o": {"name": "adam", "decay": 1}}],
        {"o": ["sgd", "adam"], "o.decay": [0, 1]},
    ),
    "and by settings within one name": (
        [{"o": {"name": "sgd"}}, {"o": {"name": "adam", "b": 1}}, {"o": {"name": "adam", "b": 2}}],
        {"o": ["sgd", "adam", "adam"], "o.b": [ABSENT, 1, 2]},
    ),
    "not by what the name tells, where another has no such setting": (
        [{"o": {"name": "sgd"}}, {"o": {"name": "rms", "m": 0}}, {"o": {"name": "heavy", "m": 0.9}}],
        {"o": ["sgd", "rms", "heavy"]},
    ),
    "the short form of a spec": ([{"o": "sgd"}, {"o": {"name": "adam", "b": 1}}], {"o": ["sgd", "adam"]}),
    "no spec": (
        [{}, {"o": "sgd"}, {"o": {"name": "adam", "b": 1}}, {"o": {"name": "adam", "b": 2}}],
        {"o": [ABSENT, "sgd", "adam", "adam"], "o.b": [ABSENT, ABSENT, 1, 2]},
    ),
    "short forms": ([{"o": "sgd"}, {"o": "adam"}], {"o": ["sgd", "adam"]}),
    "layers": (
        [{"l": [{"name": "dense", "units": 1}]}, {"l": [{"name": "dense", "units": 2}]}],
        {"l.0.units": [1, 2]},
    ),
    "lists of other lengths": ([{"l": [{"a": 1}]}, {"l": []}], {"l": [[{"a": 1}], []]}),
    "the experiment's name is a key as others": ([{"name": "a"}, {"name": "b"}], {"name": ["a", "b"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_differs(case):
    trees, expected = CASES[case]
    assert repr(dict(differences(trees))) == repr(expected)


trees = st.recursive(
    st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("pqr"), trees), min_size=1, max_size=3))
def test_equal_trees_have_no_difference_and_others_have_one(found):
    keys = dict(differences(found))
    assert bool(keys) == (len(set(map(repr, map(_sorted, found)))) > 1)
    assert all(len(values) == len(found) for values in keys.values())


def _sorted(tree):
    return sorted((k, _sorted(v)) for k, v in tree.items()) if isinstance(tree, dict) else tree


def test_lookup_finds_what_paths_lists():
    tree = {"a": {"b": 1}, "o": {"name": "adam", "beta": 2}}
    assert {path: lookup(tree, path) for path in paths(tree)} == {
        "a.b": 1, "o": "adam", "o.name": "adam", "o.beta": 2,
    }  # fmt: skip
    assert lookup(tree, "a.c") is ABSENT


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e-5, "1e-05"), (0.12345678, "0.123457"), ([4, 2], "[4, 2]"), (True, "true"),
     (None, "null"), (ABSENT, "–"), ("a\x1b[31m", "a?[31m"), ("x" * 99, "x" * 59 + "…")],
)  # fmt: skip
def test_values_are_shown_in_a_short_line(value, text):
    assert shown(value) == text


def test_exact_numbers_keep_every_digit():
    assert shown(0.12345678, exact=True) == "0.12345678"
