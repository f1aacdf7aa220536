"""Where the four files are looked for, and what they must agree on."""

import gzip
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from backproplab.data import Dataset, load
from backproplab.data.images import FILES, FashionMnist, Mnist
from backproplab.errors import DataError
from backproplab.streams import stream

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def read(dataset: Dataset):
    return dataset.read(stream(0, "data"))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_become_flat_images_and_labels(tmp_path, write_images, suffix) -> None:
    arrays = write_images(tmp_path, suffix)
    source = read(Mnist(path=str(tmp_path)))
    assert np.array_equal(source.examples.inputs, arrays[FILES[0]].reshape(50, 6))
    assert np.array_equal(source.examples.targets, arrays[FILES[1]])
    assert np.array_equal(source.test.inputs, arrays[FILES[2]].reshape(20, 6))
    assert np.array_equal(source.test.targets, arrays[FILES[3]])


class TestSearch:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("BACKPROPLAB_DATA", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))

    @pytest.mark.parametrize("folder", ["mnist", ""])
    def test_the_environment_names_a_folder_or_its_parent(
        self, tmp_path, write_images, folder
    ) -> None:
        write_images(tmp_path / folder)
        assert len(read(Mnist()).examples) == 50

    def test_a_folder_of_its_name_comes_first(self, tmp_path, write_images) -> None:
        write_images(tmp_path)
        write_images(tmp_path / "mnist", t10k_labels=np.full(20, 7))
        assert set(read(Mnist()).test.targets) == {7}

    def test_a_path_is_the_only_place(self, tmp_path, write_images) -> None:
        write_images(tmp_path)
        with pytest.raises(DataError, match="none of the folders /nowhere has"):
            read(Mnist(path="/nowhere"))

    def test_home_may_be_abbreviated(self, tmp_path, write_images) -> None:
        write_images(tmp_path / "home" / "data")
        assert len(read(Mnist(path="~/data")).examples) == 50

    def test_all_four_must_be_in_one_folder(self, tmp_path, write_images) -> None:
        write_images(tmp_path / "mnist")
        shutil.move(tmp_path / "mnist" / FILES[3], tmp_path)
        with pytest.raises(DataError, match="none of the folders"):
            read(Mnist())

    def test_packed_and_plain_may_be_mixed(self, tmp_path, write_images) -> None:
        write_images(tmp_path)
        write_images(tmp_path / "packed", ".gz")
        (tmp_path / FILES[0]).unlink()
        shutil.move(tmp_path / "packed" / f"{FILES[0]}.gz", tmp_path)
        assert len(read(Mnist()).examples) == 50

    def test_what_is_missing_and_what_to_do_is_said(self, tmp_path) -> None:
        with pytest.raises(DataError) as caught:
            read(Mnist())
        message = str(caught.value)
        folders = (tmp_path / "mnist", tmp_path, "/usr/share/datasets/mnist")
        for word in (*FILES, *map(str, folders), "data.path=FOLDER", "BACKPROPLAB_DATA=FOLDER"):
            assert word in message
        assert "\n" not in message
        assert caught.value.exit_code == 4

    @pytest.mark.parametrize("path", ["/dev/null", "~nobody-at-all/x", "a\0b", "x" * 5000])
    def test_a_path_that_cannot_be_a_folder(self, path) -> None:
        with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
            read(FashionMnist(path=path))


