"""``bpl.scipy`` and ``bpl.numpy``: values against SciPy and NumPy, derivatives against differences."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.signal
import scipy.special
import scipy.stats

import backproplab as bpl
import backproplab.numpy as bnp
from backproplab.autograd import Tensor, ops
from backproplab.errors import GraphError
from backproplab.scipy import integrate, linalg, signal, special, stats

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 0.8, (3, 4))
A, B = RNG.uniform(0.5, 3, (2, 3, 4))
N = np.arange(12).reshape(3, 4) % 3
OF_ONE = [
    "digamma", "psi", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "expit", "exp10", "gamma", "gammaln", "gammasgn",
    "i0", "i0e", "i1", "i1e", "j0", "j1", "log_ndtr", "log_expit", "loggamma", "logit", "ndtr", "ndtri", "rgamma", "y0", "y1", "dawsn",
]  # fmt: skip
OF_TWO = ["beta", "betaln", "xlogy", "xlog1py", "rel_entr"]
BY_LAST = {
    "gammainc": (A, X),
    "gammaincc": (A, X),
    "stdtr": (A, X),
    "polygamma": (N, X),
    "jn": (N, X),
    "yn": (N, X),
    "iv": (N, X),
    "ive": (N, X),
    "kv": (N, X),
    "jv": (N, X),
}


@pytest.mark.parametrize("name", OF_ONE)
def test_special_of_one(name):
    f, theirs = getattr(special, name), getattr(scipy.special, name)
    np.testing.assert_allclose(f(X).value, theirs(X), rtol=1e-12)
    bpl.gradcheck(f, X)
    if isinstance(theirs, np.ufunc) and name not in ("exp10",):
        np.testing.assert_allclose(theirs(Tensor(X, None, True)).value, theirs(X), rtol=1e-12)


@pytest.mark.parametrize("name", OF_TWO)
def test_special_of_two(name):
    f = getattr(special, name)
    np.testing.assert_allclose(f(A, B).value, getattr(scipy.special, name)(A, B), rtol=1e-12)
    bpl.gradcheck(f, A, B)


@pytest.mark.parametrize("name", BY_LAST)
def test_special_of_a_parameter(name):
    f, (n, x) = getattr(special, name), BY_LAST[name]
    np.testing.assert_allclose(f(n, x).value, getattr(scipy.special, name)(n, x), rtol=1e-12)
    bpl.gradcheck(lambda x: f(n, x), x)
    with pytest.raises(GraphError, match="by its last argument only"):
        bpl.grad(lambda n: np.sum(f(n, x)))(n.astype(float))


@pytest.mark.parametrize("x", [-0.5, -1.5, -2.7, -30.2, 0.3])
@pytest.mark.parametrize("n", range(4))
def test_polygamma_left_of_0(n, x):
    import mpmath

    assert special.polygamma(n, x).item() == pytest.approx(float(mpmath.polygamma(n, x)), rel=1e-9)


def test_rgamma_at_its_zeros():
    # 1/Γ has the slope (-1)ⁿ n! at -n (DLMF 5.7.1 by reflection)
    for n in range(5):
        slope = bpl.grad(special.rgamma)(-float(n)).item()
        assert slope == pytest.approx((-1) ** n * scipy.special.factorial(n), rel=1e-12)


def test_logsumexp_with_weights_and_signs():
    b = np.array([1.0, -2, 0.5, 3])
    for words in (
        {},
        {"axis": 1},
        {"axis": 1, "keepdims": True},
        {"axis": 1, "b": b},
        {"axis": 1, "b": -b, "return_sign": True},
    ):
        ours, theirs = special.logsumexp(X, **words), scipy.special.logsumexp(X, **words)
        for one, other in (
            zip(ours, theirs, strict=True) if "return_sign" in words else [(ours, theirs)]
        ):
            np.testing.assert_allclose(one.value, other, rtol=1e-12)
    bpl.gradcheck(lambda x: special.logsumexp(x, axis=1, b=b), X)
    np.testing.assert_allclose(
        special.multigammaln(A + 2, 3).value, np.vectorize(scipy.special.multigammaln)(A + 2, 3)
    )


SPD = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.0]])
# arguments, and which of them have a derivative
DENSITIES = {
    ("norm", "pdf logpdf cdf logcdf sf logsf"): ((X, A, B), (0, 1, 2)), ("t", "pdf logpdf"): ((X, A, B, A + 1), (0, 1, 2, 3)), ("t", "cdf logcdf sf"): ((X, A, B, A + 1), (0, 2, 3)),
    ("gamma", "pdf logpdf"): ((X, A), (0, 1)), ("gamma", "cdf"): ((X, A), (0,)), ("chi2", "pdf logpdf"): ((X, A), (0, 1)), ("chi2", "cdf"): ((X, A), (0,)),
    ("beta", "pdf logpdf"): ((X, A, B), (0, 1, 2)), ("beta", "cdf"): ((X, A, B), (0,)), ("poisson", "pmf logpmf cdf"): ((N, A), (1,)), ("norm", "ppf"): ((X, A, B), (0, 1, 2)),
    ("dirichlet", "pdf logpdf"): ((np.array([0.2, 0.5, 0.3]), np.array([1.5, 2.0, 0.7])), (1,)), ("multivariate_normal", "pdf logpdf"): ((X[:, :3], X[0, :3], SPD), (0, 1)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "name", "args", "moving"),
    [(d, n, *case) for (d, names), case in DENSITIES.items() for n in names.split()],
)
def test_distributions(of, name, args, moving):
    f, theirs = getattr(getattr(stats, of), name), getattr(getattr(scipy.stats, of), name)
    np.testing.assert_allclose(f(*args).value, theirs(*args), rtol=1e-10)

    def of_moving(*xs):
        given = list(args)
        for i, x in zip(moving, xs, strict=True):
            given[i] = x
        return f(*given)

    bpl.gradcheck(of_moving, *[args[i] for i in moving])


def test_multivariate_normal_by_its_covariance():
    f = lambda m: stats.multivariate_normal.logpdf(X[:, :3], np.zeros(3), m @ m.T + np.eye(3))
    bpl.gradcheck(f, SPD)
    flat = np.ones((3, 3))
    found = stats.multivariate_normal.logpdf(np.ones(3), np.zeros(3), flat, allow_singular=True)
    assert found.item() == pytest.approx(
        scipy.stats.multivariate_normal.logpdf(np.ones(3), np.zeros(3), flat, allow_singular=True)
    )
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        stats.multivariate_normal.logpdf(np.ones(3), np.zeros(3), flat)
    assert stats.multivariate_normal.entropy(np.zeros(3), SPD).item() == pytest.approx(
        scipy.stats.multivariate_normal.entropy(np.zeros(3), SPD)
    )


def test_linear_algebra():
    a, b, q = (
        RNG.standard_normal((3, 3)) + 3 * np.eye(3),
        RNG.standard_normal((2, 2)) + 3 * np.eye(2),
        RNG.standard_normal((3, 2)),
    )
    np.testing.assert_allclose(
        linalg.solve_sylvester(a, b, q).value, scipy.linalg.solve_sylvester(a, b, q)
    )
    bpl.gradcheck(linalg.solve_sylvester, a, b, q)
    np.testing.assert_allclose(linalg.sqrtm(SPD).value, scipy.linalg.sqrtm(SPD))
    bpl.gradcheck(lambda x: linalg.sqrtm(x @ x.T + np.eye(3)), SPD)
    for lower in (True, False):
        for trans in (0, 1):
            theirs = scipy.linalg.solve_triangular(a, q, trans=trans, lower=lower)
            np.testing.assert_allclose(linalg.solve_triangular(a, q, trans, lower).value, theirs)
    bands = RNG.standard_normal((3, 4)) + np.array([[0], [5], [0]])
    np.testing.assert_allclose(
        linalg.solve_banded((1, 1), bands, X.T).value, scipy.linalg.solve_banded((1, 1), bands, X.T)
    )
    bpl.gradcheck(lambda ab: linalg.solve_banded((1, 1), ab, X.T), bands)


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolution(mode):
    a, b = RNG.standard_normal((5, 6)), RNG.standard_normal((3, 2))
    np.testing.assert_allclose(
        signal.convolve(a, b, mode).value, scipy.signal.convolve(a, b, mode), atol=1e-12
    )
    bpl.gradcheck(lambda a, b: signal.convolve(a, b, mode), a, b)


def test_odeint_and_its_adjoint():
    y0, t, k = np.array([1.0, 0.5]), np.linspace(0, 1, 4), np.array(0.7)
    slope = lambda y, t, k: -k * y + t * y[::-1]
    options = {"rtol": 1e-10, "atol": 1e-10}
    theirs = scipy.integrate.odeint(slope, y0, t, (k,), **options)
    np.testing.assert_allclose(
        integrate.odeint(slope, y0, t, (k,), **options).value, theirs, rtol=1e-9
    )
    bpl.gradcheck(
        lambda y0, t, k: integrate.odeint(slope, y0, t, (k,), **options), y0, t, k, order=1
    )
    # y = e^(-k t): ∂²y/∂k² = t² y
    decay = lambda k: integrate.odeint(
        lambda y, t, k: -k * y, np.ones(1), np.array([0.0, 2.0]), (k,), **options
    )[1, 0]
    assert bpl.grad(bpl.grad(decay))(0.7).item() == pytest.approx(4 * np.exp(-1.4), rel=1e-6)


def test_names_without_a_rule_are_scipys():
    assert stats.norm.rvs(size=3, random_state=0).shape == (3,)
    assert special.factorial(4) == 24
    with pytest.raises(GraphError):
        bpl.grad(lambda x: special.zeta(x, 1.0))(2.0)
    with pytest.raises(AttributeError):
        stats.norm.nothing  # noqa: B018


def test_arrays_of_tensors():
    bpl.gradcheck(
        lambda x: bnp.array([[x[0], 2.0], [x[1] ** 2, x[0] * x[1]]]), np.array([0.5, 1.5])
    )
    bpl.gradcheck(lambda x: bnp.r_[x, 1.0, x[::-1], 0:3], X[0])
    bpl.gradcheck(lambda x: bnp.c_[x, x**2], X[0])
    bpl.gradcheck(lambda x: bnp.full((2, 3), x), 0.5)
    bpl.gradcheck(lambda x: bnp.linalg.norm([x, x + 2]), 0.5)
    bpl.gradcheck(lambda x: bnp.mean((x, x + 2)), 0.5)
    assert bnp.pi == np.pi
    assert bnp.array([1, 2]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="one shape"):
        bnp.array([Tensor(np.ones(2), None, True), 1.0])


FACTORS = {
    "svd": lambda x: np.linalg.svd(x, full_matrices=False), "qr": np.linalg.qr, "wide svd": lambda x: np.linalg.svd(x.T, full_matrices=False), "wide qr": lambda x: np.linalg.qr(x.T),
    "eigh": lambda x: np.linalg.eigh(x.T @ x), "eigh of U": lambda x: np.linalg.eigh(x.T @ x, "U"), "eig": lambda x: np.linalg.eig(x.T @ x + np.diag([1.0, 2, 3])), "pinv": np.linalg.pinv,
    "lstsq": lambda x: np.linalg.lstsq(x, np.arange(4.0))[0], "nuclear": lambda x: np.linalg.norm(x, "nuc"), "cond": np.linalg.cond,
}  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_factors_are_numpys_with_their_derivatives(name):
    x = RNG.standard_normal((4, 3))
    ours, theirs = FACTORS[name](Tensor(x)), FACTORS[name](x)
    for one, other in (
        zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]
    ):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-9, atol=1e-12)
    bpl.gradcheck(
        lambda x: (
            np.concatenate([np.ravel(part) for part in FACTORS[name](x)])
            if isinstance(theirs, tuple)
            else FACTORS[name](x)
        ),
        x,
    )


def test_an_undefined_derivative_of_eigenvectors_is_nan_and_of_their_values_is_not():
    values = bpl.grad(lambda x: np.sum(np.linalg.eigvalsh(x)))(np.eye(3))
    np.testing.assert_allclose(values.value, np.eye(3))
    vectors = bpl.grad(lambda x: np.sum(np.linalg.eigh(x)[1] * X[:, :3]))(np.eye(3))
    assert np.isnan(vectors.value).any()
    assert isinstance(ops.eigh(np.eye(2)), tuple)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["eigh", "eigvals", "svd", "svdvals", "pinv"])
def test_a_matrix_that_lapack_may_not_come_back_from_is_refused(name, value):
    x = np.eye(4)
    x[2, 1] = x[1, 2] = value
    with pytest.raises(np.linalg.LinAlgError, match="infinity or NaN"):
        getattr(np.linalg, name)(Tensor(x, None, True))
