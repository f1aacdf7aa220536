"""backproplab explain, as it is typed."""

import os
import re
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

CONFIG = "data: {name: circle, samples: 20}\nmodel: {hidden: [2]}\n"


def test_the_course_s_example(backproplab):
    ended = backproplab("explain '(a + b) * (b + 1)' a=2 b=1")
    assert (ended.code, ended.err) == (0, "")
    rows = [" ".join(line.split()) for line in ended.out.splitlines()]
    for line in (
        "f = (a + b) · (b + 1) at a = 2, b = 1",
        "c = a + b = 2 + 1 = 3",
        "f = c · d = 3 · 2 = 6",
        "df/da = df/df · df/dc · dc/da = 1 · d · 1 = 1 · 2 · 1 = 2",
        "= 2 + 3 = 5",
        "df/da 2 2 2.6e-12 b + 1 = 2 6 + 2ε = 6.002",
        "df/db 5 5 1.2e-11 a + 2·b + 1 = 5 6 + 5ε + ε² = 6.005001",
        "All three agree.",
    ):
        assert line in rows


def test_signs_that_an_encoding_lacks_are_spelled_out(tmp_path):
    words = [sys.executable, "-m", "backproplab", "explain", "a*b", "a=2", "b=1"]
    done = subprocess.run(
        words,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "f = a*b" in done.stdout
    assert "2 + 2 * eps" in done.stdout


def test_the_chain_rule_lecture_s_example(backproplab):
    ended = backproplab("explain 'sin(x**2)' x=3")
    assert "-5.466781571308061" in ended.out
    assert re.search(r"f → c +chain: sin' .*df/dc = cos\(c\) = -0\.91113", ended.out)


def test_files_and_stdout(backproplab, tmp_path):
    words = "explain 'sin(x**2)' x=3"
    ended = backproplab(f"{words} --svg g.svg --dot g.dot --markdown g.md")
    assert ended.code == 0
    assert ended.err.splitlines() == ["wrote g.svg", "wrote g.dot", "wrote g.md"]
    assert "Check" in ended.out
    ElementTree.parse(tmp_path / "g.svg")
    for form, name in (("--svg", "g.svg"), ("--dot", "g.dot"), ("--markdown", "g.md")):
        assert backproplab(f"{words} {form} -").out == (tmp_path / name).read_text()


def test_a_file_is_replaced_and_other_things_are_not(backproplab, tmp_path):
    (tmp_path / "g.svg").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("g.svg")
    for place in ("folder", "link", "/dev/null"):
        ended = backproplab(f"explain x x=1 --svg new.svg --dot {place}")
        assert ended.code == 7
        assert "is not a regular file" in ended.err
        assert not (tmp_path / "new.svg").exists()
    assert backproplab("explain x x=1 --svg g.svg").code == 0
    assert (tmp_path / "g.svg").read_text().startswith("<svg")
    ended = backproplab("explain x x=1 --svg nowhere/g.svg")
    assert (ended.code, ended.out) == (2, "")
    assert "--svg nowhere/g.svg: there is no folder nowhere" in ended.err


HOSTILE = {
    "import": "__import__('os').system('touch pwned')",
    "power tower": "10**10**10",
    "brackets": "(" * 5000 + ")" * 5000,
    "attribute": "a.__class__",
    "lambda": "(lambda: a)()",
    "comprehension": "[a for a in a]",
    "f-string": "f'{a}'",
    "walrus": "(a:=1)",
    "repeated text": "'a'*10**9",
    "logarithm": "log(-1)*a",
    "division": "a/0",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_expressions_end_at_once_in_one_line(backproplab, tmp_path, case):
    backproplab("explain x x=1")  # what is imported once is imported
    begin = time.process_time()
    text = HOSTILE[case].replace("'", "'\"'\"'")
    values = "a=1" if "a" in HOSTILE[case] else ""
    ended = backproplab(f"explain '{text}' {values}")
    assert time.process_time() - begin < 5
    assert ended.code == 2
    assert ended.out == ""
    first, last = ended.err.splitlines()
    assert last == "backproplab: 1 problem; nothing was written"
    assert len(first) < 300
    assert list(tmp_path.iterdir()) == []


# words, part of the message
WRONG = {
    "no value": ("'a + b' a=1", "no value for b — add for example b=1"),
    "no variable": ("'a' a=1 c=2", "the expression has no variable 'c'"),
    "no quotes": ("a + b a=1", "'+': expected NAME=VALUE — put the expression in quotes"),
    "only numbers": ("'1 + 2'", "the expression has no variable to differentiate by"),
    "theme": ("a a=1 --theme blue", "--theme blue: choose light or dark"),
    "upstream": ("a a=1 --upstream [1,2]", "--upstream: has shape (2,), the result ()"),
    "upstream text": ("a a=1 --upstream q", "upstream=q: must be a number or a vector"),
    "two on stdout": ("a a=1 --svg - --dot -", "two outputs have the same file"),
    "two in one file": ("a a=1 --svg g --markdown g", "two outputs have the same file"),
    "nothing": ("", "Missing argument"),
    "missing config": ("nothing.yaml", "nothing.yaml: no such file"),
    "config key": ("c.yaml model.hiden=[3]", "did you mean 'hidden'?"),
    "not utf-8": ("'a\udcff' a=1", "is not allowed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_told(backproplab, tmp_path, case):
    words, message = WRONG[case]
    (tmp_path / "c.yaml").write_text(CONFIG)
    ended = backproplab(f"explain {words}")
    assert ended.code == 2
    assert message in ended.err
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_a_formula_that_begins_with_a_minus(backproplab):
    assert "-2·x = -6" in backproplab("explain -- '-x**2' x=3").out


def test_a_config_by_its_name_or_by_being_there(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "plain").write_text(CONFIG)
    ended = backproplab("explain c.yaml model.activation=tanh optimizer=sgd --svg - ")
    assert ended.code == 0
    ElementTree.fromstring(ended.out)
    shown = backproplab("explain c.yaml model.activation=tanh optimizer=sgd")
    assert "c: one update by the first example, 2-2-1 tanh, 9 parameters" in shown.out
    assert "Update   sgd, learning rate 0.01" in shown.out
    paths, _, update = shown.out.partition("\nPaths")[2].partition("\nUpdate")
    for table in (paths, update):
        assert len(re.findall(r"^[wb][¹²][₁₂]+ ", table, re.MULTILINE)) == 9
    assert "2-2-1" in backproplab("explain plain").out
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["c.yaml", "plain"]


def test_steps_without_a_terminal_are_all_screens_below_each_other(backproplab):
    ended = backproplab("explain '(a + b) * (b + 1)' a=2 b=1 --steps")
    assert ended.code == 0
    for n in range(1, 13):
        assert f"step {n} of 12" in ended.out
    screens = ended.out.split("f = (a + b) · (b + 1)")[1:]
    assert all(len(screen.splitlines()) <= 24 for screen in screens)
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    assert "df/db = 3 + …" in screens[8]


def test_a_page_with_a_slider(backproplab, tmp_path):
    assert backproplab("explain '(a + b) * (b + 1)' a=2 b=1 --html p.html").code == 0
    assert "Step 12 of 12" in (tmp_path / "p.html").read_text()
    (tmp_path / "c.yaml").write_text(CONFIG)
    for option in ("--steps", "--html p2.html"):
        ended = backproplab(f"explain c.yaml {option}")
        assert (ended.code, "walk through a formula" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("'exp(x)/exp(x)' x=1000", "the first step that left the numbers"),
        ("'exp(x)/exp(x)' x=100 --dtype float16,float64", "exp overflows above"),
        (
            "'sin(x**2)' x=3 --order 2",
            "d2f/dx2 = (-1.82226) + (-14.8363) = -16.6585259925",
        ),
        (
            "'x**2 + y**2 = 1' x=0.6 y=0.8 --implicit y",
            "dy/dx = -dF/dx / dF/dy = -1.2 / 1.6 = -0.75",
        ),
        ("'x**2' x=3 --nudge", "float64: forward best at h = "),
    ],
)
def test_further_questions(backproplab, words, shown):
    ended = backproplab(f"explain {words}")
    assert (ended.code, ended.err) == (0, "")
    assert shown in ended.out


@pytest.mark.parametrize(
    "words",
    [
        "'x' x=1 --order 3",
        "'x' x=1 --dtype int8",
        "'x' x=1 --implicit x",
        "'sum(x)' x=[1,2] --order 2",
    ],
)
def test_questions_that_have_no_answer(backproplab, words):
    ended = backproplab(f"explain {words}")
    assert (ended.code, len(ended.err.splitlines())) == (2, 2)
