"""Parts of one's own: files that a config imports, and packages with entry points."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.metrics import f1_score

from backproplab import own_parts
from backproplab.config import load, to_yaml
from backproplab.config.importing import Import
from backproplab.errors import ConfigError, RunError
from backproplab.experiment import model, resume, run
from backproplab.experiment.crew import crew_size
from backproplab.loop import Observer
from backproplab.nn import Loss
from backproplab.nn.metrics import METRICS
from backproplab.optim import Optimizer
from backproplab.runs.metrics_table import read_metrics
from backproplab.sweep.trials import key_of

CONFIGS = Path(__file__).parent.parent / "configs" / "own"
MINE = """
from backproplab.optim import Optimizer
class Mine(Optimizer, name="mine"):
    factor: float = {factor}
    def update(self, theta, grad, lr, t, work):
        theta -= self.factor * lr * grad
"""
CONFIG = "imports: [mine.py]\ndata: circle\noptimizer: mine\nepochs: 2\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(MINE.format(factor=1.0))
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def test_all_kinds_of_parts_train_alike_with_every_engine_and_resumed(tmp_path):
    short = CONFIGS / "parts.yaml", "epochs=4", "tensorboard.telemetry=false"
    for engine in ("native", "replay", "eager"):
        run(load(*short, f"engine={engine}"), tmp_path / engine)
    run(load(short[0], "epochs=2", short[2]), tmp_path / "resumed")
    resume(tmp_path / "resumed", epochs=4)
    first = (tmp_path / "native" / "metrics.csv").read_bytes()
    assert b"f1_macro,error_rate,weight_norm" in first
    for other in ("replay", "eager", "resumed"):
        assert (tmp_path / other / "metrics.csv").read_bytes() == first, other
    (row,) = model(tmp_path / "native").evaluate(_points(tmp_path)).values()
    assert row[1]["error_rate"] == pytest.approx(1 - row[1]["accuracy"])


def _points(folder):
    points = np.random.default_rng(0).normal(size=(50, 2))
    rows = [f"{x},{y},{'odd' if int(np.hypot(x, y)) % 2 else 'even'}" for x, y in points]
    (folder / "points.csv").write_text("\n".join(["x,y,ring", *rows]))
    return folder / "points.csv"


def test_an_update_of_ones_own_is_the_formula(folder):
    """mine with factor 1 is sgd: θ ← θ - lr g."""
    ours = load(folder / "c.yaml", "optimizer=sgd", "learning_rate=0.01")
    run(ours, folder / "ours")
    run(load(folder / "c.yaml", "learning_rate=0.01"), folder / "own")
    assert read_metrics(folder / "own") == read_metrics(folder / "ours")


BROKEN = {
    "x = (1\n": (1, "SyntaxError"),
    "import numpy as np\n\nnp.nothing\n": (3, "AttributeError"),
    "def f():\n    return 1 / 0\n\nf()\n": (2, "ZeroDivisionError"),
    "raise SystemExit(3)\n": (1, "SystemExit"),
    "import sibling_of_mine\n": (1, "install it as a package"),
    "from backproplab.optim import Optimizer\nclass A(Optimizer, name='a'):\n    b: int = 'x'\n    c: nothing = 1\n": (2, "nothing"),
    "from backproplab.optim import Optimizer\n\nclass A(Optimizer, name='a'):\n    b: int = 1\n": (3, "A has no update"),
    "from backproplab.nn import metric\n\nmetric('val_x', 'min', ['regression'], max)\n": (3, "prefix"),
    "from backproplab.nn import metric\nmetric('loss', 'max', ['regression'], max)\n": (2, "the goal min"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "what"), [(t, *w) for t, w in BROKEN.items()])
def test_a_fault_in_the_file_is_reported_with_both_lines(folder, text, line, what):
    before = [dict(catalog) for catalog in own_parts.CATALOGS]
    (folder / "mine.py").write_text(text)
    modules = set(sys.modules)
    with pytest.raises(ConfigError) as caught:
        load(folder / "c.yaml")
    problem, *_ = caught.value.problems
    assert problem.where == f"{folder / 'c.yaml'}:1:11"
    assert f"{folder / 'mine.py'}:{line}: " in problem.what
    assert what in str(problem)
    assert [dict(catalog) for catalog in own_parts.CATALOGS] == before
    assert not any(name.startswith("backproplab_own") for name in set(sys.modules) - modules)


@pytest.mark.parametrize("text", ["imports: mine.py", "imports: [5]", "imports: [nothere.py]", "imports: [{path: mine.py, sha: x}]"])  # fmt: skip
def test_what_is_no_file_is_refused(folder, text):
    (folder / "c.yaml").write_text(CONFIG.replace("imports: [mine.py]", text))
    with pytest.raises(ConfigError, match=r"c\.yaml:1:\d+: imports"):
        load(folder / "c.yaml")


def test_names_have_one_owner(folder):
    (folder / "other.py").write_text(MINE.format(factor=2.0))
    (folder / "ours.py").write_text(MINE.format(factor=2.0).replace('"mine"', '"adam"'))
    (folder / "copy.py").write_text(MINE.format(factor=1.0))
    load(folder / "c.yaml", f"imports+={folder / 'copy.py'}")  # the same content
    with pytest.raises(ConfigError, match=r"ours\.py: the name 'adam' is taken by backproplab"):
        load(folder / "c.yaml", f"imports+={folder / 'ours.py'}")
    own_parts.install(())
    with pytest.raises(ConfigError, match=r"other\.py: the name 'mine' is taken by .*mine\.py"):
        load(folder / "c.yaml", f"imports+={folder / 'other.py'}")


def test_an_edited_file_takes_the_place_of_what_it_was(folder):
    before = load(folder / "c.yaml")
    (folder / "mine.py").write_text(MINE.format(factor=2.0))
    after = load(folder / "c.yaml")
    assert (before.optimizer.factor, after.optimizer.factor) == (1.0, 2.0)
    assert type(before.optimizer) is not type(after.optimizer)
    assert key_of(before) != key_of(after)


def test_a_run_keeps_its_file_and_refuses_another(folder, monkeypatch):
    """Nothing of the changed file is executed."""
    run(load(folder / "c.yaml"), folder / "run")
    monkeypatch.chdir("/")  # paths in a run are absolute
    again = load(folder / "run" / "config.yaml")
    assert to_yaml(again) == (folder / "run" / "config.yaml").read_text()
    resume(folder / "run", epochs=3)
    was = (folder / "mine.py").read_bytes()
    copy = folder / "run" / f"imported-{hashlib.sha256(was).hexdigest()[:12]}.py"
    assert copy.read_bytes() == was
    (folder / "mine.py").write_text("raise RuntimeError('executed')")
    for use in (lambda: resume(folder / "run", epochs=4), lambda: model(folder / "run")):
        with pytest.raises(RunError, match=rf"mine\.py has changed: SHA-256 .* \({copy.name} in"):
            use()
    (folder / "mine.py").write_bytes(copy.read_bytes())
    resume(folder / "run", epochs=4)


def test_words_of_the_command_line_add_files_of_the_present_folder(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "more.py").write_text(MINE.format(factor=3.0).replace("mine", "more"))
    monkeypatch.chdir(folder / "elsewhere")
    experiment = load(folder / "c.yaml", "imports+=more.py", "optimizer={more: {factor: 4}}")
    assert experiment.optimizer.factor == 4.0
    names = [Path(own.path).name for own in experiment.imports]
    assert names == ["mine.py", "more.py"]


def test_runs_with_parts_of_ones_own_train_alone(folder):
    """A rule of the user may know nothing of a crew's columns."""
    experiment = load(folder / "c.yaml")
    assert crew_size(experiment) == 1
    assert crew_size(experiment.model_copy(update={"imports": None, "optimizer": Optimizer.parse("sgd")})) > 1  # fmt: skip


