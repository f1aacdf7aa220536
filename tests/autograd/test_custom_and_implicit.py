"""stop_gradient, custom_vjp, checkpoint, implicit derivatives, containers; numbers of
anchors/learners.md section 7."""

import tracemalloc

import numpy as np
import pytest
from numpy.lib import NumpyVersion

import backproplab as bpl
from backproplab import ops
from backproplab.autograd import Tensor, linear_solve
from backproplab.errors import GraphError

SOLVERS = pytest.mark.parametrize("solver", ["dense", "gmres"])


def test_stop_gradient_is_a_constant():
    assert bpl.grad(lambda x: bpl.stop_gradient(x) * x)(3.0).item() == 3
    assert bpl.grad(bpl.grad(lambda x: bpl.stop_gradient(x) * x * x))(3.0).item() == 6


def test_a_rule_of_one_s_own():
    gentle = bpl.custom_vjp(lambda x: x * 1.0, [lambda g, y, x: ops.clip(g, -1, 1)])
    assert bpl.grad(lambda x: 100 * gentle(x))(2.0).item() == 1
    cube = bpl.custom_vjp(lambda x: x**3, [lambda g, y, x: g * 3 * x**2])
    bpl.gradcheck(cube, np.array([0.5, 2.0]), order=3)
    with pytest.raises(GraphError, match="uses a tracked tensor that is not an argument"):
        bpl.grad(lambda w: bpl.custom_vjp(lambda x: x * w, [None])(2.0))(3.0)


def test_checkpoint_changes_no_derivative():
    layer = lambda x, w: np.tanh(x @ w)
    kept = bpl.checkpoint(layer)
    x, w = np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(-0.5, 0.7, 9).reshape(3, 3)
    plain = lambda x, w: ops.sum(layer(layer(x, w), w) ** 2)
    saved = lambda x, w: ops.sum(kept(kept(x, w), w) ** 2)
    for ours, expected in zip(
        bpl.grad(saved, (0, 1))(x, w), bpl.grad(plain, (0, 1))(x, w), strict=True
    ):
        np.testing.assert_allclose(ours.value, expected.value, rtol=1e-13)
    bpl.gradcheck(saved, x, w, order=2)
    with pytest.raises(GraphError, match="not an argument"):
        bpl.grad(lambda w: ops.sum(bpl.checkpoint(lambda x: x @ w)(x)))(w)


def test_checkpoint_keeps_less():
    def peak(wrap):
        piece = wrap(lambda x: np.tanh(np.tanh(np.tanh(np.tanh(np.tanh(x))))))

        def chain(x):
            for _ in range(20):
                x = piece(x)
            return ops.sum(x)

        tracemalloc.start()
        bpl.grad(chain)(np.ones(100_000))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(bpl.checkpoint) < 0.45 * peak(lambda f: f)


@SOLVERS
def test_the_circle(solver):
    # y² + x² = 1 at (.6, .8): dy/dx = -x/y = -.75, d²y/dx² = -1/y³ = -1.953125
    y = lambda x: bpl.root(lambda y, x: y * y + x * x - 1, 0.7, x, solver=solver)
    assert y(0.6).item() == pytest.approx(0.8, abs=1e-14)
    assert bpl.grad(y)(0.6).item() == pytest.approx(-0.75, abs=1e-12)
    assert bpl.grad(bpl.grad(y))(0.6).item() == pytest.approx(-1.953125, abs=1e-11)


@SOLVERS
def test_the_root_of_2_by_a_fixed_point(solver):
    root = lambda a: bpl.fixed_point(lambda x, a: x - 0.05 * (x * x - a), 10.0, a, solver=solver)
    assert root(2.0).item() == pytest.approx(np.sqrt(2), abs=1e-10)
    assert bpl.grad(root)(2.0).item() == pytest.approx(0.35355339059327373, abs=1e-8)
    assert bpl.grad(bpl.grad(root))(2.0).item() == pytest.approx(-0.08838834764831845, abs=1e-8)
    loose = bpl.fixed_point(
        lambda x, a: x - 0.05 * (x * x - a), 10.0, 2.0, tolerance=1e-4, solver=solver
    )
    assert loose.item() == pytest.approx(1.4147939385813015, abs=2e-4)


@SOLVERS
def test_a_system_of_equations_to_second_order(solver):
    a = np.array([[3.0, 1], [1, 2]])
    solution = lambda b: bpl.root(
        lambda x, b: a @ x - b + 0.1 * x**3, np.zeros(2), b, solver=solver
    )
    bpl.gradcheck(solution, np.array([1.0, 2.0]), order=2, rtol=1e-5)


