"""Cleaning: whatever the log root contains, ``precious/`` does not change."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backproplab.errors import ConfigError, RefusedError
from backproplab.runs import clean, create_session, open_log_root, plan_cleaning
from backproplab.runs.cleaning import CleaningOutcome, CleaningPlan

Make = Callable[[], Path]
CLEAN = """
import sys
from backproplab.runs import clean, plan_cleaning
plan = plan_cleaning(sys.argv[1])
print([left.reason for left in plan.foreign], len(clean(plan).deleted))
"""
MOUNT = 'mount --bind "$0" "$1" && exec "$2" -c "$3" "$4"'
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode
    == 0
)


@pytest.fixture
def precious(tmp_path: Path) -> Iterator[Path]:
    """A directory that no test may change."""
    folder = tmp_path / "precious"
    (folder / "inner").mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    (folder / "inner" / "data.csv").write_text("1,2,3")
    before = _digest(folder)
    yield folder
    assert _digest(folder) == before


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {path.read_bytes()!r}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def _reasons(plan: CleaningPlan) -> dict[str, str]:
    return {left.name: left.reason for left in plan.foreign}


def test_a_clean_leaves_an_empty_directory(root: Path, new_session: Make) -> None:
    sessions = [new_session() for _ in range(3)]
    plan = plan_cleaning(root)
    assert [item.name for item in plan.sessions] == [path.name for path in reversed(sessions)]
    assert _names(root) == {".backproplab", *(path.name for path in sessions)}
    outcome = clean(plan)
    assert outcome == CleaningOutcome(deleted=plan.sessions, cleared=True)
    assert _names(root) == set()
    assert root.is_dir()


def test_the_plan_counts_runs_and_bytes_but_not_behind_links(
    root: Path, new_session: Make, precious: Path
) -> None:
    session = new_session()
    before = plan_cleaning(root).sessions[0]
    shutil.copytree(session / "exp1", session / "exp2")
    (session / "exp2" / "metrics.csv").write_bytes(b"x" * 1000)
    (session / "exp2" / "link").symlink_to(precious / "thesis.tex")
    (session / "exp2" / "folder").symlink_to(precious)
    (item,) = plan_cleaning(root).sessions
    assert item.runs == before.runs + 1
    assert item.size == before.size + 1000 + (session / "exp2" / "run.json").stat().st_size
    assert item.kept == ("exp2/folder", "exp2/link")


def test_the_newest_are_kept(root: Path, new_session: Make) -> None:
    names = [new_session().name for _ in range(12)]  # -10 is newer than -9
    plan = plan_cleaning(root, keep=2)
    assert [item.name for item in plan.kept] == names[:-3:-1]
    outcome = clean(plan)
    assert len(outcome.deleted) == 10
    assert not outcome.cleared
    assert _names(root) == {".backproplab", *names[-2:]}


def test_a_negative_keep_is_an_error(root: Path) -> None:
    with pytest.raises(ConfigError, match="keep must be 0 or more, not -1"):
        plan_cleaning(root, keep=-1)


def test_nothing_there_is_nothing_to_do(tmp_path: Path) -> None:
    plan = plan_cleaning(tmp_path / "missing")
    assert plan == CleaningPlan(tmp_path / "missing")
    assert clean(plan) == CleaningOutcome()


def test_a_session_in_use_stays(
    root: Path, new_session: Make, holding: Callable[[Path], Any]
) -> None:
    idle, used = new_session(), new_session()
    with holding(used):
        plan = plan_cleaning(root)
        assert [item.name for item in plan.active] == [used.name]
        clean(plan)
        assert _names(root) == {".backproplab", used.name}
    assert not idle.exists()


def test_a_session_taken_into_use_after_the_plan_stays(
    root: Path, new_session: Make, holding: Callable[[Path], Any]
) -> None:
    session = new_session()
    plan = plan_cleaning(root)
    with holding(session):
        outcome = clean(plan)
    assert [left.reason for left in outcome.left] == ["in use"]
    assert (session / "exp1" / "run.json").exists()


def test_what_is_not_ours_stays(root: Path, new_session: Make, precious: Path) -> None:
    session = new_session()
    shutil.copytree(session, root / "20190101-000000")
    (root / "20190101-000001").symlink_to(precious)
    (root / "20190101-000002").mkdir()
    (root / "README.md").touch()
    (root / "20190101-000003").mkdir()
    (root / "20190101-000003" / ".backproplab").symlink_to(session / ".backproplab")
    (root / "20190101-000004").mkdir()
    os.mkfifo(root / "20190101-000004" / ".backproplab")
    renamed = new_session().rename(root / "best")
    stays = _names(root) - {session.name, ".backproplab"}
    plan = plan_cleaning(root)
    no_marker = "not our session: it has no valid marker"
    assert _reasons(plan) == {
        "20190101-000000": "a copy: its marker was made for another directory",
        "20190101-000001": "a symbolic link",
        "20190101-000002": no_marker,
        "20190101-000003": no_marker,
        "20190101-000004": no_marker,
        "README.md": "not a directory",
        "best": f"renamed: its marker was made for {session.name}-1",
    }
    assert not clean(plan).cleared
    assert _names(root) == {".backproplab", *stays}
    assert (renamed / "exp1" / "run.json").exists()
    assert (root / "20190101-000000" / "exp1" / "run.json").exists()


def test_a_copied_root_is_not_ours(root: Path, new_session: Make, tmp_path: Path) -> None:
    session = new_session()
    subprocess.run(["cp", "-a", root, tmp_path / "copy"], check=True)
    assert "copy" in _reasons(plan_cleaning(tmp_path / "copy"))[session.name]
    assert clean(plan_cleaning(tmp_path / "copy")).deleted == ()
    assert (tmp_path / "copy" / session.name / "exp1" / "run.json").exists()


def test_a_marker_of_another_name_is_no_licence(root: Path) -> None:
    folder = root / "thesis"
    folder.mkdir()
    marker = {"tool": "backproplab", "directory": "thesis", "inode": folder.stat().st_ino}
    (folder / ".backproplab").write_text(json.dumps(marker))
    assert list(_reasons(plan_cleaning(root))) == ["thesis"]


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


FOREIGN = {  # what a user may keep in a session, and how it gets there
    "notes.md": Path.touch,
    "exp1/notes.md": Path.touch,
    "exp1/plots": Path.mkdir,
    "exp1/checkpoints/mine.safetensors": Path.touch,
    "exp1/train/notes": Path.touch,
    "exp1/metrics.csv": Path.mkdir,
    "exp1/config.yaml.bak": Path.touch,
    "exp1/validation": os.mkfifo,
    "exp1/link": lambda path: path.symlink_to("run.json"),
    "exp1/checkpoints/last.safetensors": lambda path: path.symlink_to("nowhere"),
    "mine/metrics.csv": Path.touch,
    "results.csv": _folder,
    ".hparams/notes": Path.touch,
    "exp1/.notes.12345678.tmp": Path.touch,
    ".git": _folder,
    "new\nline": Path.touch,
    "bad\udcff\udcfe": Path.touch,
    "exp1/-rf": Path.touch,
    " ": Path.touch,
    "x" * 255: _folder,
}


@pytest.mark.parametrize("name", FOREIGN, ids=ascii)
def test_what_the_user_keeps_in_a_session_stays(root: Path, new_session: Make, name: str) -> None:
    session = new_session()
    (session / name).parent.mkdir(parents=True, exist_ok=True)
    FOREIGN[name](session / name)
    first = name if (session / name).parent.name != "mine" else "mine"
    plan = plan_cleaning(root)
    assert plan.sessions[0].kept == (first,)
    outcome = clean(plan)
    assert outcome.deleted == plan.sessions
    assert outcome.kept == (f"{session.name}/{first}",)
    above = {str(path) for path in Path(name).parents} - {"."}
    found = {str(path.relative_to(session)) for path in session.rglob("*")}
    assert found - {f"{name}/file"} == {name, *above}
    assert plan_cleaning(root).doomed == ()


def test_links_in_a_session_stay_and_so_do_their_targets(
    root: Path, new_session: Make, precious: Path
) -> None:
    session = new_session()
    links = [session / "link", session / "exp1" / "train", session / "exp1" / "metrics.csv"]
    for link, target in zip(links, ("", "inner", "thesis.tex"), strict=True):
        link.symlink_to(precious / target)
    (session / "exp1" / "config.yaml").hardlink_to(precious / "thesis.tex")
    clean(plan_cleaning(root))
    assert {path for path in session.rglob("*") if not path.is_dir() or path.is_symlink()} == {
        *links
    }


def test_all_that_runs_and_sweeps_write_is_ours(root: Path, new_session: Make) -> None:
    session = new_session()
    names = [
        *(
            "sweep.json",
            "results.csv",
            "study.db",
            "study.db-wal",
            "study.db-shm",
            "study.db-journal",
        ),
        *(".hparams/success/lr-1/events.out.tfevents.1", ".sweep.json.0123abcd.tmp"),
        *(
            ".partial-hparams/unknown/lr-1/events.out.tfevents.1",
            ".partial-r/checkpoints/best-1.safetensors",
        ),
        *(".before-r/train/events.out.tfevents.1.vm.2", ".r.new/config.yaml", ".r.new/run.json"),
        *(
            "exp1/config.yaml",
            "exp1/metrics.csv",
            "exp1/traceback.txt",
            "exp1/imported-0123456789ab.py",
            "exp1/.run.json.0123abcd.tmp",
        ),
        *("exp1/checkpoints/last.safetensors", "exp1/checkpoints/previous.safetensors"),
        *(
            "exp1/checkpoints/best-12.safetensors",
            "exp1/checkpoints/.last.safetensors.0123abcd.tmp",
        ),
        *("exp1/train/events.out.tfevents.1.vm.2", "exp1/validation/events.out.tfevents.1.vm.2"),
    ]
    for name in names:
        (session / name).parent.mkdir(parents=True, exist_ok=True)
        (session / name).touch()
    assert plan_cleaning(root).sessions[0].kept == ()
    assert clean(plan_cleaning(root)).cleared


def test_runs_whose_record_is_gone_are_known_by_marker_and_sweep(root: Path) -> None:
    session = create_session(root, {"exp1": "train"})
    (session / "sweep.json").write_text(json.dumps({"trials": [{"number": 0, "runs": ["r"]}]}))
    for name in ("exp1", "r", "other"):
        (session / name).mkdir()
        (session / name / "metrics.csv").touch()
    assert clean(plan_cleaning(root)).kept == (f"{session.name}/other",)


def test_odd_names_in_the_root_stay(root: Path, new_session: Make) -> None:
    new_session()
    os.mkdir(os.fsencode(root) + b"/20190101-000000\n")  # noqa: PTH102
    os.mkdir(os.fsencode(root) + b"/\xff")  # noqa: PTH102
    assert len(clean(plan_cleaning(root)).deleted) == 1
    assert _names(root) == {".backproplab", "20190101-000000\n", "\udcff"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_another_users_session_stays(root: Path, new_session: Make) -> None:
    session = new_session()
    os.chown(session, 65534, 65534)
    assert _reasons(plan_cleaning(root)) == {session.name: "belongs to another user"}


@pytest.mark.skipif(not CAN_MOUNT, reason="needs unshare and mount")
@pytest.mark.parametrize("place", [".", "exp1", "exp1/with space"])
def test_what_is_mounted_in_a_session_stays(
    root: Path, new_session: Make, precious: Path, place: str
) -> None:
    session = new_session()
    marker = (session / ".backproplab").read_text()
    target = session / place
    target.mkdir(exist_ok=True)
    arguments = [precious, target, sys.executable, CLEAN, root]
    command = ["unshare", "-Urm", "sh", "-c", MOUNT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['another file system is mounted in it'] 0\n"
    assert (session / ".backproplab").read_text() == marker


@pytest.mark.parametrize("suffix", ["", "/", "/."])
def test_a_root_that_is_a_link_is_refused(
    root: Path, new_session: Make, tmp_path: Path, suffix: str
) -> None:
    session = new_session()
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(RefusedError, match="link is a symbolic link"):
        plan_cleaning(f"{tmp_path}/link{suffix}")
    assert session.exists()


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(RefusedError, match="is a symbolic link"):
        plan_cleaning(tmp_path / "link")


@pytest.mark.parametrize("root", ["", "/", "//", "~", ".", "..", "/tmp/..", "./", "a\0b"])
def test_places_that_hold_more_than_runs_are_refused(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    with pytest.raises(RefusedError, match="refused: ") as caught:
        plan_cleaning(os.path.expanduser(root))  # noqa: PTH111
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("of", ["home", "above", "system's home", "cwd", "git", "git file"])
def test_a_marker_does_not_make_them_log_roots(
    root: Path, new_session: Make, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = new_session()
    if of in ("home", "above"):
        monkeypatch.setenv("HOME", str(root if of == "home" else root / "me"))
        (root / "me").mkdir()
    elif of == "system's home":
        monkeypatch.setenv("HOME", "/nowhere")
        monkeypatch.setattr("pwd.getpwuid", lambda _: type("Entry", (), {"pw_dir": str(root)}))
    elif of == "cwd":
        monkeypatch.chdir(session)
    else:
        (root / ".git").mkdir() if of == "git" else (root / ".git").touch()
    with pytest.raises(RefusedError, match="refused: "):
        plan_cleaning(root)
    assert session.exists()


def test_the_same_is_refused_between_plan_and_deed(
    root: Path, new_session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = new_session()
    plan = plan_cleaning(root)
    monkeypatch.chdir(root)
    with pytest.raises(RefusedError, match="is or contains the current directory"):
        clean(plan)
    assert session.exists()


def test_one_session_is_no_log_root(root: Path, new_session: Make) -> None:
    session = new_session()
    with pytest.raises(RefusedError, match=f"is a session — give its log root, {root}"):
        plan_cleaning(session)


def test_a_file_is_no_log_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RefusedError, match="not a directory"):
        plan_cleaning(tmp_path / "file")


def test_a_root_found_through_its_parents_links_is_cleaned(
    root: Path, new_session: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_session()
    (tmp_path / "home").symlink_to(tmp_path)
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert plan_cleaning("x/../home/runs/").root == root
    assert clean(plan_cleaning("x/../home/runs/")).cleared


def test_what_has_changed_since_the_plan_is_left(
    root: Path, new_session: Make, precious: Path
) -> None:
    gone, replaced, linked = new_session(), new_session(), new_session()
    plan = plan_cleaning(root)
    shutil.rmtree(gone)
    replaced.rename(root / "elsewhere")
    replaced.mkdir()
    linked.rename(root / "elsewhere2")
    linked.symlink_to(precious)
    outcome = clean(plan)
    assert {left.name: left.reason for left in outcome.left} == {
        gone.name: "gone already",
        replaced.name: "another directory has its name now",
        linked.name: "cannot be deleted: not a directory",
    }
    assert outcome.deleted == ()


def test_a_session_swapped_for_a_link_at_any_moment(
    root: Path, new_session: Make, precious: Path
) -> None:
    for _ in range(30):
        session = new_session()
        plan, ended = plan_cleaning(root), threading.Event()
        swapping = threading.Thread(target=_swap, args=(session, precious, ended))
        swapping.start()
        clean(plan)
        ended.set()
        swapping.join()


def _swap(session: Path, precious: Path, ended: threading.Event) -> None:
    """Put a link to ``precious`` in the session's place and the session back, again and again."""
    aside = session.with_name("aside")
    while not ended.is_set():
        try:
            session.rename(aside)
            session.symlink_to(precious)
            session.unlink()
            aside.rename(session)
        except OSError:  # the clean was quicker
            return


