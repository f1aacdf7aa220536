"""Drawings: no overlaps, inputs left of results, well-formed files."""

import shutil
import struct
import subprocess
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backproplab import explain
from backproplab.errors import ConfigError
from backproplab.explain import raster, svg
from backproplab.explain.drawing import Arrow, Box, Drawing
from backproplab.explain.layout import arrange
from backproplab.palette import THEMES

MICROGRAD_C = "((a + b) + ((a + b) + 1))"
MICROGRAD_D = "((a * b + b**3) + ((a * b + b**3) * 2 + relu(b + a)))"
EXAMPLES = {
    "course": ("(a + b) * (b + 1)", "a=2 b=1"),
    "square": ("sin(x**2)", "x=3"),
    "variable alone": ("a", "a=1"),
    "twice the same": ("a * a", "a=2"),
    "micrograd": (f"({MICROGRAD_C} - {MICROGRAD_D} - relu(b - a))**2 / 2", "a=-4 b=2"),
    "2-2-1 network": (
        "(tanh(v1*tanh(w11*x1 + w21*x2 + b1) + v2*tanh(w12*x1 + w22*x2 + b2) + c) - y)**2",
        "x1=1 x2=-1 w11=.5 w12=-.3 w21=.2 w22=.8 b1=.1 b2=-.1 v1=.7 v2=-.4 c=.05 y=1",
    ),
    "skips": ("x + sin(x + cos(x + tanh(x + exp(x))))", "x=.1"),
}  # fmt: skip


def explained(case):
    text, words = EXAMPLES[case]
    return explain.of_expression(text, words.split())


def check(drawing):
    """Boxes and labels do not overlap; arrows lead to the right and cross no other box."""
    layout = arrange(drawing)
    labels = [
        room for arrow, room in zip(drawing.arrows, layout.labels, strict=True) if arrow.label
    ]
    for one, other in combinations([*layout.boxes, *labels], 2):
        assert not one.overlaps(other)
    for room in layout.boxes:
        assert 0 <= room.x - room.width / 2 < room.x + room.width / 2 <= layout.width
        assert 0 <= room.y - room.height / 2 < room.y + room.height / 2 <= layout.height
    for arrow, route in zip(drawing.arrows, layout.routes, strict=True):
        source, target = layout.boxes[arrow.source], layout.boxes[arrow.target]
        assert route[0][0] == pytest.approx(source.x + source.width / 2)
        assert route[-1][0] == pytest.approx(target.x - target.width / 2)
        for (_, y), room in ((route[0], source), (route[-1], target)):
            assert abs(y - room.y) < room.height / 2
        assert all(x0 <= x1 for (x0, _), (x1, _) in pairwise(route))
        for room in layout.boxes:
            across = [y for x, y in route if abs(x - room.x) < room.width / 2 - 1e-6]
            assert all(abs(y - room.y) >= room.height / 2 for y in across)


@pytest.mark.parametrize("case", EXAMPLES)
def test_nothing_lies_on_anything(case):
    check(explained(case).drawing)


