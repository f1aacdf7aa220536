"""Broken files of every kind, through the command: each has its message and exit code 4, takes no memory, and leaves
nothing behind. CSV, NPZ and IDX have their tables of damages beside the readers; those of Parquet and images are here."""

import io
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.test_idx import BOMB, GOOD, PACKED, gzipped, idx
from tests.data.test_image_folder import folder, picture
from tests.data.test_npz import DAMAGE as NPZ
from tests.data.test_npz import flipped
from tests.tables.frames import frame
from tests.tables.test_damage import DAMAGE as CSV

MIB = 2**20


def parquet(change):
    """The content of a Parquet file of 60 rows, changed."""
    import pandas

    file, columns = io.BytesIO(), ("real", "text", "label")
    pandas.DataFrame({name: frame()[name][1] for name in columns}).to_parquet(file)
    return change(file.getvalue())


def arrow(make, **settings):
    """The content of a Parquet file with the table that ``make(pyarrow)`` gives."""
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(make(pyarrow), file, **settings)
    return file.getvalue()


def footer(content):
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


# what is in f.parquet, and what the message says
PARQUET = {
    "empty": (lambda: b"", "is empty"),
    "cut": (lambda: parquet(lambda c: c[:-40]), "damaged: its end is missing"),
    "its beginning alone": (lambda: b"PAR1", "damaged: its end is missing"),
    "cut in the middle": (lambda: parquet(lambda c: c[:200] + c[footer(c):]), "damaged: "),
    "no description": (lambda: b"PAR1" + bytes(80) + b"PAR1", "damaged: "),
    "a description of noise": (lambda: parquet(lambda c: c[: footer(c)] + bytes(range(256)) + struct.pack("<I", 256) + b"PAR1"), "damaged: "),
    "a description longer than the file": (lambda: parquet(lambda c: c[:-8] + b"\xff\xff\xff\x7fPAR1"), "damaged: "),
    "a byte changed, of a file with checksums": (
        lambda: flipped(arrow(lambda pa: pa.table({"x": np.arange(90.0), "label": ["a", "b"] * 45}), write_page_checksum=True, compression="none"), 120),
        "damaged: could not verify page integrity, CRC checksum verification failed",
    ),
    "CSV": (lambda: b"a,b\n1,2\n", "the content is something else, not Parquet"),
    "NPZ": (lambda: b"PK\x03\x04" + bytes(99), "the content is a ZIP archive"),
    "a pickle": (lambda: b"\x80\x04\x95" + bytes(99), "a Python pickle, which is never loaded"),
    "no rows": (lambda: arrow(lambda pa: pa.table({"x": pa.array([], "double"), "label": pa.array([], "string")})), "holds no rows"),
    "no columns": (lambda: arrow(lambda pa: pa.table({})), "has no columns"),
    "a name twice": (lambda: arrow(lambda pa: pa.Table.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"])), "several columns are named 'a'"),
    "too many columns": (lambda: arrow(lambda pa: pa.table({f"c{i}": [1] for i in range(20_001)})), "20,001 columns; at most 20,000"),
    "a bomb of rows": (lambda: arrow(lambda pa: pa.table({n: pa.array(np.zeros(3_000_000, np.int8)) for n in "xyz"})), "times; at most 200 are read"),
    "a bomb of texts": (lambda: arrow(lambda pa: pa.table({"x": ["a" * 100_000] * 1000}), use_dictionary=False, compression="zstd"), "times; at most 200 are read"),
    "a cell that never ends": (lambda: arrow(lambda pa: pa.table({"x": ["a" * 200_000, "b"], "label": ["a", "b"]})), "a cell of more than 131,072 letters"),
    "texts that are none": (lambda: arrow(lambda pa: pa.table({"x": pa.array([b"\xff\xfe", b"a"]).view("string"), "label": ["a", "b"]})), "damaged: "),
    "infinity": (lambda: arrow(lambda pa: pa.table({"x": [1.0, np.inf, 2.0, 3.0], "label": ["a", "b"] * 2})), "row 2: column 'x': inf is not a finite number"),
    "a missing target": (lambda: arrow(lambda pa: pa.table({"x": [1.0, 2.0, 3.0], "label": ["a", None, "b"]})), "row 2: column 'label': the target (by its name) is missing in 1 row"),
    "one class": (lambda: arrow(lambda pa: pa.table({"x": [1.0, 2.0], "label": ["a", "a"]})), "every row has the class 'a'"),
    "a target of lists": (lambda: arrow(lambda pa: pa.table({"x": [1.0, 2.0], "label": [[1], [2]]})), "column 'label': list is no number, text or date"),
    "nothing to learn from": (lambda: arrow(lambda pa: pa.table({"x": [[1], [2]], "label": ["a", "b"]})), "no column to learn from: x (list is no number"),
    "an encrypted one": (lambda: b"PARE" + bytes(99) + b"PARE", "not Parquet"),
}  # fmt: skip


def encoded(pixels=None, form="PNG", **settings):
    image = (
        pixels
        if isinstance(pixels, Image.Image)
        else Image.fromarray(picture() if pixels is None else pixels)
    )
    image.save(file := io.BytesIO(), form, **settings)
    return file.getvalue()


def png(width, height, data=b""):
    """A PNG whose header says what it likes."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


# what is in pets/dog/f.png, and what the message says
IMAGES = {
    "empty": (lambda: b"", "f.png: is empty"),
    "cut": (lambda: encoded(picture(shape=(60, 80, 3)))[:-2000], "f.png: damaged: "),
    "its beginning alone": (lambda: b"\x89PNG\r\n\x1a\n", "f.png: the content is no image"),
    "a JPEG that is cut": (lambda: encoded(picture(shape=(60, 80, 3)), "JPEG")[:900], "f.png: damaged: "),
    "a GIF that is cut": (lambda: encoded(picture(shape=(60, 80, 3)), "GIF")[:900], "f.png: damaged: "),
    "a web page": (lambda: b"<!doctype html><title>404</title>", "f.png: the content is no image"),
    "CSV": (lambda: b"a,b\n1,2\n", "f.png: the content is no image"),
    "a program of PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n", "f.png: the content is no image"),
    "noise after a header": (lambda: png(8, 6, bytes(range(90))), "f.png: damaged: "),
    "a checksum that is wrong": (lambda: encoded()[:45] + b"\xff" + encoded()[46:], "f.png: damaged: "),
    "a huge size": (lambda: png(60_000, 60_000), "f.png: more than 67,108,864 pixels"),
    "a size beyond the format": (lambda: png(2**31 - 1, 2**31 - 1), "f.png: more than 67,108,864 pixels"),
    "a bomb": (lambda: png(20_000, 20_000, zlib.compress(bytes(2**24))), "f.png: more than 67,108,864 pixels"),
    "another size": (lambda: encoded(picture(shape=(7, 8, 3))), "f.png: 7 × 8 pixels; cat/00.png has 6 × 8"),
    "pixels of 32 bits": (lambda: encoded(np.ones((6, 8), np.float32), "TIFF"), "f.png: its pixels have 32 bits"),
}  # fmt: skip

IDX = {
    "empty": (b"", "too short for an IDX header"),
    "cut": (GOOD[:-1], "declares 24 bytes of data, it has 23"),
    "more": (GOOD + b"\0", "declares 24 bytes of data, it has more"),
    "a huge header": (
        idx(2**32 - 1, 28, 28, data=b""),
        "declares 3367254359280 bytes of data, it has 0",
    ),
    "a damaged gzip": (PACKED[:-9], "damaged gzip"),
    "gzip within gzip": (gzipped(PACKED), "gzip within gzip"),
    "a bomb": (BOMB, "of data, it has more"),
    "CSV": (b"a,b\n1,2\n3,4\n5,6\n", "an IDX file of bytes in 3 dimensions starts with"),
}


def tree(place: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in place.rglob("*")}


def of_csv(place, name, write_images):
    content, _, message = CSV[name]
    (place / "f.csv").write_bytes(content)
    return "f.csv", message


def of_npz(place, name, write_images):
    content, message = NPZ[name]
    (place / "f.npz").write_bytes(content)
    return "f.npz", message


def of_parquet(place, name, write_images):
    content, message = PARQUET[name]
    (place / "f.parquet").write_bytes(content())
    return "f.parquet", message


def of_images(place, name, write_images):
    content, message = IMAGES[name]
    folder(place / "pets", each=3)
    (place / "pets" / "dog" / "f.png").write_bytes(content())
    return "pets/", message


def of_idx(place, name, write_images):
    content, message = IDX[name]
    write_images(place / "idx")
    (place / "idx" / "train-images-idx3-ubyte").write_bytes(content)
    return "{name: idx, path: idx}", message


PLAIN_CSV = [
    name for name, (_, settings, _) in CSV.items() if not settings and "million" not in name
]
KINDS = {of_csv: PLAIN_CSV, of_npz: NPZ, of_idx: IDX, of_parquet: PARQUET, of_images: IMAGES}
QUICK = {"a pickle", "cut", "a bomb", "a huge size"}  # of each kind, every time


def cases():
    for make, names in KINDS.items():
        for name in names:
            quick = name in QUICK and make is not of_parquet
            marks = () if quick else pytest.mark.slow
            yield pytest.param(make, name, marks=marks, id=f"{make.__name__[3:]}-{name}")


def test_there_are_forty() -> None:
    assert min(map(len, KINDS.values())) >= 8
    assert sum(map(len, KINDS.values())) >= 40


@pytest.mark.parametrize(("make", "name"), list(cases()))
def test_a_broken_file_ends_with_4_and_changes_nothing(
    make, name, backproplab, tmp_path, write_images
) -> None:
    if make is of_parquet:
        pytest.importorskip("pyarrow")
    data, message = make(tmp_path, name, write_images)
    (tmp_path / "c.yaml").write_text(f"data: {data}\n")
    before, memory = tree(tmp_path), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = backproplab("train c.yaml")
    assert ended.code == 4
    assert any(words in ended.err for words in message.split("|")), ended.err
    assert tree(tmp_path) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * MIB / 1024
    assert len(ended.err) < 1500


@pytest.mark.slow
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__[3:])
def test_no_broken_file_needs_a_gigabyte(make, tmp_path, write_images) -> None:
    """All of one kind in a process that cannot have more: a bomb that went off would say so."""
    if make is of_parquet:
        pytest.importorskip("pyarrow")
    for i, name in enumerate(KINDS[make]):
        (place := tmp_path / str(i)).mkdir()
        (place / "c.yaml").write_text(f"data: {make(place, name, write_images)[0]}\n")
    program = (
        "import os, resource, sys\n"
        "from backproplab.cli import main\n"
        "import pandas, numpy, PIL.Image, backproplab.experiment\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))\n"
        "for i in range(int(sys.argv[1])):\n"
        "    os.chdir(f'{sys.argv[2]}/{i}')\n"
        "    sys.argv[3:] = []\n"
        "    own, sys.argv = sys.argv, ['backproplab', 'train', 'c.yaml']\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        print(end.code)\n"
        "    sys.argv = own\n"
    )
    words = [sys.executable, "-c", program, str(len(KINDS[make])), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["4"] * len(KINDS[make]), done.stderr
    assert "memory" not in done.stderr.lower()
