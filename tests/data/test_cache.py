"""A cache may be missing, full, damaged or old: the data are the same."""

import gzip
import os
import resource
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.data.cache import SEAL, Entry
from backproplab.data.idx import WORTH_KEEPING, read_idx
from backproplab.files import cache_folder

SHAPE = (50, 200, 200)
assert np.prod(SHAPE) > WORTH_KEEPING


def content(start: int = 0, shape: tuple[int, ...] = SHAPE) -> tuple[bytes, np.ndarray]:
    """A packed IDX file and what it holds; all files of one shape are equally long."""
    array = np.tile(np.arange(start, start + 200, dtype=np.uint8), np.prod(shape) // 200)
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    return gzip.compress(header + array.tobytes(), 0, mtime=0), array.reshape(shape)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("BACKPROPLAB_CACHE", str(path))
    return path


@pytest.fixture
def images(tmp_path) -> Path:
    (tmp_path / "images").write_bytes(content()[0])
    return tmp_path / "images"


def traced(function: Callable[[], np.ndarray]) -> tuple[np.ndarray, int]:
    tracemalloc.start()
    array = function()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return array, peak


def is_mapped(images: Path) -> bool:
    """Whether the array is the right one and is mapped, so that it takes no memory."""
    array, peak = traced(lambda: read_idx(images, 3))
    assert np.array_equal(array, content()[1])
    assert array.dtype == np.uint8
    assert type(array) is np.ndarray
    return peak < array.nbytes / 10


def test_what_was_decoded_once_is_mapped(cache, images) -> None:
    assert not is_mapped(images)
    assert is_mapped(images)
    assert not read_idx(images, 3).flags.writeable


def test_an_entry_is_an_npy_file(cache, images) -> None:
    read_idx(images, 3)
    (entry,) = cache.iterdir()
    assert np.array_equal(np.load(entry), content()[1])


def test_links_to_a_file_share_its_entry(cache, images) -> None:
    read_idx(images, 3)
    link = images.with_name("link")
    link.symlink_to(images)
    assert is_mapped(link)
    assert len(list(cache.iterdir())) == 1


def rewrite(images: Path) -> None:
    images.write_bytes(content(7)[0])


def replace(images: Path) -> None:
    images.with_name("new").write_bytes(content(7)[0])
    images.with_name("new").replace(images)


@pytest.mark.parametrize("change", [rewrite, replace])
@pytest.mark.parametrize("times", ["new", "set back"])
def test_a_changed_file_is_read_again_and_replaces_its_entry(cache, images, change, times) -> None:
    read_idx(images, 3)
    before = images.stat()
    change(images)
    if times == "set back":
        os.utime(images, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert images.stat().st_size == before.st_size
    assert np.array_equal(read_idx(images, 3), content(7)[1])
    assert np.array_equal(read_idx(images, 3), content(7)[1])
    assert len(list(cache.iterdir())) == 1


def test_the_dimensions_that_are_asked_for_count(cache, images) -> None:
    read_idx(images, 3)
    with pytest.raises(Exception, match="in 2 dimensions"):
        read_idx(images, 2)


def test_small_and_plain_files_are_not_kept(cache, tmp_path) -> None:
    small, large = content(shape=(2, 200, 200))[0], gzip.decompress(content()[0])
    for file in (small, large):
        (tmp_path / "file").write_bytes(file)
        read_idx(tmp_path / "file", 3)
    assert not cache.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:1000] + b"\xff" + data[1001:],
        lambda data: data[-SEAL:],
        lambda data: b"PK\3\4" + data[4:],  # np.load would take it for a zip file
        lambda data: data[:20] + b"O" + data[21:],
        lambda data: bytes(len(data)),
    ],
    ids=[
        "empty",
        "header cut",
        "cut",
        "last byte",
        "longer",
        "flipped",
        "seal alone",
        "zip",
        "header",
        "zeros",
    ],
)
def test_a_damaged_entry_is_decoded_again_and_repaired(cache, images, damage) -> None:
    read_idx(images, 3)
    (entry,) = cache.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert not is_mapped(images)
    assert is_mapped(images)


@given(bit=st.integers(0, 8 * (128 + 24 + SEAL) - 1))
def test_no_flipped_bit_goes_unnoticed(bit) -> None:
    entry = Entry("flipped", (1, 2))
    entry.keep(np.arange(24, dtype=np.uint8))
    flipped = bytearray(entry.path.read_bytes())
    flipped[bit // 8] ^= 1 << bit % 8
    entry.path.write_bytes(flipped)
    assert entry.recall() is None


def test_an_entry_belongs_to_its_source_and_state() -> None:
    array = np.arange(6.0).reshape(2, 3)
    one = Entry("one", (1, 2))
    one.keep(array)
    assert np.array_equal(one.recall(), array)
    one.path.replace(Entry("two", (1, 2)).path)
    assert Entry("two", (1, 2)).recall() is None
    one.keep(array)
    assert Entry("one", (1, 3)).recall() is None


@pytest.mark.parametrize("obstacle", ["a file", "a folder", "/dev/null", "a loop", "too long"])
def test_no_obstacle_is_an_error(cache, images, obstacle, monkeypatch) -> None:
    if obstacle == "a file":
        cache.write_bytes(b"")
    elif obstacle == "a folder":
        read_idx(images, 3)
        (entry,) = cache.iterdir()
        entry.unlink()
        (entry / "full").mkdir(parents=True)
    elif obstacle == "a loop":
        cache.symlink_to(cache)
    else:
        monkeypatch.setenv("BACKPROPLAB_CACHE", {"too long": "x" * 5000}.get(obstacle, obstacle))
    assert not is_mapped(images)
    assert not is_mapped(images)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(cache, images) -> None:
    cache.mkdir(mode=0o500)
    assert not is_mapped(images)
    assert not list(cache.iterdir())


def test_a_disk_without_room_keeps_nothing(cache, images) -> None:
    """Simulated by a limit on file sizes: the write fails in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert not is_mapped(images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"BACKPROPLAB_CACHE": "/own", "XDG_CACHE_HOME": "/shared"}, "/own"),
        ({"BACKPROPLAB_CACHE": "~/own"}, "/home/me/own"),
        ({"BACKPROPLAB_CACHE": "", "XDG_CACHE_HOME": "/shared"}, "/shared/backproplab"),
        ({"XDG_CACHE_HOME": ""}, "/home/me/.cache/backproplab"),
        ({}, "/home/me/.cache/backproplab"),
    ],
)
def test_where_the_folder_is(monkeypatch, variables, expected) -> None:
    for name in ("BACKPROPLAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)
