"""Examples and classes that do not count alike, smoothed labels: the numbers of PyTorch, scikit-learn and Keras."""

import csv
import signal

import numpy as np
import pytest
import sklearn.metrics
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight

from backproplab.autograd import Tensor, backward, gradcheck
from backproplab.config import Experiment
from backproplab.data import Examples
from backproplab.errors import ConfigError, DataError
from backproplab.experiment import build, resume, run
from backproplab.experiment.crew import train_slice
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.loop import Callback, Every, Pace
from backproplab.nn import Loss, encoded, metrics_of, weighted
from backproplab.nn.losses import Auto, CrossEntropy, MeanSquaredError
from backproplab.task import Task

ROWS = 9
TWO, THREE = Task("classification", 2), Task("classification", 3)
NUMBERS = Task("regression", 2)
OF_CLASSES = [m for m in Loss.members.values() if issubclass(m, CrossEntropy)]
FORMS = ["naive", "shifted", "clipped", "fused"]
generator = np.random.default_rng(4)
LABELS = {task: generator.integers(0, task.outputs, ROWS) for task in (TWO, THREE)}
SAMPLES = generator.uniform(0, 3, ROWS)


def of(task, samples=None, **settings):
    """A loss of the task on random outputs: the loss, outputs and encoded targets."""
    loss = weighted(Auto(**settings).resolve(task), samples is not None)
    outputs = np.random.default_rng(5).standard_normal((ROWS, loss.units(task)))
    return loss, outputs, encoded(loss, Examples(outputs, LABELS[task], samples), task, np.float64)


@pytest.mark.parametrize(("weights", "smoothing", "expected"), [
    ((0.5, 2.0, 3.0), 0.0, 1.5141219908489871),
    (None, 0.1, 1.422767134066272),
    ((0.5, 2.0, 3.0), 0.1, 1.4973349900192006),
])  # fmt: skip
def test_three_losses_that_pytorch_gave(weights, smoothing, expected):
    """torch.nn.functional.cross_entropy(z, y, weight=…, label_smoothing=…) of PyTorch 2.13, float64."""
    z = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [-1.5, 0.25, 0.75]])
    named = dict(zip("012", weights, strict=True)) if weights else None
    loss = weighted(Auto(class_weights=named, label_smoothing=smoothing).resolve(THREE), False)
    targets = loss.encode(np.array([1, 0, 2]), THREE, np.float64)
    assert loss(Tensor(z), Tensor(targets)).value.mean() == pytest.approx(expected, rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [None, SAMPLES], ids=["alike", "sampled"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 3.0)], ids=["even", "weights"])
