"""The report: whole, escaped, without network, readable at every width, same bytes for same runs."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from itertools import product

import numpy as np
import pytest

from backproplab.report.axes import Axis
from backproplab.report.differences import ABSENT
from backproplab.report.page import render
from backproplab.report.series import bands

EVIL = "<script>alert(1)</script> $x_2^$ & \" ' </svg>"
VOID = {"meta", "br", "link", "input"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")


class Reader(HTMLParser):
    """Holds the tags open, the text and the ids; asserts that every tag is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.ids, self.words, self.heads = [], [], [], [], []
        self.feed(page)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & {*self.open}:
            self.words.append(data)
            self.heads += [data] if self.open[-1:] == ["h2"] else []

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture
def grid(write_run, session):
    """A sweep: 3 learning rates × 3 activations × 2 seeds; one activation is evil, one rate diverges."""
    trials = []
    for number in range(9):
        rate, word = (0.01, 0.1, 1000)[number % 3], ("relu", "tanh", EVIL)[number // 3]
        names = [f"r{number}-{seed}" for seed in range(2)]
        values = {"learning_rate": rate, "model.activation": word}
        trials.append({"number": number, "label": "", "values": values, "runs": names})
        for seed, name in enumerate(names):
            lost, yaml = rate == 1000, "'" + word.replace("'", "''") + "'"
            write_run(name, None if lost else 0.1 + number / 10 + seed / 20, seed=seed, learning_rate=rate,
                      activation=yaml, status="diverged" if lost else "completed",
                      argv=["/bin/backproplab", "sweep", EVIL])  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"name": "grid", "trials": trials}))


def page_of(compare, *words, **options):
    comparison, warnings = compare(*words, **options)
    return render(comparison, warnings)[0]


def test_the_page_has_its_parts_in_their_order(grid, compare):
    reader = Reader(page_of(compare))
    assert reader.heads == [
        "What came out", "What differed, and what was equal", "Ranking", "Learning curves",
        "By activation and learning_rate", "What each key does within the other",
        "Seeds, and each run", "Diagnosis", "Notes", "Environment, and how to repeat it",
    ]  # fmt: skip
    assert "No single winner." in reader.text or " wins." in reader.text or " leads" in reader.text
    assert "same data ✓" in reader.text
    assert "backproplab sweep '<script>" in reader.text
    assert re.search(r"number 1, seed 0 backproplab train \S+/r0-0/config.yaml", reader.text)


def test_nothing_comes_from_elsewhere_and_no_text_is_markup(grid, compare):
    page = page_of(compare)
    reader = Reader(page)
    assert not {*reader.tags} & {"link", "img", "iframe", "object", "image"}
    assert reader.tags.count("script") == 1
    assert not re.search(r'(src|href)="(?!#)', page)
    assert not re.search(r"@import|url\((?!#)|https?:", page)
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_2^$" in page


def test_links_lead_to_the_runs(grid, compare, session):
    page, _ = render(compare()[0], beside=session.parent)
    found = set(re.findall(r'href="([^"]*)"', page))
    assert found == {
        f"{session.name}/r{number}-{seed}/" for number in range(9) for seed in range(2)
    }


def test_the_same_runs_give_the_same_bytes(grid, compare):
    assert page_of(compare) == page_of(compare)


def test_one_run_is_a_report_too(write_run, compare):
    write_run("only", 0.2)
    reader = Reader(page_of(compare))
    assert "val_loss 0.2000." in reader.text
    assert reader.heads == ["What came out", "Settings", "Learning curves", "Diagnosis", "Notes",
                            "Environment, and how to repeat it"]  # fmt: skip


def test_configs_that_trained_together_go_by_their_names(write_run, compare):
    write_run("first", 0.2)
    other = (
        write_run("second", 0.1, learning_rate=1, activation="tanh", optimizer="adam")
        / "config.yaml"
    )
    other.write_text(other.read_text().replace("circle", "xor").replace("[4]", "[5]"))
    reader = Reader(page_of(compare))
    assert "second came first." in reader.text
    assert "Ranking" in reader.heads


