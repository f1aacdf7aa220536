"""What only the data can tell: twins, painted labels, rare classes, scales."""

import numpy as np
import pytest

from backproplab.autograd import Tensor
from backproplab.config import Experiment
from backproplab.data import Examples, Splits
from backproplab.data.preparation import Preparation
from backproplab.data.preprocessing import Scaler
from backproplab.diagnosis import Case, diagnose
from backproplab.diagnosis.splits import Data
from backproplab.experiment import run
from backproplab.task import Task


def splits(inputs, targets, validation=None):
    held = Examples(validation, np.zeros(len(validation), int)) if validation is not None else None
    task, identity = Task("classification", 2), Scaler()
    preparation = Preparation(identity, identity, task, inputs.shape[1:])
    return Data(Splits(Examples(inputs, targets), held, None, task, preparation))


def test_correlation_is_numpy_s():
    """numpy.corrcoef of every feature with membership in every class."""
    chance = np.random.default_rng(0)
    y = chance.integers(0, 2, 300)
    x = chance.standard_normal((300, 4)) + np.outer(y, [0, 1, 0, 2])
    x[:, 0] = 3.0  # constant: no correlation
    expected = max(abs(np.corrcoef(x[:, k], y == c)[0, 1]) for k in (1, 2, 3) for c in (0, 1))
    assert splits(x, y).correlation == pytest.approx(expected)


def test_twins_are_rows_that_are_equal_bit_for_bit():
    x = np.arange(20.0).reshape(10, 2)
    assert splits(x, np.zeros(10, int), np.array([[4.0, 5.0], [4.0, 5.1]])).twins == {
        "validation": 1
    }


def test_spreads_leave_constant_features_out():
    x = np.column_stack([np.full(50, 7.0), np.tile([0.0, 2.0], 25), np.tile([0.0, 600.0], 25)])
    assert splits(x, np.zeros(50, int)).spreads == pytest.approx((1.0, 300.0))


def write(folder, images, labels):
    """Four IDX files, as Fashion-MNIST's; the test split is a tenth."""
    folder.mkdir()
    cut = len(labels) // 10
    for part, rows in (("train", slice(cut, None)), ("t10k", slice(cut))):
        for name, array in (("images-idx3", images[rows]), ("labels-idx1", labels[rows])):
            sizes = np.array(array.shape, ">u4").tobytes()
            head = bytes([0, 0, 8, array.ndim]) + sizes
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())


def drawn(count, share=0.5, seed=0):
    """Images of two classes, the second brighter: one pixel alone tells little."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(count) < share).astype(np.uint8)
    noise = chance.integers(0, 120, (count, 5, 5))
    return (noise + 25 * labels[:, None, None]).astype(np.uint8), labels


def clean():
    return drawn(800)


def twice():
    images, labels = drawn(400)
    order = np.random.default_rng(1).permutation(800)
    return np.tile(images, (2, 1, 1))[order], np.tile(labels, 2)[order]


def painted():
    images, labels = drawn(800)
    images[:, 0, 0] = 255 * labels
    return images, labels


def rare():
    """Few of the second class, which nothing tells from the first."""
    return drawn(1500)[0], drawn(1500, share=0.03, seed=2)[1]


SETS = {"clean": (clean, ""), "twice": (twice, "D13"), "painted": (painted, "D13"),
        "rare": (rare, "D12")}  # fmt: skip
SAID = {"twice": "of the validation rows", "painted": "correlation is 1", "rare": "of class 1 only"}


@pytest.mark.parametrize("name", SETS)
def test_what_is_wrong_with_the_data_is_named(name, tmp_path):
    make, rule = SETS[name]
    write(tmp_path / "data", *make())
    data = {"name": "fashion_mnist", "path": str(tmp_path / "data"), "validation_split": 0.25}
    config = {"data": data, "model": {"hidden": [8]}, "epochs": 6, "learning_rate": 0.01}
    found = diagnose(Case(run(Experiment.model_validate(config), tmp_path / "run").folder))
    rules = {x.rule: x.sentence for x in found.findings if x.level in ("alarm", "warning")}
    if name == "clean":
        assert not {"D12", "D13"} & rules.keys()
    else:
        assert SAID[name] in rules[rule]
        assert found.cause.rule == rule


def test_the_rows_with_the_largest_loss_are_those_with_a_wrong_label(tmp_path):
    """D19's evidence: rows of the data as they were read, with their labels."""
    images, labels = drawn(600)
    images = (images // 2 + 60 * labels[:, None, None]).astype(
        np.uint8
    )  # now they can be distinguished
    wrong = np.random.default_rng(3).choice(np.arange(60, 600), 40, replace=False)
    labels[wrong] = 1 - labels[wrong]
    write(tmp_path / "data", images, labels)
    data = {"name": "fashion_mnist", "path": str(tmp_path / "data"), "validation_split": 0.25}
    config = {"data": data, "model": {"hidden": [8]}, "epochs": 6, "learning_rate": 0.01}
    case = Case(run(Experiment.model_validate(config), tmp_path / "run").folder)
    rows = case.at_best.worst
    assert len(rows) == 10
    read = labels[60:]  # the first tenth is the test split
    assert {row["row"] + 60 for row in rows} <= {*wrong.tolist()}
    assert [row["label"] for row in rows] == [read[row["row"]] for row in rows]
    assert all(row["answer"] == 1 - row["label"] for row in rows)
    losses = [row["loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    splits, end = case.parts.splits, case.at_best
    at = np.flatnonzero(splits.rows == rows[0]["row"])  # -ln of the answer's share, by NumPy
    logits = end.descent.network(
        end.descent.parameters.tensors(), Tensor(splits.train.inputs[at])
    ).value[0]
    assert losses[0] == pytest.approx(
        np.logaddexp.reduce(logits) - logits[rows[0]["label"]], rel=1e-5
    )


def test_the_rows_are_in_the_evidence_of_the_rule_and_only_where_data_are_loaded(trained):
    config = {
        "data": {"name": "xor", "samples": 200, "noise": 0.5}, "model": {"hidden": [32, 32]},
        "learning_rate": 0.02, "batch_size": 10, "epochs": 60,
    }  # fmt: skip
    folder = trained(config)
    shallow, deep = (diagnose(Case(folder, loads)) for loads in (False, True))
    (found,) = (x for x in deep.findings if x.rule == "D19")
    assert len(found.evidence["rows"]) == 10
    assert "rows" not in next(x for x in shallow.findings if x.rule == "D19").evidence
