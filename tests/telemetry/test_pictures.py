"""Pictures: what is drawn is what the run predicts, and the same run draws the same bytes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_score, recall_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX.summary import pr_curve

from backproplab.config import Experiment, load
from backproplab.experiment import build, run
from backproplab.experiment.reading import parts_of
from backproplab.journal import load as load_checkpoint
from backproplab.journal.summaries import THRESHOLDS, pr_rows
from backproplab.palette import BLUE, TRIALS
from backproplab.telemetry import drawings
from backproplab.telemetry.answers import Answers
from backproplab.telemetry.canvas import rgb

CONFIGS = Path(__file__).parents[2] / "configs"


def experiment(data="digits", **fields):
    return Experiment.model_validate({"name": "x", "data": data, "epochs": 3, "seed": 1} | fields)


def tensors(folder, split):
    """By tag: steps, and the last value."""
    events = EventAccumulator(str(folder / split), size_guidance={"tensors": 0}).Reload()
    return {
        tag: ([e.step for e in events.Tensors(tag)], events.Tensors(tag)[-1].tensor_proto)
        for tag in events.Tags()["tensors"]
        if tag.startswith(("images/", "pr_curves/"))
    }


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run on digits, and its learning with the weights that it ended with."""

    folder = tmp_path_factory.mktemp("digits") / "run"
    made = experiment(tensorboard={"projector": True})
    run(made, folder)
    descent = build(made).descent()
    last = load_checkpoint(folder / "checkpoints/last.safetensors").arrays
    for name, view in descent.parameters.views.items():
        view[...] = last[f"learner/weights/{name}"]
    return folder, descent


def test_the_confusion_matrix_is_scikit_learn_s_and_sums_to_m(digits):
    answers = Answers(digits[1])
    counts = answers.counts
    assert counts.sum() == len(answers.of) == 359
    np.testing.assert_array_equal(counts, confusion_matrix(answers.of.targets, answers.classes))


def test_it_is_drawn_as_it_is(digits):
    """The last picture in the events is the matrix of the last weights; a cell has the shade of its share."""
    folder, descent = digits
    answers = Answers(descent)
    steps, value = tensors(folder, "validation")["images/confusion_matrix"]
    assert steps == [-1, 2]
    picture = drawings.confusion(answers.counts, answers.labels)
    width, height, png = value.string_val
    assert png == picture.png
    assert (int(width), int(height)) == picture.image.size
    full = drawings.confusion(np.diag([5, 5]), ("no", "yes"))
    corners = pixels(full.png)[[-6, -6 - drawings.CELL], full_right(full)]
    assert np.abs(corners - rgb(BLUE)).max() <= 4  # after its colors were reduced


def full_right(canvas):
    """The columns near the right ends of the last cell, and of the one before it."""
    from backproplab.telemetry.canvas import width_of

    left = width_of(("no", "yes")) + 2 * drawings.GAP
    return [left + 2 * drawings.CELL - 3, left + drawings.CELL - 3]


def test_every_picture_and_curve_is_there(digits):
    folder, _ = digits
    train, validation = tensors(folder, "train"), tensors(folder, "validation")
    assert set(train) == {"images/first_layer"}
    curves = {f"pr_curves/{digit}" for digit in range(10)}
    drawn = {f"images/{name}" for name in ("confusion_matrix", "worst_examples", "examples")}
    assert set(validation) == curves | drawn
    assert sum(p.stat().st_size for p in folder.rglob("events*")) < 300_000


def test_the_same_run_draws_the_same_bytes(digits, tmp_path):
    folder, _ = digits
    run(experiment(), tmp_path / "again")
    for split in ("train", "validation"):
        first, again = tensors(folder, split), tensors(tmp_path / "again", split)
        assert {t: v.SerializeToString() for t, (_, v) in first.items()} == {
            t: v.SerializeToString() for t, (_, v) in again.items()
        }


@pytest.mark.parametrize("seed", range(5))
def test_curves_are_tensorboard_s(seed):
    """As tensorboardX counts them, which took it from there, and scikit-learn at some thresholds."""
    rng = np.random.default_rng(seed)
    p, positive = rng.random(200), rng.random(200) < 0.3
    rows = pr_rows(p, positive)
    theirs = pr_curve("x", positive, p, num_thresholds=THRESHOLDS).value[0].tensor
    np.testing.assert_allclose(rows.ravel(), theirs.float_val, rtol=1e-6)
    for k in (0, 20, 40):
        said = p >= k / (THRESHOLDS - 1)
        assert rows[4, k] == pytest.approx(precision_score(positive, said))
        assert rows[5, k] == pytest.approx(recall_score(positive, said))