def test_runs_of_which_none_was_measured(write_run, compare):
    for rate in (1, 2):
        write_run(f"r{rate}", status="diverged", learning_rate=rate)
    reader = Reader(page_of(compare))
    assert "No run has a finite val_loss: 2 of 2 runs diverged." in reader.text
    assert "Learning curves" not in reader.heads
    assert reader.text.count("✗ diverged") == 2


def test_what_could_not_be_read_is_said(write_run, compare):
    write_run("a", 0.1)
    write_run("b", 0.2, learning_rate=1, rows=["1,train,abc"])
    (write_run("c", 0.3, learning_rate=2) / "run.json").write_text("")
    comparison, warnings = compare()
    page, warned = render(comparison, warnings)
    assert len(set(warned)) == len(warned) == 2
    assert page.count("Warning: ") == 2
    assert "unreadable" in page


def test_the_diagnosis_is_that_of_each_best_run(write_run, compare):
    for name, rate in (("good", 0.1), ("bad", 0.3)):
        write_run(name, rate, learning_rate=rate)
    comparison, _ = compare()
    reader = Reader(render(comparison)[0])
    assert "Diagnosis" in reader.heads
    for trial in comparison.trials:
        for _, sentence in trial.best_record.diagnosis.closing:
            assert sentence in reader.text


def test_many_trials_stay_small(write_run, compare):
    for number in range(150):
        write_run(f"r{number}", 0.1 + number, learning_rate=number + 1)
    page = page_of(compare)
    assert len(page) < 200_000
    assert "90 more trials" in Reader(page).text
    assert "Not drawn: 144 more trials." in Reader(page).text


def test_test_metrics_are_of_the_chosen_trial_only(write_run, compare):
    for name, rate, test in (("a", 0.1, 0.3211), ("b", 0.2, 0.4321)):
        measured = {"val_loss": rate, "test_loss": test}
        write_run(name, rate, learning_rate=rate, metrics=measured, best=measured | {"epoch": 2})
    comparison, _ = compare()
    text = Reader(render(comparison)[0]).text
    assert (
        "Test metrics of number 1 only, so that none is chosen by them: test_loss 0.3211." in text
    )
    assert "0.4321" not in text
    assert "0.4321" in Reader(render(comparison, test=True)[0]).text


def test_a_band_reaches_as_far_as_all_seeds(write_run, compare):
    write_run("a", 0.1, rows=["1,train,1", "2,train,2", "3,train,3"])
    write_run("b", 0.1, seed=1, rows=["1,train,3", "2,train,inf"])
    band = bands(compare()[0].trials[0], [])["loss"]
    found = [list(column) for column in (band.at, band.mean, band.low, band.high)]
    assert found == [[1], [2], [1], [3]]


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
    made = [type(trial)(trial.records, trial.metric, {key: value}) for value in values]
    axis = Axis.of(key, made)
    assert ((axis.is_number, axis.is_log), axis.ticks) == (kind, ticks)
    assert sorted(np.argsort([axis.coordinate(tick) for tick in ticks])) == list(range(len(ticks)))