def test_a_linear_system_without_its_matrix():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 5)) + 5 * np.eye(5), rng.standard_normal(5)
    x = linear_solve(lambda x, a: ops.matmul(a, x), b, a)
    np.testing.assert_allclose(x.value, np.linalg.solve(a, b), rtol=1e-11)
    ours = bpl.grad(
        lambda b, a: ops.sum(linear_solve(lambda x, a: ops.matmul(a, x), b, a) ** 2), (0, 1)
    )(b, a)
    dense = bpl.grad(lambda b, a: ops.sum(ops.solve(a, b) ** 2), (0, 1))(b, a)
    for mine, other in zip(ours, dense, strict=True):
        np.testing.assert_allclose(mine.value, other.value, rtol=1e-9, atol=1e-12)


def test_the_ridge_hypergradient():
    # anchors/learners.md section 7: diabetes standardized, 300 train / 142 validation in file order
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = (x - x.mean(0)) / x.std(0)
    y = y - y.mean()
    train, held = slice(0, 300), slice(300, None)

    def validation(lam):
        h = x[train].T @ x[train] / 300 + lam * np.eye(10)
        w = ops.solve(h, x[train].T @ y[train] / 300)
        return 0.5 * ops.mean((ops.matmul(x[held], w) - y[held]) ** 2)

    for lam, value, slope in [
        (0.01, 1406.6588917674997, 265.15846716016296),
        (0.1, 1395.783916547962, -113.65138880518542),
        (1.0, 1507.7673154065872, 188.00002121824917),
    ]:
        v, g = bpl.value_and_grad(validation)(lam)
        assert v.item() == pytest.approx(value, rel=1e-10)
        assert g.item() == pytest.approx(slope, rel=1e-10)


def test_what_does_not_converge_is_told():
    with pytest.raises(GraphError, match="no root within 5 Newton steps"):
        bpl.root(lambda x, a: x * x + a, 0.7, 1.0, steps=5)
    with pytest.raises(GraphError, match="singular Jacobian"):
        bpl.root(lambda x, a: x * x + a, 0.0, 1.0)
    with pytest.raises(GraphError, match="no fixed point within 50"):
        bpl.fixed_point(lambda x, a: -x + a, 1.0, 1.0, steps=50)


def test_containers_of_arrays():
    loss = lambda tree: tree["w"] * tree["layers"][0] ** 2 + ops.sum(tree["layers"][1])
    g = bpl.grad(loss)({"w": 2.0, "layers": [np.array(3.0), np.ones(2)]})
    assert g["w"].item() == 9
    assert g["layers"][0].item() == 12
    np.testing.assert_array_equal(g["layers"][1].value, [1, 1])
    _, pullback = bpl.vjp(lambda x: {"double": x * 2, "sum": ops.sum(x)}, np.ones(2))
    (cotangent,) = pullback({"double": np.ones(2), "sum": 1.0})
    np.testing.assert_array_equal(cotangent.value, [3, 3])
    _, along = bpl.jvp(
        lambda t: (t["a"] * t["b"], t["a"]), [{"a": 2.0, "b": 3.0}], [{"a": 1.0, "b": 10.0}]
    )
    assert [part.item() for part in along] == [23, 1]


def test_gauss_newton():
    # for a linear map J and a quadratic loss with Hessian H it is exactly JᵀHJ
    rng = np.random.default_rng(0)
    j, h, v = rng.standard_normal((4, 3)), np.diag([1.0, 2, 3, 4]), rng.standard_normal(3)
    ours = bpl.ggnvp(
        lambda x: ops.matmul(j, x), lambda y: 0.5 * ops.sum(y * (h @ y)), np.zeros(3), v
    )
    np.testing.assert_allclose(ours.value, j.T @ h @ j @ v, rtol=1e-12)


def test_the_jacobian_takes_the_cheaper_mode():
    passes = []

    def counted(g, y, x):
        passes.append(1)
        return g * ops.cos(x)

    sine = bpl.custom_vjp(np.sin, [counted])
    wide = lambda x: ops.concatenate(*[sine(x) * k for k in range(10)], axis=0)
    np.testing.assert_allclose(
        bpl.jacobian(wide)(np.array([0.5])).value, np.arange(10)[:, None] * np.cos(0.5), rtol=1e-14
    )
    assert len(passes) < 100  # one column, not ten rows of ten


def test_nothing_can_be_changed_in_place():
    x = np.ones(3)

    def twice(t):
        t += 1  # makes a new tensor
        return np.sum(t * t)

    np.testing.assert_array_equal(bpl.grad(twice)(x).value, [4, 4, 4])
    np.testing.assert_array_equal(x, np.ones(3))
    with pytest.raises(GraphError, match="cannot be changed in place"):
        bpl.grad(lambda t: t.__setitem__(0, 1.0))(x)
    with pytest.raises(GraphError, match="cannot write a tracked tensor into an array"):
        bpl.grad(lambda t: np.sum(np.sin(t, out=np.empty(3))))(x)


