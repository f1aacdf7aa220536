"""A folder that vanishes, a disk that is full, and what is on the disk before a run is complete."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import backproplab as bpl
from backproplab import runs
from backproplab.errors import MachineError
from backproplab.files import DiskFolder, write_atomic, write_together
from backproplab.loop import Callback
from backproplab.runs import create_session, open_log_root, read_run
from backproplab.sweep.session import SweepFolder

CONFIG = "data: {name: circle, samples: 60}\nmodel: {hidden: [3]}\nepochs: 6\nthreads: 1\n"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(bpl.__file__).parent.parent)}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


class After(Callback):
    """Does something after an epoch."""

    name = "after"

    def __init__(self, epoch, do):
        self.at, self.do = epoch, do

    def look(self, lane):
        if lane.progress.epoch == self.at:
            self.do()


@pytest.mark.parametrize("what", ["the root", "the session", "the run"])
def test_a_folder_that_vanishes_during_a_run_is_not_made_again(tmp_path, config, what):
    root = open_log_root(tmp_path / "runs")
    session = create_session(root)
    gone = {"the root": root, "the session": session, "the run": session / "c"}[what]
    vanish = After(2, lambda: shutil.rmtree(gone))
    with pytest.raises(MachineError, match=re.escape(str(session / "c"))):
        bpl.run(bpl.load(config), session / "c", callbacks=[vanish])
    assert not gone.exists()


def test_a_session_that_vanishes_during_a_sweep_is_not_made_again(tmp_path, config):
    sweep = bpl.sweep.read(config, ["learning_rate=0.1,0.2"])
    root = open_log_root(tmp_path / "runs")
    folder = SweepFolder(create_session(root), sweep)
    jobs = [job for trial in sweep.trials for job in folder.jobs(trial)]
    folder.write()
    folder.keep([(jobs[0], {"run.json": b"{}"})])
    shutil.rmtree(root)
    with pytest.raises(MachineError, match=f"{folder.path}: cannot write: the folder was deleted"):
        folder.keep([(jobs[1], {"run.json": b"{}"})])
    with pytest.raises(MachineError, match=re.escape(str(folder.path))):
        folder.write()
    assert not root.exists()


def test_a_folder_is_made_once(tmp_path):
    folder = DiskFolder(tmp_path / "deep" / "run")
    folder.replace("a", b"1")
    shutil.rmtree(tmp_path / "deep")
    with pytest.raises(MachineError, match="the folder was deleted"):
        folder.replace("b/c", b"2")
    assert not (tmp_path / "deep").exists()


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
sys.argv = ["backproplab", *sys.argv[2:]]
from backproplab.cli import main
main()
"""


