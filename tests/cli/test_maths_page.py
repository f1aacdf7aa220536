"""Every command of docs/maths.md does what the page says: it ends well, and writes what it names."""

import re
import shlex
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/maths.md").read_text("utf-8")
COMMANDS = [line for line in PAGE.splitlines() if line.startswith("backproplab ")]
ASKS = re.findall(r"^\| `('.*?)` \|", PAGE, re.MULTILINE)
STABLE = re.findall(r"^\| `([^`]*)` \| (\w) = ([^|+]*) \| [^|]* \| `([^`]*)`", PAGE, re.MULTILINE)
AT_ONCE = ("explain", "descend '")


def of_page():
    """Each command, those that train or take many steps marked slow."""
    for line in COMMANDS:
        command = line.removeprefix("backproplab ")
        marks = [] if command.startswith(AT_ONCE) else [pytest.mark.slow]
        yield pytest.param(command, marks=marks, id=command.partition("  ")[0])


@pytest.fixture
def typed(backproplab, tmp_path):
    """``typed(command)``: as in the checkout, in a folder of its own, with two runs if it names any."""

    def typed(command):
        words = shlex.split(command, comments=True)
        words = [str(ROOT / word) if word.startswith("configs/") else word for word in words]
        if words[0] in ("landscape", "report"):
            for seed in (1, 2):
                quick = f"seed={seed} epochs=3 tensorboard=off --progress none"
                assert backproplab(f"train {ROOT}/configs/xor.yaml {quick}").code == 0
        if words[0] == "find-lr":
            words += ["--seeds", "1", "--steps", "20"]
        return words, backproplab(shlex.join(words))

    return typed


@pytest.mark.parametrize("command", list(of_page()))
def test_a_command_of_the_page(typed, tmp_path, command):
    words, ended = typed(command)
    assert ended.code == 0, ended.err
    assert ended.out
    for option, name in pairwise(words):
        if option in ("--svg", "--html", "--animate"):
            written = (tmp_path / name).read_text("utf-8")
            assert len(written) > 1000
            if option == "--svg":
                ElementTree.fromstring(written)
        if option == "--log-dir":
            assert any((tmp_path / name).rglob("*tfevents*"))


@pytest.mark.parametrize("ask", ASKS)
def test_a_question_of_the_page(backproplab, ask):
    ended = backproplab(f"explain {ask}")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(("formula", "name", "value", "stable"), STABLE)
def test_a_stable_form_of_the_page(backproplab, formula, name, value, stable):
    ended = backproplab(shlex.join(["explain", formula, f"{name}={value}".replace("−", "-")]))
    assert (ended.code, ended.err) == (0, "")
    assert re.sub(r"[*· ]", "", stable) in re.sub(r"[*· ]", "", ended.out)


def test_the_page_is_read():
    assert (len(COMMANDS) > 20, len(ASKS), len(STABLE)) == (True, 8, 7)
