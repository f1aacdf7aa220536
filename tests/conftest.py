"""What every test stands on: no deadline in Hypothesis (a busy machine is no bug), same cases; nobody's cache."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def _cache_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the real home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKPROPLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
