"""A batch walked in tiles has the gradient of the whole batch, and bounded memory."""

import tracemalloc

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.experiment import build
from backproplab.learners import GradientDescent, Material, NoBrake, Span, Split
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.tiles import TILE, tile_length
from backproplab.nn import Model
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer
from backproplab.optim.schedules import Constant
from backproplab.streams import stream
from backproplab.task import Task
from benchmarks.ours import network_of
from benchmarks.workloads import WORKLOADS

ROWS, CLASSES = 37, 3
DENSE = [{"dense": {"units": 8, "activation": "tanh"}}, "layer_norm", {"dense": CLASSES}]
IMAGES = [{"reshape": [4, 4, 1]}, {"conv2d": 2}, "relu", "max_pool", "flatten", {"dense": CLASSES}]
MIXING = [{"dense": 8}, {"batch_norm": {"momentum": 0.0}}, "relu", {"dense": CLASSES}]


def examples(rows, units=16, dtype=np.float64):
    generator = np.random.default_rng(1)
    x = generator.standard_normal((rows, units)).astype(dtype)
    return x, generator.integers(0, CLASSES, rows)


def network(layers, units=16):
    return Model(layers=layers).network((units,), CLASSES)


def learner(layers, tile=None, engine="auto", dtype=np.float64):
    net = network(layers)
    parameters = net.parameters(dtype)
    net.initialize(parameters, stream(0, "init"))
    loss, chance = SoftmaxCrossEntropy(), stream(0, "dropout")
    return BackpropSource(net, loss, parameters, chance, engine, tile)


# --- the same gradient


@pytest.mark.parametrize("layers", [DENSE, IMAGES], ids=["dense", "images"])
@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize("tile", [1, 4, 10, 18, 36])  # 37 is prime: no tiles are all equal
def test_tiles_add_up_to_the_gradient_of_the_batch(layers, engine, tile):
    whole, tiled = learner(layers, tile=ROWS, engine=engine), learner(layers, tile, engine)
    for _ in range(4):  # the fourth one is replayed
        whole(*examples(ROWS))
        tiled(*examples(ROWS))
        np.testing.assert_allclose(tiled.gradient.flat, whole.gradient.flat, rtol=0, atol=1e-12)
    assert np.ptp(whole.gradient.flat) > 0.1


def test_the_rows_given_are_the_rows_taken():
    x, y = examples(100)
    rows = np.random.default_rng(2).permutation(100)[:ROWS]
    chosen, tiled = learner(DENSE, tile=ROWS), learner(DENSE, tile=5)
    chosen(x[rows], y[rows])
    tiled(x, y, rows)
    np.testing.assert_allclose(tiled.gradient.flat, chosen.gradient.flat, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "samples", [160, 163, 186]
)  # last batches of 32, 2 and 21 of 128, 130, 149
def test_accumulating_four_batches_is_one_of_four_times_the_size(samples):
    weights = []
    for size, accumulate in ((32, 1), (8, 4)):
        parts = build(Experiment.model_validate({
            "data": {"name": "circle", "samples": samples}, "dtype": "float64", "batch_size": size,
            "model": {"hidden": [6, 4], "activation": "tanh"}, "accumulate": accumulate,
        }))  # fmt: skip
        descent, order = parts.descent(), parts.order()
        for epoch in range(3):
            span = Span(
                epoch * order.batches, order.batches, order.upcoming(order.batches), order.length
            )
            assert descent.advance(span, {}, NoBrake()).done == order.batches
            order.done(order.batches)
        weights.append((descent.parameters.flat, 3 * order.batches))
    (large, updates), (small, as_many) = weights
    assert updates == as_many
    np.testing.assert_allclose(small, large, rtol=0, atol=1e-12)


# --- how long a tile is


@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in a residual block"])
def test_a_network_that_mixes_examples_takes_its_batch_whole(inside, monkeypatch):
    monkeypatch.setattr("backproplab.learners.tiles.TILE", 1)
    dense, norm, *rest = MIXING
    layers = [dense, {"residual": [norm]}, *rest] if inside else MIXING
    name = "residual_1/batch_norm_1" if inside else "batch_norm_1"
    x, y = examples(5000)
    whole = learner(layers)
    kernel, bias = (whole.parameters.views[f"dense_1/{w}"].copy() for w in ("kernel", "bias"))
    whole(x, y)
    mean = whole.parameters.views[f"{name}/mean"]  # with momentum 0 that of the batch
    np.testing.assert_allclose(mean, (x @ kernel + bias).mean(0), atol=1e-13)


def test_a_tile_s_activations_fill_the_cache_forward_and_backward():
    numbers = 16 + 8 + 8 + 3  # inputs, dense, layer_norm, dense
    assert tile_length(network(DENSE), 4) == TILE // (2 * numbers * 4)
    assert tile_length(network(DENSE), 8) == TILE // (2 * numbers * 8)


