"""The IDX reader on all kinds of false and damaged files."""

import gzip
import math
import os
import struct
import threading
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.data.idx import read_idx
from backproplab.errors import DataError


def gzipped(data: bytes) -> bytes:
    """Gzip without a time in it: the names of the tests are the same in every process."""
    return gzip.compress(data, mtime=0)


def idx(*sizes: int, magic: bytes = b"\0\0\x08", data: bytes | None = None) -> bytes:
    """A file of the given sizes, filled with 0, 1, 2 …, or with ``data``."""
    filling = bytes(i % 256 for i in range(math.prod(sizes))) if data is None else data
    return magic + bytes([len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + filling


GOOD = idx(4, 2, 3)
PACKED = gzipped(GOOD)
BOMB = gzipped(idx(1, 2, 3, data=bytes(30_000_000)))


@pytest.mark.parametrize("content", [GOOD, PACKED], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_plain_and_gzip_are_told_apart_by_content(tmp_path, content, name) -> None:
    (tmp_path / name).write_bytes(content)
    array = read_idx(tmp_path / name, 3)
    assert array.dtype == np.uint8
    assert np.array_equal(array, np.arange(24).reshape(4, 2, 3))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "too short for an IDX header"),
        (b"\0\0\x08", "too short for an IDX header"),
        (b"\0\0\x08\x03", "too short for an IDX header"),
        (GOOD[:15], "too short for an IDX header"),
        (idx(magic=b"\0\0\x08"), "starts with 00 00 08 00"),
        (idx(4, 2, 3, magic=b"\0\0\x07"), "starts with 00 00 07 03"),
        (idx(4, 2, 3, magic=b"\0\0\x0d"), "starts with 00 00 0d 03"),
        (idx(24), "starts with 00 00 08 01; an IDX file of bytes in 3 dimensions starts with"),
        (b"<!DOCTYPE html><html>", "starts with 3c 21 44 4f"),
        (idx(0, 28, 28), "holds no examples"),
        (idx(4, 0, 28), "holds no examples"),
        (GOOD[:-1], "declares 24 bytes of data, it has 23"),
        (GOOD + b"\0", "declares 24 bytes of data, it has more"),
        (GOOD[:16], "declares 24 bytes of data, it has 0"),
        (idx(2**32 - 1, 28, 28, data=b""), "declares 3367254359280 bytes of data, it has 0"),
        (idx(2**16, 2**24, 2**24, data=b""), "declares 18446744073709551616 bytes"),  # np.prod: 0
        (PACKED[:-1], "damaged gzip"),
        (PACKED[:-9], "damaged gzip"),
        (PACKED[:12], "damaged gzip"),
        (PACKED[:2], "damaged gzip"),
        (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "damaged gzip file: CRC check failed"),
        (PACKED[:14] + b"\xff\xff\xff" + PACKED[17:], "damaged gzip"),
        (PACKED + b"junk", "damaged gzip"),
        (PACKED + PACKED, "declares 24 bytes of data, it has more"),
        (gzipped(PACKED), "gzip within gzip"),
        (gzipped(GOOD[:-1]), "declares 24 bytes of data, it has 23"),
        (gzipped(b""), "too short for an IDX header"),
        (gzipped(idx(2**32 - 1, 28, 28, data=b"")), "of data, it has 0"),
        (BOMB, "declares 6 bytes of data, it has more"),
    ],
)  # fmt: skip
def test_a_lying_or_broken_file_is_named_and_explained(tmp_path, content, fault) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        read_idx(path, 3)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [BOMB, idx(2**32 - 1, 28, 28, data=b""), gzipped(idx(2**20, 28, 28, data=bytes(100)))],
    ids=["bomb", "header alone", "header and a little"],
)
def test_memory_follows_the_file_not_the_header(tmp_path, content) -> None:
    (tmp_path / "images").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError):
        read_idx(tmp_path / "images", 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One for all examples of a property."""
    return tmp_path_factory.mktemp("idx")


@given(tail=st.binary(max_size=64), headed=st.booleans(), packed=st.booleans())
def test_any_bytes_give_an_array_or_a_data_error(folder, tail, headed, packed) -> None:
    content = (b"\0\0\x08\x01\0\0\0\x08" if headed else b"") + tail
    path = folder / "any"
    path.write_bytes(gzipped(content) if packed else content)
    with suppress(DataError):
        assert read_idx(path, 1).nbytes == int.from_bytes(content[4:8]) == len(content) - 8


@given(bit=st.integers(0, len(PACKED) * 8 - 1))
def test_no_flipped_bit_of_a_gzip_file_gives_other_data(folder, bit) -> None:
    flipped = bytearray(PACKED)
    flipped[bit // 8] ^= 1 << bit % 8
    path = folder / "flipped"
    path.write_bytes(flipped)
    with suppress(DataError):  # a flip in the header's time or system goes unnoticed
        assert read_idx(path, 3).tobytes() == GOOD[16:]


@pytest.mark.parametrize(
    ("create", "fault"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "too many levels of symbolic links"),
    ],
    ids=["missing", "directory", "pipe", "device", "symlink loop"],
)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, create, fault) -> None:
    create(tmp_path / "images")
    with pytest.raises(DataError, match=fault):
        read_idx(tmp_path / "images", 3)


@pytest.mark.parametrize(("name", "fault"), [("x" * 300, "name too long"), ("a\0b", "null")])
def test_impossible_names(name, fault) -> None:
    with pytest.raises(DataError, match=fault):
        read_idx(Path(name), 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path) -> None:
    (tmp_path / "images").write_bytes(GOOD)
    (tmp_path / "images").chmod(0)
    with pytest.raises(DataError, match="cannot read: permission denied"):
        read_idx(tmp_path / "images", 3)


def test_a_file_that_changes_while_it_is_read(tmp_path) -> None:
    path, done = tmp_path / "images", threading.Event()
    path.write_bytes(gzipped(idx(10_000, 50, 50, data=bytes(25_000_000))))

    def touch() -> None:
        time = 0
        while not done.is_set():
            os.utime(path, ns=(time := time + 1_000_000, time))

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        with pytest.raises(DataError, match="changed while it was read"):
            read_idx(path, 3)
    finally:
        done.set()
        toucher.join()
