"""The graph: what the page of TensorBoard needs of it, for every layer; and that it is the step that trains."""

from collections import Counter

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.config_pb2 import RunMetadata

from backproplab.config import Experiment
from backproplab.experiment import build, run
from backproplab.journal.graphs import Cost, GraphNode, costs_record
from backproplab.journal.protos import Event
from backproplab.learners import Gradient
from backproplab.nn import Layer
from backproplab.telemetry.graph import Nodes
from backproplab.telemetry.step import Rehearsal

# layers that need more than their name, or another shape than (64,)
LAYERS = {
    "dense": {"dense": 5},
    "dropout": {"dropout": 0.5},
    "embedding": {"embedding": {"vocabulary": 20, "units": 2}},
    "embed_columns": {"embed_columns": [[1, 20, 2], [3, 20, 1]]},
    "conv2d": {"conv2d": {"filters": 3, "activation": "tanh"}},
    "conv1d": {"conv1d": {"filters": 3}},
    "reshape": {"reshape": [4, 16]},
    "ode": {"ode": [{"dense": 64}]},
    "residual": {"residual": ["batch_norm", {"dense": 64}, "relu"]},
}
SHAPES = {
    "conv2d": [8, 8, 1],
    **{
        key: [16, 4]
        for key in ("conv1d", "max_pool", "avg_pool", "global_max_pool", "global_avg_pool")
    },
}


def experiment(*layers, **fields):
    return Experiment.model_validate(
        {"name": "x", "data": {"name": "digits", "standardize": False}, "model": {"layers": layers}, "epochs": 1} | fields
    )  # fmt: skip


def around(name):
    """A network with the layer, between others where it fits."""
    if name in ("embedding", "embed_columns"):
        words = {"name": "bars_and_stripes", "side": 4}
        return experiment(LAYERS[name], "flatten", {"dense": 1}, data=words)
    before = [{"reshape": SHAPES[name]}] if name in SHAPES else [{"dense": 64}]
    return experiment(
        *before, LAYERS.get(name, name), "flatten", {"dense": 10}, clipping={"global_norm": 1}
    )


@pytest.mark.parametrize("name", Layer.members)
def test_a_graph_has_no_loose_end_and_a_box_for_each_layer(name):
    descent = build(around(name)).descent()
    step = Rehearsal(descent, 8)
    assert not step.refusal
    nodes = Nodes(step, descent).all
    names = Counter(node.name for node in nodes)
    assert set(names.values()) == {1}
    assert {source.partition(":")[0] for node in nodes for source in node.inputs} <= names.keys()
    boxes = {"/".join(n.split("/")[:end]) for n in names for end in range(1, n.count("/") + 1)}
    assert not boxes & names.keys()  # a node that is a box, too, is drawn wrongly
    assert all(node.shapes for node in nodes)
    layers = {
        p.name for p in descent.network.places if p.layer.name != "linear"
    }  # which computes nothing
    assert {name.partition("/")[0] for name in names} == layers | {
        "inputs",
        "targets",
        "loss",
        "optimizer",
    }
    trained = {place.name for place in descent.network.places if place.parameters}
    assert {f"{layer}/backward" for layer in trained} <= boxes
    assert set(descent.parameters.views) <= names.keys()


@pytest.mark.parametrize("name", Layer.members)
def test_the_step_by_layers_is_the_one_that_trains(name):
    """The same gradients, to the last bit, from the same draws; and nothing has moved."""
    descent = build(around(name)).descent()
    before, chance = descent.parameters.flat.copy(), descent.chance.bit_generator.state
    step = Rehearsal(descent, 8)
    assert before.tobytes() == descent.parameters.flat.tobytes()
    assert chance == descent.chance.bit_generator.state
    results = dict(zip(step.moved, step.results[1:], strict=True))
    train = descent.material.train
    descent.updates.source(train.inputs[:8], train.encoded[:8])
    assert set(results) == set(descent.gradient.views)
    for key, gradient in descent.gradient.views.items():
        np.testing.assert_array_equal(results[key], gradient)


def test_the_first_view_of_two_dense_layers_has_six_boxes():
    descent = build(
        experiment({"dense": {"units": 64, "activation": "relu"}}, {"dense": 10})
    ).descent()
    tops = {node.name.partition("/")[0] for node in Nodes(Rehearsal(descent, 32), descent).all}
    assert tops == {"inputs", "targets", "dense_1", "dense_2", "loss", "optimizer"}


@pytest.mark.parametrize("gradient", Gradient.members)
def test_a_graph_has_a_backward_pass_only_where_the_gradient_takes_one(gradient, tmp_path):
    """Elsewhere it is the forward pass, the loss and the optimizer, which moves all weights."""
    learner = {"gradient_descent": {"gradient": gradient}}
    layers = {"dense": {"units": 4, "activation": "tanh"}}, {"dense": 1}
    fields = {"data": {"name": "circle", "samples": 20}, "learner": learner, "steps": 2}
    run(experiment(*layers, clipping={"global_norm": 1}, **fields), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run/train")).Reload()
    nodes = {node.name: node for node in events.Graph().node}
    backward = {"loss/backward", "dense_1/backward", "dense_2/backward"}
    boxes = {name.rpartition("/")[0] for name in nodes}
    assert backward & boxes == (backward if gradient == "backprop" else set())
    assert {"dense_1/kernel", "dense_2/bias"} <= set(nodes["optimizer/adam"].input)
    assert events.Tags()["run_metadata"]


def test_costs_are_read_as_tensorboard_s_own_message():
    """tensorboard.compat.proto is TensorFlow's own definition."""
    node = GraphNode("a/b", "add", (), ((300, 2), ()))
    event = Event.FromString(costs_record("tag", 7, [Cost(node, 1_000_000, 129, 2**40)])[12:-4])
    assert (event.step, event.tagged_run_metadata.tag) == (7, "tag")
    (device,) = RunMetadata.FromString(event.tagged_run_metadata.run_metadata).step_stats.dev_stats
    (found,) = device.node_stats
    assert (found.node_name, found.all_start_micros, found.op_end_rel_micros) == (
        "a/b",
        1_000_000,
        129,
    )
    assert (found.all_end_rel_micros, found.memory[0].total_bytes) == (129, 2**40)
    shapes = [[dim.size for dim in x.tensor_description.shape.dim] for x in found.output]
    assert shapes == [[300, 2], []]
    assert all(x.tensor_description.HasField("shape") for x in found.output)
    assert [x.slot for x in found.output] == [0, 1]


def test_a_run_writes_its_graph_once_and_what_the_nodes_take_at_its_end(tmp_path):
    run(experiment({"dense": 10}, epochs=2), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run/train")).Reload()
    graph = {node.name for node in events.Graph().node}
    (tag,) = events.Tags()["run_metadata"]
    assert tag == "1000 updates, timed after epoch 2"
    timed = events.RunMetadata(tag).step_stats.dev_stats[0].node_stats
    assert {node.node_name for node in timed} <= graph
    ends = [node.all_start_micros + node.all_end_rel_micros for node in timed]
    assert [node.all_start_micros for node in timed] == [0, *ends[:-1]]
    assert ends[-1] > 0