def test_a_file_that_cannot_grow_is_named_and_the_run_has_failed(tmp_path, config):
    command = [
        sys.executable,
        "-c",
        LIMITED,
        "6000",
        "train",
        str(config),
        "epochs=500",
        "--progress",
        "none",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "cannot write: the file would exceed the allowed size" in last
    assert "run.json" not in last
    (run,) = (tmp_path / "runs").glob("*/c")
    assert read_run(run).status == "failed"
    named = Path(tmp_path, last.removeprefix("backproplab: ").partition(": cannot")[0])
    assert named.exists()


MOUNT = 'mount -t tmpfs -o size=160k none "$0" && cd "$0" && shift 0; exec "$@"'
FULL = 'mount -t tmpfs -o size=160k none "$0" && cd "$0" && "$1" -m backproplab $2 --log-dir runs --progress none; echo $?; "$1" -m backproplab runs --log-dir runs'
CAN_MOUNT = shutil.which("unshare") is not None and subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode == 0  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not CAN_MOUNT, reason="needs unshare and mount")
@pytest.mark.parametrize(
    "words", ["train {} epochs=3000", "sweep {} learning_rate=0.1,0.2 epochs=3000 -j 1"]
)
def test_a_full_disk_names_the_file_that_failed(tmp_path, config, words):
    (tmp_path / "small").mkdir()
    command = [
        "unshare",
        "-Urm",
        "sh",
        "-c",
        FULL,
        str(tmp_path / "small"),
        sys.executable,
        words.format(config),
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    (error,) = [line for line in done.stderr.splitlines() if "cannot write" in line]
    assert error.endswith("cannot write: the disk is full")
    if words.startswith("train"):  # the files of a sweep's run come together, and any is the first
        assert "run.json" not in error
    assert ".partial-" not in error
    assert "\n6\n" in f"\n{done.stdout}"
    assert "running" not in done.stdout


def test_a_log_that_fails_gives_back_the_room_of_its_torn_record(tmp_path):
    log = DiskFolder(tmp_path).log("log")
    log.append(b"whole\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
        with pytest.raises(MachineError, match="log: cannot write"):
            log.append(b"torn record\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "log").read_bytes() == b"whole\n"


def test_the_first_file_that_fails_is_named(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(MachineError, match="final/taken: cannot write"):
        write_together(tmp_path, {"a": b"1", "taken": b"2"}, Path("final").joinpath)


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    old, new, other = (tmp_path / f".{name}.0123abcd.tmp" for name in ("run.json", "x", "other"))
    for path in (old, other):
        path.touch()
        os.utime(path, (0, 0))
    new.touch()
    write_atomic(tmp_path / "run.json", "{}")
    write_atomic(tmp_path / "x", "")
    assert not old.exists()
    assert new.exists()  # perhaps somebody writes it just now
    assert other.exists()


@pytest.mark.parametrize("name", [".sweep.json.0123abcd.tmp", ".exp1.new"])
def test_who_holds_a_session_removes_what_was_half_written(tmp_path, name):
    session = create_session(open_log_root(tmp_path / "runs"))
    (session / name).mkdir() if name.endswith("new") else (session / name).touch()
    with runs.lock_session(session):
        assert not (session / name).exists()


def test_a_session_that_was_about_to_be_made_is_removed(tmp_path):
    root = open_log_root(tmp_path / "runs")
    unmade = root / ".20260101-000000.0123abcd.new"
    unmade.mkdir()
    (unmade / ".backproplab").touch()
    create_session(root)
    assert unmade.exists()  # perhaps it is being made just now
    runs.clean(runs.plan_cleaning(root))
    assert list(root.iterdir()) == []


# -- what runs shows of a run that has no last record


def test_a_run_under_way_shows_what_its_table_says(tmp_path, config):
    session = create_session(open_log_root(tmp_path / "runs"))
    seen = []
    with runs.lock_session(session):
        bpl.run(
            bpl.load(config),
            session / "c",
            callbacks=[After(4, lambda: seen.append(read_run(session / "c")))],
        )
    (run,) = seen
    ended = read_run(session / "c")
    assert (run.status, run.epochs) == (
        "running",
        3,
    )  # the callback looks before the row is written
    assert run.metrics.keys() == ended.metrics.keys()
    assert 0 < run.seconds < ended.seconds + 5


def _killed(session, config, **changes):
    bpl.run(bpl.load(config), session / "c")
    path = session / "c" / "run.json"
    record = json.loads(path.read_text())
    started = path.stat().st_mtime
    for key in ("epochs", "metrics", "best", "seconds"):
        del record[key]
    path.write_text(json.dumps(record | {"status": "running"} | changes))
    os.utime(path, (started, started))
    os.utime(session / "c" / "metrics.csv", (started + 90, started + 90))
    return session / "c"


def test_a_killed_run_shows_its_rows_and_its_time(tmp_path, config):
    run = read_run(_killed(create_session(open_log_root(tmp_path / "runs")), config))
    assert (run.status, run.epochs) == ("interrupted", 6)
    assert run.metrics["val_loss"] > 0
    assert run.seconds == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"started": "2001-01-01T00:00:00+00:00"}, None),  # a copy: its files are younger than it
        ({"resumed": [{"at": "2001-01-01T00:00:00+00:00"}]}, None),
        ({"resumed": 3, "started": 4}, None),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_known_is_not_shown_as_none(tmp_path, config, changes, seconds):
    folder = _killed(create_session(open_log_root(tmp_path / "runs")), config, **changes)
    assert read_run(folder).seconds == seconds


def test_a_killed_run_that_was_resumed_counts_on(tmp_path, config):
    folder = _killed(create_session(open_log_root(tmp_path / "runs")), config)
    record = json.loads((folder / "run.json").read_text())
    stat = (folder / "run.json").stat()
    for known, total in ((10.0, 100.0), (None, None)):
        more = {"resumed": [{"at": record["started"]}], "seconds": known}
        (folder / "run.json").write_text(json.dumps(record | more))
        os.utime(folder / "run.json", (stat.st_mtime, stat.st_mtime))
        assert read_run(folder).seconds == (total and pytest.approx(total, abs=0.1))


# -- what is on the disk

STRACE = shutil.which("strace")
CALL = re.compile(r"^\d+ (\w+)\((.*)\) += (-?\d+)")


@pytest.mark.slow
@pytest.mark.skipif(not STRACE, reason="strace is not installed")
@pytest.mark.parametrize(
    "words",
    [
        "train {} --progress none",
        "sweep {} learning_rate=0.1,0.2 -j 1 --progress none",
        "sweep {} learning_rate=0.1,0.2 --seeds 6 -j 1 --progress none",  # in one call, if it may be
    ],
)
def test_everything_is_on_the_disk_before_a_run_is_complete(tmp_path, config, words):
    """By a trace of the system calls: each file and each new name is synced before the record that
    says ``completed`` gets its name."""
    trace = tmp_path / "trace"
    calls = "trace=write,fsync,fdatasync,syncfs,rename,renameat,renameat2,mkdir,mkdirat,openat,link,linkat,ftruncate"
    command = [STRACE, "-f", "-y", "-qq", "-s", "200", "-e", calls, "-o", str(trace)]
    command += [sys.executable, "-m", "backproplab", *words.format(config).split()]
    subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=True)
    named, unsynced = replay(trace, str(tmp_path / "runs"))
    assert named
    assert unsynced == {}


def whole_calls(lines):
    """The calls at their ends: one that another thread's call interrupts is traced in two parts."""
    begun = {}
    for line in lines:
        process, rest = line.split(maxsplit=1)
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest.removesuffix("<unfinished ...>").rstrip()
        elif match := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
            yield f"{process} {begun.pop(process)}{match[1]}"
        else:
            yield f"{process} {rest}"


def replay(trace, root):
    """What got its last name, a record or a run's folder; of these, what was not synced then."""
    dirty, found, named_last, made = set(), {}, [], set()
    for line in whole_calls(trace.read_text(errors="replace").splitlines()):
        if not (match := CALL.match(line)) or match[3].startswith("-"):
            continue
        name, words = match[1], match[2]
        by_name = name.startswith(("rename", "link", "mkdir", "openat"))
        named = re.findall(r'"([^"]*)"' if by_name else r"^\d+<([^>]*)>", words)
        paths = [os.path.normpath(Path(root).parent / path) for path in named]
        paths = [path for path in paths if path.startswith(root)]
        if not paths:
            continue
        if name in ("write", "ftruncate"):
            dirty.add(paths[0])
        elif name in ("fsync", "fdatasync"):
            dirty.discard(paths[0])
            dirty -= {f"{paths[0]}/"}
        elif name == "syncfs":
            dirty.clear()
        elif name.startswith("mkdir") or (name == "openat" and "O_CREAT" in words):
            if paths[-1] not in made:  # a log that is opened again has its name
                dirty.add(f"{Path(paths[-1]).parent}/")
            made.add(paths[-1])
        elif name.startswith(("rename", "link")):
            source, target = paths[0], paths[-1]
            if target.endswith("run.json") or "/.partial-" in source:
                run = str(Path(source).parent) if target.endswith("run.json") else source
                named_last.append(target)
                left = {path for path in dirty if path.startswith(run)}
                left -= {f"{run}/"} if target.endswith("run.json") else set()  # its own new name
                if left:
                    found[target] = left
            dirty = {path.replace(source, target, 1) if path.startswith(f"{source}/") or path == source else path for path in dirty}  # fmt: skip
            dirty.add(f"{Path(target).parent}/")
    return named_last, found
