"""Every command with a reader that goes away, with closed or full streams, and in any encoding."""

import ast
import codecs
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import backproplab
from backproplab.cli import CONTENTS
from backproplab.cli.standard_streams import typed

CONFIG = "data: {name: circle, samples: 60}\nmodel: {hidden: [3]}\nepochs: 1\nthreads: 1\n"
# each command once, and what it needs
COMMANDS = {
    "train": "train c.yaml --progress line",
    "resume": "resume latest",  # which is finished
    "sweep": "sweep c.yaml learning_rate=0.1,0.2 -j 1 --dry-run",
    "evaluate": "evaluate latest",
    "predict": "predict latest points.csv --proba",
    "data": "data show points.csv",
    "tensorboard": "tensorboard --stop",
    "runs": "runs",
    "show": "show latest",
    "diagnose": "diagnose",
    "landscape": "landscape --points 5",
    "compare": "compare",
    "diff": "diff 1 2",
    "export": "export",
    "report": "report --out r.html",
    "config": "config show c.yaml",
    "explain": "explain 'sqrt(x)*y' x=1 y=2",
    "descend": "descend 'x**2' x=1",
    "check": "check c.yaml",
    "find-lr": "find-lr c.yaml --seeds 2 --steps 40",
    "clean": "clean --dry-run",
}
SILENT = {"train", "resume"}  # what they print on stdout, if anything, may be lost
CODES = {"find-lr": {0, 1}}  # 1: no rate lowers the loss of so little data
FEW = ("train", "runs", "explain")  # the others share what these prove; the slow tests try each
EACH = [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("latin-1", "cp1252")]
ENCODINGS = ["ascii", *SLOW]  # the others differ from it in a few signs alone


def test_every_command_is_tried():
    assert COMMANDS.keys() == CONTENTS.keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A log directory with two runs; commands may add to it."""
    place = tmp_path_factory.mktemp("streams")
    (place / "c.yaml").write_text(CONFIG)
    (place / "points.csv").write_text("x,y\n0.5,0.25\n-1,2\n")
    for seed in (1, 2):
        call(place, f"train c.yaml seed={seed} --progress none", "", 0)
    return place


def call(place, words, redirection, *codes, encoding="", **environment):
    """Run the command in a shell; its (stdout, stderr) as bytes."""
    line = f'"$0" -m backproplab {words} {redirection}'
    variables = os.environ | {"PYTHONPATH": str(Path(backproplab.__file__).parent.parent)}
    variables |= {"PYTHONIOENCODING": encoding} if encoding else {}
    command = ["bash", "-c", line, sys.executable]
    done = subprocess.run(command, cwd=place, capture_output=True, env=variables | environment, check=False, timeout=120)  # fmt: skip
    assert done.returncode in codes, (words, done.returncode, done.stdout, done.stderr)
    for text in (done.stdout, done.stderr):
        assert b"Traceback" not in text, text.decode()
        assert b"a bug in backproplab" not in text, text.decode()
        assert b"Exception ignored" not in text, text.decode()
    return done.stdout, done.stderr


MORE = ["2>&-", "<&-", ">&- 2>&- <&-", "2>/dev/full"]
STREAMS = ["closed pipe", ">&-", *(pytest.param(s, marks=pytest.mark.slow) for s in MORE)]


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("name", EACH)
def test_a_stream_that_is_gone(folder, name, streams):
    codes = CODES.get(name, {0})
    if streams == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
        variables = os.environ | {"PYTHONPATH": str(Path(backproplab.__file__).parent.parent)}
        line = f'exec "$0" -m backproplab {COMMANDS[name]}'
        command = ["bash", "-c", line, sys.executable]
        done = subprocess.run(command, cwd=folder, stdout=writing, stderr=subprocess.PIPE, env=variables, check=False, timeout=120)  # fmt: skip
        os.close(writing)
        assert done.returncode in codes, done.stderr
        assert b"Traceback" not in done.stderr
        assert b"ignored" not in done.stderr
        assert b"bug" not in done.stderr
    else:
        call(folder, COMMANDS[name], streams, *codes)


@pytest.mark.parametrize(
    "streams",
    [
        *("closed pipe", ">/dev/full"),
        *(pytest.param(s, marks=pytest.mark.slow) for s in (">&-", ">&- 2>&- <&-")),
    ],
)
def test_a_run_whose_output_is_lost_keeps_all_that_another_keeps(folder, streams):
    """The same files, with the same entries in run.json: nothing depends on what could be shown."""

    def kept(streams):
        before = set(folder.glob("runs/*"))
        pipe = f"{COMMANDS['train']} --progress none | true" if streams == "closed pipe" else ""
        call(folder, pipe or COMMANDS["train"], "" if pipe else streams, 0)
        (run,) = next(iter(set(folder.glob("runs/*")) - before)).glob("*/")
        names = sorted(re.sub(r"\d{10}\..*", "", str(p.relative_to(run))) for p in run.rglob("*"))
        return names, sorted(json.loads((run / "run.json").read_text()))

    assert kept(streams) == kept("")


@pytest.mark.parametrize("name", EACH)
def test_a_full_disk_behind_stdout(folder, name):
    if name in SILENT:
        call(folder, COMMANDS[name], ">/dev/full", 0)
    else:
        err = call(folder, COMMANDS[name], ">/dev/full", 6)[1]
        assert b"standard output: cannot write: no space left on device" in err


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", EACH)
def test_any_encoding(folder, name, encoding):
    out, err = call(folder, COMMANDS[name], "", *CODES.get(name, {0}), encoding=encoding)
    for text in (out, err):
        assert "\ufffd" not in text.decode(encoding)  # raises where it is another encoding
    help_text = call(folder, f"{name} --help", "", 0, encoding=encoding)[0]
    assert "?" not in help_text.decode(encoding).replace("?)", "").replace("? ", "")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_in_any_encoding(folder, encoding):
    err = call(folder, "train не-там.yaml", "", 2, encoding=encoding)[1]
    assert err.decode(encoding)
    err = call(folder, "train c.yaml optimizer=ädäm", "", 2, encoding=encoding)[1]
    assert "d" in err.decode(encoding)


def test_what_an_encoding_lacks_is_typed():
    assert [typed(sign) for sign in "±×…—✓²₂ηΣπ─│┌█é"] == [
        *("+/-", "x", "...", "-", "ok", "^2", "_2", "eta", "Sigma", "pi", "-", "|", "+", "#", "e"),
    ]  # fmt: skip
    assert typed("\udcff") == "?"


def test_every_sign_that_we_write_has_a_likeness():
    """All signs in texts of the package, but for docstrings and ranges of code points."""
    for path in Path(backproplab.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = ast.Module | ast.ClassDef | ast.FunctionDef
        bodies = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
        docs = {id(first.value) for first in bodies if isinstance(first, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docs
            ):
                for sign in node.value:
                    assert sign.isascii() or not sign.isprintable() or typed(sign) != "?", (
                        path,
                        sign,
                    )


def test_ascii_stays_ascii_for_typer():
    """Typer takes a stream in ASCII for one that was meant to be UTF-8."""
    assert codecs.lookup("ascii").name == "ascii"
    out = subprocess.run(
        [sys.executable, "-c", "import backproplab.cli.standard_streams as s, typer; s.prepare(); typer.echo('±')"],
        capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    ).stdout  # fmt: skip
    assert out == b"+/-\n"
