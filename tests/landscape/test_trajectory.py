"""trajectory: the weights that a run keeps on its way are those that it had; it changes no number."""

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.errors import ConfigError, DamageError
from backproplab.experiment import build, run
from backproplab.journal.trajectory import read_trajectory, row_type
from backproplab.landscape import trained
from backproplab.landscape.path import walked
from backproplab.learners import fingerprint

TREE = {
    "data": {"name": "circle", "samples": 80},
    "model": {"layers": [{"dense": 6}, "batch_norm", "tanh", {"dropout": 0.1}, {"dense": 1}]},
    "learning_rate": 0.05,
    "epochs": 4,
    "threads": 1,
    "tensorboard": {"telemetry": False, "histograms": 0},
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """kept[n]: the run that keeps its weights after every n-th epoch; 0 for never."""
    root = tmp_path_factory.mktemp("runs")
    for every in (0, 1, 3):
        run(Experiment.model_validate(TREE | {"trajectory": every or None}), root / str(every))
    return {every: trained(root / str(every)) for every in (0, 1, 3)}


def test_it_changes_no_number(kept):
    assert len({fingerprint(found.parameters.views) for found in kept.values()}) == 1
    tables = {(found.folder / "metrics.csv").read_bytes() for found in kept.values()}
    assert len(tables) == 1
    assert not (kept[0].folder / "trajectory.bin").exists()


def test_it_is_the_path_of_training_again(kept):
    from_file, again = walked(kept[1], 5), walked(kept[0], 5)
    assert (from_file.again, again.again) == (False, True)
    np.testing.assert_array_equal(from_file.epochs, again.epochs)
    np.testing.assert_array_equal(from_file.places, again.places)
    np.testing.assert_array_equal(from_file.plane.losses, again.plane.losses)


def test_a_path_ends_at_the_last_weights_whatever_was_kept(kept):
    every, some = walked(kept[1], 5), walked(kept[3], 5)
    assert every.epochs.tolist() == [0, 1, 2, 3, 4]
    assert some.epochs.tolist() == [0, 3, 4]
    all_rows = read_trajectory(kept[1].folder, kept[1].center)[1]
    rows = read_trajectory(kept[3].folder, kept[3].center)[1]
    np.testing.assert_array_equal(rows, all_rows[[0, 3]])
    np.testing.assert_array_equal(all_rows[-1], kept[1].center)


def test_numpy_reads_the_file_as_it_is_described(kept):
    n = len(kept[1].center)
    plain = np.dtype([("epoch", "<i8"), ("step", "<i8"), ("weights", "<f4", n), ("crc", "<u4")])
    rows = np.fromfile(kept[1].folder / "trajectory.bin", plain)
    assert rows["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert rows["step"].tolist() == [epoch * rows["step"][1] for epoch in range(5)]
    assert plain == row_type(np.dtype(np.float32), n)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "not made of whole rows"),
        (lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:], "row 1 does not"),
        (None, "cannot read"),
    ],
)
def test_a_damaged_trajectory_is_refused(kept, damage, message):
    file = kept[3].folder / "trajectory.bin"
    whole = file.read_bytes()
    file.unlink()
    if damage:
        file.write_bytes(damage(whole))
    with pytest.raises(DamageError, match=message):
        walked(kept[3], 5)
    file.write_bytes(whole)


REFUSED = {
    "too large": (
        {"data": "circle", "model": {"hidden": [20_000]}, "epochs": 100_000, "trajectory": 1},
        r"100,001 times 80,001 weights are 30 GiB, more than 1 GiB — keep every 30th epoch",
    ),
    "no network": (
        {"data": "bars_and_stripes", "learner": "contrastive_divergence", "trajectory": 1},
        "contrastive_divergence has no use for it",
    ),
    "an objective": (
        {"objective": {"function": "rosenbrock"}, "trajectory": 1},
        r"(?s)trajectory\s.*the objective replaces",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_it_makes_no_sense_it_is_refused(case):
    tree, message = REFUSED[case]
    with pytest.raises((ConfigError, ValueError), match=message):
        build(Experiment.model_validate(tree))
