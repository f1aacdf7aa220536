"""Ours against PyTorch in float64: value and gradient of every function both have, on random
shapes, and 2 000 random expression graphs with shared subexpressions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backproplab as bpl
from backproplab import ops

torch = pytest.importorskip("torch", reason="PyTorch is an oracle of `make test-slow` only")
F = torch.nn.functional
pytestmark = pytest.mark.slow

REAL, POSITIVE, UNIT, MATRIX, SPD = "real", "positive", "unit", "matrix", "spd"

# name: (ours, torch's, what is drawn)
UNARY = {
    **{name: (getattr(ops, name), getattr(torch, theirs or name), kind) for name, theirs, kind in (
        ("negative", None, REAL), ("absolute", None, REAL), ("sign", None, REAL), ("floor", None, REAL),
        ("ceil", None, REAL), ("rint", "round", REAL), ("trunc", None, REAL), ("square", None, REAL),
        ("reciprocal", None, REAL), ("exp", None, REAL), ("exp2", None, REAL), ("expm1", None, REAL),
        ("sin", None, REAL), ("cos", None, REAL), ("tan", None, UNIT), ("sinh", None, REAL),
        ("cosh", None, REAL), ("tanh", None, REAL), ("arctan", None, REAL), ("arcsinh", None, REAL),
        ("sinc", None, REAL), ("deg2rad", None, REAL), ("rad2deg", None, REAL), ("positive", None, REAL),
        ("sqrt", None, POSITIVE), ("log", None, POSITIVE), ("log2", None, POSITIVE), ("log10", None, POSITIVE),
        ("log1p", None, POSITIVE), ("arcsin", None, UNIT), ("arccos", None, UNIT), ("arctanh", None, UNIT),
        ("sigmoid", None, REAL), ("erf", "erf", REAL), ("erfc", "erfc", REAL), ("ravel", None, REAL))},
    "arccosh": (lambda x: ops.arccosh(x + 1), lambda x: torch.arccosh(x + 1), POSITIVE),
    "logit": (lambda x: ops.logit((x + 1) / 2), lambda x: torch.logit((x + 1) / 2), UNIT),
    "relu": (ops.relu, F.relu, REAL), "relu6": (lambda x: ops.relu6(5 * x), lambda x: F.relu6(5 * x), REAL),
    "leaky_relu": (ops.leaky_relu, lambda x: F.leaky_relu(x, 0.3), REAL), "elu": (ops.elu, F.elu, REAL),
    "selu": (ops.selu, F.selu, REAL), "celu": (lambda x: ops.celu(x, alpha=0.7), lambda x: torch.where(x > 0, x, 0.7 * torch.expm1(x.clamp(max=0) / 0.7)), REAL),  # F.celu has its alpha in float32
    "gelu": (ops.gelu, F.gelu, REAL), "silu": (ops.silu, F.silu, REAL), "mish": (ops.mish, F.mish, REAL),
    "softplus": (ops.softplus, F.softplus, REAL), "softsign": (ops.softsign, F.softsign, REAL),
    "log_sigmoid": (ops.log_sigmoid, F.logsigmoid, REAL), "hard_tanh": (ops.hard_tanh, F.hardtanh, REAL),
    "hard_sigmoid": (ops.hard_sigmoid, lambda x: torch.clamp(x / 6 + 0.5, 0, 1), REAL), "hard_silu": (ops.hard_silu, F.hardswish, REAL),
    "soft_shrink": (ops.soft_shrink, F.softshrink, REAL), "hard_shrink": (ops.hard_shrink, F.hardshrink, REAL),
    "tanh_shrink": (ops.tanh_shrink, F.tanhshrink, REAL),
    "softmax": (ops.softmax, lambda x: F.softmax(x, -1), REAL),
    "log_softmax": (ops.log_softmax, lambda x: F.log_softmax(x, -1), REAL),
    "logsumexp": (lambda x: ops.logsumexp(x, axis=-1), lambda x: torch.logsumexp(x, -1), REAL),
    "clip": (lambda x: ops.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1), REAL),
    "sum": (ops.sum, torch.sum, REAL), "mean": (ops.mean, torch.mean, REAL), "prod": (ops.prod, torch.prod, REAL),
    "sum_axis": (lambda x: ops.sum(x, axis=0), lambda x: torch.sum(x, 0), REAL),
    "mean_axis": (lambda x: ops.mean(x, axis=-1, keepdims=True), lambda x: torch.mean(x, -1, keepdim=True), REAL),
    "prod_axis": (lambda x: ops.prod(x, axis=-1), lambda x: torch.prod(x, -1), REAL),
    "prod_with_zeros": (lambda x: ops.prod(ops.relu(x), axis=-1), lambda x: torch.prod(F.relu(x), -1), REAL),
    "cumprod_with_zeros": (lambda x: ops.cumprod(ops.relu(x), axis=-1), lambda x: torch.cumprod(F.relu(x), -1), REAL),
    "max": (lambda x: ops.max(x, axis=-1), lambda x: torch.max(x, -1).values, REAL),
    "min": (lambda x: ops.min(x, axis=0), lambda x: torch.min(x, 0).values, REAL),
    "ptp": (lambda x: ops.ptp(x, axis=-1), lambda x: x.max(-1).values - x.min(-1).values, REAL),
    "var": (lambda x: ops.var(x, axis=-1), lambda x: torch.var(x, -1, correction=0), REAL),
    "std": (lambda x: ops.std(x, axis=-1, ddof=1), lambda x: torch.std(x, -1), REAL),
    "norm": (ops.norm, torch.linalg.norm, REAL),
    "norm_1": (lambda x: ops.norm(x, ord=1, axis=-1), lambda x: torch.linalg.norm(x, 1, -1), REAL),
    "norm_inf": (lambda x: ops.norm(x, ord=np.inf, axis=-1), lambda x: torch.linalg.norm(x, torch.inf, -1), REAL),
    "cumsum": (lambda x: ops.cumsum(x, axis=0), lambda x: torch.cumsum(x, 0), REAL),
    "cumprod": (lambda x: ops.cumprod(x, axis=-1), lambda x: torch.cumprod(x, -1), REAL),
    "sort": (lambda x: ops.sort(x, axis=-1), lambda x: torch.sort(x, -1).values, REAL),
    "median": (lambda x: ops.median(ops.ravel(x)[: x.size // 2 * 2 - 1]), lambda x: torch.median(torch.ravel(x)[: x.numel() // 2 * 2 - 1]), REAL),
    "diff": (lambda x: ops.diff(x, axis=-1), lambda x: torch.diff(x, dim=-1), REAL),
    "flip": (lambda x: ops.flip(x, axis=0), lambda x: torch.flip(x, (0,)), REAL),
    "roll": (lambda x: ops.roll(x, shift=2, axis=-1), lambda x: torch.roll(x, 2, -1), REAL),
    "tile": (lambda x: ops.tile(x, reps=(2, 1, 3)), lambda x: torch.tile(x, (2, 1, 3)), REAL),
    "repeat": (lambda x: ops.repeat(x, repeats=3, axis=-1), lambda x: torch.repeat_interleave(x, 3, -1), REAL),
    "transpose": (ops.transpose, lambda x: x.permute(*range(x.ndim)[::-1]), REAL),
    "swapaxes": (lambda x: ops.swapaxes(x, axis1=0, axis2=-1), lambda x: x.swapaxes(0, -1), REAL),
    "moveaxis": (lambda x: ops.moveaxis(x, source=0, destination=-1), lambda x: x.moveaxis(0, -1), REAL),
    "squeeze": (lambda x: ops.squeeze(ops.expand_dims(x, axis=1)), torch.squeeze, REAL),
    "expand_dims": (lambda x: ops.expand_dims(x, axis=-1), lambda x: x.unsqueeze(-1), REAL),
    "broadcast_to": (lambda x: ops.broadcast_to(x, shape=(2, *x.shape)), lambda x: x.expand(2, *x.shape), REAL),
    "pad": (lambda x: ops.pad(x, pad_width=1), lambda x: F.pad(x, (1, 1) * x.ndim), REAL),
    "split": (lambda x: ops.split(x, indices_or_sections=[1], axis=-1)[1], lambda x: x[..., 1:], REAL),
    "index": (lambda x: x[..., [1, 0, 1]], lambda x: x[..., [1, 0, 1]], REAL),
    "slice": (lambda x: x[::-1][..., ::2], lambda x: x.flip(0)[..., ::2], REAL),
    "take_along_axis": (lambda x: ops.take_along_axis(x, np.argsort(-np.asarray(x.value), axis=-1), axis=-1), lambda x: x.sort(-1, descending=True).values, REAL),
    "tril": (ops.tril, torch.tril, MATRIX), "triu": (lambda x: ops.triu(x, k=1), lambda x: torch.triu(x, 1), MATRIX),
    "diagonal": (ops.diagonal, torch.diagonal, MATRIX),
    "diag": (lambda x: ops.diag(x[0, 0]), lambda x: torch.diag(x[0, 0]), MATRIX),
    "trace": (ops.trace, lambda x: torch.diagonal(x).sum(-1), MATRIX),
    "inv": (ops.inv, torch.linalg.inv, MATRIX), "det": (ops.det, torch.linalg.det, MATRIX),
    "slogdet": (lambda x: ops.slogdet(x)[1], lambda x: torch.linalg.slogdet(x)[1], MATRIX),
    "cholesky": (ops.cholesky, torch.linalg.cholesky, SPD),
    "matrix_power": (lambda x: ops.matrix_power(x, n=3), lambda x: torch.linalg.matrix_power(x, 3), MATRIX),
    "matrix_power_negative": (lambda x: ops.matrix_power(x, n=-2), lambda x: torch.linalg.matrix_power(x, -2), MATRIX),
    "nan_to_num": (lambda x: ops.nan_to_num(ops.where(x > 1, np.nan, x)), lambda x: torch.nan_to_num(torch.where(x > 1, torch.nan, x)), REAL),
}  # fmt: skip
SAME, BROADCAST, PRODUCT, SYSTEM, VECTORS, THREES = (
    "same",
    "broadcast",
    "product",
    "system",
    "vectors",
    "threes",
)
BINARY = {
    **{name: (getattr(ops, name), getattr(torch, name), BROADCAST) for name in (
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2", "hypot", "logaddexp", "logaddexp2")},
    "power": (lambda a, b: ops.power(a * a, b), lambda a, b: torch.pow(a * a, b), BROADCAST),
    "float_power": (lambda a, b: ops.float_power(a * a, b), lambda a, b: torch.float_power(a * a, b), BROADCAST),
    "remainder": (lambda a, b: ops.remainder(a, b * b + 1), lambda a, b: torch.remainder(a, b * b + 1), BROADCAST),
    "where": (lambda a, b: ops.where(a > b, a, b * b), lambda a, b: torch.where(a > b, a, b * b), BROADCAST),
    "concatenate": (lambda a, b: ops.concatenate(a, b, axis=-1), lambda a, b: torch.cat([a, b], -1), SAME),
    "stack": (lambda a, b: ops.stack(a, b, axis=-1), lambda a, b: torch.stack([a, b], -1), SAME),
    "hstack": (ops.hstack, lambda a, b: torch.hstack([a, b]), SAME), "vstack": (ops.vstack, lambda a, b: torch.vstack([a, b]), SAME),
    "matmul": (ops.matmul, torch.matmul, PRODUCT), "einsum": (lambda a, b: ops.einsum(a, b, subscripts="...ij,...jk->...ki"), lambda a, b: torch.einsum("...ij,...jk->...ki", a, b), PRODUCT),
    "dot": (ops.dot, torch.dot, VECTORS), "vdot": (ops.vdot, torch.vdot, VECTORS), "outer": (ops.outer, torch.outer, VECTORS),
    "inner": (ops.inner, torch.inner, VECTORS), "cross": (ops.cross, torch.linalg.cross, THREES),
    "kron": (lambda a, b: ops.kron(a[0], b[0]), lambda a, b: torch.kron(a[0], b[0]), PRODUCT),
    "tensordot": (lambda a, b: ops.tensordot(a[0], b[0], axes=1), lambda a, b: torch.tensordot(a[0], b[0], 1), PRODUCT),
    "solve": (ops.solve, torch.linalg.solve, SYSTEM),
    "mse": (lambda a, b: ops.mean(ops.square(a - b)), F.mse_loss, SAME), "l1": (lambda a, b: ops.mean(ops.absolute(a - b)), F.l1_loss, SAME),
    "sigmoid_cross_entropy": (lambda a, b: ops.mean(ops.sigmoid_cross_entropy(a, ops.sigmoid(b))), lambda a, b: F.binary_cross_entropy_with_logits(a, torch.sigmoid(b)), SAME),
}  # fmt: skip
CASES = UNARY | BINARY


def arrays_of(kind, rng):
    shape = tuple(rng.integers(2, 5, rng.integers(2, 4)))
    real = lambda s: rng.uniform(0.2, 2, s) * rng.choice([-1, 1], s)
    square = rng.standard_normal((2, 3, 3))
    return {
        REAL: lambda: (real(shape),),
        POSITIVE: lambda: (rng.uniform(0.3, 2, shape),),
        UNIT: lambda: (rng.uniform(-0.9, 0.9, shape),),
        MATRIX: lambda: (square + 3 * np.eye(3),),
        SPD: lambda: (square @ square.swapaxes(-1, -2) + 2 * np.eye(3),),
        SAME: lambda: (real(shape), real(shape)),
        BROADCAST: lambda: (
            real(shape),
            real(tuple(n if rng.random() < 0.6 else 1 for n in shape)),
        ),
        PRODUCT: lambda: (rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 2))),
        SYSTEM: lambda: (square + 3 * np.eye(3), rng.standard_normal((2, 3, 2))),
        VECTORS: lambda: (rng.standard_normal(5), rng.standard_normal(5)),
        THREES: lambda: (rng.standard_normal((4, 3)), rng.standard_normal((4, 3))),
    }[kind]()


def test_there_are_at_least_120():
    assert len(CASES) >= 120


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient(name, seed):
    ours, theirs, kind = CASES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = arrays_of(kind, rng)
    y, pullback = bpl.vjp(ours, *arrays)
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in arrays]
    z = theirs(*leaves)
    np.testing.assert_allclose(y.value, z.detach().numpy(), rtol=1e-10, atol=1e-12)
    u = rng.standard_normal(y.shape)
    gradients = (
        torch.autograd.grad(z, leaves, torch.tensor(u), allow_unused=True)
        if z.requires_grad
        else [None] * len(leaves)
    )
    for mine, other in zip(pullback(u), gradients, strict=True):
        expected = np.zeros(mine.shape) if other is None else other.numpy()
        np.testing.assert_allclose(mine.value, expected, rtol=1e-10, atol=1e-10)


def test_cross_entropy_with_labels():
    rng = np.random.default_rng(0)
    z, labels = 5 * rng.standard_normal((7, 4)), rng.integers(0, 4, 7)
    leaf = torch.tensor(z, requires_grad=True)
    loss = F.cross_entropy(leaf, torch.tensor(labels))
    loss.backward()
    value, gradient = bpl.value_and_grad(lambda z: ops.mean(ops.softmax_cross_entropy(z, labels)))(
        z
    )
    assert value.item() == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(gradient.value, leaf.grad.numpy(), rtol=1e-10, atol=1e-14)


# ---- random graphs: a list of steps, each an op on results of earlier steps (shared at will)
STEPS = {
    "add": (2, ops.add, torch.add), "multiply": (2, ops.multiply, torch.multiply), "subtract": (2, ops.subtract, torch.subtract),
    "divide": (2, lambda a, b: a / (1 + b * b), lambda a, b: a / (1 + b * b)), "maximum": (2, ops.maximum, torch.maximum),
    "arctan2": (2, lambda a, b: ops.arctan2(a, 1 + b * b), lambda a, b: torch.atan2(a, 1 + b * b)),
    "matmul": (2, lambda a, b: ops.matmul(a, ops.transpose(b)) @ b / 9, lambda a, b: a @ b.T @ b / 9),
    "tanh": (1, ops.tanh, torch.tanh), "sin": (1, ops.sin, torch.sin), "exp": (1, lambda a: ops.exp(-a * a), lambda a: torch.exp(-a * a)),
    "log": (1, lambda a: ops.log1p(a * a), lambda a: torch.log1p(a * a)), "sigmoid": (1, ops.sigmoid, torch.sigmoid),
    "sqrt": (1, lambda a: ops.sqrt(a * a + 1), lambda a: torch.sqrt(a * a + 1)), "relu": (1, ops.relu, torch.relu),
    "row": (1, lambda a: ops.broadcast_to(a[:1], shape=(2, 3)), lambda a: a[:1].expand(2, 3)),
    "mean": (1, lambda a: a - ops.mean(a, axis=-1, keepdims=True), lambda a: a - a.mean(-1, keepdim=True)),
    "softmax": (1, ops.softmax, lambda a: torch.softmax(a, -1)), "flip": (1, lambda a: ops.flip(a, axis=0), lambda a: torch.flip(a, (0,))),
    "where": (2, lambda a, b: ops.where(a > b, a, 2 * b), lambda a, b: torch.where(a > b, a, 2 * b)),
    "cumsum": (1, lambda a: ops.cumsum(a, axis=-1), lambda a: torch.cumsum(a, -1)),
}  # fmt: skip


@st.composite
def graphs(draw):
    """(name, positions of its arguments among all results so far), up to 40 of them."""
    steps = []
    for number in range(draw(st.integers(1, 40))):
        name = draw(st.sampled_from(sorted(STEPS)))
        arguments = st.integers(max(0, number - 8), number + 1)
        steps.append((name, [draw(arguments) for _ in range(STEPS[name][0])]))
    return steps


def compute(steps, which, *inputs):
    results = list(inputs)
    for name, arguments in steps:
        results.append(STEPS[name][which](*[results[i] for i in arguments]))
    return results[-1]


@settings(max_examples=2000, derandomize=True)
@given(graphs(), st.integers(0, 2**32 - 1))
def test_2000_random_graphs(steps, seed):
    inputs = np.random.default_rng(seed).uniform(-1.5, 1.5, (2, 2, 3))
    y, pullback = bpl.vjp(lambda a, b: compute(steps, 1, a, b), *inputs)
    leaves = [torch.tensor(x, requires_grad=True) for x in inputs]
    z = compute(steps, 2, *leaves)
    np.testing.assert_allclose(y.value, z.detach().numpy(), rtol=1e-9, atol=1e-12)
    u = np.ones(y.shape)
    gradients = torch.autograd.grad(z, leaves, torch.tensor(u), allow_unused=True)
    for mine, other in zip(pullback(u), gradients, strict=True):
        expected = np.zeros((2, 3)) if other is None else other.numpy()
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(mine.value, expected, rtol=1e-8, atol=1e-10 * scale)
