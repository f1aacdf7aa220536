"""Folders of images: what each kind of file becomes, against Pillow's own pixels or numbers written here."""

import numpy as np
import pytest
from PIL import Image

from backproplab.data import Dataset, load
from backproplab.data.pictures import Reading
from backproplab.errors import ConfigError, DataError

RGB, GRAY = Reading(None, gray=False), Reading(None, gray=True)


def picture(seed=0, shape=(6, 8, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def save(path, pixels, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    made.save(path, **settings)
    return path


def folder(root, parts=("",), classes=("cat", "dog"), each=10, shape=(6, 8, 3)):
    """Random images of two classes; of a dog the first row is white."""
    for i, part in enumerate(parts):
        for label in classes:
            for k in range(each):
                pixels = picture(1000 * i + k, shape)
                pixels[0] = 255 if label == "dog" else 0
                save(root / part / label / f"{k:02d}.png", pixels)
    return root


def of(path, **settings) -> Dataset:
    return Dataset.parse({"name": "images", "path": str(path), **settings})


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".webp"])
def test_every_format_without_loss_gives_its_pixels(suffix, tmp_path) -> None:
    settings = {"lossless": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"a{suffix}", picture(), **settings)
    pixels, notes = RGB(path)
    assert np.array_equal(pixels, picture())
    assert notes == []


def test_a_jpeg_is_as_pillow_decodes_it(tmp_path) -> None:
    path = save(tmp_path / "a.jpg", picture(shape=(32, 32, 3)), quality=90)
    assert np.array_equal(RGB(path)[0], np.asarray(Image.open(path)))


def test_gray_of_colors_is_their_luma(tmp_path) -> None:
    """ITU-R 601: 0.299 R + 0.587 G + 0.114 B."""
    path = save(tmp_path / "a.png", picture())
    assert np.abs(GRAY(path)[0] - picture() @ [0.299, 0.587, 0.114]).max() < 1


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight_and_are_not_cut_off(form, tmp_path) -> None:
    values = (np.arange(48).reshape(6, 8) * 1300).astype(np.uint16)
    path = save(tmp_path / f"a.{form.lower()}", values, format=form)
    pixels, notes = GRAY(path)
    assert np.array_equal(pixels, values // 256)
    assert notes == ["16 bits, now 8"]
    assert np.array_equal(RGB(path)[0], np.repeat((values // 256)[..., None], 3, axis=2))


def test_transparency_is_laid_on_white(tmp_path) -> None:
    layer = np.dstack([picture(), np.full((6, 8), 128, np.uint8)])
    layer[0, :, 3] = 0
    pixels, notes = RGB(save(tmp_path / "a.png", layer))
    expected = picture() * (128 / 255) + 255 * (127 / 255)
    assert (pixels[0] == 255).all()
    assert np.abs(pixels[1:] - expected[1:]).max() < 1.01
    assert notes == ["transparent, laid on white"]
    layer[..., 3] = 255
    pixels, notes = RGB(save(tmp_path / "b.png", layer))
    assert np.array_equal(pixels, picture())
    assert notes == []


def test_a_palette_is_looked_up(tmp_path) -> None:
    indexed = Image.fromarray(picture()).quantize(16)
    pixels, notes = RGB(save(tmp_path / "a.png", indexed))
    assert np.array_equal(pixels, np.asarray(indexed.convert("RGB")))
    assert notes == []
    hidden, notes = RGB(save(tmp_path / "b.gif", indexed, transparency=0))
    assert (hidden[np.asarray(indexed) == 0] == 255).all()
    assert notes == ["transparent, laid on white"]


def test_one_bit_is_black_and_white(tmp_path) -> None:
    pixels, _ = GRAY(save(tmp_path / "a.png", Image.fromarray(picture()[..., 0] > 128)))
    assert np.array_equal(pixels, np.where(picture()[..., 0] > 128, 255, 0))


def test_exif_turns_the_image_as_a_viewer_does(tmp_path) -> None:
    """Orientation 6: the first row of the file is the right column."""
    exif = Image.Exif()
    exif[274] = 6
    path = save(tmp_path / "a.png", picture(), exif=exif)
    pixels, notes = RGB(path)
    assert np.array_equal(pixels, np.rot90(picture(), -1))
    assert RGB.size_of(path) == (8, 6)
    assert notes == ["turned as their EXIF says"]


def test_of_an_animation_the_first_picture_counts(tmp_path) -> None:
    first, second = (Image.fromarray(np.full((6, 8), value, np.uint8)) for value in (10, 200))
    path = save(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    pixels, notes = GRAY(path)
    assert (pixels == 10).all()
    assert notes == ["animated, of which the first picture counts"]


def test_scaling_averages_what_one_pixel_covers(tmp_path) -> None:
    """Twice as small: PyTorch's Resize(antialias=True) and tf.image.resize do this, too."""
    blocks = np.kron(picture(shape=(3, 4, 3)), np.ones((8, 8, 1), np.uint8))
    pixels, notes = Reading((3, 4), gray=False)(save(tmp_path / "a.png", blocks))
    expected = np.asarray(Image.fromarray(blocks).resize((4, 3), Image.Resampling.BILINEAR))
    assert np.array_equal(pixels, expected)
    assert np.corrcoef(pixels.ravel(), picture(shape=(3, 4, 3)).ravel())[0, 1] > 0.9
    assert notes == ["scaled to 3 × 4"]


def test_a_folder_a_class(tmp_path) -> None:
    folder(tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("x")
    (tmp_path / "pets" / "cat" / ".hidden.png").write_text("x")
    (tmp_path / "pets" / ".git").mkdir()
    save(tmp_path / "pets" / "cat" / "more" / "deep.PNG", picture(), format="PNG")
    splits = load(of(tmp_path / "pets", standardize=False), 0)
    assert (splits.task.labels, splits.input_shape) == (("cat", "dog"), (6 * 8 * 3,))
    assert (len(splits.train), len(splits.validation), splits.test) == (17, 4, None)
    assert splits.remarks == ("without 1 file of other kinds, such as cat/notes.txt",)
    images = splits.pixels(splits.train.inputs)
    assert images.shape == (17, 6, 8, 3)
    assert np.array_equal(images[:, 0].mean(axis=(1, 2)) > 250, splits.train.targets == 1)
    assert splits.train.inputs.max() <= 1


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "test"), (16, 4, 20)),  # validation is a share of train
        (("train", "val", "test"), (20, 20, 20)),
        (("Training", "Validation"), (20, 20, 0)),
    ],
)
def test_folders_of_splits(parts, sizes, tmp_path) -> None:
    splits = load(of(folder(tmp_path, parts)), 0)
    found = (splits.train, splits.validation, splits.test)
    assert tuple(len(part) if part else 0 for part in found) == sizes


def test_only_training_images_are_fitted_on(tmp_path) -> None:
    """The test for leaks of tables, for folders: other images of the other splits, equal inputs."""
    first = load(of(folder(tmp_path / "a", ("train", "val", "test"))), 0)
    folder(tmp_path / "b", ("train",))
    for part in ("val", "test"):
        for label in ("cat", "dog"):
            save(tmp_path / "b" / part / label / "0.png", np.full((6, 8, 3), 255, np.uint8))
    second = load(of(tmp_path / "b"), 0)
    assert np.array_equal(first.train.inputs, second.train.inputs)
    assert first.preparation.record == second.preparation.record


def test_gray_images_as_colors_are_said(tmp_path) -> None:
    path = folder(tmp_path, shape=(6, 8))
    assert "every image is gray" in load(of(path), 0).remarks[0]
    splits = load(of(path, channels="gray"), 0)
    assert (splits.remarks, splits.input_shape, splits.pixels.shape) == ((), (48,), (6, 8))


def test_images_of_different_sizes_need_a_size(tmp_path) -> None:
    path = folder(tmp_path)
    save(path / "dog" / "wide.png", picture(shape=(6, 9, 3)))
    with pytest.raises(
        DataError, match=r"dog/wide\.png: 6 × 9 pixels; cat/00\.png has 6 × 8 — data\.size=6"
    ):
        load(of(path), 0)
    assert load(of(path, size=4), 0).input_shape == (4 * 4 * 3,)
    assert load(of(path, size=[4, 5]), 0).input_shape == (4 * 5 * 3,)


def test_folds_cannot_replace_a_test_folder(tmp_path) -> None:
    path = folder(tmp_path, ("train", "val", "test"))
    with pytest.raises(ConfigError, match="a fold would be another test"):
        load(of(path, fold={"of": 3, "index": 0}), 0)


def test_a_path_that_ends_in_a_slash_is_a_folder_of_images(tmp_path) -> None:
    found = Dataset.parse(f"{tmp_path}/pets/")
    assert found == of(f"{tmp_path}/pets/")
    assert found.title == "pets"
    assert Dataset.parse(found.describe()) == found