@pytest.mark.parametrize(
    ("replaced", "file", "fault"),
    [
        ({"train_labels": np.zeros(20)}, FILES[1], "20 labels, but 50 images"),
        ({"t10k_images": np.zeros((10, 2, 3))}, FILES[3], "20 labels, but 10 images"),
        ({"t10k_images": np.zeros((20, 3, 3))}, FILES[2], "differ in size"),
        ({"train_labels": np.arange(50) + 4}, FILES[1], "label 53 of example 49 is not in 0 to 9"),
        ({"train_images": np.zeros((50, 6))}, FILES[0], "00 00 08 02"),
        ({"train_labels": np.zeros((50, 1, 1))}, FILES[1], "00 00 08 03"),
        ({"train_images": np.zeros((0, 2, 3))}, FILES[0], "holds no examples"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, write_images, replaced, file, fault) -> None:
    write_images(tmp_path, **replaced)
    with pytest.raises(DataError, match=fault) as caught:
        read(Mnist(path=str(tmp_path)))
    assert str(caught.value).startswith(str(tmp_path / file))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
class TestFashionMnist:
    """Debian's copy; label names and first labels as in the set's README."""

    def test_as_published(self, monkeypatch) -> None:
        monkeypatch.delenv("BACKPROPLAB_DATA", raising=False)
        source = read(FashionMnist())
        assert source.examples.inputs.shape == (60_000, 784)
        assert source.test.inputs.shape == (10_000, 784)
        assert source.examples.targets[:5].tolist() == [9, 0, 0, 3, 0]
        assert source.task.labels[9] == "Ankle boot"
        assert np.bincount(source.examples.targets).tolist() == [6000] * 10
        assert np.bincount(source.test.targets).tolist() == [1000] * 10
        assert source.examples.inputs.mean() / 255 == pytest.approx(0.2860, abs=1e-4)

    @pytest.mark.parametrize("kept", [False, True], ids=["decoded", "from the cache"])
    def test_it_is_loaded_in_little_memory(self, kept, monkeypatch, tmp_path) -> None:
        dataset = FashionMnist(path=str(DEBIAN), validation_split=0.1)
        monkeypatch.setenv("BACKPROPLAB_CACHE", str(tmp_path if kept else "/dev/null"))
        read(dataset)
        tracemalloc.start()
        splits = load(dataset, 0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        result = 70_000 * (784 * 4 + 8)
        assert peak < (1.02 * result + 5e6 if kept else 1.15 * result + 60e6)
        assert np.bincount(splits.validation.targets).tolist() == [600] * 10
        pixels = splits.train.inputs
        np.testing.assert_allclose(pixels.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
        np.testing.assert_allclose(pixels.std(axis=0, dtype=np.float64), 1, atol=1e-6)


# near misses of the four files

SPELLED = {
    "dots": lambda n: n.replace("-idx", ".idx"),
    "underscores": lambda n: n.replace("-", "_"),
    "capitals": str.upper,
    "spaces": lambda n: n.replace("-idx", " idx"),
    "test for t10k": lambda n: n.replace("t10k", "test"),
}


def spelled(folder, spell, gz):
    for name, array in good().items():
        write_idx(folder / f"{spell(name)}{'.gz' if gz else ''}", array, gz)


def good():
    """Four files by their names."""
    return {
        name: np.arange(12 if "images" in name else 3, dtype=np.uint8).reshape(
            (3, 2, 2) if "images" in name else 3
        )
        for name in FILES
    }


def write_idx(path, array, gz=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
    path.write_bytes(gzip.compress(data) if gz else data)


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("how", SPELLED)
def test_other_spellings_are_read_where_they_are_unambiguous(tmp_path, how, gz):
    spelled(tmp_path, SPELLED[how], gz)
    raw = Mnist(path=str(tmp_path)).read(np.random.default_rng(0))
    assert raw.examples.inputs.shape == (3, 4)
    for name, array in good().items():  # the exact names go first
        write_idx(tmp_path / name, array[:2])
    assert len(Mnist(path=str(tmp_path)).read(np.random.default_rng(0)).examples) == 2


def refusal(path):
    with pytest.raises(DataError) as raised:
        Mnist(path=str(path)).read(np.random.default_rng(0))
    return str(raised.value)


def test_two_spellings_of_one_file_are_named(tmp_path):
    spelled(tmp_path, SPELLED["dots"], False)
    spelled(tmp_path, SPELLED["capitals"], False)
    assert "has both TRAIN-IMAGES-IDX3-UBYTE and train-images.idx3-ubyte" in refusal(tmp_path)


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_is_named_with_the_nearest(tmp_path, missing):
    spelled(tmp_path, str, False)
    (tmp_path / missing).rename(tmp_path / f"emnist-letters-{missing}")
    assert f"{tmp_path} has no {missing} (but emnist-letters-{missing})" in refusal(tmp_path)
    (tmp_path / f"emnist-letters-{missing}").unlink()
    assert f"{tmp_path} has no {missing} — backproplab data fetch mnist, or set" in refusal(
        tmp_path
    )


def test_what_is_no_folder_of_them_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cats.png").write_text("")
    for name, what in {
        "nowhere": "does not exist", "file": "is a file, not a folder", "empty": "has no files",
        "other": "has none of the files, but 1 others",
    }.items():  # fmt: skip
        assert f"{tmp_path / name} {what}" in refusal(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path / 'nowhere'} does not exist" in refusal("nowhere")
    monkeypatch.setenv("BACKPROPLAB_DATA", "empty")
    assert (
        f"{tmp_path / 'empty' / 'mnist'} does not exist; {tmp_path / 'empty'} has no files"
        in refusal("")
    )


@pytest.mark.parametrize("labels", [range(1, 27), (3, 8), (0, 1, 200)])
def test_any_classes_and_a_prefix(labels, tmp_path, write_images) -> None:
    """EMNIST's letters count from 1; a subset of MNIST has other gaps."""
    labels = np.array(labels)
    train, test = labels[np.arange(50) % len(labels)], labels[np.arange(20) % len(labels)]
    write_images(tmp_path, train_labels=train, t10k_labels=test)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name("emnist-letters-" + path.name.replace("t10k", "test")))
    data = Dataset.parse({"name": "idx", "path": str(tmp_path), "prefix": "emnist-letters-"})
    splits = load(data, 0)
    assert splits.task.labels == tuple(map(str, labels))
    assert np.array_equal(labels[splits.test.targets], test)
    with pytest.raises(DataError, match="but emnist-letters-train-images-idx3-ubyte"):
        load(data.model_copy(update={"prefix": ""}), 0)
    with pytest.raises(DataError, match=r"— data: {name: idx, path: .*, prefix: emnist-letters-}"):
        load(data.model_copy(update={"prefix": "letters"}), 0)


def test_a_test_label_that_training_does_not_have(tmp_path, write_images) -> None:
    write_images(tmp_path, train_labels=np.arange(50) % 2 * 4)
    data = Dataset.parse({"name": "idx", "path": str(tmp_path)})
    with pytest.raises(DataError, match=r"label 9 of example 9 is not in \[0, 4\]"):
        load(data, 0)
