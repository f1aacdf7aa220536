"""The package as it is installed, built where there is a C compiler and where there is none.

Both train the same bytes, and each continues what the other has begun.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from backproplab.autograd.engines.native.building import compiler

ROOT = Path(__file__).parent.parent
HELPERS = Path(__file__).parent  # stopping.py
EPOCHS, STOP = 40, 61
CODE = f"""
import sys
import backproplab as bpl
from backproplab.config import Experiment
from stopping import StopAt

what, folder = sys.argv[1:]
stop = StopAt({STOP} if what == "begin" else 0)
if what == "resume":
    bpl.resume(folder, callbacks=[stop])
else:
    layers = [{{"dense": 8}}, "relu", {{"dropout": 0.2}}, {{"dense": 3}}]
    experiment = {{"data": {{"name": "iris"}}, "epochs": {EPOCHS}, "model": {{"layers": layers}}}}
    bpl.run(Experiment.model_validate(experiment), folder, [stop])
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not compiler(), reason="no compiler to build it with"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The packages of the two wheels, unpacked; by whether there was a compiler."""
    place = tmp_path_factory.mktemp("wheels")
    source = place / "source"
    kept = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "backproplab", source / "backproplab", ignore=kept)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    without = {k: x for k, x in os.environ.items() if k != "CC"} | {"PATH": str(place)}
    for name, environment in (("with", os.environ), ("without", without)):
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir"]
        words = [*pip, "--wheel-dir", str(place / name), str(source)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (wheel,) = (place / name).glob("*.whl")
        ZipFile(wheel).extractall(place / name / "unpacked")
    return place


def trained(package, what, folder):
    """Begin, resume or train in a new process with this package; its record."""
    path = os.pathsep.join([str(package), str(HELPERS)])
    words = [sys.executable, "-c", CODE, what, str(folder)]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        words, env=environment, cwd=package, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "run.json").read_text())


def test_a_wheel_is_of_the_platform_where_there_is_a_compiler_else_of_every_one(installed):
    names = {kind: next((installed / kind).glob("*.whl")).name for kind in ("with", "without")}
    assert names["without"].endswith("-py3-none-any.whl")
    assert not names["with"].endswith("-any.whl")
    found = {kind: [*(installed / kind / "unpacked").rglob("player.so")] for kind in names}
    assert [len(found[kind]) for kind in ("with", "without")] == [1, 0]


def test_both_train_the_same_bytes_and_continue_what_the_other_began(installed, tmp_path, saved):
    package = {kind: installed / kind / "unpacked" for kind in ("with", "without")}
    engines = {k: trained(p, "train", tmp_path / k)["engine"] for k, p in package.items()}
    assert engines["with"] == "native"
    assert engines["without"].startswith("replay (the player is not built")
    whole = saved(tmp_path / "with")
    assert saved(tmp_path / "without") == whole
    for first, then in (("with", "without"), ("without", "with")):
        folder = tmp_path / f"{first}, {then}"
        assert trained(package[first], "begin", folder)["status"] != "finished"
        trained(package[then], "resume", folder)
        assert saved(folder) == whole