def test_a_tile_of_a_wide_network_outweighs_its_weights():
    wide = network([{"dense": 2048}, {"dense": 2048}, {"dense": CLASSES}])
    parameters = wide.parameters(np.float32)
    example = 2 * 4 * (16 + 2048 + 2048 + 3)
    assert (
        tile_length(wide, parameters.flat.itemsize) * example
        > parameters.flat.nbytes - example
        > TILE
    )


@pytest.mark.parametrize("fields", [
    {"batch_mode": "batch"}, {"batch_mode": "stochastic"}, {"batch_size": 64}, {"threads": 2},
    {"seed": 1}, {"engine": "eager"}, {"data": {"name": "circle", "samples": 5000}},
], ids=str)  # fmt: skip
def test_the_length_depends_on_the_network_alone(fields):
    base = {"data": {"name": "circle", "samples": 200}, "model": {"hidden": [16]}}
    one, other = (build(Experiment.model_validate(e)).descent() for e in (base, base | fields))
    assert one.updates.source.tile == other.updates.source.tile


@pytest.mark.parametrize(("rows", "tile"), [(37, 10), (11, 8), (20, 8), (23, 1), (60_000, 2473)])
def test_tiles_are_as_equal_as_can_be_and_cover_the_batch(rows, tile):
    of_its_own = learner(DENSE, None)
    of_its_own.tile = tile
    tiles = of_its_own._tiles(rows)
    lengths = [part.stop - part.start for part in tiles]
    assert max(lengths) - min(lengths) <= 1
    assert np.concatenate([np.arange(rows)[part] for part in tiles]).tolist() == list(range(rows))
    assert max(lengths) <= 1.5 * tile


@pytest.mark.parametrize(("rows", "lengths"), [(250, [100, 100, 50]), (130, [100, 30]), (60, [60])])
def test_a_length_that_is_given_is_kept(rows, lengths):
    """Each batch that ``accumulate`` adds up has its own moments: it must not be cut otherwise."""
    tiles = learner(DENSE, 100)._tiles(rows)
    assert [part.stop - part.start for part in tiles] == lengths


# --- memory


class Traced:
    """``with Traced() as memory: …``; then ``memory.peak`` is what was allocated, in bytes."""

    def __enter__(self):
        tracemalloc.start()
        self.before, _ = tracemalloc.get_traced_memory()
        return self

    def __exit__(self, *error):
        self.peak = tracemalloc.get_traced_memory()[1] - self.before
        tracemalloc.stop()


@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_a_batch_of_60_000_makes_no_temporaries_of_60_000_rows(engine):
    """64-32-10: the inputs are 15 MB, one layer's activations 8 MB, a step's 50 MB."""
    net = Model(layers=[{"dense": {"units": 32, "activation": "relu"}}, {"dense": 10}]).network(
        (64,), 10
    )
    descent = descent_of(net, 60_000, 64, engine=engine)
    rows = np.arange(60_000)
    with Traced() as memory:
        for number in range(3):
            step(descent, number, rows)
    assert memory.peak < 8e6  # a fifth of a step's; a tile's, and what its recording keeps


def test_memory_does_not_grow_with_the_number_of_tiles():
    """Of the benchmark's CNN, whose tiles are of 3 images and whose patches take 145 kB each."""
    peaks = []
    for images in (60, 180):
        descent = descent_of(network_of(WORKLOADS["CNN"]), images, 784)
        fills, train = descent.updates.source, descent.material.train
        with Traced() as memory:
            for _ in range(4):
                fills(train.inputs, train.encoded)
        peaks.append(memory.peak)
    assert peaks[1] < peaks[0] + 2e6  # the images' own: 120 of 3 kB


def descent_of(net, rows, units, optimizer="sgd", engine="auto"):
    """Gradient descent on random examples."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((rows, units), np.float32), generator.integers(0, 10, rows)
    keys = {
        "optimizer": Optimizer.parse(optimizer), "learning_rate": 1e-3, "schedule": Constant(),
        "clipping": None, "batch_size": None, "accumulate": 1,
    }  # fmt: skip
    task, splits = Task("classification", 10), {"train": Split(x, y, y)}
    of = task, splits, net, SoftmaxCrossEntropy(), (), keys, 0, np.dtype(np.float32), 1, engine
    return GradientDescent().begin(Material(*of))


def step(descent, number, rows):
    """One update, after these many others."""
    span = Span(number, 1, rows, len(rows))
    assert descent.advance(span, {}, NoBrake()).done == 1


@pytest.mark.parametrize("name", "ABCD")
def test_a_step_that_is_replayed_allocates_no_array(name):
    """The dense workloads of the benchmark, a batch of D being 3000 rows instead of 60 000."""
    work = WORKLOADS[name]
    batch = min(work.batch, 3000)
    descent = descent_of(network_of(work), batch, work.inputs, work.optimizer)
    rows = np.arange(batch)
    for number in range(12):
        step(descent, number, rows)
    peaks = []
    for number in range(12, 15):  # the 13th to 15th; a recording comes with each power of two
        with Traced() as memory:
            step(descent, number, rows)
        peaks.append(memory.peak)
    assert not descent.refusal
    assert min(peaks) < 8192 * (8 + 4) + 2000  # buffers of NumPy's loops: labels and floats
