"""What a checkpoint promises: it loads as it was saved, or says in one line that it cannot."""

from __future__ import annotations

import json
import pickle
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import numpy as safetensors
from safetensors import safe_open

from backproplab.errors import MachineError, RunError
from backproplab.files import DiskFolder
from backproplab.journal import checkpoint
from backproplab.journal.checkpoint import Checkpoint, encode, load
from backproplab.streams import stream

SMALL = Checkpoint(
    {"dense_1/kernel": np.array([[1.5, -2]], np.float32), "slot/count": np.array(7)},
    {"epoch": 3, "best": 0.25, "é": [None, True, "a"]},
)


def save(path: Path, content: Checkpoint) -> None:
    """As a journal does."""
    DiskFolder(path.parent).replace(path.name, encode(content))


def assert_same(a: Checkpoint, b: Checkpoint) -> None:
    assert a.state == b.state
    assert a.arrays.keys() == b.arrays.keys()
    for name, array in a.arrays.items():
        twin = b.arrays[name]
        assert (array.shape, array.dtype) == (twin.shape, twin.dtype)
        assert array.tobytes() == twin.tobytes()


def refused_or_same(path: Path, content: bytes) -> bool:
    """Write ``content``; True if it was refused in one line, False if it loads as SMALL."""
    path.write_bytes(content)
    try:
        loaded = load(path)
    except RunError as error:
        message = str(error)
    else:
        assert_same(loaded, SMALL)
        return False
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return True


ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z_0-9]{1,8}(/[a-z_é]{1,8})?", fullmatch=True),
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=4,
)
STATES = st.dictionaries(
    st.text(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=50)
@given(arrays=ARRAYS, state=STATES)
def test_round_trip(arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "last.safetensors")
        save(path, Checkpoint(arrays, state))
        assert_same(load(path), Checkpoint(arrays, state))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2, ::-1],
        np.broadcast_to(np.float32(3), (2, 3)),
        np.arange(6, dtype=">f8").reshape(2, 3),
    ],
    ids=["transposed", "strided population", "broadcast", "big-endian"],
)
def test_any_memory_layout_keeps_its_values(tmp_path: Path, array: np.ndarray) -> None:
    save(tmp_path / "c", Checkpoint({"x": array}, {}))
    np.testing.assert_array_equal(load(tmp_path / "c").arrays["x"], array)


def test_a_loaded_array_can_be_trained_in_place(tmp_path: Path) -> None:
    save(tmp_path / "c", SMALL)
    load(tmp_path / "c").arrays["dense_1/kernel"] += 1


def test_a_random_stream_continues_where_it_was(tmp_path: Path) -> None:
    generator = stream(42, "shuffle")
    generator.random(5)
    save(tmp_path / "c", Checkpoint({}, {"shuffle": generator.bit_generator.state}))
    expected = generator.random(5)
    resumed = stream(0, "shuffle")
    resumed.bit_generator.state = load(tmp_path / "c").state["shuffle"]
    np.testing.assert_array_equal(resumed.random(5), expected)


def test_same_checkpoint_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / name, SMALL)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_tools_can_read_the_arrays(tmp_path: Path) -> None:
    save(tmp_path / "c.safetensors", SMALL)
    with safe_open(tmp_path / "c.safetensors", framework="np") as file:
        assert set(file.keys()) == set(SMALL.arrays)


@pytest.mark.parametrize(
    "state",
    [
        {"best": float("nan")},
        {"best": float("inf")},
        {"shape": (2, 3)},
        {"epoch": {1: "a"}},
        {"rate": np.float32(0.1)},
        {"names": {"a"}},
    ],
    ids=repr,
)
def test_a_state_that_json_would_change_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="state"):
        save(tmp_path / "c", Checkpoint({}, state))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.array([1j])], ids=repr)
def test_an_array_that_cannot_be_stored_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="array"):
        save(tmp_path / "c", Checkpoint({"x": array}, {}))
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / "c", SMALL)
    whole = (tmp_path / "c").read_bytes()
    refused = 0
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        refused += refused_or_same(tmp_path / "c", bytes(flipped))
    assert refused >= 8 * len(whole) - 2  # "\u00e9" and "\u00E9" are one letter


