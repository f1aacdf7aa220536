"""What a run has left, in a form in which two runs of one config are equal. Not a test.

What may differ is left out: the run's random id, times, pids and host names.
"""

import json
import re

import numpy as np
from tensorboardX.proto.event_pb2 import Event

from backproplab.files.atomic import TEMPORARY
from backproplab.journal import load

RECORDED = ("status", "stop_reason", "epochs", "steps", "examples", "restored_epoch", "metrics", "best", "monitor", "parameters", "hashes")  # fmt: skip
STAMP = re.compile(r"events\.out\.tfevents\..*")


def remains(folder, sizes=True, signs=True):
    """Everything a finished run has left.

    sizes: of its event files; slices begin new ones.  signs: of zeros and NaN as well, in which a
    crew may differ from a run alone (-0.0 in a slot of L-BFGS, the gradient after a divergence).
    """
    record = json.loads((folder / "run.json").read_text())
    found = {
        "record": {key: record[key] for key in RECORDED},
        "metrics": (folder / "metrics.csv").read_bytes(),
        "trajectory": [file.read_bytes() for file in folder.glob("trajectory.bin")],
        "events": {split: events(folder / split) for split in splits(folder)},
        "best": {name: content(folder / name, signs) for name in named(folder)},
        "last": content(folder / "checkpoints/last.safetensors", signs),
    }
    if sizes:
        found["sizes"] = {s: [f.stat().st_size for f in files(folder / s)] for s in splits(folder)}
    return found


def named(folder, checkpoint="last"):
    """The files that belong to a checkpoint: best weights, if there are any."""
    return sorted(load(folder / f"checkpoints/{checkpoint}.safetensors").state["sha256"])


def splits(folder):
    return [split for split in ("train", "validation") if (folder / split).exists()]


def files(folder):
    """The event files that grow; not what a run says of itself, which holds times."""
    return sorted(folder.glob("events.out.tfevents.[1-9]*"))


def content(file, signs=True):
    """The arrays' bytes and the position in a checkpoint, which is read as our own reader does."""
    checkpoint, arrays = load(file), {}
    for name, array in checkpoint.arrays.items():
        if not signs and array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.nan, array + 0.0)  # noqa: PLW2901
        arrays[name] = array.dtype.str, array.shape, array.tobytes()
    return arrays, checkpoint.state.get("position")


def events(folder):
    """Every event of a folder in order, as bytes without its wall time."""
    found = []
    for file in files(folder):
        data = file.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            assert len(data) >= length + 16, f"{file}: torn"
            event = Event.FromString(data[12 : 12 + length])
            event.wall_time = 0.0
            if not event.file_version:  # one a file, and slices begin new files
                found.append(event.SerializeToString())
            data = data[length + 16 :]
    return found


def steps(folder):
    """The steps at which TensorBoard shows each tag."""
    found = {}
    for data in events(folder):
        event = Event.FromString(data)
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
    return found


def check_tidy(folder):
    """No temporary file, no step twice, and the checkpoints that something names, no others."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in names if TEMPORARY.fullmatch(name.rpartition("/")[2])]
    assert not list(folder.parent.glob(".*.new"))
    below = {name for name in names if name.startswith("checkpoints/")}
    there = [c for c in ("last", "previous") if f"checkpoints/{c}.safetensors" in below]
    kept = {f"checkpoints/{c}.safetensors" for c in there}
    assert "last" in there
    assert below == kept.union(*(named(folder, c) for c in there))
    for split in splits(folder):
        for tag, seen in steps(folder / split).items():
            assert seen == sorted(set(seen)), tag
    expected = {"config.yaml", "run.json", "preparation.json", "metrics.csv", "trajectory.bin"}
    others = set(names) - below - expected
    assert all(STAMP.fullmatch(name.rpartition("/")[2]) for name in others), others
    rows = [line.split(",")[::2] for line in (folder / "metrics.csv").read_text().splitlines()]
    assert len({(epoch, split) for epoch, split, *_ in rows}) == len(rows)


def differences(one, other):
    """Where two runs differ, by the kind of what is left; empty if they are equal."""
    return [key for key in one if one[key] != other[key]]