def luminance(color):
    """WCAG 2.2, relative luminance."""
    color = "".join(2 * digit for digit in color) if len(color) == 3 else color
    parts = [int(color[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(first, second):
    high, low = sorted([luminance(first), luminance(second)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_contrasts(dark):
    """Text 4.5 : 1, lines 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11), on both grounds."""
    sheet = files("backproplab.report").joinpath("page.css").read_text("utf-8")
    roots = re.findall(r":root\{([^}]*)\}", sheet)[: 1 + dark]
    color = {name: value for root in roots for name, value in re.findall(r"--(\w+):#(\w+)", root)}
    for ink in (
        "ink",
        "soft",
        "faint",
        "acc",
        "gone",
        "good",
        *(f"{k}{n}" for k in "co" for n in range(1, 7)),
    ):
        least = 4.5 if ink[-1].isalpha() else 3.0
        for ground in ("bg", "tint") if least > 4 else ("bg",):
            assert contrast(color[ink], color[ground]) >= least, (ink, ground)
    inks = {"hd": (1, 2, 3), "h4t": (4,), "hl": (6, 7)}
    for ink, levels in inks.items():
        for level in levels:
            assert contrast(color[ink], color[f"h{level}"]) >= 4.5, (ink, level)
    assert contrast("1b1c1f", color["h5"]) >= 4.5


FRAMES = """<body>{frames}<script>onload = () => {{
  const said = [], number = /[−+×]?\\d[\\d.,]*(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?(?:\\u00a0[±%]\\u00a0?[\\d.·⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*)?/g;
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument, width = frame.clientWidth, where = frame.title + " at " + width + ": ";
    if (page.documentElement.scrollWidth > width) said.push(where + "wider by " + (page.documentElement.scrollWidth - width));
    const walk = page.createTreeWalker(page.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {{
      const node = walk.currentNode, inside = node.parentElement;
      if (inside.closest("code, pre, title, dd, summary, .vh, .t1 thead")) continue;
      for (const match of node.data.matchAll(number)) {{
        const range = page.createRange();
        range.setStart(node, match.index); range.setEnd(node, match.index + match[0].length);
        const boxes = [...range.getClientRects()];
        if (new Set(boxes.map(box => Math.round(box.top))).size > 1) said.push(where + "wrapped " + match[0] + " in " + node.data.slice(0, 40));
        if (boxes.some(box => box.right > width + 1 || box.left < -1)) said.push(where + "cut " + match[0] + " in " + node.data.slice(0, 40));
      }}
    }}
    for (const part of page.querySelectorAll("main table, main figure, main p")) {{
      const box = part.getBoundingClientRect(), main = page.querySelector("main"), style = page.defaultView.getComputedStyle(main);
      if (box.width > 1 && box.right > main.getBoundingClientRect().right - parseFloat(style.paddingRight) + 1) said.push(where + "beyond the margin: " + part.textContent.slice(0, 40));
    }}
    for (const cell of page.querySelectorAll("td, th"))
      if (cell.offsetParent && cell.scrollWidth > cell.clientWidth + 1 && !cell.closest("thead, .st")) said.push(where + "cell too narrow: " + cell.textContent.slice(0, 40));
  }}
  document.title = "said " + JSON.stringify(said);
}};</script>"""


def in_chromium(tmp_path, page):
    """The title of the page after its scripts ran."""
    file = tmp_path / "frame.html"
    file.write_text(page)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
               f"--user-data-dir={tmp_path / 'chromium'}", file.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return html.unescape(re.search("<title>(.*?)</title>", done.stdout)[1])


@pytest.fixture
def pages(grid, write_run, compare, root):
    """Reports of a sweep, a search, one run, several configs, and a sweep of three keys."""
    from backproplab.runs import create_session

    found = {"sweep": page_of(compare)}
    session = create_session(root)
    trials = []
    for number in range(20):
        name, values = (
            f"s{number}",
            {"learning_rate": 0.1 * 1.7**-number, "model.activation": "relu"},
        )
        trials.append({"number": number, "label": "", "values": values, "runs": [name]})
        write_run(name, 0.1 + number**3, session=session, learning_rate=values["learning_rate"],
                  activation=("relu", "a-rather-long-word")[number % 2], argv=["b", "sweep", "learning_rate=" + "0.1,0.2," * 99])  # fmt: skip
    asked = {"parameters": {"learning_rate": {"min": 1e-5, "max": 0.1}}}
    (session / "sweep.json").write_text(json.dumps({"trials": trials, "sweep": asked}))
    found["search"] = page_of(compare, session.name)
    found["run"] = page_of(compare, f"{session.name}/s3")
    session = create_session(root)
    for name, rate in (("batch", 0.1), ("a-longer-name-of-a-config", 1.0)):
        write_run(
            name,
            rate,
            session=session,
            learning_rate=rate,
            optimizer=name,
            steps=round(9 * rate),
            seconds=1.0,
        )
    found["configs"] = page_of(compare, session.name)
    session = create_session(root)
    trials = []
    for optimizer, rate, word in product(
        ("sgd", "a-long-optimizer"), (0.1, 1.0, 10.0), ("relu", "tanh")
    ):
        names = [f"{optimizer}-{rate}-{word}-{seed}" for seed in range(2)]
        values = {"optimizer": optimizer, "learning_rate": rate, "model.activation": word}
        trials.append({"number": len(trials), "label": "", "values": values, "runs": names})
        for seed, name in enumerate(names):
            write_run(name, 0.123 * rate + len(trials) + seed, session=session, seed=seed, optimizer=optimizer,
                      learning_rate=rate, activation=word)  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    found["three keys"] = page_of(compare, session.name)
    return found


@needs_chromium
def test_no_width_cuts_or_wraps_a_number(pages, tmp_path):
    """No page is wider than its window, and each number is whole and on one line."""
    frames = [
        f'<iframe title="{name}" style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for width in (1200, 800, 400)
    ]
    assert in_chromium(tmp_path, FRAMES.format(frames="".join(frames))) == "said []"


WORK = """<iframe style="width:1200px;height:900px" srcdoc="{page}"></iframe><script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument, view = page.defaultView, said = {{}};
  const heads = [...page.querySelectorAll("#ranking th[tabindex]")], order = () => [...page.querySelectorAll("#ranking tbody .rk")].map(x => x.textContent).join(" ");
  heads[0].click(); said.up = order(); heads[0].click(); said.down = order();
  const hit = page.querySelector(".panel .hit"), box = hit.getBoundingClientRect();
  hit.dispatchEvent(new view.PointerEvent("pointermove", {{clientX: box.right - 2, clientY: box.top + 9}}));
  said.tip = page.querySelector(".tip").innerText;
  page.querySelector("#ylin").checked = true;
  said.linear = [...page.querySelectorAll(".panel .log")].map(x => view.getComputedStyle(x).display).join(" ");
  said.notes = page.querySelector("#notes").isContentEditable;
  document.title = JSON.stringify(said);
}};</script>"""


@needs_chromium
def test_what_scripts_add(grid, compare, tmp_path):
    """Sorting with diverged trials last, values under the pointer, a field for notes."""
    page = page_of(compare)
    said = json.loads(in_chromium(tmp_path, WORK.format(page=html.escape(page))))
    assert said["up"] == "1 2 3 4 5 6 – – –"
    assert said["down"] == "6 5 4 3 2 1 – – –"
    assert said["tip"].split()[:5] == ["epoch", "2", "validation", "training", "0.01"]
    assert said["notes"] is True
    assert set(said["linear"].split()) <= {"none", "inline"}


@needs_chromium
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler-utils")
def test_on_paper_numbers_stay_whole_and_heads_repeat(write_run, compare, tmp_path):
    for number in range(60):
        write_run(f"r{number}", 0.1 + number, learning_rate=number + 1)
    file, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    file.write_text(page_of(compare))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'c'}",
               "--no-pdf-header-footer", f"--print-to-pdf={pdf}", file.as_uri()]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert b"/MediaBox [0 0 594" in pdf.read_bytes() or b"/MediaBox [0 0 595" in pdf.read_bytes()
    ranked = [page for page in text.split("\f") if re.search(r" r\d+ +\d+\.1000", page)]
    assert len(ranked) >= 2
    assert all(re.search("# +learning_rate +run +val_loss", page) for page in ranked)
    for number in range(60):
        assert f"{0.1 + number:.4f}" in text
