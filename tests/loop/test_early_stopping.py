"""EarlyStopping is Keras', row by row: the table of anchors/learners.md 8.3, from Keras 3's source
and traces of keras.callbacks.EarlyStopping."""

from typing import ClassVar

import numpy as np
import pytest

from backproplab.errors import ConfigError
from backproplab.files import MemoryFolder
from backproplab.journal import Journal
from backproplab.learners import Learning
from backproplab.loop import Best, EarlyStopping, Lane, Length, Patience
from backproplab.measures import monitored

NAN = float("nan")
FIRST = [10, 9, 8, 9, 8.9, 8.8, 8.7, 8.6, 8.5]
SLOW = [1, 0.95, 0.94, 0.935, 0.934, 0.933, 0.932]
UP = [0.9, 0.8, 0.7, 0.71, 0.72, 0.73, 0.74]
# losses, settings, epochs run, stopped_epoch (0: never), epoch restored (None: not looked at)
ROWS = [
    (FIRST, {"patience": 0}, 4, 3, None),
    (FIRST, {"patience": 1}, 4, 3, None),
    (FIRST, {"patience": 2}, 5, 4, None),
    (FIRST, {"patience": 3}, 6, 5, None),
    (SLOW, {"patience": 2}, 7, 0, 6),
    (SLOW, {"patience": 2, "min_delta": 0.01}, 6, 5, 3),
    (SLOW, {"patience": 2, "min_delta": 0.05}, 5, 4, 2),
    (UP, {"patience": 5, "baseline": 0.5}, 5, 4, 2),
    (UP, {"patience": 2, "baseline": 0.75}, 5, 4, 2),
    ([0.9, 0.85, 0.8, 0.78, 0.76, 0.74], {"patience": 2, "baseline": 0.75}, 6, 0, 5),
    ([1, 5, 4, 3, 3.1, 3.2, 3.3], {"patience": 2}, 3, 2, 0),
    ([1, 5, 4, 3, 3.1, 3.2, 3.3], {"patience": 2, "start_from_epoch": 2}, 6, 5, 3),
    ([3, 2, 1, 1.5], {"patience": 5}, 4, 0, 2),
    ([1, NAN, NAN, 0.5], {"patience": 2}, 3, 2, 0),
    ([1, 1, 1, 1], {"patience": 2}, 3, 2, None),
]


class Counter(Learning):
    """One weight, to which the test gives the epoch's number."""

    weights: ClassVar = {"epoch": np.zeros(1)}


def watch(values, settings, goal="min", monitor="val_loss"):
    """Feed the values, one an epoch; the weights are the epoch's number."""
    stopping = EarlyStopping(restore_best_weights=True, monitor=monitor, **settings)
    best = Best(monitor, goal, stopping.min_delta, stopping.start_from_epoch)
    patience = Patience(stopping, best)
    learning = Counter()
    journal = Journal(MemoryFolder(), [], ["train"], {})
    lane = Lane(learning, None, [best, patience], journal, Length(len(values), 1))
    for epoch, value in enumerate(values):
        learning.weights["epoch"][...] = epoch
        lane.progress.epoch, lane.progress.metrics = epoch + 1, {"loss": 1.0, monitor: value}
        best.look(lane)
        patience.look(lane)
        if lane.ended:
            break
    best.put_back(lane)
    return lane, best, patience


@pytest.mark.parametrize(("losses", "settings", "epochs", "stopped", "restored"), ROWS)
def test_the_table(losses, settings, epochs, stopped, restored):
    lane, best, patience = watch(losses, settings)
    assert lane.progress.epoch == epochs
    assert patience.stopped_epoch == stopped
    assert (lane.progress.stop_reason == "patience_exhausted") == (stopped > 0)
    if restored is not None:
        assert lane.learning.weights["epoch"] == restored
        assert best.row["epoch"] == restored + 1


def test_a_metric_that_should_rise():
    lane, best, _ = watch([0.5, 0.6, 0.7, 0.65, 0.66], {"patience": 2}, "max", "val_accuracy")
    assert lane.learning.weights["epoch"] == 2
    assert best.row["val_accuracy"] == 0.7  # the row of the weights that are kept


def test_what_is_not_measured_cannot_be_monitored():
    with pytest.raises(
        ConfigError, match=r"'val_los' is not measured; one of .*did you mean 'val_loss'"
    ):
        monitored("val_los", ["loss", "val_loss"], "early_stopping")
