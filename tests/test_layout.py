"""Tables, sentences and bars at every width: numbers whole, names different, nothing too long."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab import text
from backproplab.layout import (
    Column,
    aligned,
    cell_of,
    cells_of,
    duration,
    entry,
    fit,
    hidden_line,
    listed,
    middle,
    packed,
    paragraph,
    progress_line,
    shortened,
    sparkline,
)

NUMBERS = ["0.1109 ± 0.0602", "–", "1.2340e-05", "+0.0115", "12,345"]
NAMES = [f"optimizers_digits_learning_rate-{rate}_seed-{rate * 7}" for rate in range(5)]
STATUSES = ["completed", "diverged 2/5", "interrupted", "failed", "running"]


def columns(extra):
    metrics = [Column(f"val_metric_{at}", NUMBERS, right=True, rank=2 + at) for at in range(extra)]
    return [
        Column("#", list("12345"), right=True),
        Column("learning_rate", ["0.1"] * 5, right=True, short="lr", rank=1),
        Column("run", NAMES, is_name=True),
        Column("status", STATUSES),
        Column("val_loss", NUMBERS, right=True),
        *metrics,
    ]


@pytest.mark.parametrize("extra", [0, 1, 4])
@pytest.mark.parametrize("width", [60, 61, 70, 80, 100, 120, 200, None])
def test_no_number_or_status_is_cut_and_what_fell_is_named(width, extra):
    given_columns = columns(extra)
    table = fit(given_columns, width)
    lines = table.lines()
    assert width is None or max(map(cells_of, lines)) <= width
    for at, line in enumerate(lines[1:]):
        assert NUMBERS[at] in line
        assert STATUSES[at] in line
    kept = {column.head for column in table.columns}
    short = {column.short: column.head for column in given_columns}
    kept |= {short.get(head, head) for head in kept}
    assert {column.head for column in given_columns} - kept == set(table.hidden)
    runs = next(column.cells for column in table.columns if column.head == "run")
    assert len(set(runs)) == 5
    if width is None:
        assert list(runs) == NAMES


def test_important_columns_get_short_heads_before_they_fall():
    keys = [Column("learning_rate", ["1"], short="lr", rank=1), Column("x", ["a" * 20], rank=1)]
    table = fit([*keys, Column("val_loss", ["0.1"])], 36)
    assert [column.head for column in table.columns] == ["lr", "x", "val_loss"]
    assert table.hidden == []
    assert fit([*keys, Column("val_loss", ["0.1"])], 33).hidden == ["x"]


def test_the_largest_rank_falls_first():
    table = fit([Column(str(rank), ["1" * 10], rank=rank) for rank in (0, 3, 1, 2)], 34)
    assert [column.head for column in table.columns] == ["0", "1", "2"]
    assert hidden_line(table.hidden, 60, "why") == ["hidden  3 (too narrow; why)"]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "M", "Z"]), max_size=30)


@given(TEXT, st.integers(1, 30))
def test_a_text_is_shortened_in_the_middle(text, width):
    short = middle(text, width)
    assert cells_of(short) <= max(width, 1)
    assert short == text or "…" in short
    if short != text and text.isascii():
        head, _, tail = short.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)


@pytest.mark.parametrize("at", range(0, 70, 7))
def test_texts_that_differ_anywhere_still_differ(at):
    texts = ["a" * at + letter + "b" * (70 - at) for letter in "xyz"]
    found = shortened(texts, 14)
    assert len(set(found)) == 3
    assert all(len(text) <= 14 for text in found)


def test_texts_that_differ_in_two_places_still_differ():
    texts = ["a" * 20 + p + "b" * 20 + q + "c" * 20 for p, q in itertools.product("xy", "uv")]
    assert len(set(shortened([*texts, "short"], 30))) == 5


@pytest.mark.parametrize("width", range(30, 90, 10))
@pytest.mark.parametrize("held", ["0.1109 ± 0.0602", "95 %", "0.20 s", "1 of 3", "6.2 MB"])
def test_a_sentence_never_parts_a_number_from_its_unit(width, held):
    words = " ".join(f"word {held} and" for _ in range(9))
    lines = paragraph(words, width, "read", 8)
    assert "".join(lines).count(held) == 9
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()) == f"read {words}"


def test_a_command_is_never_broken():
    assert entry("repeat", "backproplab train x", 60) == ["repeat    backproplab train x"]
    assert entry("repeat", "b" * 59, 60) == ["repeat", f"  {'b' * 59}"]


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_values_are_whole(width):
    texts = [f"val_metric_{at} 0.12" for at in range(5)]
    lines = packed(texts, max(width, 30), "best  ")
    assert sum(line.count("0.12") for line in lines) == 5
    line = listed(texts, width)
    assert cells_of(line) <= max(width, 2)
    shown = line.count("0.12")
    assert line.endswith(f"+{5 - shown}") == (shown < 5)


@pytest.mark.parametrize("width", [10, 30, 60, 80, 120])
def test_count_and_time_stay_beside_the_bar(width):
    line = progress_line("epoch 12/100", 0.3, " 30%  9 s left", width)
    assert line.startswith("epoch 12/100")
    assert line.endswith(" 30%  9 s left")
    assert cells_of(line) <= max(width, 28)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (float("inf"), ""), (0.2, "<1 s left"), (9, "9 s left"), (550, "9 m 10 s left"), (7300, "2 h 1 m left")],
)  # fmt: skip
def test_time_left(seconds, text):
    assert duration(seconds) == text


def test_a_sparkline_is_the_curve():
    """Cells are medians; equal ratios are equal heights on a logarithmic scale."""
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, 2, 4, 8, 16, 32, 64, 128], 8, logarithmic=True) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 0, 9, 100, 100, 100], 2) == "▁█"
    assert sparkline([5, 5, 5], 9) == "▁▁▁"
    assert sparkline([3.0, 2.0, float("inf"), float("nan")], 9) == "█▁✗✗"
    assert sparkline([], 9) == ""
    assert sparkline([0.0, 1.0, 10.0], 3, logarithmic=True) == "▁▁█"
    assert sparkline([5, 20], 2, limits=(0, 10)) == "▅█"


@pytest.mark.parametrize(("count", "width"), [(30, 30), (30, 14), (7, 14), (100, 24)])
def test_the_marked_cell_holds_the_value(count, width):
    for at in range(count):
        values = [0.0] * count
        values[at] = 1.0
        cell = cell_of(at, count, width)
        if count <= width:
            assert sparkline(values, width).index("█") == cell
        assert 0 <= cell < width
    assert [cell_of(at, count, width) for at in (0, count - 1)] == [0, min(count, width) - 1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.0000"), (0.001, "0.0010"), (0.000967, "9.67e-04"), (999.9, "999.9000"), (1000.0, "1.00e+03"),
     (2.89e18, "2.89e+18"), (-0.5, "-0.5000"), (float("inf"), "inf"), (float("nan"), "nan")],
)  # fmt: skip
def test_a_number_has_four_decimals_or_three_digits(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("mean", "std", "shown"),
    [(0.1109, 0.0602, "0.111 ± 0.060"), (1.3128, 1.2371, "1.3 ± 1.2"), (2.30391, 0.00004, "2.3039 ± 0.0000"),
     (0.5, 0.0, "0.5000 ± 0.0000"), (2.9e18, 1e18, "2.90e+18 ± 1.0e+18"), (103.2, 24.7, "103 ± 25")],
)  # fmt: skip
def test_a_deviation_has_two_digits_and_the_mean_ends_where_it_does(mean, std, shown):
    assert text.spread(mean, std) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0025, "+0.003"), (-0.0025, "-0.003"), (0.9171, "+0.917"), (1.2018, "+1.20"), (62.745, "+62.7"), (0.0, "+0.000"),
     (1e-5, "+1.0e-05"), (-2500.0, "-2.5e+03")],
)  # fmt: skip
def test_a_difference_has_its_sign_and_three_digits(value, shown):
    assert text.signed(value) == shown


def test_numbers_are_aligned_at_their_points():
    texts = ["0.111 ± 0.060", "1.3 ± 1.2", "2.3039 ± 0.0002", "–"]
    assert aligned(texts) == ["0.111  ± 0.060 ", "1.3    ± 1.2   ", "2.3039 ± 0.0002", "–"]
    assert aligned(["9.67e-04", "0.25"]) == ["9.67e-04", "0.25"]