def test_a_session_swapped_just_before_its_rename(
    root: Path, new_session: Make, precious: Path
) -> None:
    session = new_session()
    plan = plan_cleaning(root)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _swap_at_rename(session, precious)
        os.write(writing, clean(plan).left[0].reason.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading) as said:  # noqa: PTH123
        assert said.read() == "cannot be deleted: it was replaced meanwhile"
    assert session.is_symlink()
    assert (root / "aside" / "exp1" / "run.json").exists()


def _swap_at_rename(session: Path, precious: Path) -> None:
    """Do in this process, at the last moment, what another process could."""
    done: list[str] = []

    def swap(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and not done:
            done.append(event)
            session.rename(session.with_name("aside"))
            session.symlink_to(precious)

    sys.addaudithook(swap)


def test_a_clean_killed_at_any_step_is_finished_by_the_next(
    root: Path, new_session: Make, precious: Path
) -> None:
    for step in range(1, 100):
        open_log_root(root)
        for _ in range(2):
            session = new_session()
        (session / "link").symlink_to(precious)
        child = os.fork()
        if not child:
            _die_at(step)
            clean(plan_cleaning(root))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert {left.name for left in plan_cleaning(root).foreign} <= {session.name}
        outcome = clean(plan_cleaning(root))
        assert outcome.left == ()
        assert [path.name for path in session.iterdir()] == ["link"]
        (session / "link").unlink()
        session.rmdir()
        assert _names(root) <= {".backproplab"}
        if code == 0:
            break
    assert step > 10


def _die_at(step: int) -> None:
    """End this process at its ``step``-th change of a directory."""
    left = [step]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove", "os.rmdir"):
            left[0] -= 1
            if not left[0]:
                os._exit(9)

    sys.addaudithook(count)


@pytest.mark.parametrize("content", ["empty", "full", "copied"])
def test_trash_of_others_stays(root: Path, new_session: Make, content: str) -> None:
    trash = root / f".trash-{'0' * 32}"
    if content == "copied":
        shutil.copytree(new_session(), trash)
    else:
        trash.mkdir()
    if content == "full":
        (trash / "thesis.tex").touch()
    clean(plan_cleaning(root))
    assert trash.exists() == (content != "empty")


def test_trash_that_another_clean_empties_is_left_to_it(
    root: Path, new_session: Make, holding: Callable[[Path], Any]
) -> None:
    session = new_session()
    with holding(session):
        trash = session.rename(root / f".trash-{'0' * 32}")
        outcome = clean(plan_cleaning(root))
        assert [left.reason for left in outcome.left] == ["in use"]
        assert (trash / "exp1" / "run.json").exists()
    assert clean(plan_cleaning(root)).cleared


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_what_cannot_be_deleted_gets_its_name_back_and_is_finished_later(
    root: Path, new_session: Make, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    session = new_session()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, _denied)
        outcome = clean(plan_cleaning(root))
    (left,) = outcome.left
    assert (left.name, left.failed) == (session.name, True)
    assert left.reason.startswith("cannot be deleted: ")
    assert _names(root) >= {".backproplab", session.name}
    assert not outcome.cleared
    clean(plan_cleaning(root))
    assert _names(root) <= {".backproplab"}


def _denied(*_: Any, **__: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_root_of_its_own_files_only_is_cleared(root: Path) -> None:
    (root / ".backproplab-tensorboard.json").write_text("{}")
    (root / ".backproplab-tensorboard.log").touch()
    assert clean(plan_cleaning(root)).cleared
    assert _names(root) == set()


def test_a_directory_with_the_name_of_an_own_file_is_not_one(root: Path) -> None:
    (root / ".backproplab-tensorboard.log").mkdir()
    assert list(_reasons(plan_cleaning(root))) == [".backproplab-tensorboard.log"]
    assert not clean(plan_cleaning(root)).cleared


def test_a_new_session_after_the_plan_stays(root: Path, new_session: Make) -> None:
    new_session()
    plan = plan_cleaning(root)
    later = create_session(root)
    assert not clean(plan).cleared
    assert _names(root) == {".backproplab", later.name}