def test_every_cut_and_any_tail_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "c", SMALL)
    whole = (tmp_path / "c").read_bytes()
    assert all(refused_or_same(tmp_path / "c", whole[:end]) for end in range(len(whole)))
    assert refused_or_same(tmp_path / "c", whole + b"\0")


def test_arrays_of_another_checkpoint_are_refused(tmp_path: Path) -> None:
    """Head and body of two checkpoints of one run fit each other in every size."""
    save(tmp_path / "a", SMALL)
    other = {**SMALL.arrays, "slot/count": np.array(8)}
    save(tmp_path / "b", Checkpoint(other, SMALL.state))
    a, b = (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()
    body = 8 + int.from_bytes(a[:8], "little")
    assert refused_or_same(tmp_path / "c", a[:body] + b[body:])


FOREIGN = {
    "empty": b"",
    "text": b"epoch: 3\n" * 20,
    "pickle": pickle.dumps({"epoch": 3}),
    "zeros": bytes(512),
    "deep JSON": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "safetensors": safetensors.save({"x": np.zeros(3)}),
    "safetensors of another tool": safetensors.save({"x": np.zeros(3)}, {"format": "pt"}),
    "our key, not our record": safetensors.save({}, {checkpoint.KEY: "[1]"}),
    "our record, unfinished": safetensors.save({}, {checkpoint.KEY: '{"format": 1}'}),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert refused_or_same(tmp_path / "c", content)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    record = json.dumps({"format": checkpoint.FORMAT + 1, "state": "in a way not yet known"})
    (tmp_path / "c").write_bytes(safetensors.save({}, {checkpoint.KEY: record}))
    with pytest.raises(
        RunError, match=f"format {checkpoint.FORMAT + 1}.*reads {checkpoint.FORMAT}"
    ):
        load(tmp_path / "c")


@pytest.mark.parametrize(("name", "cause"), [("absent", "no such file"), (".", "is a directory")])
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, name: str, cause: str) -> None:
    with pytest.raises(RunError, match=f"^{re.escape(str(tmp_path / name))}: .*{cause}"):
        load(tmp_path / name)


def test_what_cannot_be_written_is_the_machines_limit(tmp_path: Path) -> None:
    (tmp_path / "absent").touch()
    with pytest.raises(MachineError):
        save(tmp_path / "absent" / "c", SMALL)


def test_arrays_of_version_0_1_can_be_loaded(tmp_path: Path) -> None:
    """Their digest is made the same way; only what the state means has changed."""
    text = json.dumps(SMALL.state)
    record = {"format": 1, "sha256": checkpoint._digest(SMALL.arrays, text), "state": SMALL.state}
    content = safetensors.save(dict(SMALL.arrays), {checkpoint.KEY: json.dumps(record)})
    (tmp_path / "c").write_bytes(content)
    assert_same(load(tmp_path / "c"), SMALL)
    assert load(tmp_path / "c").format == 1


KILLED_SAVE = """
import os, signal, sys
from pathlib import Path
import numpy as np
from backproplab.files import DiskFolder
from backproplab.journal.checkpoint import Checkpoint, encode

def save(path, content):
    DiskFolder(path.parent).replace(path.name, encode(content))

path, moment = Path(sys.argv[1]), sys.argv[2]

def kill(event, arguments):
    if event == moment and str(path.parent) in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

save(path, Checkpoint({"x": np.zeros(3)}, {"epoch": 1}))
sys.addaudithook(kill)
save(path, Checkpoint({"x": np.ones(3)}, {"epoch": 2}))
"""


@pytest.mark.parametrize("moment", ["open", "os.rename"])
def test_a_kill_during_save_leaves_the_old_checkpoint(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "last.safetensors"
    child = subprocess.run([sys.executable, "-c", KILLED_SAVE, path, moment], check=False)
    assert child.returncode == -signal.SIGKILL
    assert_same(load(path), Checkpoint({"x": np.zeros(3)}, {"epoch": 1}))
