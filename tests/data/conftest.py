"""A folder of small images, and a description of every data set that can be read here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproplab.data import Dataset


@pytest.fixture(scope="session")
def image_folder(
    tmp_path_factory: pytest.TempPathFactory, write_images: Callable[..., dict[str, np.ndarray]]
) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    return folder


@pytest.fixture(scope="session")
def make(image_folder: Path) -> Callable[..., Dataset]:
    """``make("circle", samples=10)``; image sets read a folder of small files."""

    def describe(name: str, **fields: Any) -> Dataset:
        member = Dataset.members[name]
        here = {"path": str(image_folder)} if "path" in member.model_fields else {}
        return member(**(here | fields))

    return describe
