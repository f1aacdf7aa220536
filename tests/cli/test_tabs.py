"""TensorBoard's pages in a real browser: what they draw and write equals the files of the runs.

Pictures of the pages land in the folder that tests.browser.shots names.
"""

import colorsys
import csv
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import numpy as np
import pytest

from backproplab import runs
from backproplab.diagnosis import verdict
from backproplab.runs.metrics_table import BESIDE
from tests.browser import Browser, needs_chromium, shooter

pytestmark = [pytest.mark.slow, needs_chromium]

CONFIG = """
data: {name: circle, samples: 100, noise: 0.1, test_split: 0.2}
model: {hidden: [8]}
learning_rate: 0.05
epochs: 6
"""
SWEEP = """
base: exp1.yaml
seeds: 2
metric: val_accuracy
grid: {learning_rate: [0.1, 0.01], model.activation: [tanh, relu]}
"""
TAB = "all('[role=tab]').find((x) => x.innerText.trim().toUpperCase() === '{}')"
LINES = """all('tf-scalar-card').filter((x) => texts(x).includes('tag: epoch_accuracy'))
    .flatMap((x) => inside(x.shadowRoot)).filter((x) => x.matches('path.line'))
    .map((x) => x.getAttribute('d')).filter((x) => x.includes('L'))"""


def backproplab(place, *words):
    command = [sys.executable, "-m", "backproplab", *map(str, words)]
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with runs/: a session of two experiments and a sweep; boards register in it."""
    place = tmp_path_factory.mktemp("tabs")
    (place / "info").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place / "info"))
        patch.setattr("tempfile.tempdir", str(place / "info"))
        (place / "exp1.yaml").write_text(CONFIG)
        (place / "exp2.yaml").write_text(CONFIG.replace("0.05", "0.005"))
        (place / "sweep.yaml").write_text(SWEEP)
        backproplab(place, "train", "exp1.yaml", "exp2.yaml", "--progress", "none")
        backproplab(place, "sweep", "sweep.yaml", "-j", 1, "--progress", "none")
        yield place
        backproplab(place, "clean", "--yes")


@pytest.fixture(scope="module")
def sessions(place):
    """(the session of two experiments, the sweep), each with the port of its TensorBoard."""
    found = sorted((place / "runs").glob("*/"), key=lambda path: (path / "sweep.json").exists())
    return [(path, runs.start(path).port) for path in found]


@pytest.fixture(scope="module")
def browser(place):
    with Browser(place) as browser:
        yield browser


@pytest.fixture
def shot(browser, tmp_path_factory):
    return shooter(browser, tmp_path_factory.getbasetemp())


def table(run, split):
    """metrics.csv: the column of each metric of a split, as float32."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    names = [name for name in rows[0] if name not in BESIDE and rows[0][name]]
    return {name: np.array([row[name] for row in rows], np.float32) for name in names}


