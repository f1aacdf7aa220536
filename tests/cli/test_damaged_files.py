"""Every command with every file of a run and a sweep as it should not be: exit code 5, or a warning
and the rest, never a traceback, a hang or a full memory."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from backproplab.cli import main
from backproplab.runs import create_session, open_log_root

CONFIG = "data: {name: circle, samples: 60}\nmodel: {hidden: [3]}\nepochs: 2\nthreads: 1\nearly_stopping: {monitor: val_loss, patience: 3, restore_best_weights: true}\n"
SEARCH = "base: c.yaml\nparameters: {learning_rate: {min: 0.001, max: 0.1}}\nmethod: random\nnum_trials: 2\n"


def a_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # whose name may be too long for a socket
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def sparse(path):
    with path.open("wb") as file:
        file.truncate(2**40)


def holding(content):
    return lambda path: path.write_bytes(content)


KINDS = {
    "pipe": os.mkfifo,
    "directory": lambda path: path.mkdir(),
    "link": lambda path: path.symlink_to("/dev/zero"),
    "socket": a_socket,
    "sparse": sparse,
    "empty": holding(b""),
    "garbage": holding(bytes(range(256)) * 50),
    "zeros": holding(bytes(5000)),
    "list": holding(b"[1, 2]\n"),
    "number": holding(b"3\n"),
    "no keys": holding(b"{}\n"),
    "other types": holding(
        b'{"format": 2, "status": "paused", "trials": 3, "sweep": [], "configs": 1}\n'
    ),
    "deep list": holding(b"[" * 100_000 + b"]" * 100_000),
    "deep object": holding(b'{"a":' * 900 + b"1" + b"}" * 900),
}
NO_FILE = ("pipe", "directory", "link", "socket", "sparse")
LAST, BEST = "checkpoints/last.safetensors", "checkpoints/best-4.safetensors"

# command -> (session, the files of it that it reads, whether it shows the rest with a warning)
READS = {
    "runs": ("trained", ["exp1/run.json", "exp1/metrics.csv"], True),
    "show {run}": ("trained", ["exp1/run.json", "exp1/metrics.csv", "exp1/config.yaml"], False),
    "compare {session}": ("trained", ["exp1/run.json", "exp1/config.yaml"], True),
    "diff {run} {other}": (
        "trained",
        ["exp1/run.json", "exp1/config.yaml", "exp1/metrics.csv"],
        True,
    ),
    "export {session}": (
        "trained",
        ["exp1/run.json", "exp1/config.yaml", "exp1/metrics.csv"],
        True,
    ),
    "export {run}": ("trained", ["exp1/metrics.csv"], False),
    "report {session} --out {new}": (
        "swept",
        ["r1/run.json", "r1/config.yaml", "r1/metrics.csv", "sweep.json"],
        True,
    ),
    "compare {session} --format json": ("swept", ["sweep.json"], True),
    "resume {run} --progress none": (
        "trained",
        [
            "exp1/run.json",
            "exp1/metrics.csv",
            "exp1/config.yaml",
            f"exp1/{LAST}",
            f"exp1/{BEST}",
            ".backproplab",
        ],
        False,
    ),
    "sweep runs/{session} --resume --progress none -j 1": (
        "swept",
        ["sweep.json", "r1/run.json", "r1/metrics.csv", f"r1/{LAST}", f"r1/{BEST}", "study.db"],
        False,
    ),
}
# what a file may be without being damaged
SOUND = {
    ("study.db", "empty"),  # a search that was killed before its first trial
    ("exp1/metrics.csv", "empty"),  # a run that was killed before its first epoch
}
ALSO_SOUND = "other types"  # of a config: keys of another version, unless it is to be trained again


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A log directory with a run that was killed and two paused runs of a search."""
    place = tmp_path_factory.mktemp("made")
    (place / "c.yaml").write_text(CONFIG)
    (place / "s.yaml").write_text(SEARCH)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for words in ("train c.yaml name=exp1 --progress none", "train c.yaml name=exp2 --progress none", "sweep s.yaml --progress none -j 1"):  # fmt: skip
            patch.setattr("sys.argv", ["backproplab", *words.split()])
            with pytest.raises(SystemExit) as end:
                main()
            assert not end.value.code
    return place


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A copy of it whose sessions have the names ``trained`` and ``swept``; their runs exp1, r1."""
    root = open_log_root(tmp_path / "runs")
    first, second, third = sorted(p for p in (made / "runs").iterdir() if p.is_dir())
    found = {}
    for name, folders in (
        ("trained", {"exp1": first / "exp1", "exp2": second / "exp2"}),
        ("swept", {}),
    ):
        found[name] = session = create_session(root)
        for run, folder in folders.items():
            shutil.copytree(folder, session / run)
    names = sorted(path.name for path in third.iterdir() if (path / "run.json").exists())
    for path in third.iterdir():
        if path.is_dir() and path.name in names:
            shutil.copytree(path, found["swept"] / path.name)
        elif path.is_file() and path.name != ".backproplab":
            shutil.copy(path, found["swept"] / path.name)
    _change(found["trained"] / "exp1", "running", drop=("epochs", "metrics", "best", "seconds"))
    _change(found["swept"] / names[0], "paused")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return found, names


def _change(run, status, drop=()):
    record = json.loads((run / "run.json").read_text())
    kept = {key: value for key, value in record.items() if key not in drop}
    (run / "run.json").write_text(json.dumps(kept | {"status": status}))


def _too_long(*_):
    raise TimeoutError("the command hangs")


def cases():
    for command, (session, names, warns) in READS.items():
        for name in names:
            for kind in KINDS:
                of_another = name.endswith("config.yaml") and kind == ALSO_SOUND
                if (name, kind) in SOUND or (of_another and not command.startswith("resume")):
                    continue
                quick = not command.startswith(("report", "sweep", "diff")) and kind in ("pipe", "link", "empty", "list", "no keys")  # fmt: skip
                marks = () if quick else pytest.mark.slow
                yield pytest.param(
                    command,
                    session,
                    name,
                    kind,
                    warns,
                    marks=marks,
                    id=f"{command.split()[0]}-{name}-{kind}",
                )


@pytest.mark.parametrize(("command", "session", "name", "kind", "warns"), list(cases()))
def test_a_file_that_is_not_what_it_should_be(
    backproplab, place, command, session, name, kind, warns
):
    found, names = place
    session, own = found[session], {"r1": names[0]}
    run, other = ("exp1", "exp2") if session == found["trained"] else names
    head, slash, rest = name.partition("/")
    path = session / f"{own.get(head, head)}{slash}{rest}"
    for file in path.parent.glob(f"{path.name}*"):  # and what SQLite could mend it with
        file.unlink()
    KINDS[kind](path)
    words = command.format(run=f"{session.name}/{run}", other=f"{session.name}/{other}", session=session.name, new=session.parent.parent / "r.html")  # fmt: skip
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(60)
    try:
        ended = backproplab(words)
    finally:
        signal.alarm(0)
    assert "bug in backproplab" not in ended.err
    assert ended.code in ((0, 5) if warns else (5,))
    assert path.name in ended.err
    if ended.code == 0:
        assert "warning" in ended.err
        assert ended.out


OTHERS = ["tensorboard --stop", "clean --dry-run", "runs", "show {run}", "export"]


@pytest.mark.parametrize("command", OTHERS)
@pytest.mark.parametrize("name", [".backproplab", "sweep.json", "results.csv", "study.db", "runs"])
def test_what_a_command_does_not_need_does_not_stop_it(backproplab, place, command, name):
    """A pipe in every place, also in the log root."""
    found, _ = place
    for folder in (found["swept"], found["trained"].parent):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    for entry in (".backproplab-tensorboard.json", ".backproplab-tensorboard.log"):
        os.mkfifo(found["trained"].parent / entry) if command == "runs" else None
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(60)
    try:
        ended = backproplab(command.format(run=f"{found['trained'].name}/exp2"))
    finally:
        signal.alarm(0)
    assert ended.code in (0, 5)
    assert "bug in backproplab" not in ended.err


def test_a_registry_of_tensorboards_that_holds_a_pipe(backproplab, place, tmp_path, monkeypatch):
    (tmp_path / ".tensorboard-info").mkdir()
    os.mkfifo(tmp_path / ".tensorboard-info" / "pid-1.info")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert backproplab("tensorboard --stop").code == 0