@given(st.data(), st.integers(2, 14))
@settings(max_examples=60)
def test_nothing_lies_on_anything_in_random_graphs(data, count):
    boxes = tuple(
        Box(f"n{i}", "step", "n" * data.draw(st.integers(1, 12)), "1") for i in range(count)
    )
    ends = [
        (data.draw(st.integers(0, target - 1)), target)
        for target in range(1, count)
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    check(
        Drawing(
            "random",
            boxes,
            tuple(Arrow(a, b, data.draw(st.sampled_from(["", "1", "-0.125"]))) for a, b in ends),
        )
    )


def test_inputs_stand_left_and_the_result_right():
    drawing = explained("course").drawing
    rooms = {box.key: room for box, room in zip(drawing.boxes, arrange(drawing).boxes, strict=True)}
    assert rooms["a"].x == pytest.approx(rooms["b"].x)
    assert rooms["a"].x < rooms["c"].x < rooms["f"].x
    assert rooms["c"].x == pytest.approx(rooms["d"].x)


def test_the_layout_is_the_same_every_time():
    assert explained("micrograd").svg() == explained("micrograd").svg()


@pytest.mark.parametrize("case", EXAMPLES)
def test_no_text_begins_with_a_space(case):
    """cairosvg leaves it out: "Nudge aby ε"."""
    texts = [e.text for e in ElementTree.fromstring(explained(case).svg()).iter() if e.text]
    assert [text for text in texts if text.strip() and text != text.lstrip(" ")] == []


@pytest.mark.parametrize("case", EXAMPLES)
def test_the_svg_is_well_formed_and_holds_what_the_drawing_holds(case):
    explanation = explained(case)
    text = explanation.svg()
    assert text.isascii()
    root = ElementTree.fromstring(text)
    drawn = explanation.drawing.without_constants()
    names = {"s": "http://www.w3.org/2000/svg"}
    assert len(root.findall(".//s:rect[@class='node']", names)) == len(drawn.boxes)
    words = "".join(element.text for element in root.iterfind(".//s:text", names))
    for text in {x for box in drawn.boxes for x in (box.value, box.gradient)}:
        assert text.replace("-", "−") in words.replace(" ", "") or "e" in text


def test_the_picture_of_the_slide_fits_a_slide():
    width = float(ElementTree.fromstring(explained("course").svg()).get("width"))
    assert 640 <= width <= 880


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_its_paper(theme):
    """WCAG 2, level AA: 4.5 to 1."""
    colors = THEMES[theme]
    texts = [colors.ink, colors.second, colors.value, colors.gradient, colors.good]
    for ink in [*texts, *(text for text, _ in colors.paths)]:
        assert contrast(ink, colors.paper) >= 4.5, ink
    assert contrast(colors.value, colors.value_fill) >= 4.5
    assert contrast(colors.gradient, colors.gradient_fill) >= 4.5


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES)
def test_values_and_gradients_have_a_color_each(theme):
    root = ElementTree.fromstring(explained("course").svg(theme))
    bold = [
        (x.text, x.get("fill"))
        for x in root.iter("{http://www.w3.org/2000/svg}text")
        if x.get("class") == "bold"
    ]
    assert ("6", THEMES[theme].value) in bold
    assert ("5", THEMES[theme].gradient) in bold


def test_the_paths_of_the_slide_have_bands_and_badges():
    arrows = explained("course").drawing.without_constants().arrows
    assert [arrow.paths for arrow in arrows] == [(), (0,), (1,), (0,), (1,)]
    assert "stroke-dasharray" in explained("course").svg()


def test_text_is_escaped():
    box = Box('a"<&>', "step", 'θ"<&>')
    drawing = Drawing('"<&> θ', (box,), ())
    words = [e.text for e in ElementTree.fromstring(svg.render(drawing)).iter() if e.text]
    assert 'θ"<&>' in words
    assert '"<&> θ' in words


def test_the_dot_file_has_the_nodes_of_the_course():
    lines = explained("course").dot().splitlines()
    keys = [line.split('"')[1] for line in lines if "fillcolor=" in line]
    assert sorted(keys) == ["1", "a", "b", "c", "d", "f"]
    edges = [line.strip() for line in lines if "->" in line]
    assert '"b" -> "c" [label="dc/db = 1"];' in edges
    assert '"c" -> "f" [label="df/dc = d = 2"];' in edges
    assert '"1" -> "d";' in edges
    assert len(edges) == 6


def test_a_constant_has_a_box_for_each_use():
    keys = [box.key for box in explain.of_expression("(a + 1) * (a - 1)", ["a=2"]).drawing.boxes]
    assert keys == ["a", "1", "c", "1 (2)", "d", "f"]


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@pytest.mark.parametrize("case", EXAMPLES)
def test_graphviz_reads_the_dot_file(case):
    done = subprocess.run(
        ["dot", "-Tplain"], input=explained(case).dot(), capture_output=True, text=True, check=True
    )
    nodes = [line for line in done.stdout.splitlines() if line.startswith("node ")]
    assert len(nodes) == len(explained(case).drawing.boxes)
    assert done.stderr == ""


def test_without_the_extra_png_and_pdf_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    for form in (explained("course").png, explained("course").pdf):
        with pytest.raises(ConfigError, match=r"pip install 'backproplab\[figures\]'"):
            form()


def test_png_and_pdf():
    try:
        raster.check()
    except ConfigError as missing:
        pytest.skip(str(missing))
    explanation = explained("course")
    assert explanation.pdf().startswith(b"%PDF")
    size = struct.unpack(">2I", explanation.png()[16:24])
    drawn = ElementTree.fromstring(explanation.svg())
    assert size == tuple(2 * int(drawn.get(side)) for side in ("width", "height"))
