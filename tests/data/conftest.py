"""A folder of small images, and a description of every data set that can be read here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image

from backproplab.data import Dataset
from backproplab.data.given import on_given

MEASURED = np.random.default_rng(0).normal(size=(60, 3))
GIVEN = {
    "arrays": (MEASURED, np.arange(60) % 2),
    "frame": pandas.DataFrame(MEASURED, columns=["a", "b", "c"]).assign(kind=["x", "y"] * 30),
}


@pytest.fixture(scope="session")
def image_folder(
    tmp_path_factory: pytest.TempPathFactory, write_images: Callable[..., dict[str, np.ndarray]]
) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
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
def parquet(tmp_path_factory: pytest.TempPathFactory, flowers: Path) -> Callable[[], Path]:
    """Gives the table of flowers as Parquet; where pyarrow is missing the test is skipped."""
    folder = tmp_path_factory.mktemp("parquet")

    def written() -> Path:
        pytest.importorskip("pyarrow")
        pandas.read_csv(flowers).to_parquet(folder / "flowers.parquet")
        return folder / "flowers.parquet"

    return written


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 images of 4 × 5 pixels in color, in a folder for each of two classes."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(20):
        (place := folder / ("cats", "dogs")[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8)).save(place / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def make(
    image_folder: Path, flowers: Path, arrays: Path, photos: Path, parquet: Callable[[], Path]
) -> Callable[..., Dataset]:
    """``make("circle", samples=10)``; image sets and tables read small files."""

    def describe(name: str, **fields: Any) -> Dataset:
        if name in GIVEN:
            return on_given(Dataset.members[name](**fields), GIVEN[name])
        member = Dataset.members[name]
        files = {"csv": flowers, "npz": arrays, "images": photos}
        own = parquet() if name == "parquet" else files.get(name, image_folder)
        here = {"path": str(own)} if "path" in member.model_fields else {}
        return member(**(here | fields))

    return describe
