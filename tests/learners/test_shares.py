"""Ranks share a batch: their gradients, masks and evaluations are those of one process. MPI itself is in test_mpiexec.py."""

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.errors import ConfigError
from backproplab.experiment import build
from backproplab.learners import Learner
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.evaluation import TILE, Evaluation
from backproplab.learners.gradient import Gradient
from backproplab.nn import Model
from backproplab.nn.layer import Layer
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer
from backproplab.ranks import Ranks
from backproplab.streams import stream

CLASSES = 3
NETWORKS = {
    "dense": [{"dense": 8}, "tanh", {"dense": CLASSES}],
    "dropout": [{"dropout": 0.2}, {"dense": 8}, "relu", {"dropout": 0.5}, {"dense": CLASSES}],
    "images": [{"reshape": [4, 4, 1]}, {"conv2d": 2}, "max_pool", {"dropout": 0.3}, "flatten", {"dense": CLASSES}],
    "residual": [{"dense": 8}, {"residual": {"layers": [{"dense": 8}, {"dropout": 0.5}]}}, "layer_norm", {"dense": CLASSES}],
}  # fmt: skip


class Apart(Ranks):
    """One of several ranks, whose parts a test adds up itself."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def source(layers, engine="eager", tile=None, ranks=None):
    network = Model(layers=NETWORKS[layers]).network((16,), CLASSES)
    parameters = network.parameters(np.float64)
    network.initialize(parameters, stream(0, "init"))
    of = network, SoftmaxCrossEntropy(), parameters, stream(0, "dropout"), engine, tile
    return BackpropSource(*of, ranks=ranks or Ranks())


def examples(rows):
    chance = np.random.default_rng(1)
    return chance.standard_normal((rows, 16)), chance.integers(0, CLASSES, rows)


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("rows", [1, 4, 37])  # of 1 and 4, some ranks have none
@pytest.mark.parametrize("tile", [None, 10])
@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize("layers", NETWORKS)
def test_the_ranks_gradients_add_up_to_that_of_one_process(layers, engine, tile, rows, size):
    alone, outputs = source(layers, engine, tile), np.empty((rows, CLASSES))
    ranks = [source(layers, engine, tile, Apart(rank, size)) for rank in range(size)]
    x, y = examples(40)
    chosen = np.random.default_rng(2).permutation(40)[:rows]
    for _ in range(3):  # the third one is replayed; and the streams must stay together
        alone(x, y, chosen, None, outputs)
        parts = [np.full_like(outputs, np.nan) for _ in ranks]
        for rank, own in zip(ranks, parts, strict=True):
            rank(x, y, chosen, None, own)
        found = sum(rank.gradient.flat for rank in ranks)
        np.testing.assert_allclose(found, alone.gradient.flat, rtol=0, atol=1e-13)
        np.testing.assert_allclose(sum(parts), outputs, rtol=0, atol=1e-13)
    states = [r.generator.bit_generator.state for r in (alone, *ranks)]
    assert all(state == states[0] for state in states)


def test_a_share_that_is_given_up_is_undone():
    class Signal:
        asked = 0

        def within_step(self):
            self.asked += 1
            return self.asked == 2

    rank = source("dropout", tile=10, ranks=Apart(1, 2))
    before = rank.generator.bit_generator.state
    assert not rank(*examples(37), brake=Signal())
    assert rank.generator.bit_generator.state == before


@pytest.mark.parametrize("size", [2, 3, 7])
def test_ranks_share_the_tiles_of_an_evaluation(size):
    x, y = examples(4 * TILE + 5)
    of = source("dense")
    found, rows = [], []

    class Kept(Apart):
        def add(self, *arrays, unless=False):
            found.append([array.copy() for array in arrays])
            return not unless

    for ranks in (Ranks(), *(Kept(rank, size) for rank in range(size))):
        evaluation = Evaluation(of.network, of.parameters, of.loss_function, (), ranks=ranks)
        rows.append(evaluation(x, y, y))
    sums, outputs = (sum(parts) for parts in zip(*found, strict=True))
    assert sum(sums) / len(x) == rows[0]["loss"]  # bit for bit: added in the order of the tiles
    assert np.isfinite(outputs).all()
    assert np.count_nonzero(outputs) == outputs.size


# what ranks cannot share is refused by name


def built(**fields):
    tree = {"data": {"name": "circle", "samples": 60}, "model": {"hidden": [4]}, **fields}
    given = {key: value for key, value in tree.items() if value is not None}
    return build(Experiment.model_validate(given), ranks=Apart(0, 2))


FIELDS = {
    "contrastive_divergence": {"data": {"name": "bars_and_stripes"}, "model": None},
    "gradient_flow": {"learner": {"gradient_flow": {"until": 1}}},
    "kernel_regression": {"model": None},
    **{
        name: {"model": None}
        for name in ("majority", "linear", "random_forest", "gradient_boosting")
    },
}


@pytest.mark.parametrize("name", Learner.members)
def test_a_learner_that_cannot_share_is_refused(name):
    if Learner.members[name].shares:
        assert built(learner=name).ranks.size == 2
        return
    with pytest.raises(ConfigError, match=rf"2 ranks cannot share the steps of {name} — start it"):
        built(**{"learner": name, "steps": 5} | FIELDS.get(name, {}))


@pytest.mark.parametrize("name", Gradient.members)
def test_a_source_that_cannot_share_is_refused(name):
    learner = {"gradient_descent": {"gradient": name}}
    if Gradient.members[name].shares:
        assert built(learner=learner).ranks.size == 2
        return
    with pytest.raises(ConfigError, match=f"2 ranks cannot share {name} gradients"):
        built(learner=learner)


@pytest.mark.parametrize("name", Optimizer.members)
def test_an_optimizer_that_needs_more_than_the_gradient_is_refused(name):
    kind = Optimizer.members[name]
    if kind.blockwise and not kind.second_order:
        assert built(optimizer=name).ranks.size == 2
        return
    with pytest.raises(ConfigError, match=f"2 ranks cannot share the steps of {name}"):
        built(optimizer=name, batch_mode="batch")


def test_layers_that_look_at_the_whole_batch_are_refused():
    mixing = [name for name, kind in Layer.members.items() if name == "batch_norm"]
    for name in mixing:
        for layer in (name, {"residual": {"layers": [{"dense": 4}, name]}}):
            with pytest.raises(ConfigError, match=r"model.layers.1: 2 ranks cannot share a batch"):
                built(model={"layers": [{"dense": 4}, layer, {"dense": 1}]})


def test_a_rank_has_one_thread_unless_the_config_says_more():
    large = {"hidden": [1024, 1024]}
    assert built(model=large).experiment.threads == 1
    assert built(model=large, threads=2).experiment.threads == 2
