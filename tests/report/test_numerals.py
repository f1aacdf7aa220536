"""Numbers as the page writes them: the mock-up's own numbers, and laws."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.report import numerals
from backproplab.report.numerals import HARD

CASES = {  # of /mockups/report-README.md, "Numbers", and its tables
    "value": [(0.17534, "0.1753"), (999.5, "999.5000"), (9.67e-4, "9.67·10⁻⁴"), (2.89e18, "2.89·10¹⁸"), (0, "0.0000")],
    "three": [(0.11093, "0.111"), (6.38545, "6.39"), (0.00123456, "0.0012"), (123.4, "123"), (1312.8, "1.31·10³")],
    "signed": [(0.002465, "+0.002"), (-0.0569, "−0.057"), (6.27452, "+6.27"), (-1.7324, "−1.73"), (1.2018, "+1.20"), (12e9, "+1.2·10¹⁰")],
    "ratio": [(11.8345, "×11.8"), (0.73, "×0.7"), (1234.0, "×1.23·10³")],
    "plain": [(0.001, "0.001"), (3.0, "3"), (1e-6, "10⁻⁶"), (-2e7, "−2·10⁷")],
    "amount": [(3, "three"), (11, "11"), (1200, "1,200")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "text"), [(n, x, t) for n, c in CASES.items() for x, t in c]
)
def test_single_numbers(name, given, text):
    assert getattr(numerals, name)(given) == text


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [(0.11093, 0.06018, "0.111 ± 0.060"), (0.97029, 0.00851, "0.9703 ± 0.0085"), (6.38545, 1.22827, "6.4 ± 1.2"),
     (0.28054, 0.20118, "0.28 ± 0.20"), (0.5, 0.0, "0.5000 ± 0.0000"), (2.9e18, 1e18, "2.9·10¹⁸ ± 10¹⁸"), (0.5, None, "0.5000")],
)  # fmt: skip
def test_a_mean_has_the_places_of_its_deviation(mean, std, text):
    assert numerals.both(mean, std) == text.replace(" ", HARD)


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_no_number_has_a_place_to_break_at(mean, std):
    for text in (
        numerals.both(mean, std),
        numerals.signed(mean),
        numerals.value(mean),
        numerals.plain(mean),
    ):
        assert not re.search(r"[ -]|nan|inf", text)


def test_lists():
    assert numerals.listed(["a"]) == "a"
    assert numerals.listed(["a", "b", "c"]) == "a, b and c"
    assert numerals.listed(list("abcdefg"), 3) == "a, b, c and 4 more"
    assert numerals.listed(list("abcd"), 3) == "a, b, c and d"  # "1 more" says less than the one
    assert numerals.listed([]) == ""
    assert (numerals.whole([10, 2]), numerals.whole([3, 3])) == ("2 to 10", "3")