def test_a_network_that_is_no_longer_finite_can_be_drawn():
    p = np.array([[np.nan, 0.5], [1.0, np.nan]])
    assert drawings.of_classes(p).tolist() == [[255, 255, 255]] * 2
    assert pr_rows(p[:, 0], np.array([True, False]))[:4, 0].tolist() == [1, 1, 0, 0]
    assert drawings.weights(np.array([[np.nan, np.inf], [0.0, 1.0]]), ()).png


def test_a_boundary_has_the_colors_of_the_classes_where_it_is_sure():
    p = np.array(
        [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.1, 0.2]]
    )  # outputs of mse need not sum to 1
    blue, vermilion, *none = drawings.of_classes(p).astype(float)
    assert np.all(none == np.full((2, 3), 255.0))
    for color, label in ((blue, 0), (vermilion, 1)):
        np.testing.assert_allclose(color, 255 + 0.7 * (rgb(TRIALS[label][0]) - 255), atol=1)
    points = np.array([[0.0, 0.0], [1.0, 2.0]])
    grid, corners = drawings.plane(points)
    np.testing.assert_allclose(corners, [[-0.1, -0.2], [1.1, 2.2]])
    np.testing.assert_allclose(
        grid[[0, -1]], [[-0.1, 2.2], [1.1, -0.2]]
    )  # the first row is the top


@pytest.mark.parametrize("name", ["plane", "bumps", "circle", "moons"])
def test_every_set_of_two_inputs_has_a_boundary_at_each_look(name, tmp_path):
    run(experiment(data=name, epochs=2), tmp_path / "run")
    steps, _ = tensors(tmp_path / "run", "train")["images/boundary"]
    assert steps == [-1, 0, 1]


def test_a_run_that_ends_early_is_drawn_at_its_end(tmp_path):
    run(
        experiment(epochs=50, early_stopping={"monitor": "loss", "patience": 1, "min_delta": 10.0}),
        tmp_path / "run",
    )
    steps, _ = tensors(tmp_path / "run", "validation")["images/confusion_matrix"]
    assert len(steps) == 2
    assert steps[0] == -1
    assert 0 < steps[1] < 10


def test_pixels_are_those_that_were_read():
    """Whatever the scaling; sklearn's digits have 0 to 16."""
    for standardize in (True, False):
        parts = parts_of(CONFIGS / "quickstart.yaml", [f"data.standardize={standardize}"])
        material = parts.material
        found = material.pixels(material.train.inputs)
        assert found.shape[1:] == (8, 8)
        np.testing.assert_allclose(found, found.round(), atol=1e-4)
        assert (found.min().round(), found.max().round()) == (0, 16)


def test_the_projector_s_files_fit_together(digits):
    folder, descent = digits
    place = folder / "validation"
    points = np.loadtxt(place / "embedding.tsv")
    assert points.shape == (359, 32)
    labels = (place / "labels.tsv").read_text().splitlines()
    assert labels[0] == "class\tprediction"
    assert [int(row.split("\t")[0]) for row in labels[1:]] == Answers(descent).of.targets.tolist()
    config = (place / "projector_config.pbtxt").read_text()
    assert 'tensor_name: "input of dense_2"' in config
    assert config.count("single_image_dim: 8") == 2
    assert Image.open(io.BytesIO((place / "sprite.png").read_bytes())).size == (
        19 * 8,
        19 * 8,
    )  # 19² is the first square above 359


def test_the_course_s_histograms_move_apart(tmp_path):
    """configs/histogram_demo.yaml: tag random in both runs, one step an epoch."""
    run(load(CONFIGS / "histogram_demo.yaml", "epochs=4"), tmp_path / "run")
    means = {}
    for split in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "run" / split)).Reload()
        found = events.Histograms("random") if "random" in events.Tags()["histograms"] else []
        means[split] = [e.histogram_value.sum / e.histogram_value.num for e in found]
    assert means["train"] == sorted(means["train"])
    assert means["validation"] == sorted(means["validation"], reverse=True)
    assert abs(means["train"][-1] - 5) < 0.1 > abs(means["validation"][-1] + 5)


MAKERS = {
    "contrastive_divergence": ({"learner": {"contrastive_divergence": {"hidden": 9}}}, "reconstructions"),
    "score_matching": ({"learner": "score_matching", "model": {"hidden": [8]}}, "denoised"),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_what_a_learner_makes_is_drawn(name, tmp_path):
    fields, tag = MAKERS[name]
    data = {"name": "digits", "standardize": False, "scale": 0.0625}
    run(experiment(data, **fields | {"epochs": 1, "batch_size": 500}), tmp_path / "run")
    assert set(tensors(tmp_path / "run", "train")) == {"images/first_layer", f"images/{tag}"}
