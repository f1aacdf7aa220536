"""Storms: runs and sweeps that are killed, stopped, starved of disk, and resumed.

The room mirrors nothing in the package. Each test proves a line that the issue of exact resume
ends with, on real processes. A short form of each storm is ``slow`` and part of ``make test-slow``;
the long one is ``chaos``, for ``make chaos``, and runs only where ``-m`` names it.
"""

import pytest

from tests.chaos.processes import Zygote


def pytest_collection_modifyitems(config, items):
    """Nobody starts an hour of storms who asked for ``-m "not slow"``, or for nothing."""
    if "chaos" not in config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("chaos")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


@pytest.fixture(scope="session")
def zygote():
    found = Zygote()
    yield found
    found.close()
