"""Small IDX folders, and a description of every data set that can be read here."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproplab.data import Dataset


def idx(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array, as https://yann.lecun.com/exdb/mnist describes it."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def _write_images(folder: Path, suffix: str = "", **replaced: np.ndarray) -> dict[str, np.ndarray]:
    """Four files of 2 × 3 images, 50 to train and 20 to test; ``t10k_labels=…`` replaces a part."""
    random = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": random.integers(0, 256, (50, 2, 3)),
        "train-labels-idx1-ubyte": np.arange(50) % 10,
        "t10k-images-idx3-ubyte": random.integers(0, 256, (20, 2, 3)),
        "t10k-labels-idx1-ubyte": np.arange(20) % 10,
    }
    for part, array in replaced.items():
        (name,) = (name for name in arrays if name.startswith(part.replace("_", "-")))
        arrays[name] = array
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = gzip.compress(idx(array), 1) if suffix else idx(array)
        (folder / f"{name}{suffix}").write_bytes(content)
    return arrays


@pytest.fixture(scope="session")
def write_images() -> Callable[..., dict[str, np.ndarray]]:
    return _write_images


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    _write_images(folder)
    return folder


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 60 rows: two measurements, a color, and one of two kinds."""
    random = np.random.default_rng(0)
    rows = [
        f"{random.normal():.4f},{random.normal():.4f},{random.choice(['red', 'blue'])},{kind}"
        for kind in ["rose", "tulip"] * 30
    ]
    path = tmp_path_factory.mktemp("tables") / "flowers.csv"
    path.write_text("\n".join(["length,width,color,kind", *rows]))
    return path


@pytest.fixture(scope="session")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 examples of 3 features, of two classes, in NumPy's file."""
    path = tmp_path_factory.mktemp("arrays") / "arrays.npz"
    inputs = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(path, x=inputs, y=np.arange(60) % 2)
    return path


@pytest.fixture(scope="session")
def make(image_folder: Path, flowers: Path, arrays: Path) -> Callable[..., Dataset]:
    """``make("circle", samples=10)``; image sets and tables read small files."""

    def describe(name: str, **fields: Any) -> Dataset:
        member = Dataset.members[name]
        own = {"csv": flowers, "npz": arrays}.get(name, image_folder)
        here = {"path": str(own)} if "path" in member.model_fields else {}
        return member(**(here | fields))

    return describe