@pytest.mark.parametrize("task", [TWO, THREE], ids=str)
def test_the_loss_and_its_gradient_are_those_of_pytorch(task, weights, smoothing, samples):
    """CrossEntropyLoss(weight, label_smoothing) of PyTorch 2; one logit is z₁ - z₀ of two."""
    torch = pytest.importorskip("torch")
    named = {str(label): w for label, w in enumerate(weights[: task.outputs])} if weights else None
    loss, outputs, targets = of(task, samples, class_weights=named, label_smoothing=smoothing)
    z = torch.tensor(outputs, requires_grad=True)
    logits = torch.cat([torch.zeros_like(z), z], dim=1) if task is TWO else z
    own = None if weights is None else torch.tensor(weights[: task.outputs]).double()
    labels = torch.tensor(LABELS[task])
    how = {"weight": own, "label_smoothing": smoothing}
    if samples is None:
        expected = torch.nn.functional.cross_entropy(logits, labels, **how)
    else:
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none", **how)
        base = 1 if own is None else own[labels]
        expected = (torch.tensor(samples) * each).sum() / (torch.tensor(samples) * base).sum()
    expected.backward()
    tracked = Tensor(outputs, None, True)
    losses = loss(tracked, Tensor(targets))
    assert losses.value.mean() == pytest.approx(expected.item(), rel=1e-13)
    (gradient,) = backward(losses, Tensor(np.full(ROWS, 1 / ROWS)), [tracked])
    np.testing.assert_allclose(gradient.value, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("member", OF_CLASSES, ids=lambda member: member.name)
def test_slopes_by_hand_are_the_gradient(member, form):
    task = TWO if member.name == "binary_cross_entropy" else THREE
    settings = {"form": form, "label_smoothing": 0.2, "class_weights": {"1": 3.0}}
    loss, outputs, targets = of(task, SAMPLES, **settings)
    if member is not Auto:
        loss = weighted(member(**settings), True)
        targets = loss.encode(LABELS[task], task, np.float64, SAMPLES)
    outputs = outputs if member.name != "clipped" else 40 * outputs
    tracked = Tensor(outputs, None, True)
    losses = loss(tracked, Tensor(targets))
    (gradient,) = backward(losses, Tensor(np.ones(ROWS)), [tracked])
    np.testing.assert_allclose(loss.slope(outputs, targets), gradient.value, rtol=1e-12, atol=1e-14)
    gradcheck(lambda z: loss(z, Tensor(targets)), outputs)


def test_a_smoothed_sigmoid_has_the_targets_of_keras():
    """BinaryCrossentropy(label_smoothing=0.2) of Keras 3 makes (0.1, 0.9, 0.1) of t = (0, 1, 0)."""
    loss = weighted(Loss.parse({"sigmoid_cross_entropy": {"label_smoothing": 0.2}}), False)
    targets = loss.encode(np.array([1]), THREE, np.float64)
    z = np.array([[0.5, -1.0, 2.0]])
    expected = np.sum(np.log1p(np.exp(z)) - np.array([[0.1, 0.9, 0.1]]) * z)
    assert loss(Tensor(z), Tensor(targets)).value[0] == pytest.approx(expected, rel=1e-13)


def test_balanced_is_that_of_scikit_learn():
    labels = np.array([0] * 8 + [1] * 3 + [2])
    task = Task("classification", 3, counts=(8, 3, 1))
    loss = weighted(Auto(class_weights="balanced").resolve(task), False)
    found = loss.encode(labels, task, np.float64)[:, -2]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(found, expected[labels] / expected[labels].mean(), rtol=1e-14)


def test_metrics_are_those_of_scikit_learn():
    accuracy, f1 = metrics_of(THREE, ["f1_macro"])
    loss, outputs, targets = of(THREE, SAMPLES, class_weights={"0": 4})
    found = accuracy.function(loss, outputs, LABELS[THREE], loss.sample_weights(targets))
    chosen = outputs.argmax(axis=1)
    assert found == pytest.approx(
        sklearn.metrics.accuracy_score(LABELS[THREE], chosen, sample_weight=SAMPLES)
    )
    found = f1.function(loss, outputs, LABELS[THREE], loss.sample_weights(targets))
    assert found == pytest.approx(
        sklearn.metrics.f1_score(LABELS[THREE], chosen, average="macro", sample_weight=SAMPLES)
    )
    truth, answers = generator.standard_normal((2, ROWS, 2))
    loss = weighted(MeanSquaredError(), True)
    weights = loss.sample_weights(loss.encode(truth, NUMBERS, np.float64, SAMPLES))
    by_name = {m.name: m.function(loss, answers, truth, weights) for m in metrics_of(NUMBERS)}
    r2 = sklearn.metrics.r2_score(
        truth, answers, sample_weight=SAMPLES, multioutput="variance_weighted"
    )
    assert by_name["r2"] == pytest.approx(r2)
    mae = sklearn.metrics.mean_absolute_error(truth, answers, sample_weight=SAMPLES)
    assert by_name["mae"] == pytest.approx(mae)


# --- runs

COUNTS = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Three classes and a number, a column of whole weights, and each row as often as it counts."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("weights")
    rows = []
    for i in range(120):
        kind = int(random.choice(3, p=[0.6, 0.3, 0.1]))
        a, b = random.normal(kind, 1.0, 2).round(3)
        split = "train" if i % 4 else "validation"
        values = {"a": a, "b": b, "w": COUNTS[i % 3 + i % 2], "split": split, "kind": "klm"[kind]}
        rows.append(values | {"size": round(a - b, 3)})
    for name, found in (
        ("counted", rows),
        ("repeated", [row | {"w": 1} for row in rows for _ in range(row["w"])]),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(found)
    return folder


def experiment(table, name="counted", target="kind", **settings):
    ignored = {"size" if target == "kind" else "kind": "ignore"}
    data = {"name": "csv", "path": str(table / f"{name}.csv"), "target": target, "weights": "w",
            "columns": ignored, "split": {"column": "split"}, "standardize": False,
            "standardize_targets": False}  # fmt: skip
    tree = {
        "data": data | settings.pop("data", {}),
        "model": {"hidden": [5]},
        "batch_size": 16,
        "epochs": 3,
        "threads": 1,
        "tensorboard": {"update_freq": 1},
    }
    return Experiment.model_validate(tree | settings)


@pytest.mark.parametrize("target", ["kind", "size"])
def test_a_row_that_counts_twice_is_two_rows(table, target, tmp_path):
    """In batch mode, up to rounding, with and without class weights: losses, metrics, weights."""
    of_classes = {"loss": {"auto": {"class_weights": {"m": 3}, "label_smoothing": 0.1}}}
    for more in ({}, of_classes) if target == "kind" else ({},):
        ends = []
        for name in ("counted", "repeated"):
            own = {"batch_mode": "batch", "batch_size": None, "dtype": "float64"}
            described = experiment(table, name, target, **own, **more)
            ends.append(run(described, tmp_path / f"{name}{len(more)}").metrics)
        assert ends[0].keys() == ends[1].keys()
        for key, value in ends[0].items():
            assert value == pytest.approx(ends[1][key], rel=1e-9), key


CASES = {
    "samples": {},
    "classes": {"data": {"weights": ""}, "loss": {"auto": {"class_weights": "balanced"}}},
    "smoothed": {"loss": {"auto": {"label_smoothing": 0.1, "class_weights": {"k": 2}}}},
    "numbers": {"target": "size"},
    "analytic": {"learner": {"gradient_descent": {"gradient": "analytic"}}},
    "numeric": {"learner": {"gradient_descent": {"gradient": "numeric"}}, "epochs": 1},
    "tiles": {"accumulate": 2, "batch_size": 8},
    "search": {"learner": "random_guess", "steps": 20, "epochs": None, "tensorboard": {}},
}


class Stop(Callback):
    """Asks for the end after two steps, if it is armed."""

    name, when = "stop", Every(2)

    def __init__(self, armed):
        self.armed = armed

    def look(self, lane):
        if self.armed:
            signal.raise_signal(signal.SIGINT)


def bytes_of(folder, saved):
    return saved(folder), folder.read("metrics.csv")


FAST = ("samples", "tiles")


@pytest.mark.parametrize(
    "case", [case if case in FAST else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_engines_crews_and_resumed_runs_give_the_same_bits(case, table, saved, tmp_path):
    settings = {"batch_size": None} if case == "search" else {}
    first = experiment(table, **settings | CASES[case], engine="eager")
    run(first, tmp_path / "eager", [Stop(False)])
    whole = bytes_of(DiskFolder(tmp_path / "eager"), saved)
    for engine in ("replay", "auto"):
        run(first.model_copy(update={"engine": engine}), tmp_path / engine, [Stop(False)])
        assert bytes_of(DiskFolder(tmp_path / engine), saved) == whole
    assert run(first, tmp_path / "parts", [Stop(True)]).status == "interrupted"
    resume(tmp_path / "parts", callbacks=[Stop(False)])
    assert bytes_of(DiskFolder(tmp_path / "parts"), saved) == whole
    if case in ("search", "numeric"):
        return
    seeds = [first.model_copy(update={"seed": seed, "engine": "auto"}) for seed in (1, 2)]
    crew = [MemoryFolder(), MemoryFolder()]
    train_slice(seeds, crew, [None, None], Pace())
    for number, (own, folder) in enumerate(zip(seeds, crew, strict=True)):
        alone = DiskFolder(tmp_path / f"alone{number}")
        train_slice([own], [alone], [None], Pace())
        assert bytes_of(folder, saved) == bytes_of(alone, saved)


@pytest.mark.parametrize(("settings", "what"), [
    ({"loss": {"auto": {"class_weights": {"n": 1}}}}, "class_weights: 'n' is no class of the data"),
    ({"target": "size", "loss": {"auto": {"class_weights": "balanced"}}}, "needs classes"),
    ({"target": "size", "loss": {"auto": {"label_smoothing": 0.1}}}, "needs classes"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(settings, what, table):
    with pytest.raises(ConfigError, match=what.replace("(", "[(]")):
        build(experiment(table, **settings))


@pytest.mark.parametrize(
    "value", ["unbalanced", {"k": 0}, {"k": -1}, {"k": "2"}, {}, 2, {"k": True}]
)
def test_class_weights_are_positive_numbers_by_name(value):
    with pytest.raises(ValidationError, match="must be balanced, or a number above 0"):
        Auto(class_weights=value)


@pytest.mark.parametrize(("cell", "what"), [("", "is empty"), ("-1", "is below 0")])
def test_a_weight_that_is_none_is_an_error_with_its_line(cell, what, tmp_path):
    lines = ["x,w,y", *(f"{i},1,{'ab'[i % 2]}" for i in range(20))]
    lines[5] = f"4,{cell},a"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = {"name": "csv", "path": str(tmp_path / "t.csv"), "weights": "w"}
    with pytest.raises(DataError, match=rf"t.csv.*6.*{what}"):
        build(Experiment.model_validate({"data": data, "epochs": 1}))