def ask(port, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return json.load(answer)


def test_time_series_pins_the_curves_of_one_session(browser, sessions, shot):
    (session, port), _ = sessions
    browser.open(f"http://127.0.0.1:{port}/s")
    browser.until("all('scalar-card').length > 2 && /exp2.validation \\d/.test(texts())")
    cards = browser.run("all('scalar-card').map((x) => texts(x).trim())")
    end = time.monotonic() + 60  # a worker draws, some time after the page is there
    while not four_curves(browser.colors("all('scalar-card line-chart')[0]")):
        assert time.monotonic() < end
    shot("time_series")
    for card, name in zip(cards, ("loss", "accuracy"), strict=False):  # the pinned ones come first
        assert card.startswith(f"epoch_{name} ")
        shown = dict(re.findall(r"(exp\d/\w+) ([\d.e-]+) 5 ", card))
        for run in ("exp1", "exp2"):
            for split in ("train", "validation"):
                last = table(session / run, split)[name][-1]
                assert float(shown[f"{run}/{split}"]) == pytest.approx(last, abs=1e-4)
    assert browser.run("all('input').map((x) => x.value)").count("0") >= 1  # smoothing


def four_curves(colors):
    """Whether four twelfths of the color wheel have as many pixels as a curve."""
    wheel = Counter()
    for (red, green, blue), count in colors.items():
        wheel[int(12 * colorsys.rgb_to_hsv(red, green, blue)[0])] += count
    return sum(count > 300 for count in wheel.values()) == 4


def test_scalars_draws_every_epoch_unsmoothed(browser, sessions, shot):
    """The vertices of a curve are its values, up to the scale of the axis."""
    (session, port), _ = sessions
    browser.open(f"http://127.0.0.1:{port}/s")
    browser.click(TAB.format("SCALARS"))
    lines = browser.until(f"{LINES}.length === 4 && {LINES}")
    shot("scalars")
    assert browser.run("all('paper-slider').map((x) => x.value)") == [0]
    splits = ("validation", "train")  # the last run is drawn first
    tables = [table(session / run, split) for run in ("exp2", "exp1") for split in splits]
    points = [[p.split(",") for p in line[1:].split("L")] for line in lines]
    places = np.array([x for line in points for x, _ in line], float)
    heights = -np.array([y for line in points for _, y in line], float)
    steps = (5 * (places - places.min()) / np.ptp(places)).round().astype(int)
    owner = np.repeat(range(4), [len(line) for line in points])
    values = np.array(
        [tables[run]["accuracy"][step] for run, step in zip(owner, steps, strict=True)]
    )
    assert len(values) >= 20  # vertices far outside the chart are left out
    slope, offset = np.polyfit(values, heights, 1)
    assert slope > 0
    assert heights == pytest.approx(slope * values + offset, abs=0.01)


def test_the_scalars_are_those_of_the_table(sessions):
    for session, port in sessions:
        for run in sorted(path.parent for path in session.glob("*/metrics.csv")):
            for split in ("train", "validation"):
                for name, values in table(run, split).items():
                    where = f"run={run.name}/{split}&tag=epoch_{name}"
                    points = ask(port, f"data/plugin/scalars/scalars?{where}")
                    assert [step for _, step, _ in points] == [*range(len(values))]
                    assert (
                        np.array([x for *_, x in points], np.float32).tobytes() == values.tobytes()
                    )


def test_hparams_shows_the_numbers_of_results_csv(browser, sessions, shot):
    (session, port), (sweep, port_of_sweep) = sessions
    cells = hparams(browser, port, 2)
    shot("hparams_of_a_session")
    assert cells["learning_rate"] == ["0.050000", "0.0050000"]
    for at, run in enumerate(("exp1", "exp2")):
        record = json.loads((session / run / "run.json").read_text())
        assert cells["Trial ID"][at].startswith(run)
        for name in ("loss", "val_loss", "val_accuracy"):
            assert float(cells[f"best/{name}"][at]) == pytest.approx(record["best"][name], rel=1e-4)
    cells = hparams(browser, port_of_sweep, 4)
    shot("hparams_of_a_sweep")
    assert "best/test_loss" not in cells  # which invites to choose by it
    with (sweep / "results.csv").open(newline="") as file:
        results = {(r["learning_rate"], r["model.activation"]): r for r in csv.DictReader(file)}
    rows = zip(cells["learning_rate"], cells["model.activation"], strict=True)
    for at, (rate, activation) in enumerate(rows):
        row = results[repr(float(rate)), activation]
        for name in ("loss", "val_loss", "val_accuracy"):
            assert float(cells[f"best/{name}"][at]) == pytest.approx(float(row[name]), rel=1e-4)
    assert set(cells["data"]) == {"circle"}


def hparams(browser, port, rows):
    """The table of the HPARAMS tab: column -> cells."""
    browser.open(f"http://127.0.0.1:{port}/#hparams")
    found = "all('vaadin-grid-cell-content').map((x) => x.innerText.trim())"
    browser.until(f"{found}.filter((x) => /202\\d{{5}}-\\d{{6}}/.test(x)).length === {rows}")
    texts = [text for text in browser.run(found) if text]
    first = next(at for at, text in enumerate(texts) if re.search(r"202\d{5}-\d{6}", text))
    names = [name for name in texts[:first] if name != "Show Metrics"]
    each = [texts[first + at * len(names) :][: len(names)] for at in range(rows)]
    return {name: [row[at] for row in each] for at, name in enumerate(names)}


def test_text_shows_config_environment_summary_and_diagnosis(browser, sessions, shot):
    (session, port), _ = sessions
    browser.open(f"http://127.0.0.1:{port}/#text")
    browser.until("texts().includes('stop reason')")
    page = browser.run("texts(all('tf-text-dashboard')[0])")
    shot("text")
    record = json.loads((session / "exp1" / "run.json").read_text())
    for text in (
        "learning_rate: 0.05", "status completed", f"numpy {np.__version__}",
        f"val_loss {record['best']['val_loss']} at the best epoch, {record['metrics']['val_loss']} last",
        f"test_loss {record['metrics']['test_loss']}", verdict(session / "exp1").outcome.sentence,
    ):  # fmt: skip
        assert text in page.replace("_ ", "_"), text
