"""What every test relies on: no deadline in Hypothesis (a busy machine is no bug), same cases; nobody's cache; signals
that are not ignored, as nohup and background jobs of a script would have it: the processes that tests start inherit that."""

import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

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
