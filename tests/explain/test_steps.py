"""Both passes step by step, in the order of the table, on the terminal and as a page."""

import os

import pytest

from backproplab import explain
from backproplab.cli import explain_steps
from backproplab.cli.explain_steps import screen
from backproplab.explain.notation import pretty, tex
from backproplab.explain.steps import steps
from backproplab.explain.trace import trace
from backproplab.explain.values import read_point
from tests.browser import Browser, needs_chromium, shots

COURSE = trace(*read_point("(a + b) * (b + 1)", ["a=2", "b=1"]))


def test_the_slide_has_twelve_steps_in_the_order_of_the_table():
    taken = steps(COURSE)
    assert [step.phase for step in taken] == ["start", *["forward"] * 5, *["backward"] * 6, "sum"]
    assert [step.title for step in taken[6:]] == [
        "Backward: f", "Backward: from f to c", "Backward: from f to d", "Backward: from d to b",
        "Backward: from c to a", "Backward: from c to b", "Sum over paths",
    ]  # fmt: skip


def test_gradients_that_meet_are_added_and_a_node_waits_for_all_its_users():
    taken = steps(COURSE)
    assert (taken[9].gradient, taken[11].gradient) == ("3 + ...", "5")
    assert (
        taken[9].sentence
        == "A sum passes its gradient on unchanged: 3 arrives at b. It is not complete: c will send its part too."
    )
    assert taken[7].sentence.startswith(
        "If c grows by eps, f grows by d * eps = 2 * eps: 2 arrives"
    )
    assert taken[12].sentence.endswith("df/da = 2 over one path; df/db = 2 + 3 = 5.")


def test_a_local_derivative_appears_when_it_is_used():
    assert [step.here for step in steps(COURSE) if step.here][:2] == [
        "df/dc = d = 2",
        "df/dd = c = 3",
    ]


@pytest.mark.parametrize(
    ("text", "shown", "latex"),
    [
        ("df/dc = d = 2", "df/dc = d = 2", r"\frac{\partial f}{\partial c} = d = 2"),
        ("2 * x ** 3", "2 · x³", r"2 \cdot x^{3}"),
        ("x**-1", "x⁻¹", "x^{-1}"),
        ("6 + 5 * eps + eps**2", "6 + 5ε + ε²", r"6 + 5 \, \epsilon + \epsilon^{2}"),
        ("d(sin(u))/du = cos(u)", "d(sin(u))/du = cos(u)", r"\frac{\partial}{\partial u}(\operatorname{sin}(u)) = \operatorname{cos}(u)"),
        ("w1_12 * delta2_1", "w¹₁₂ · δ²₁", r"w^{1}_{12} \cdot \delta^{2}_{1}"),
        ("1 / (1 + e)**2", "1 / (1 + e)²", r"\frac{1}{(1 + e)^{2}}"),
        ("a - (b - c)", "a - (b - c)", "a - (b - c)"),
        ("x[0] * -3", "x[0] · -3", r"{x}_{0} \cdot (-3)"),
        ("a + -2 * b", "a + -2 · b", r"a + (-2 \cdot b)"),
        ("(2) delta1_1 = 3", "(2) δ¹₁ = 3", r"(2) \quad \delta^{1}_{1} = 3"),
        ("nan", "nan", r"\mathrm{nan}"),
        ("any {text}", "any {text}", r"\text{any text}"),
    ],
)  # fmt: skip
def test_a_formula_with_signs_and_as_tex(text, shown, latex):
    assert pretty(text) == shown
    assert tex(text) == latex


LOGISTIC = trace(*read_point(
    "log(1 + exp(-(w1*x1 + w2*x2 + b)*y)) + 0.5*l*(w1**2 + w2**2)",
    ["w1=1", "w2=2", "x1=0.5", "x2=-1", "b=0.1", "y=1", "l=0.01"],
))  # fmt: skip


@pytest.mark.parametrize("graph", [COURSE, LOGISTIC], ids=["slide", "logistic"])
@pytest.mark.parametrize("columns", [60, 80])
def test_every_screen_fits_the_terminal(graph, columns, monkeypatch):
    monkeypatch.setattr(explain_steps.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(explain_steps, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    taken = steps(graph)
    for at in range(len(taken)):
        rows = ["".join(text for text, _ in row) for row in screen(graph, taken, at)]
        assert len(rows) < 24
        assert max(map(len, rows)) <= columns, rows
    first = [row[0][0].split()[0] for row in list(screen(graph, taken, 0))[3:5]]
    assert first == [node.name for node in graph.nodes if node.kind != "constant"][:2]


def test_the_page_is_one_file_without_network():
    page = explain.of_expression("(a + b) * (b + 1)", ["a=2", "b=1"]).html()
    assert "@" not in page.replace("@media", "")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_large_formula_still_makes_a_page():
    deep = explain.of_expression("mish(" * 30 + "a" + ")" * 30, ["a=1"])
    assert len(deep.html()) < 3_000_000


@pytest.mark.slow
@needs_chromium
def test_the_page_walks_through_the_steps(tmp_path):
    page = tmp_path / "steps.html"
    page.write_text(explain.of_expression("(a + b) * (b + 1)", ["a=2", "b=1"]).html())
    shown = "[...document.querySelectorAll('.say')].filter((x) => x.offsetHeight).map((x) => x.innerText).join()"
    for width in (800, 1400):
        with Browser(tmp_path / str(width), (width, 900)) as browser:
            browser.open(f"{page.as_uri()}#9")
            browser.until(f"{shown}.startsWith('Step 9 of 12. Backward: from d to b')")
            browser.shot(shots(tmp_path) / f"explain-steps-{width}.png")
            places = "JSON.stringify([...document.querySelectorAll('.graph rect, .bar, .card')].map((x) => x.getBoundingClientRect().toJSON()))"
            before = browser.run(places)
            browser.click("document.getElementById('next')")
            browser.until(f"{shown}.startsWith('Step 10 of 12')")
            assert browser.run(places) == before, "something moved"
            assert browser.run("document.documentElement.scrollWidth <= innerWidth")
            browser.click("document.getElementById('last')")
            browser.until(f"{shown}.includes('df/db = 2 + 3 = 5')")


@pytest.mark.slow
@needs_chromium
def test_what_a_step_is_about_is_in_view_of_a_narrow_page(tmp_path):
    """The graph of a total derivative is wider than 800 pixels: it scrolls to where the step is."""
    page = tmp_path / "total.html"
    words = ["x=t**2", "y=exp(t)", "t=0.5"]
    page.write_text(explain.of_expression("x**2 + sin(x*y)", words).html())
    inside = """(() => {
        const frame = document.querySelector('.graph').getBoundingClientRect();
        return [...document.querySelectorAll('.graph .now.at')].map((x) => x.getBoundingClientRect())
            .every((x) => x.left >= frame.left - 1 && x.right <= frame.right + 1); })()"""
    with Browser(tmp_path / "profile", (800, 900)) as browser:
        browser.open(f"{page.as_uri()}#1")
        browser.until("document.documentElement.classList.contains('scripted')")
        assert browser.run("document.querySelector('.graph').scrollWidth > 800")
        for step in range(1, 18):
            browser.run(f"show({step})")
            assert browser.run(inside), step
