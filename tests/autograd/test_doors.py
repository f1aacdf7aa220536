"""Every door by which a tensor could leave the graph: a tracked one raises, an untracked one passes.

A tensor that became a plain number has gradient 0, which nobody would notice.
"""

import array
import cmath
import copy
import math
import operator
import pickle
import random

import numpy as np
import pytest
import scipy.special

import backproplab as bpl
from backproplab.autograd import OPS, Tensor, apply, ops
from backproplab.autograd.ops.storage import full_like
from backproplab.errors import GraphError


def assigned(y, at=0, size=3, dtype=float):
    w = np.zeros(size, dtype)
    w[at] = y
    return w


def filled(y):
    w = np.zeros(3)
    w.fill(y)
    return w


def added_at(y):
    w = np.zeros(3)
    np.add.at(w, 0, y)
    return w


def added_in_place(y):
    w = np.zeros(())
    w += y
    return w


def put(y):
    w = np.zeros(3)
    np.put(w, 0, y)
    return w


NUMBER = {  # doors for one number
    "float": float, "int": int, "complex": complex, "round": round, "item": lambda x: x.item(),
    "math.sin": math.sin, "math.floor": math.floor, "math.fsum": lambda x: math.fsum([x]),
    "math.hypot": lambda x: math.hypot(x, 1), "math.pow": lambda x: math.pow(x, 2), "cmath": cmath.exp,
    "assigned": assigned, "assigned to a slice": lambda x: assigned(x, slice(None)),
    "assigned to whole numbers": lambda x: assigned(x, dtype=int), "filled": filled,
    "asarray": np.asarray, "array": np.array, "of a list": lambda x: np.array([x, x]),
    "of a list, with a type": lambda x: np.array([x, 1.0], dtype=np.float32),
    "of nested lists": lambda x: np.array([[x, 1.0], [2.0, x]]), "of objects": lambda x: np.array([x], object),
    "of objects to floats": lambda x: assigned(x, dtype=object).astype(float),
    "fromiter": lambda x: np.fromiter(iter([x]), float), "full": lambda x: np.full(3, x),
    "float64": np.float64, "float32": np.float32, "int64": np.int64, "arange": lambda x: np.arange(0.0, x),
    "initial": lambda x: np.sum(np.ones(3), initial=x), "random": lambda x: np.random.default_rng(0).normal(x),
    "array.array": lambda x: array.array("d", [x]), "random.gauss": lambda x: random.gauss(0, 1) * float(x),
    "percent": lambda x: operator.mod("%.3f", x), "pickle": pickle.dumps, "Tensor": Tensor, "Tensor of a list": lambda x: Tensor([x]),
    "an op of a list": lambda x: ops.sum([x, x]), "a container's sum": lambda x: ops.mean([[x, 1.0]]),
    "constant_values": lambda x: np.pad(np.ones(2), 1, constant_values=x),
}  # fmt: skip
ARRAY = {  # doors to an array or to a function without a rule
    "put": put, "added at": added_at, "added in place": added_in_place,
    "out": lambda x: np.add(1.0, x, out=np.zeros(())), "copyto": lambda x: np.copyto(np.zeros(()), x),
    "no rule": lambda x: np.nextafter(x, 3.0), "tolist": lambda x: x.tolist(), "sorted in place": lambda x: x.sort(),
    "saved": lambda x: np.save("/dev/null", x), "histogram": np.histogram, "of SciPy": scipy.special.wofz,
}  # fmt: skip
WHOLE = {"index": operator.index, "range": range, "of a list": lambda x: [1, 2, 3][x]}


@pytest.mark.parametrize("door", NUMBER)
def test_a_tracked_number_may_not_leave_the_graph(door):
    with pytest.raises(GraphError, match=r"ops\.sin.*np\.stack.*stop_gradient|from outside"):
        bpl.grad(lambda x: (NUMBER[door](x**2), x)[1])(2.0)


@pytest.mark.parametrize("door", ARRAY)
def test_what_would_write_into_an_array_is_refused(door):
    with pytest.raises(GraphError):
        bpl.grad(lambda x: (ARRAY[door](x**2), x)[1])(2.0)


@pytest.mark.parametrize("door", [*NUMBER, *ARRAY])
def test_an_untracked_number_passes(door):
    use = (NUMBER | ARRAY)[door]
    if door == "sorted in place":
        use(Tensor([2.0, 1.0]))
        return
    use(Tensor(2.0))
    bpl.grad(lambda x: (use(ops.stop_gradient(x)), x)[1])(2.0)


@pytest.mark.parametrize("door", WHOLE)
def test_whole_numbers(door):
    WHOLE[door](Tensor(2))
    with pytest.raises(GraphError):
        WHOLE[door](Tensor(2, None, True))
    with pytest.raises(TypeError):
        WHOLE[door](Tensor(2.0))


TRANSFORMS = {
    "grad": bpl.grad, "value_and_grad": bpl.value_and_grad, "jacobian": bpl.jacobian, "hessian": bpl.hessian,
    "vjp": lambda f: lambda x: bpl.vjp(f, x), "jvp": lambda f: lambda x: bpl.jvp(f, [x], [x]),
    "hvp": lambda f: lambda x: bpl.hvp(f, x, x),
}  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_says_what_to_write(transform):
    def function(x):
        w = np.zeros(3)
        for i in range(3):
            w[i] = x[i] ** 2
        return ops.sum(w)

    with pytest.raises(GraphError, match=r"np\.stack"):
        TRANSFORMS[transform](function)(np.ones(3))


