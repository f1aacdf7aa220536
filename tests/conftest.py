"""What every test relies on: no deadline in Hypothesis (a busy machine is no bug), same cases; nobody's cache; signals
that are not ignored, as nohup and background jobs of a script would have it: the processes that tests start inherit that."""

import gzip
import hashlib
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from backproplab import own_parts
from backproplab.files import DiskFolder, Folder
from backproplab.journal import LAST
from backproplab.journal.checkpoint import decode

settings.register_profile("house", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("house")

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _cache_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the real home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKPROPLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _own_parts_forgotten() -> Iterator[None]:
    """What the files of a test name is known to no other test."""
    yield
    own_parts.install(())


@pytest.fixture(scope="session")
def saved() -> Any:
    """saved(folder): all that the last checkpoint keeps of a run, and the best weights it names.

    The run's id, and the names of its event files, are its own and left out.
    """

    def arrays_of(content: bytes) -> dict[str, Any]:
        found = decode(content).arrays
        return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in found.items()}

    def saved(place: Path | Folder) -> tuple[Any, ...]:
        folder = DiskFolder(place) if isinstance(place, Path) else place
        content = folder.read(LAST)
        state = decode(content).state
        kept = {part: folder.read(name) for part, name in state["files"].items()}
        for part, name in state["files"].items():
            assert hashlib.sha256(kept[part]).hexdigest() == state["sha256"][name]
        best = {part: arrays_of(own) for part, own in kept.items()}
        return state["position"], state["files"], arrays_of(content), best

    return saved


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