def test_callbacks_and_metrics_are_checked(folder):
    with pytest.raises(ConfigError, match="'nothing' is not known; one of accuracy"):
        load(folder / "c.yaml", "metrics=[nothing]")
    with pytest.raises(ConfigError, match="'f1_macro' is none of a regression"):
        run(load(folder / "c.yaml", "data=plane", "metrics=[f1_macro]"), folder / "run")
    with pytest.raises(ConfigError, match="'norm' is listed twice"):
        load(CONFIGS / "parts.yaml", "callbacks=[norm, {norm: {}}]")
    with pytest.raises(ConfigError, match="metrics: the learner score_matching has no use for it"):
        load(folder / "c.yaml", "learner=score_matching", "metrics=[accuracy]")


def test_the_schema_of_an_editor_takes_what_configs_write():
    jsonschema = Import.model_json_schema()
    assert jsonschema["anyOf"][0] == {"type": "string"}
    assert jsonschema["anyOf"][1]["required"] == ["path"]
    assert TypeAdapter(Observer).json_schema() == {"type": ["string", "object"]}


def test_f1_macro_is_that_of_scikit_learn():
    chance = np.random.default_rng(0)
    outputs, targets = chance.normal(size=(3, 40, 5)), chance.integers(4, size=40)
    loss = Loss.parse("softmax_cross_entropy")
    found = METRICS["f1_macro"].function(loss, outputs, targets)
    for member, value in zip(outputs, found, strict=True):
        expected = f1_score(targets, loss.decide(member), average="macro")
        assert value == pytest.approx(expected, abs=1e-12)


