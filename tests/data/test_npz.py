"""Arrays in NumPy's files: what they mean, and files that may be anything."""

import io
import os
import pickle
import resource
import zipfile

import numpy as np
import pytest

from backproplab.data import Dataset, load
from backproplab.data.npz import declared, read_arrays
from backproplab.errors import DataError

X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


def npy(array, **settings) -> bytes:
    np.save(file := io.BytesIO(), array, **settings)
    return file.getvalue()


def npz(**arrays) -> bytes:
    np.savez_compressed(file := io.BytesIO(), **arrays)
    return file.getvalue()


def header(shape: str, dtype: str = "<f8") -> bytes:
    """The header of an array that says what it likes, with 16 bytes of data."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(16)


def packed(*members, **settings) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", **settings) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :]


GOOD = npz(x=X, y=Y)
DAMAGE = {
    "empty": (b"", "not NPZ or NPY"),
    "text": (b"a,b\n1,2\n", "not NPZ or NPY"),
    "a pickle": (pickle.dumps({"x": 1}, protocol=4), "a Python pickle, which is never loaded"),
    "Parquet": (b"PAR1" + bytes(99), "the content is Parquet"),
    "gzip": (b"\x1f\x8b" + bytes(99), "compressed by gzip"),
    "cut": (GOOD[:-30], "damaged"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "damaged"),
    "a bit flipped": (flipped(GOOD, 200), "damaged"),
    "no members": (packed(), "holds no arrays"),
    "a member that is no array": (packed(("x.npy", npy(X)), ("readme.txt", "hi")), "member 'readme.txt' is no array"),
    "a member named so that is none": (packed(("x.npy", b"hello world, this is text")), "magic string is not correct"),
    "too many members": (packed(*((f"a{i}.npy", npy(Y)) for i in range(1001))), "1,001 members"),
    "an object array": (npz(x=X, y=np.array([1, None], dtype=object)), "array 'y' holds Python objects, which are never loaded"),
    "an object array alone": (npy(np.array([{}], dtype=object), allow_pickle=True), "holds Python objects"),
    "dates": (npz(x=np.array(["2024-01-01"], "datetime64[D]"), y=Y), "array 'x' is of type datetime64"),
    "a structure": (npz(x=np.zeros(3, [("a", "f4"), ("b", "i4")]), y=Y), "array 'x' is of type"),
    "complex numbers": (npz(x=X + 1j, y=Y), "array 'x' is of type complex128"),
    "long texts": (npz(x=X, y=np.zeros(1, "<U100000")), "array 'y' is of type <U100000"),
    "a huge shape": (packed(("x.npy", header("(1000000000000,)"))), "its header promises 8,000,000,000,000 bytes"),
    "a huge shape in .npy": (header("(200000000, 3)"), "its header promises 4,800,000,000 bytes"),
    "a shape that overflows": (packed(("x.npy", header("(65536, 65536, 65536, 65536)"))), "its header promises"),
    "a negative length": (packed(("x.npy", header("(-1,)"))), "has the shape (-1,)"),
    "more data than the header says": (packed(("x.npy", header("(1,)"))), "promises 8 bytes, it has more"),
    "a header of code": (packed(("x.npy", header("__import__('os').abort()"))), "array 'x'|malformed|Cannot parse|shape"),
    "a version of the future": (packed(("x.npy", b"\x93NUMPY\x09\x00" + bytes(80))), "unknown version"),
    "NaN": (npz(x=np.where(np.arange(120).reshape(40, 3) == 17, np.nan, X), y=Y), "array 'x': 1 number is NaN or infinite, the first at [5, 2]"),
    "infinity in a target": (npz(x=X, y=np.where(Y == 1, np.inf, 0.0)), "array 'y': 20 numbers are NaN or infinite"),
    "other names": (npz(a=X, b=Y), "which of its arrays are the inputs is not known"),
    "other lengths": (npz(x=X, y=Y[:-1]), "40 inputs in 'x', 39 targets in 'y'"),
    "no examples": (npz(x=X[:0], y=Y[:0]), "0 inputs in 'x'"),
    "inputs that are one number": (npz(x=X[:, 0], y=Y), "array 'x' of shape (40,) is no inputs"),
    "inputs that are texts": (npz(x=X.astype(str), y=Y), "is no inputs"),
    "one class": (npz(x=X, y=np.full(40, "a")), "every target is a"),
    "a class of the test alone": (
        npz(x_train=X, y_train=Y, x_test=X[:2], y_test=np.array([0, 7])), "the class 7 is not in the training data",
    ),
}  # fmt: skip


def described(path, **settings) -> Dataset:
    return Dataset.parse({"name": "npz", "path": str(path), **settings})


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(name, tmp_path) -> None:
    content, message = DAMAGE[name]
    (path := tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(DataError) as error:
        load(described(path), 0)
    assert str(error.value).startswith(str(path))
    assert any(words in str(error.value) for words in message.split("|"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path) -> None:
    (path := tmp_path / "f.npz").write_bytes(packed(("x.npy", npy(X)), ("x.npy", npy(X))))
    with pytest.raises(DataError, match=r"two members are called 'x\.npy'"):
        load(described(path), 0)


def test_a_bomb_takes_no_memory(tmp_path) -> None:
    path = tmp_path / "f.npz"
    zeros = bytes(2**28)
    path.write_bytes(
        packed(("x.npy", header("(33554432,)") + zeros), compression=zipfile.ZIP_DEFLATED)
    )
    assert declared(path) > 2**28
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"expands .* times; at most 200"):
        load(described(path), 0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file(kind, tmp_path) -> None:
    path, words = tmp_path / "f.npz", {"missing": "no such file"}.get(kind, "it is a")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataError, match=words):
        load(described(path), 0)


@pytest.mark.parametrize("at", range(0, 2000, 37))
def test_no_flipped_bit_gives_other_numbers(at, tmp_path) -> None:
    (path := tmp_path / "f.npz").write_bytes(flipped(GOOD, at % len(GOOD)))
    try:
        found = read_arrays(path)
    except DataError:
        return
    assert all(
        np.array_equal(found.get(name, array), array) for name, array in (("x", X), ("y", Y))
    )


@pytest.mark.parametrize(
    "array",
    [X.astype(">f4"), np.asfortranarray(X), X.astype(np.float16), X > 0],
    ids=["big-endian", "Fortran", "half", "bool"],
)
def test_other_layouts_are_converted(array, tmp_path) -> None:
    (path := tmp_path / "f.npz").write_bytes(npz(x=array, y=Y))
    assert np.array_equal(read_arrays(path)["x"], array)
    assert np.isfinite(load(described(path), 0).train.inputs).all()


@pytest.mark.parametrize(
    ("targets", "kind", "labels"),
    [
        (Y, "classification", ("0", "1")),
        (Y + 1, "classification", ("1", "2")),
        (Y.astype(float), "classification", ("0", "1")),
        (Y.astype(bool), "classification", ("0", "1")),
        (Y[:, None], "classification", ("0", "1")),
        (np.where(Y, "b", "a"), "classification", ("a", "b")),
        (np.eye(2)[Y], "classification", ("0", "1")),
        (np.arange(40) % 15 + 1, "classification", tuple(str(i) for i in range(1, 16))),
        (np.arange(40), "regression", ()),
        (X[:, 0], "regression", ()),
        (X[:, :2], "regression", ()),
    ],
)
def test_the_task_follows_from_the_targets(targets, kind, labels, tmp_path) -> None:
    np.savez(path := tmp_path / "f.npz", X=X, y=targets)
    task = load(described(path, validation_split=0.0), 0).task
    assert (task.kind, task.labels) == (kind, labels)
    assert task.outputs == (len(labels) or targets.reshape(40, -1).shape[1])


def test_a_file_as_keras_keeps_them(tmp_path) -> None:
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 256, (50, 4, 5), dtype=np.uint8), np.arange(50) % 3
    np.savez(
        path := tmp_path / "f.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:9],
        y_test=labels[:9],
    )
    splits = load(Dataset.parse(str(path)).model_copy(update={"standardize": False}), 0, np.float64)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 10, 9)
    assert np.array_equal(splits.test.inputs, images[:9].reshape(9, -1) / 255)
    assert np.array_equal(splits.pixels(splits.test.inputs), images[:9])
    with pytest.raises(DataError, match="test_split: must be 0"):
        load(described(path, test_split=0.1), 0)


def test_one_array_whose_last_column_is_the_target(tmp_path) -> None:
    np.save(path := tmp_path / "f.npy", np.column_stack([X, Y]))
    splits = load(Dataset.parse(str(path)), 0)
    assert (splits.input_shape, splits.task.labels) == ((3,), ("0", "1"))


def test_only_training_rows_are_fitted(tmp_path) -> None:
    np.savez(path := tmp_path / "f.npz", x=X, y=Y)
    plain = load(described(path), 3)
    spoiled = X.copy()
    spoiled[np.setdiff1d(np.arange(40), plain.rows)] = 1e9
    np.savez(path, x=spoiled, y=Y)
    again = load(described(path), 3)
    assert again.preparation.record == plain.preparation.record
    assert np.array_equal(again.train.inputs, plain.train.inputs)
