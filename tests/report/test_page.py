"""The report: whole, escaped, without network or scripts, the same bytes for the same runs."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from backproplab import report
from backproplab.report.axes import Axis
from backproplab.report.differences import ABSENT
from backproplab.report.series import bands
from backproplab.report.theme import VARIABLES, themed

EVIL = "<script>alert(1)</script> $x_2^$ & \" ' </svg>"
VOID = {"meta", "br", "link"}


class Reader(HTMLParser):
    """Holds the tags open, the text and the ids; asserts that every tag is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.ids, self.words = [], set(), [], []
        self.feed(page)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def grid(write_run):
    """3 learning rates × 3 activations × 2 seeds; one activation is evil, one rate diverges."""
    for number in range(18):
        rate, activation = (
            (0.01, 0.1, 1000)[number % 3],
            ("relu", "tanh", repr(EVIL))[number // 3 % 3],
        )
        activation = activation.replace("\\'", "''")
        lost = rate == 1000
        write_run(f"r{number}", None if lost else 0.1 + number / 10, seed=number // 9, learning_rate=rate,
                  activation=activation, status="diverged" if lost else "completed", argv=["/bin/backproplab", "train", EVIL])  # fmt: skip


def page_of(compare, **options):
    comparison, warnings = compare(**options)
    return report.render(comparison, warnings)[0]


def test_the_page_has_its_parts_and_is_well_formed(grid, compare):
    page = page_of(compare)
    words = " ".join(Reader(page).words)
    for part in (
        "Settings",
        "Results",
        "Learning curves",
        "val_loss by key",
        "What each key does",
        "Environment",
        "Config of",
    ):
        assert part in words
    assert "Best: " in words
    assert "same data ✓" in words
    assert page.count("<svg") == 6  # two of curves, two of keys, heat map, parallel coordinates


def test_nothing_comes_from_elsewhere_and_nothing_runs(grid, compare):
    page = page_of(compare)
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "image"}
    assert not re.search(r'(src|href)="(?!#)', page)
    assert not re.search(r"@import|url\((?!#)", page)
    assert set(re.findall(r"https?://[^\"' ]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_2^$" in page


def test_the_same_runs_give_the_same_bytes(grid, compare):
    assert page_of(compare) == page_of(compare)


def test_every_color_of_the_theme_has_a_variable(grid, compare):
    page = page_of(compare)
    body = page[page.index("<body") :]
    for name, (light, _) in VARIABLES.items():
        assert f": {light}" not in body
        assert themed(f"fill: {light}") == f"fill: var(--{name})"
    assert {f"var(--trial-{at})" for at in range(6)} <= set(re.findall(r"var\(--trial-\d\)", body))


def test_one_run_is_a_report_too(write_run, compare):
    write_run("only", 0.2)
    page = page_of(compare)
    assert "Result: " in " ".join(Reader(page).words)
    assert page.count("<svg") == 2  # training and validation loss


def test_where_much_differs_trials_go_by_their_runs_names(write_run, compare):
    write_run("first", 0.2)
    second = (
        write_run("second", 0.1, learning_rate=1, activation="tanh", optimizer="adam")
        / "config.yaml"
    )
    second.write_text(second.read_text().replace("circle", "xor").replace("[4]", "[5]"))
    page = page_of(compare)
    assert "Best: second with val_loss 0.1000" in "".join(Reader(page).words)
    assert page.count("<svg") == 2  # training and validation loss


def test_runs_of_which_none_was_measured(write_run, compare):
    for rate in (1, 2):
        write_run(f"r{rate}", status="diverged", learning_rate=rate)
    words = " ".join(Reader(page_of(compare)).words)
    assert "No run has a finite val_loss." in words
    assert "Learning curves" not in words


def test_what_could_not_be_read_is_said(write_run, compare):
    write_run("a", 0.1)
    write_run("b", 0.2, learning_rate=1, rows=["1,train,abc"])
    (write_run("c", 0.3, learning_rate=2) / "run.json").write_text("")
    comparison, warnings = compare()
    page, warned = report.render(comparison, warnings)
    assert len(warned) == 2
    assert page.count("Warning: ") == 2
    assert "unreadable" in page


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="Debian's chromium is not installed")
def test_a_long_command_does_not_make_the_page_scroll_sideways(write_run, compare, tmp_path):
    word = "learning_rate=" + ",".join(f"{rate / 1e4}" for rate in range(1, 100))
    write_run("a", 0.1, argv=["/bin/backproplab", "sweep", word])
    write_run("b", 0.2, learning_rate=1)
    script = "<script>document.title=document.documentElement.scrollWidth</script>"
    (tmp_path / "page.html").write_text(page_of(compare).replace("</body>", f"{script}</body>"))
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --window-size=800,600 --dump-dom"
    done = subprocess.run(
        ["chromium", *flags.split(), f"--user-data-dir={tmp_path / 'chromium'}", f"file://{tmp_path}/page.html"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert 0 < int(re.search(r"<title>(\d+)</title>", done.stdout)[1]) <= 800


def test_many_trials_stay_small(write_run, compare):
    for number in range(150):
        write_run(f"r{number}", 0.1 + number, learning_rate=number + 1)
    page = page_of(compare)
    assert len(page) < 300_000
    words = " ".join(Reader(page).words)
    assert "50 more trials" in words
    assert "of the 140 trials beyond the best 10" in words


def test_a_band_reaches_as_far_as_all_seeds(write_run, compare):
    write_run("a", 0.1, rows=["1,train,1", "2,train,2", "3,train,3"])
    write_run("b", 0.1, seed=1, rows=["1,train,3", "2,train,inf"])
    band = bands(compare()[0].trials[0], [])["loss"]
    assert [list(column) for column in (band.at, band.mean, band.low, band.high)] == [
        [1],
        [2],
        [1],
        [3],
    ]


# values of a key, (is a number, is logarithmic), ticks
AXES = {
    "learning_rate": ([0.3, 0.1], (True, True), (0.1, 0.3)),
    "epochs": ([30, 10], (True, False), (10, 30)),
    "batch_size": ([1000, 1], (True, True), (1, 1000)),
    "momentum": ([0.9, 0.0], (True, False), (0.0, 0.9)),
    "activation": (["tanh", "relu"], (False, False), ("relu", "tanh")),
    "model.hidden": ([[16], [8], [4, 4]], (False, False), ([8], [16], [4, 4])),
    "model.layers": ([[{"name": "dense"}], ABSENT], (False, False), ([{"name": "dense"}], ABSENT)),
    "shuffle": ([True, False], (False, False), (False, True)),
}


@pytest.mark.parametrize("key", AXES)
def test_axes(write_run, compare, key):
    values, kind, ticks = AXES[key]
    write_run("a", 0.1)
    trial = compare()[0].trials[0]
    axis = Axis.of(
        key, [type(trial)(trial.records, trial.metric, {key: value}) for value in values]
    )
    assert ((axis.is_number, axis.is_log), axis.ticks) == (kind, ticks)
    assert sorted(np.argsort([axis.coordinate(tick) for tick in ticks])) == list(range(len(ticks)))


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FRAME = """<iframe style="width:{width}px;height:9000px;border:0" srcdoc="{page}"></iframe>
<script>onload = () => {{ const page = document.querySelector("iframe").contentDocument;
document.title = "overflow " + (page.documentElement.scrollWidth - {width}); }}</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
@pytest.mark.parametrize("width", [1200, 1000, 800, 640, 400])
def test_no_width_cuts_anything_off(grid, compare, tmp_path, width):
    """The page is never wider than its window; only figures may scroll inside it."""
    file = tmp_path / "frame.html"
    file.write_text(FRAME.format(width=width, page=html.escape(page_of(compare))))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "<title>overflow 0</title>" in done.stdout


def test_numbers_stay_on_one_line_on_screen_and_paper():
    sheet = files("backproplab.report").joinpath("page.css").read_text("utf-8")
    assert "white-space: normal" not in sheet
    assert ".ranked td, .ranked th { white-space: nowrap; }" in sheet


def test_what_is_not_printed_is_named_and_runs_of_a_sweep_are_their_keys(grid, session, compare):
    names = [f"r{number}" for number in range(18)]
    trials = [
        {"number": at, "label": "", "values": {"learning_rate": 1, "model.activation": "x"}, "runs": [a, b]}
        for at, (a, b) in enumerate(zip(names[:9], names[9:], strict=True))
    ]  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    page = page_of(compare)
    heads = re.findall(r'<th class="([^"]*)">([^<]*)</th>', page)
    assert "run" not in [head for _, head in heads]
    optional = [head for kind, head in heads if "rank3" in kind]
    assert f"Not shown on paper: {', '.join(optional)}." in page
