"""The forms of a cross-entropy that overflow, meet log(0) or lose the gradient, and the one that does not.

Numbers: anchors/learners.md, section 9.
"""

import numpy as np
import pytest

from backproplab.autograd import Tensor, backward
from backproplab.nn import Loss
from backproplab.nn.losses import Auto, BinaryCrossEntropy, SoftmaxCrossEntropy
from backproplab.task import Task

FORMS = ("naive", "shifted", "clipped", "fused")
LOSSES = ("softmax_cross_entropy", "binary_cross_entropy", "sigmoid_cross_entropy")


def of(loss, logits, target, dtype=np.float64):
    """(loss, gradient by the logits) of one example."""
    z = Tensor(np.array([logits], dtype), None, True)
    with np.errstate(all="ignore"):
        y = loss(z, Tensor(np.array(target)))
        (gradient,) = backward(y, Tensor(np.ones_like(y.value)), [z])
    return float(y.value[0]), gradient.value[0]


# logits, class, dtype: naive, shifted, clipped, clipped at 1e-4, fused
SOFTMAX = [
    ([1000, 0], 0, np.float32, np.nan, 0, 1.1920930e-7, 1.0002159e-4, 0),
    ([1000, 0], 0, np.float64, np.nan, 0, 1.0e-7, 1.00005e-4, 0),
    ([1000, 0], 1, np.float32, np.inf, np.inf, 16.118095, 9.210340, 1000),
    ([100, 0], 1, np.float32, np.inf, 99.98309, 16.118095, 9.210340, 100),
    ([100, 0], 1, np.float64, 100, 100, 16.118095, 9.210340, 100),
    ([20, 0], 1, np.float64, 20, 20, 16.118095, 9.210340, 20),
    ([16, 0], 1, np.float64, 16, 16, 16, 9.210340, 16),
    ([-1000, -10, -8], 0, np.float64, np.inf, np.inf, 16.118095, 9.210340, 992.126928011043),
    (
        [1, 2, 3],
        2,
        np.float64,
        0.4076059644443804,
        0.4076059644443804,
        0.4076059644443804,
        0.4076059644443804,
        0.4076059644443804,
    ),
]


@pytest.mark.parametrize(
    ("logits", "label", "dtype", "naive", "shifted", "clip7", "clip4", "fused"), SOFTMAX
)
def test_the_table_of_softmax_forms(logits, label, dtype, naive, shifted, clip7, clip4, fused):
    forms = [{"form": f} for f in FORMS[:3]] + [
        {"form": "clipped", "epsilon": 1e-4},
        {"form": "fused"},
    ]
    found = [of(SoftmaxCrossEntropy(**form), logits, [label], dtype)[0] for form in forms]
    np.testing.assert_allclose(found, [naive, shifted, clip7, clip4, fused], rtol=5e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("z", "t", "dtype", "naive", "fused"),
    [
        (17, 0, np.float32, np.inf, 17),
        (40, 0, np.float64, np.inf, 40),
        (1000, 1, np.float64, np.nan, 0),
        (2, 1, np.float64, 0.1269280110429725, 0.1269280110429725),
    ],
)
def test_the_table_of_sigmoid_forms(z, t, dtype, naive, fused):
    target = np.array([[t]], dtype)
    assert of(BinaryCrossEntropy(form="naive"), [z], target, dtype)[0] == pytest.approx(
        naive, rel=1e-6, nan_ok=True
    )
    assert of(BinaryCrossEntropy(), [z], target, dtype)[0] == pytest.approx(
        fused, rel=1e-6, abs=1e-12
    )
    assert np.isfinite(of(BinaryCrossEntropy(form="clipped"), [z], target, dtype)[0])


def test_the_clip_zeroes_the_gradient_of_a_wrong_example_and_fused_has_it():
    for logits, label, gradient in (
        ([1000, 0], 1, [1, -1]),
        ([20, 0], 1, [1, -1]),
        ([-1000, -10, -8], 0, [-1, 0.11920292, 0.88079708]),
    ):
        assert of(SoftmaxCrossEntropy(form="clipped"), logits, [label])[1].tolist() == [0] * len(
            logits
        )
        np.testing.assert_allclose(
            of(SoftmaxCrossEntropy(), logits, [label])[1], gradient, atol=1e-7
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOSSES)
def test_all_forms_agree_where_nothing_overflows(name, form):
    rng = np.random.default_rng(0)
    task = Task("classification", 2 if name.startswith("binary") else 3)
    loss, plain = Loss.parse({"name": name, "form": form}), Loss.parse(name)
    z = rng.normal(size=(3, 5, plain.units(task)))  # three networks
    targets = plain.encode(rng.integers(0, task.outputs, 5), task, np.float64)
    np.testing.assert_allclose(
        loss(Tensor(z), Tensor(targets)).value, plain(Tensor(z), Tensor(targets)).value, rtol=1e-12
    )
    x = Tensor(z[0], None, True)
    (gradient,) = backward(loss(x, Tensor(targets)), Tensor(np.ones(5)), [x])
    np.testing.assert_allclose(loss.slope(z[0], targets), gradient.value, atol=1e-12)


def test_the_hand_written_slope_is_0_where_the_clip_holds():
    loss = SoftmaxCrossEntropy(form="clipped")
    assert loss.slope(np.array([[1000.0, 0.0]]), np.array([1])).tolist() == [[0, 0]]
    binary = BinaryCrossEntropy(form="clipped")
    assert binary.slope(np.array([[40.0]]), np.array([[0.0]])).tolist() == [[0]]


def test_auto_hands_its_form_on():
    assert Auto(form="naive").resolve(Task("classification", 2)) == BinaryCrossEntropy(form="naive")
    loss = Auto(form="clipped", epsilon=1e-4).resolve(Task("classification", 3))
    assert loss == SoftmaxCrossEntropy(form="clipped", epsilon=1e-4)
    assert "needs classes" in Auto(form="naive").problem(Task("regression", 1))
    assert Auto().problem(Task("regression", 1)) == ""