def backproplab(*words, **environment):
    command = [sys.executable, "-m", "backproplab", *map(str, words)]
    own = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=own)


@pytest.mark.slow
def test_a_fault_while_training_names_the_line_of_the_user(folder):
    (folder / "mine.py").write_text(MINE.format(factor=1.0) + "        theta.nothing()\n")
    ended = backproplab("train", folder / "c.yaml", "--log-dir", folder / "runs")
    assert ended.returncode == 1
    assert f"{folder / 'mine.py'}:7: AttributeError" in ended.stderr
    assert "a bug in backproplab" not in ended.stderr


def installed(folder, version="1.0", text=None):
    """A package with an entry point in a folder of its own; the PYTHONPATH that finds it.

    As of an editable install, nothing but the entry point says which modules it has.
    """
    site = folder / f"site-{version}"
    (info := site / f"their-{version}.dist-info").mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Name: their\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[backproplab.parts]\nx = their\n")
    (site / "their.py").write_text(text or MINE.format(factor=1.0).replace("mine", "theirs"))
    return os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.mark.slow
def test_packages_bring_parts_by_entry_points(folder):
    path = installed(folder)
    words = "optimizer={theirs: {factor: 3}}", "--log-dir", folder / "runs", "--name", "own"
    trained = backproplab("train", folder / "c.yaml", *words, PYTHONPATH=path)
    assert trained.returncode == 0, trained.stderr
    (run_folder,) = (folder / "runs").glob("[!.]*/own")
    assert "name: theirs" in (run_folder / "config.yaml").read_text()
    assert json.loads((run_folder / "run.json").read_text())["numerics"]["their"] == "1.0"
    newer = installed(folder, "1.1")
    resumed = backproplab("resume", run_folder, "--epochs", "3", PYTHONPATH=newer)
    assert resumed.returncode == 5
    assert "rounds differently: their: 1.0, now 1.1" in resumed.stderr


@pytest.mark.slow
def test_the_package_of_a_metric_is_recorded(folder):
    text = "from backproplab.nn import metric\n\ndef share(loss, outputs, targets):\n"
    text += "    return 1.0\n\nmetric('share', 'max', ['classification'], share)\n"
    path = installed(folder, text=text)
    words = "metrics=[share]", "optimizer=adam", "imports=[]", "--log-dir", folder / "runs"
    trained = backproplab("train", folder / "c.yaml", *words, PYTHONPATH=path)
    assert trained.returncode == 0, trained.stderr
    (record,) = (folder / "runs").glob("[!.]*/*/run.json")
    assert json.loads(record.read_text())["numerics"]["their"] == "1.0"


@pytest.mark.slow
def test_a_package_that_cannot_be_imported_is_named(folder):
    path = installed(folder, text="1 / 0")
    broken = backproplab("config", "show", folder / "c.yaml", "optimizer=theirs", PYTHONPATH=path)
    assert broken.returncode == 2
    assert "backproplab.parts x: their cannot be imported: ZeroDivisionError" in broken.stderr


@pytest.mark.slow
def test_ranks_train_with_parts_of_ones_own(tmp_path):
    pytest.importorskip("mpi4py")
    launcher = [str(Path(sys.executable).parent / "mpiexec"), "-n", "2", sys.executable]
    words = ["-m", "backproplab", "train", str(CONFIGS / "parts.yaml"), "epochs=3"]
    command = [*launcher, *words, "--log-dir", str(tmp_path / "ranks")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    run(load(CONFIGS / "parts.yaml", "epochs=3"), tmp_path / "alone")
    (session,) = (tmp_path / "ranks").glob("[!.]*/parts")
    found, alone = read_metrics(session), read_metrics(tmp_path / "alone")
    norms, expected = (
        [float(row["weight_norm"]) for row in rows if row.get("weight_norm")]
        for rows in (found, alone)
    )
    assert len(norms) == 3
    assert norms == pytest.approx(expected, rel=1e-4)
