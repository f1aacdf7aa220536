"""A folder of images in, a model out: what the command prints and writes."""

import csv
import io

import numpy as np
import pytest

import backproplab as bpl
from tests.data.test_image_folder import folder, picture, save

CONFIG = "data: pets/\nepochs: 2\nthreads: 1\nmodel: {hidden: [4]}\ntensorboard: off\n"


@pytest.fixture
def trained(backproplab, tmp_path):
    folder(tmp_path / "pets", ("train", "test"))
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert backproplab("train c.yaml --progress none").code == 0
    return backproplab


def test_predictions_name_their_files(trained, tmp_path) -> None:
    rows = list(csv.DictReader(io.StringIO(trained("predict c pets/test --proba").out)))
    assert list(rows[0]) == ["row", "file", "prediction", "p_cat", "p_dog"]
    assert [row["file"] for row in rows] == [
        f"{c}/{k:02d}.png" for c in ("cat", "dog") for k in range(10)
    ]
    one = list(csv.DictReader(io.StringIO(trained("predict c pets/test/dog/03.png --proba").out)))
    assert [row | {"row": "14", "file": "dog/03.png"} for row in one] == [rows[13]]
    model = bpl.model(next(tmp_path.glob("runs/*/c")))
    assert model.predict(tmp_path / "pets" / "test").tolist() == [row["prediction"] for row in rows]


def test_a_folder_of_classes_is_measured(trained) -> None:
    own, other = trained("evaluate c --json").out, trained("evaluate c pets/test --json").out
    assert other.partition('"data": ')[2].strip(" \n}") == own.partition('"test": ')[2].strip(
        " \n}"
    )
    assert "as cat" in trained("evaluate c pets/test").out


REFUSED = {
    "evaluate c pets/test/dog": "the classes of these examples are not known",
    "evaluate c birds": "the class 'owl' is none of cat, dog",
    "predict c small": "it takes n × 144 numbers, these are n × 63",
    "predict c nothing": "holds no images",
    "predict c missing.png": "cannot read: no such file",
}


def test_what_cannot_be_predicted(trained, tmp_path) -> None:
    save(tmp_path / "birds" / "owl" / "0.png", picture())
    save(tmp_path / "small" / "0.png", picture(shape=(3, 7, 3)))
    (tmp_path / "nothing").mkdir()
    for words, message in REFUSED.items():
        ended = trained(words)
        assert (ended.code, ended.out) == (4, "")
        assert message in ended.err


def test_the_header_says_what_was_decided(backproplab, tmp_path) -> None:
    folder(tmp_path / "pets", shape=(6, 8))
    (tmp_path / "c.yaml").write_text(CONFIG)
    ended = backproplab("train c.yaml --dry-run 'data={path: pets/, size: 4}'")
    assert "data    pets · 2 classes · 16 train, 4 validation" in ended.err
    assert (
        "images  20 images scaled to 4 × 4 · every image is gray: data.channels=gray" in ended.err
    )


def test_show_counts_the_examples_of_each_class(backproplab, tmp_path) -> None:
    folder(tmp_path / "pets", ("train", "test"))
    (tmp_path / "c.yaml").write_text(CONFIG)
    for words in ("data show pets", "data show pets/", "data show c.yaml"):
        shown = backproplab(words).out.splitlines()
        assert shown[0] == "20 examples and 20 to test, 6 × 8 × 3 numbers each: 2 classes"
        assert [line.split() for line in shown[-2:]] == [
            [c, "10", "50.0%", "10"] for c in ("cat", "dog")
        ]
    np.savez(tmp_path / "f.npz", x=np.eye(30), y=np.linspace(2, 5, 30))
    shown = backproplab("data show f.npz").out
    assert "30 examples, 30 numbers each: regression" in shown
    assert "2 … 5" in shown
    assert "--yaml: images is no table" in backproplab("data show pets --yaml").err