def test_what_the_message_says_to_write_is_right():
    squares = lambda x: np.sum(np.stack([x[i] ** 2 for i in range(3)]))
    np.testing.assert_array_equal(bpl.grad(squares)(np.ones(3)).value, [2, 2, 2])
    assert bpl.grad(lambda x: math.sin(ops.stop_gradient(x)) * x)(2.0).item() == math.sin(2)
    assert bpl.grad(ops.sin)(2.0).item() == math.cos(2)


def test_showing_and_asking_is_no_door():
    x = Tensor(2.5, None, True)
    assert f"{x:.2f}" == "2.50"
    assert f"{x}" == str(x) == repr(x) == "Tensor(2.5, dtype=float64, tracked)"
    assert x
    assert x > 2
    assert not x < 2
    assert 2.5 in x
    assert x in x
    assert 3 not in Tensor([1.0, 2.0])
    assert [v.item() for v in Tensor([1.0, 2.0])] == [1, 2]


def test_a_copy_keeps_the_graph():
    for copied in (copy.copy, copy.deepcopy):
        assert bpl.grad(lambda x, copied=copied: copied(x) * x)(3.0).item() == 6
    x = Tensor(np.ones(3))
    copy.deepcopy(x).value[0] = 5
    assert x.value[0] == 1
    assert pickle.loads(pickle.dumps(x)).value.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "use", [sum, list, max, iter, lambda x: (lambda a: a)(*x), sorted, len, reversed]
)  # fmt: skip
@pytest.mark.parametrize("tracked", [False, True])
def test_a_number_has_no_entries(use, tracked):
    with pytest.raises(TypeError):
        use(Tensor(2.0, None, tracked))


def test_entries_of_an_array_keep_the_graph():
    assert bpl.grad(lambda x: sum(x) * max(x))(np.array([1.0, 3.0])).value.tolist() == [3, 7]
    a, b = Tensor(np.ones((2, 3)), None, True)
    assert a.shape == b.shape == (3,)
    assert a.tracked


COMPLEX = np.array([1j, 2.0])
AS_COMPLEX = {
    "leaf": lambda: bpl.grad(ops.sum)(COMPLEX), "a number": lambda: bpl.grad(lambda x: x * x)(1j),
    "a list": lambda: bpl.grad(lambda x: x[0])([1j, 2.0]), "tensor": lambda: Tensor(COMPLEX),
    "constant": lambda: bpl.grad(lambda x: ops.sum(x * COMPLEX))(np.ones(2)),
    "constant on the left": lambda: bpl.grad(lambda x: ops.sum(COMPLEX * x))(np.ones(2)),
    "constant number": lambda: bpl.grad(lambda x: x * 1j)(1.0), "power": lambda: Tensor(2.0) ** 1j,
    "a ufunc": lambda: np.add(Tensor(np.ones(2)), COMPLEX), "a function": lambda: np.dot(Tensor(np.ones(2)), COMPLEX),
    "a list of tensors": lambda: np.stack([Tensor(np.ones(2)), COMPLEX]),
    "cast": lambda: ops.cast(np.ones(2), dtype=complex), "fill_value": lambda: full_like(np.ones(2), fill_value=1j),
    "cotangent": lambda: bpl.vjp(lambda x: x * 2, np.ones(2))[1](COMPLEX),
    "tangent": lambda: bpl.jvp(lambda x: x * 2, [np.ones(2)], [COMPLEX]), "result": lambda: bpl.vjp(lambda x: COMPLEX, 1.0),
    "own op": lambda: bpl.custom_vjp(lambda x: np.fft.fft(x.value), [None])(np.ones(4)),
    "gradcheck": lambda: bpl.gradcheck(lambda x: x, COMPLEX), "hvp": lambda: bpl.hvp(ops.sum, np.ones(2), COMPLEX),
    "jacobian": lambda: bpl.jacobian(lambda x: x)(COMPLEX),
}  # fmt: skip


@pytest.mark.parametrize("door", AS_COMPLEX)
def test_complex_numbers_are_refused(door):
    with pytest.raises(GraphError, match="complex"):
        AS_COMPLEX[door]()


@pytest.mark.parametrize("name", OPS)
def test_every_op_refuses_complex_numbers(name):
    op = OPS[name]
    arrays = [np.asarray(x) for x in op.samples[0].draw(np.random.default_rng(0))]
    settings = op.canonical(*arrays, **op.samples[0].settings)
    for i in range(len(arrays)):
        moved = [x.astype(complex) if i == j else x for j, x in enumerate(arrays)]
        with pytest.raises(GraphError, match="complex"):
            apply(op, *moved, **settings)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64, bool]
)
def test_real_types_stay(dtype):
    assert Tensor(np.ones(2, dtype)).dtype == dtype


@pytest.mark.parametrize("x", ["text", [None], np.array(["2020-01-01"], "M8"), [b"x"], {1: 2}])
def test_what_is_no_number_is_refused(x):
    with pytest.raises(GraphError, match="real numbers"):
        Tensor(x)


def test_a_cast_to_whole_numbers_is_a_constant():
    x = np.array([1.5, 2.5])
    assert bpl.grad(lambda x: ops.sum(ops.cast(x, dtype=np.int64) * x))(x).value.tolist() == [1, 2]
    assert bpl.grad(lambda x: ops.sum(ops.cast(x, dtype=np.int64)))(x).value.tolist() == [0, 0]
    assert bpl.grad(lambda x: ops.sum(ops.cast(x, dtype=np.float32)))(x).value.tolist() == [1, 1]
