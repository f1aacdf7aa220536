"""What the event writer promises, read back with TensorBoard's own reader."""

from __future__ import annotations

import math
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.errors import MachineError
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.journal.distributions import BINS, distribution, distributions
from backproplab.journal.events import EventWriter, histogram

OPEN: list[EventWriter] = []


@pytest.fixture(autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().log.close()


def writer_in(path: Path, name: str = "") -> EventWriter:
    """Of a file in this folder: a new one, or the one of this name."""
    OPEN.append(EventWriter(DiskFolder(path.parent), path.name, name))
    return OPEN[-1]


def read(path: Path) -> EventAccumulator:
    """All that TensorBoard sees in a folder or a file; its reader checks every CRC."""
    everything = {"scalars": 0, "histograms": 0, "tensors": 0}
    return EventAccumulator(str(path), size_guidance=everything).Reload()


def points(path: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(path).Scalars(tag)]


# scalars


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_scalars_come_back_to_the_last_bit(values: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = writer_in(Path(folder))
        for step, value in enumerate(values):
            writer.scalars(step, {"epoch_loss": value, "negated": -value})
        back = points(Path(folder), "epoch_loss")
        assert [step for step, _ in back] == list(range(len(values)))
        np.testing.assert_array_equal([value for _, value in back], values)
        assert len(points(Path(folder), "negated")) == len(values)


def test_a_scalar_is_rounded_to_float32(tmp_path: Path) -> None:
    writer = writer_in(tmp_path)
    writer.scalars(0, {"python": 0.1, "numpy": np.float64(0.1), "too_large": 1e300})
    assert points(tmp_path, "python") == points(tmp_path, "numpy") == [(0, float(np.float32(0.1)))]
    assert points(tmp_path, "too_large") == [(0, math.inf)]


# the file


def test_what_is_written_can_be_read_before_close(tmp_path: Path) -> None:
    writer = writer_in(tmp_path / "deep" / "train")
    writer.scalars(0, {"epoch_loss": 1.0})
    assert points(tmp_path / "deep" / "train", "epoch_loss") == [(0, 1.0)]
    writer.log.sync()
    writer.scalars(1, {"epoch_loss": 0.5})
    writer.log.close()
    writer.log.close()
    assert points(tmp_path / "deep" / "train", "epoch_loss") == [(0, 1.0), (1, 0.5)]


def test_writers_of_one_second_and_folder_keep_all(tmp_path: Path) -> None:
    for index in range(16):
        writer_in(tmp_path).scalars(0, {f"writer_{index}": index})
    assert len(list(tmp_path.iterdir())) == 16
    assert set(read(tmp_path).Tags()["scalars"]) == {f"writer_{index}" for index in range(16)}


def test_a_resumed_run_is_read_after_the_first_whatever_the_clock(tmp_path: Path) -> None:
    """TensorBoard takes the files of a folder in the order of their names."""
    (tmp_path / "events.out.tfevents.9999999990.another-host.99999.0").touch()
    (tmp_path / "events.out.tfevents.of-another-tool").touch()
    numbers = [int(writer_in(tmp_path).name.split(".")[3]) for _ in range(2)]
    assert numbers == [9999999991, 9999999992]


def test_a_file_that_is_named_is_continued_and_reads_as_one(tmp_path: Path) -> None:
    """An open reader, too, sees every step once: the bytes that follow are those of one file."""
    first = writer_in(tmp_path)
    first.scalars(0, {"epoch_loss": 1.0})
    kept = first.log.length
    first.scalars(1, {"epoch_loss": 0.5})
    opened = read(tmp_path)
    again = writer_in(tmp_path, first.name)
    again.log.cut(kept)
    for step in (1, 2):
        again.scalars(step, {"epoch_loss": 0.5 / step})
    expected = [(0, 1.0), (1, 0.5), (2, 0.25)]
    assert points(tmp_path, "epoch_loss") == expected
    assert [(e.step, e.value) for e in opened.Reload().Scalars("epoch_loss")] == expected
    assert len(list(tmp_path.iterdir())) == 1


def test_a_series_is_its_scalars_at_once(tmp_path: Path) -> None:
    """Of tags that are known at steps of their own; a step that two of them share is one event."""
    series = {"loss": ([1, 2, 4], [0.5, 0.25, 0.125]), "norm": ([2, 4], [7, 8.0])}
    writer_in(tmp_path / "series").series(series)
    for tag, (steps, values) in series.items():
        read_back = points(tmp_path / "series", tag)
        assert read_back == list(zip(steps, values, strict=True))
    one_by_one = writer_in(tmp_path / "scalars")
    one_by_one.scalars(1, {"loss": 0.5})
    for step, loss, norm in ((2, 0.25, 7), (4, 0.125, 8)):
        one_by_one.scalars(step, {"loss": loss, "norm": norm})
    sizes = {
        path.stat().st_size
        for folder in ("series", "scalars")
        for path in (tmp_path / folder).iterdir()
    }
    assert len(sizes) == 1


def test_what_is_written_in_memory_is_what_would_be_on_the_disk(tmp_path: Path) -> None:
    memory = MemoryFolder()
    writer = EventWriter(memory, "train")
    writer.scalars(3, {"epoch_loss": 0.5})
    (name,) = memory.files
    (tmp_path / "train").mkdir()
    (tmp_path / name).write_bytes(memory.files[name])
    assert points(tmp_path / "train", "epoch_loss") == [(3, 0.5)]


KILLED = """
import os, signal, sys
from pathlib import Path
from backproplab.files import DiskFolder
from backproplab.journal.events import EventWriter

folder = Path(sys.argv[1])
writer = EventWriter(DiskFolder(folder.parent), folder.name)
for step in range(int(sys.argv[2])):
    writer.scalars(step, {"epoch_loss": step / 2})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 7, 500])
def test_a_kill_loses_nothing(tmp_path: Path, count: int) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(count)], check=False)
    assert child.returncode == -signal.SIGKILL
    assert points(tmp_path, "epoch_loss") == [(step, step / 2) for step in range(count)]


# the machine's limits


def fill(folder: Path) -> None:
    """Write until the machine refuses: what was taken is there, and no more is taken."""
    writer, taken = writer_in(folder), []

    def write() -> None:
        for step in range(10_000):
            writer.scalars(step, {"epoch_loss": 0.0})
            taken.append((step, 0.0))

    with pytest.raises(MachineError, match=f"^{re.escape(str(writer.log.path))}: cannot write: "):
        write()
    with pytest.raises(MachineError, match="closed after an error"):
        write()
    writer.log.close()
    assert 100 < len(taken) < 10_000
    assert points(folder, "epoch_loss") == taken


def test_a_full_disk_is_told_at_once(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("may not mount a disk of 64 kB")
    try:
        fill(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_file_size_limit_is_told_at_once(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        fill(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_deleted_folder_is_told_at_once(tmp_path: Path) -> None:
    writer = writer_in(tmp_path / "train")
    shutil.rmtree(tmp_path / "train")
    with pytest.raises(MachineError, match="deleted"):
        writer.scalars(0, {"epoch_loss": 0.0})
    assert not (tmp_path / "train").exists()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "train").touch()
    with pytest.raises(MachineError, match="train"):
        writer_in(tmp_path / "train")


# histograms

FLOATS = st.sampled_from([np.float32, np.float64])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20)


def test_histograms_come_back_as_written(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 100, 7)).astype(np.float32)
    writer = writer_in(tmp_path)
    writer.histograms(
        5, {"dense_1/kernel": distribution(kernel), "dense_1/bias": distribution(kernel[0, 0])}
    )
    events = read(tmp_path)
    assert events.Tags()["histograms"] == ["dense_1/kernel", "dense_1/bias"]
    assert events.Tags()["scalars"] == []
    (event,) = events.Histograms("dense_1/kernel")
    sent, back = histogram(distribution(kernel)), event.histogram_value
    assert event.step == 5
    assert (back.min, back.max, back.num) == (kernel.min(), kernel.max(), kernel.size)
    assert (back.sum, back.sum_squares) == (sent.sum, sent.sum_squares)
    assert back.bucket_limit == list(sent.bucket_limit)
    assert back.bucket == list(sent.bucket)


def test_nonfinite_values_are_left_out_and_counted(tmp_path: Path) -> None:
    writer = writer_in(tmp_path)
    writer.histograms(
        0,
        {
            n: distribution(np.array(v))
            for n, v in {"kernel": [1, np.nan, 3, -np.inf], "bias": [1.0, 1]}.items()
        },
    )
    assert read(tmp_path).Tags()["scalars"] == ["kernel/nonfinite"]
    assert points(tmp_path, "kernel/nonfinite") == [(0, 2)]
    assert read(tmp_path).Histograms("kernel")[0].histogram_value.num == 2


@pytest.mark.parametrize(
    "values", [np.zeros((0, 3)), np.full(4, np.nan), np.full(5, -2.5), np.float32(1e30)], ids=str
)
def test_tensorboard_shows_empty_and_constant_arrays(tmp_path: Path, values: np.ndarray) -> None:
    writer = writer_in(tmp_path)
    writer.histograms(0, {"bias": distribution(values)})
    finite = np.ravel(values)[np.isfinite(np.ravel(values))]
    (event,) = read(tmp_path).CompressedHistograms("bias")
    shown = {value for _, value in event.compressed_histogram_values}
    assert shown == (set(finite.tolist()) or {0.0})
    assert sum(distribution(values).counts) == finite.size


@settings(deadline=None)
@given(st.data(), FLOATS)
def test_histogram_of_any_floats(data: st.DataObject, dtype: type[np.floating]) -> None:
    """NaN, infinities, subnormal ranges, and ranges beyond the largest number."""
    values = data.draw(hnp.arrays(dtype, SHAPES))
    finite = values[np.isfinite(values)].astype(np.float64)
    result = histogram(distribution(values))
    assert sum(result.bucket) == result.num == finite.size
    if finite.size:
        assert (result.min, result.max) == (finite.min(), finite.max())
        assert result.bucket_limit[-1] == result.max
        edges = np.array([result.min, *result.bucket_limit])
        assert (edges[1:] >= edges[:-1]).all()


@settings(deadline=None)
@given(st.data(), FLOATS, st.integers(1, 100))
def test_histogram_agrees_with_numpy(
    data: st.DataObject, dtype: type[np.floating], bins: int
) -> None:
    """The counts up to each edge differ at most by the values that lie on it, to rounding."""
    elements = st.floats(-1000, 1000, width=32)
    values = data.draw(hnp.arrays(dtype, SHAPES, elements=elements)).astype(dtype)
    flat = values.astype(np.float64).ravel()
    result = histogram(distribution(values, bins))
    np.testing.assert_allclose(result.sum, flat.sum(), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(result.sum_squares, flat @ flat, rtol=1e-12)
    if len(set(flat)) > 1:
        counts, edges = np.histogram(flat, bins)
        np.testing.assert_allclose(result.bucket_limit, edges[1:], rtol=1e-12, atol=1e-12)
        near = np.abs(flat[:, None] - edges[1:]) <= 1e-6 * np.ptp(flat)
        difference = np.abs(np.cumsum(result.bucket) - np.cumsum(counts))
        assert (difference <= near.sum(axis=0)).all()


def test_histogram_of_many_values_agrees_with_numpy() -> None:
    """More than one chunk."""
    values = np.random.default_rng(0).normal(size=(4, 50_000))
    result = histogram(distribution(values))
    np.testing.assert_array_equal(result.bucket, np.histogram(values, BINS)[0])
    np.testing.assert_allclose(result.sum_squares, np.sum(values**2), rtol=1e-12)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8, np.float16])
def test_histogram_of_other_dtypes(dtype: type) -> None:
    values = np.arange(200).reshape(2, 100).astype(dtype)
    result = histogram(distribution(values, bins=10))
    np.testing.assert_array_equal(result.bucket, np.histogram(values.astype(float), 10)[0])
    assert result.sum == values.astype(float).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_histogram_of_the_whole_range_of_a_dtype(dtype: type[np.floating]) -> None:
    largest = np.finfo(dtype).max
    result = histogram(distribution(np.array([-largest, 0, largest], dtype), bins=3))
    assert list(result.bucket) == [1, 1, 1]
    assert (result.min, result.max) == (-float(largest), float(largest))


def test_the_rows_of_a_population_are_each_as_alone():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((6, 700)).astype(np.float32) * 10.0 ** np.arange(-3, 3)[:, None]
    rows[1] = 2.5
    rows[2, 3:5] = np.inf, -np.inf
    rows[3] *= np.float32(3e36)
    rows[4] = np.nan
    assert distributions([rows, rows])[1] == [distribution(row) for row in rows]