# ---- NumPy's functions on tensors
@pytest.mark.parametrize(("call", "message"), [
    (np.histogram, "np.histogram has no rule for tensors — its counts are steps"),
    (np.roots, "np.roots has no rule for tensors — its result is complex"),
    (lambda t: np.add.at(t, 0, t), r"np.add.at has no rule for tensors: it writes"),
    (lambda t: np.sin(t, dtype=np.float32), "np.sin so called has no rule for tensors: dtype= has no meaning"),
    (lambda t: np.quantile(t, 0.5, weights=t, method="inverted_cdf"), "np.quantile: weights= has no rule"),
])  # fmt: skip
def test_a_numpy_function_without_a_rule_says_so(call, message):
    with pytest.raises(GraphError, match=message):
        bpl.grad(lambda t: np.sum(call(t)))(np.ones(3))


def test_plain_numpy_code_differentiates():
    # anchors/learners.md section 7
    assert bpl.grad(lambda x: np.sin(x**2))(3.0).item() == pytest.approx(
        -5.466781571308061, rel=1e-14
    )
    second = bpl.grad(bpl.grad(lambda x: np.sin(x**2)))
    assert second(3.0).item() == pytest.approx(-16.658525992472594, rel=1e-13)
    assert bpl.grad(second)(3.0).item() == pytest.approx(181.96787109838695, rel=1e-12)
    z = lambda t: t**4 + np.sin(t**2 * np.exp(t))
    assert bpl.grad(z)(0.5).item() == pytest.approx(2.3883001501507775, rel=1e-13)
    assert bpl.grad(bpl.grad(z))(0.5).item() == pytest.approx(7.7187120267931674, rel=1e-12)


def test_methods_and_mixed_arithmetic():
    x = np.array([[1.0, 2], [3, 4]])
    np.testing.assert_array_equal(
        bpl.grad(lambda t: (t.sum(axis=0) * t.max()).sum())(x).value, [[4, 4], [4, 14]]
    )
    np.testing.assert_array_equal(
        bpl.grad(lambda t: t.reshape(4) @ np.arange(4.0))(x).value, [[0, 1], [2, 3]]
    )
    for y in (
        np.ones(2) * Tensor(np.ones(2)),
        np.float64(2) + Tensor(np.zeros(2)),
        np.ones((2, 2)) @ Tensor(np.ones(2)),
    ):
        assert isinstance(y, Tensor)


def test_containers_pair_by_key_not_by_order():
    _, pullback = bpl.vjp(lambda x: {"a": x, "b": 2 * x}, np.ones(1))
    assert pullback({"b": np.array([10.0]), "a": np.array([1.0])})[0].item() == 21
    _, rate = bpl.jvp(
        lambda d: d["a"] + 100 * d["b"], [{"a": 1.0, "b": 2.0}], [{"b": 1.0, "a": 0.0}]
    )
    assert rate.item() == 100
    with pytest.raises(GraphError, match=r"keys \['a', 'b'\]"):
        pullback({"a": np.ones(1), "c": np.ones(1)})


@pytest.mark.parametrize("solve", [
    lambda a: bpl.root(lambda x: x * x - a, 1.0),
    lambda a: bpl.fixed_point(lambda x: np.cos(x) * a, 0.5),
    lambda a: linear_solve(lambda x: a * x, np.ones(1))[0],
])  # fmt: skip
def test_a_captured_parameter_is_refused(solve):
    with pytest.raises(GraphError, match="not a parameter: pass it in"):
        bpl.grad(solve)(0.9)


