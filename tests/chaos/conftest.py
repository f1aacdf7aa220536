"""Storms: runs and sweeps that are killed, stopped, starved of disk and gone on with.

The room mirrors nothing in the package. Each test proves a line that the issue of exact resume
ends with, on real processes. A short form of each storm is ``slow`` and part of ``make test-slow``;
the long one is ``chaos``, for ``make chaos``.
"""

import pytest

from tests.chaos.processes import Zygote


@pytest.fixture(scope="session")
def zygote():
    found = Zygote()
    yield found
    found.close()
