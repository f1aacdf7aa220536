"""Every table of every command at every width: numbers and statuses whole, what fell is named."""

import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest

from backproplab.cli.live import live_lines
from backproplab.sweep.standing import Standing

WIDTHS = (60, 80, 100, 120)
NARROWEST = [
    60,
    *(pytest.param(width, marks=pytest.mark.slow) for width in WIDTHS[1:]),
]  # a process each
CONFIG = "data: {name: iris, test_split: 0.2}\nepochs: 3\nmodel: {hidden: [4]}\n"
NUMBER = re.compile(r"(?<![\w/.-])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?(?![\w/.-])")
CUT = re.compile(r"(?<![\w/.…-])[-+]?\d[\d.,]*…|\d\s*\n\s*±|±\s*\n")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG = "a_run_with_a_name_that_is_rather_long_and_differs_at_its_end_only"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs with long names, a sweep with a diverged trial, and a run of many layers."""
    place = tmp_path_factory.mktemp("widths")
    (place / "c.yaml").write_text(CONFIG)
    layers = (
        "data: iris\nepochs: 2\nmodel: {layers: [{dense: 8}, relu, {dense: 8}, relu, {dense: 3}]}\n"
    )
    (place / "layers.yaml").write_text(layers)
    sweep = (
        "sweep c.yaml optimizer=sgd,adam learning_rate=0.01,10000 batch_size=8,32 "
        "model.activation=relu,tanh --seeds 2 -j 1"
    )
    for words in (
        f"train c.yaml --name {LONG}_1",
        f"train c.yaml --name {LONG}_2 learning_rate=0.123456",
        "train layers.yaml",
        f"{sweep} --progress none",
    ):
        _call(place, words)
    return place


def _call(place, words):
    command = [sys.executable, "-m", "backproplab", *shlex.split(words)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def on_terminal(place, words, width):
    """What the command prints on a terminal of this width, frames of a live view included."""
    main, side = pty.openpty()
    ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(width)}
    command = [sys.executable, "-m", "backproplab", *shlex.split(words)]
    process = subprocess.Popen(command, cwd=place, stdin=side, stdout=side, stderr=side, env=environment)  # fmt: skip
    os.close(side)
    text = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        text += piece
    process.wait()
    os.close(main)
    return ANSI.sub("", text.decode()).replace("\r\n", "\n")


TABLES = {
    "runs": "runs",
    "runs of a sweep": "runs SWEEP",
    "runs of one length": "runs --top 3",
    "compare": "compare",
    "compare all": "compare 1 2 19 18 17",
    "compare by runs": "compare --no-group-seeds --top 5",
    "compare with tests": "compare --test",
    "compare columns": "compare --cols val_loss,run,status",
    "show": "show latest",
    "show a long name": "show 19",
    "diagnose": "diagnose 19",
    "diagnose a sweep": "diagnose",
    "diagnose --why": "diagnose --why D4",
    "show all": "show latest --config",
    "diff": "diff 18 19",
    "diff of layers": "diff 17 19",
    "check": "check layers.yaml",
    "landscape": "landscape latest --points 5",
    "find-lr": "find-lr c.yaml --steps 20 --seeds 2",
    "explain": "explain 'tanh(x*w + b)*v' x=1 w=2 b=0.5 v=3",
    "sweep --dry-run": "sweep c.yaml optimizer=sgd,adam learning_rate=0.01,0.1 --dry-run",
}


def is_command(line):
    """A command or a path stands whole on its line."""
    return "/" in line or "backproplab " in line


LONGER = {"landscape", "find-lr", "compare by runs", "compare with tests", "compare all",
          "show a long name", "diff of layers", "runs of one length", "compare columns",
          "diagnose a sweep", "diagnose --why", "show all", "runs of a sweep"}  # fmt: skip


@pytest.mark.parametrize("width", NARROWEST)
@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow) if c in LONGER else c for c in TABLES]
)
def test_a_table_fits_and_nothing_in_it_is_cut(folder, case, width):
    words = TABLES[case].replace("SWEEP", min((folder / "runs").glob("*/sweep.json")).parent.name)
    whole = _call(folder, words)
    shown = on_terminal(folder, words, width)
    for line in shown.split("\n"):
        as_it_is = case == "show all" and re.match(r" *\w+: ", line)  # YAML to copy
        assert len(line) <= width or is_command(line) or as_it_is, line
    if case.startswith(("find-lr", "check")):  # times differ from call to call
        whole, shown = (re.sub(r"\d+\.\d{3} s", "", text) for text in (whole, shown))
    else:
        whole, shown = (re.sub(r"\b\d+ [smhd]\b", "", text) for text in (whole, shown))  # ages
        known = set(NUMBER.findall(whole)) | {"60", "80", "100", "120"}
        known |= set(NUMBER.findall("19 18 17 50 1 2 3 95"))
        assert set(NUMBER.findall(shown)) <= known
    assert not CUT.search(shown)
    for status in ("completed", "diverged"):
        cut = re.findall(rf"{status[:5]}\w*", shown)
        assert all(word in ("completed", "diverged", "diverge", "diverges") for word in cut), cut
    fallen = _heads(whole) - _heads(shown)
    named = re.sub(r"\s+", " ", shown)
    if case.startswith(("compare", "runs")):
        short = {
            "learning_rate": "lr",
            "optimizer": "optim.",
            "Δ": "Δ",
            "model.activation": "activ.",
        }
        for head in fallen:
            assert head in named or short.get(head, head) in _heads(shown), head


def _heads(text):
    line = next((line for line in text.splitlines() if line.lstrip().startswith("#")), "")
    return set(re.split(r"\s{2,}", line.strip()))


@pytest.mark.parametrize("width", NARROWEST)
def test_train_shows_bar_count_time_and_the_named_best(folder, width):
    shown = on_terminal(folder, "train c.yaml epochs=400 --log-dir other", width)
    frames = [line.split("\r")[-1] for line in shown.split("\n")]
    bars = [line for line in frames if "epoch " in line and "%" in line]
    assert bars
    assert all(len(line) <= width for line in bars)
    assert all(re.search(r"epoch +\d+/400 .*[━─]{8,} +\d+ %", line) for line in bars)
    assert any(line.endswith(" left") for line in bars)
    best = [line for line in frames if re.match(r"val_loss \S+   best \S+ @ \d+", line)]
    assert best
    assert all(len(line) <= width for line in best)
    assert not CUT.search(shown)
    summary = shown[shown.index("✓ completed") :]
    cells = {60: 14, 80: 24}.get(width, 24 if width < 120 else 30)
    assert re.search(rf"  val_loss +\d\.\d{{4}}.*  [▁▂▃▄▅▆▇█]{{{cells}}}$", summary, re.MULTILINE)
    labels = [line.split()[0] for line in summary.splitlines() if re.match(r"[a-z]+(  |$)", line)]
    assert "so" in labels
    assert labels[-3:] == ["logs", "curves", "repeat"]


STANDINGS = {
    "begun": {"running": 4, "workers": 2},
    "best": {"running": 4, "workers": 2, "best": (0.123456, "optimizer-rmsprop_learning_rate-0.1_hidden-64-32-16-8")},
    "much": {"running": 64, "workers": 0, "best": (1e-9, LONG), "stopping": True},
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", STANDINGS)
def test_a_sweep_s_bar_keeps_its_count_and_names_the_metric(case, width):
    standing = Standing(2000, 5, True, "val_mean_squared_error", **STANDINGS[case])
    standing.done.update({"completed": 812, "diverged": 31, "failed": 3})
    standing.started -= 100
    lines = live_lines(standing, f"{LONG} on local:2", width)
    assert all(len(line) < width for line in lines)
    bar = next(line for line in lines if "━" in line or "─" in line)
    assert re.search(r"━+╍*─* 846/2,000  .* left$", bar)
    assert len(lines) <= 6
    if standing.best:
        assert any(line.startswith("best    val_mean_squared_error ") for line in lines)
    assert "✓ 812 completed   ✗ 31 diverged" in "\n".join(lines)


@pytest.mark.parametrize("width", [60, 80])
def test_the_end_of_a_sweep_fits(folder, width):
    words = "sweep c.yaml optimizer=sgd,adam learning_rate=0.01,0.1 --seeds 2 -j 1 --log-dir third"
    shown = on_terminal(folder, words, width)
    end = shown[shown.rindex("4 of 4" if "4 of 4" in shown else "8 of 8") :]
    assert all(len(line) <= width or is_command(line) for line in end.split("\n"))
    assert not CUT.search(end)
    assert len(re.findall(r"\d\.\d+ +± \d\.\d+", end)) >= 4
    assert "● best" in end
    assert "seed-" not in end.split("table")[0]  # the keys are the columns
    assert end.count("\n") <= 24 or width < 80
    labels = [line.split()[0] for line in end.splitlines() if re.match(r"[a-z]+(  |$)", line)]
    assert [x for x in labels if x != "try"] == [
        "so", "test", "equal", "hidden", "table", "more", "report"
    ]  # fmt: skip


LESSONS = {
    "the lecture's example": "explain '(a + b) * (b + 1)' a=2 b=1",
    "examples": "explain two.yaml optimizer=sgd --examples 4",
    "quotients": "explain 'sin(x**2)' x=3 --nudge",
    "overflow": "explain 'exp(z)/sum(exp(z))' z=[100,0] --dtype float16,float32,float64",
    "a network and a nudge": "explain two.yaml optimizer=sgd --nudge w1_21=0.001",
    "rates": "descend '(x - 3)**2' x=0 learning_rate=0.01,0.4,0.95,1,1.05",
    "steps": "descend rosenbrock optimizer=adam",
}


QUICK = ("the lecture's example", "a network and a nudge", "rates", "steps")


@pytest.mark.parametrize("width", NARROWEST)
@pytest.mark.parametrize(
    "case",
    [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in LESSONS],
)
def test_no_line_of_a_lesson_is_broken_by_the_terminal(tmp_path, case, width):
    (tmp_path / "two.yaml").write_text("data: circle\nmodel: {hidden: [2], activation: tanh}\n")
    for line in on_terminal(tmp_path, LESSONS[case], width).split("\n"):
        assert len(line) <= width, line