A = np.arange(1.0, 13).reshape(3, 4)
CUBE = np.arange(24.0).reshape(2, 3, 4)
# calls whose meaning would differ from NumPy's: refused, never answered otherwise
REFUSED = [
    lambda t: np.ravel(t(A), "F"), lambda t: np.reshape(t(A), (4, 3), order="F"), lambda t: np.emath.sqrt(t(A)),
    lambda t: np.cross(t(np.ones(4)), np.ones(4)), lambda t: np.tensordot(t(np.ones((5, 2, 6))), np.ones((6, 2, 3)), 2),
    lambda t: np.vdot(t(np.ones(3)), np.ones(1)), lambda t: np.linalg.matrix_power(t(A), 1), lambda t: np.pad(t(A), 1.5),
    lambda t: np.pad(t(A), 1, mode="mean"), lambda t: np.linalg.norm(t(A), 3), lambda t: np.linalg.eig(t(np.array([[0.0, 1], [-1, 0]]))),
    lambda t: np.linalg.svd(t(A)), lambda t: np.interp(t(A), [0, 1], [0, 1], period=1), lambda t: np.geomspace(t(np.ones(1)), -1),
]  # fmt: skip
BOUNDS_BY_NAME = (
    [lambda t: np.clip(t(A), min=2, max=5)] if NumpyVersion(np.__version__) >= "2.1.0" else []
)
# calls that are answered, as NumPy answers them
ANSWERED = [
    lambda t: np.linalg.norm(t(A), 1), lambda t: np.linalg.norm(t(A), np.inf), lambda t: np.size(t(A), 0),
    lambda t: np.einsum("ii->i", t(A[:, :3])), lambda t: np.pad(t(A), 1, mode="edge"), lambda t: np.repeat(t(A), [1, 2, 3], 0),
    lambda t: np.median(t(A), keepdims=True), lambda t: np.take(t(A), [0, 2]), lambda t: np.add.accumulate(t(A)),
    lambda t: np.pad(t(A), 1, constant_values=(1, 2)),
    lambda t: np.add.reduce(t(A)), lambda t: np.add.reduce(t(A), axis=None), lambda t: np.maximum.reduce(t(A)),
    lambda t: np.sort(t(A[::-1]), axis=None), lambda t: np.cumsum(t(A)), lambda t: np.cumprod(t(A)), lambda t: np.roll(t(A), 1),
    *BOUNDS_BY_NAME, lambda t: np.clip(t(A), a_min=None, a_max=4), lambda t: t(A).clip(max=5.0),
    lambda t: t(CUBE).transpose(1, 0, 2), lambda t: np.transpose(t(CUBE), (2, 0, 1)), lambda t: np.sum(a=t(A), axis=0),
    lambda t: np.pad(t(A), 1, "constant"), lambda t: np.std(t(A), 0), lambda t: np.sum(t(CUBE), (0, 2)), lambda t: np.mean(t(A), -1, keepdims=True),
    lambda t: np.stack([t(A), t(A)], 1), lambda t: np.split(t(A), 2, 1)[0], lambda t: np.squeeze(t(A[None]), 0), lambda t: np.moveaxis(t(CUBE), 0, 2),
    lambda t: np.nan_to_num(t(np.array([np.inf, -np.inf, np.nan, 1.0]))), lambda t: np.flip(t(A), 1), lambda t: np.diff(t(A), axis=0),
    lambda t: np.tile(t(A), 2), lambda t: np.linalg.trace(t(CUBE[:, :, :3])), lambda t: np.logaddexp(t(A), 1.0), lambda t: +t(A) % 3,
    lambda t: np.size(t(A)), lambda t: np.shape(t(A)), lambda t: np.max(t(A), axis=(0, 1)), lambda t: np.dot(t(CUBE), A.T), lambda t: np.argsort(t(-A), 0),
    lambda t: np.trace(t(CUBE)), lambda t: np.diagonal(t(CUBE)), lambda t: np.einsum("...ij->ij...", t(CUBE)), lambda t: np.diag(t(A), 1),
    lambda t: np.kron(t(np.ones(2)), np.ones(2)), lambda t: np.array_split(t(A), 3, 1)[2], lambda t: np.concatenate([t(A)]), lambda t: np.linalg.diagonal(t(CUBE)),
]  # fmt: skip


@pytest.mark.parametrize("call", REFUSED)
def test_what_would_mean_something_else_is_refused(call):
    with pytest.raises((GraphError, ValueError)):
        call(lambda x: Tensor(x, None, True))


@pytest.mark.parametrize("call", ANSWERED)
def test_what_is_answered_is_numpy_s_answer(call):
    ours = call(Tensor)
    np.testing.assert_allclose(
        ours.value if isinstance(ours, Tensor) else ours, call(np.asarray), rtol=1e-14
    )


def test_values_at_the_edges():
    assert bpl.grad(bpl.grad(np.sinc))(0.0).item() == pytest.approx(-(np.pi**2) / 3, rel=1e-12)
    assert bpl.grad(np.sinc)(1e-3).item() == pytest.approx(-(np.pi**2) / 3 * 1e-3, rel=1e-5)
    np.testing.assert_array_equal(
        ops.logsumexp(np.array([[np.inf, 1], [-np.inf, 0]]), axis=-1).value, [np.inf, 0]
    )
    with pytest.raises(GraphError, match="labels from -1 to 0, with 3 classes"):
        ops.softmax_cross_entropy(np.zeros((2, 3)), np.array([-1, 0]))
    with pytest.raises(GraphError, match="as wide as the window"):
        ops.max_pool(np.ones((1, 4, 4, 1)), window=2, padding=2)
