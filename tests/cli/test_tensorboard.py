"""What backproplab tensorboard says of a root with many runs; its thresholds are TensorBoard's."""

import zipfile
from importlib.resources import files

import pytest

from backproplab.cli.tensorboard import TIME_SERIES, _advice


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (20, ""),
        (21, "42 runs, train and validation apart: outside Time Series TensorBoard starts with all of them unticked"),
        (250, "500 runs, train and validation apart: outside Time Series TensorBoard starts with all of them unticked"),
        (251, "502 runs, train and validation apart: TensorBoard starts with all of them unticked: tick the box above the list"),
    ],
)  # fmt: skip
def test_advice(runs, words):
    assert _advice(2 * runs) == words


def test_time_series_ticks_as_many_as_we_say():
    """TensorBoard's own page: ``runsForAllExperiments.length<=500``."""
    with files("tensorboard").joinpath("webfiles.zip").open("rb") as file:
        script = zipfile.ZipFile(file).read("index.js").decode()
    assert f"runsForAllExperiments.length<={TIME_SERIES}" in script
