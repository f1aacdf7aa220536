"""NumPy's whole namespace on tensors: each function has a rule or a reason, and no other answer.

The names come from NumPy (``numpy.testing.overrides``), and so do the signatures: each function is
called with random arguments for its parameters, on arrays and on tracked tensors.
"""

import inspect
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import NumpyVersion
from numpy.testing.overrides import (
    get_overridable_numpy_array_functions,
    get_overridable_numpy_ufuncs,
)

from backproplab.autograd import Tensor
from backproplab.autograd.graph import flops
from backproplab.autograd.like_numpy import REFUSED, RULES, NoRuleError, rule_of, signatures
from backproplab.errors import GraphError

NUMPY = NumpyVersion(np.__version__)


def public(function):
    return f"{function.__module__}.{function.__name__}"


def of_numbers(function):
    """Not of texts (np.strings), of records, or of the classes of np.polynomial."""
    room = function.__module__.split(".")[1:]
    return "recfunctions" not in room and (not room or room[0] in ("linalg", "fft", "lib"))


# sorted, as both are sets, which have another order in each process
ARRAY_FUNCTIONS = sorted(get_overridable_numpy_array_functions(), key=public)
ALL_UFUNCS = sorted(get_overridable_numpy_ufuncs(), key=lambda ufunc: ufunc.__name__)
FUNCTIONS = {public(function): function for function in ARRAY_FUNCTIONS if of_numbers(function)}
UFUNCS = {ufunc.__name__: ufunc for ufunc in ALL_UFUNCS if "d" in "".join(ufunc.types)}
WHOLE = {ufunc.__name__: ufunc for ufunc in ALL_UFUNCS if "l" in "".join(ufunc.types)}


@pytest.mark.parametrize("name", {**FUNCTIONS, **UFUNCS, **WHOLE})
def test_each_function_has_a_rule_or_a_reason(name):
    function = (FUNCTIONS | UFUNCS | WHOLE)[name]
    assert function not in RULES or function not in REFUSED
    if function in REFUSED:
        with pytest.raises(NoRuleError, match=r"has no rule for tensors — "):
            rule_of(function)
    elif name not in ("str_len", "bitwise_count") and not name.startswith(("is", "find", "_")):
        assert callable(rule_of(function))


@pytest.mark.skipif(NUMPY < "2.4.0", reason="compiled functions have signatures from NumPy 2.4 on")
@pytest.mark.parametrize("function", signatures.COMPILED, ids=lambda f: f.__name__)
def test_our_signature_of_a_compiled_function_is_numpys(function):
    own = inspect.signature(signatures.COMPILED[function])
    assert own == inspect.signature(function)


# --- random arguments of NumPy's signature

AXIS = st.integers(-3, 2)
AXES = st.one_of(AXIS, st.lists(AXIS, max_size=2).map(tuple))
FLAG = st.booleans()
SMALL = st.integers(-2, 3)
SHAPES = st.sampled_from([(3,), (2, 3), (3, 3), (4,), (1, 3), (2, 3, 3), (), (0, 3), (2, 2), (1,)])
FEW = st.lists(SMALL, min_size=1, max_size=3)
NONE = st.none()
UNBOUNDED = [None] if NUMPY >= "2.1.0" else []  # NumPy 2.0 refuses to clip without a bound


@st.composite
def arrays(draw, shapes=SHAPES):
    shape = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 5)))
    x = rng.permutation(max(int(np.prod(shape)), 1))[: int(np.prod(shape))].reshape(shape) / 4 - 0.6
    return varied(x, draw(VARIANTS))


VARIANTS = st.sampled_from(
    ["plain"] * 12 + ["nan", "inf", "-inf", "big", "tiny", "-0", "float32", "float16", "int", "bool"]
    + ["fortran", "reversed", "strided", "broadcast"]
)  # fmt: skip


def varied(x, how):
    """The array with a special entry, of another type, or with other strides."""
    if how in ("float32", "float16", "int", "bool"):
        return (4 * x).astype(how)
    if how in ("plain", "fortran"):
        return np.asfortranarray(x) if how == "fortran" else x
    if how == "reversed":
        return np.flip(np.flip(x).copy())
    if how == "strided":
        return np.repeat(x[..., None], 2, -1)[..., 1]
    if how == "broadcast":
        return np.broadcast_to(x[:1], x.shape) if x.ndim and x.size else x
    if x.size:
        x.flat[0] = {
            "nan": np.nan,
            "inf": np.inf,
            "-inf": -np.inf,
            "big": 1e200,
            "tiny": 1e-200,
            "-0": -0.0,
        }[how]
    return x


LISTS = st.lists(arrays(), min_size=1, max_size=3)
VECTOR = arrays(st.sampled_from([(3,), (4,), (1,)]))
PARAMETERS = {  # by NumPy's name
    "axis": st.one_of(NONE, AXES), "keepdims": FLAG, "ddof": st.integers(0, 2), "correction": st.integers(0, 1),
    "axis1": AXIS, "axis2": AXIS, "axisa": AXIS, "axisb": AXIS, "axisc": AXIS, "start": SMALL, "n": SMALL, "k": SMALL, "offset": SMALL,
    "shift": st.one_of(SMALL, FEW.map(tuple)), "reps": st.one_of(st.integers(0, 2), st.lists(st.integers(0, 2), max_size=3)),
    "repeats": st.one_of(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=1, max_size=4)), "obj": st.one_of(SMALL, FEW),
    "indices": st.one_of(SMALL, FEW, st.just([[0, 1], [1, 0]])), "indices_or_sections": st.one_of(st.integers(1, 3), FEW),
    "mode": st.sampled_from(["raise", "wrap", "clip", "full", "same", "valid", "edge", "reflect", "symmetric", "constant", "mean", "r", "reduced"]),
    "pad_width": st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2)), st.just(((0, 1), (2, 0)))),
    "ord": st.sampled_from([None, 0, 1, -1, 2, -2, 3, 0.5, np.inf, -np.inf, "fro", "nuc", "odd"]), "p": st.one_of(st.sampled_from([None, 1, -1, 2, -2, np.inf, "fro"]), VECTOR),
    "q": st.one_of(st.sampled_from([0, 0.3, 0.5, 1, [0.1, 0.9], [[0.2], [0.7]]]), arrays()),
    "method": st.sampled_from(["linear", "lower", "higher", "nearest", "midpoint", "hazen", "weibull", "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "median_unbiased", "normal_unbiased"]),
    "decimals": st.integers(-1, 2), "a_min": st.sampled_from([*UNBOUNDED, -0.3, 0.1]), "a_max": st.sampled_from([*UNBOUNDED, 0.2, 0.0]), "min": st.sampled_from([-0.3]), "max": st.sampled_from([0.3]),
    "dtype": st.sampled_from([None, np.float64, np.float32]), "initial": st.sampled_from([0.5, 2.0]), "where": st.one_of(FLAG, st.just(np.array([True, False, True]))),
    "shape": st.one_of(st.integers(-1, 6), st.lists(st.integers(-1, 4), max_size=3).map(tuple)), "newshape": st.integers(0, 6), "new_shape": st.one_of(st.integers(0, 5), st.just((2, 3))),
    "source": AXIS, "destination": AXIS, "axes": st.one_of(st.integers(0, 2), st.permutations(range(2)).map(tuple), st.permutations(range(3)).map(tuple), st.just(([0], [0]))),
    "arrays": st.one_of(LISTS, st.lists(arrays(st.just((3, 3))), min_size=1, max_size=3)), "tup": LISTS, "arys": arrays(), "args": arrays(), "xi": VECTOR, "varargs": st.sampled_from([1.0, 0.5]),
    "condition": st.one_of(arrays().map(lambda x: x > 0), st.just([True, False, True])), "condlist": st.just([np.array([True, False, False]), np.array([True, True, False])]),
    "choicelist": st.lists(arrays(st.just((3,))), min_size=2, max_size=2), "choices": st.lists(arrays(st.just((3,))), min_size=3, max_size=3), "default": st.sampled_from([0, 2.5]),
    "funclist": st.just([lambda x: x * 2, lambda x: x - 1]), "func1d": st.just(np.cumsum), "func": st.just(np.sum), "edge_order": st.integers(1, 2),
    "return_index": FLAG, "return_inverse": FLAG, "return_counts": FLAG, "assume_unique": FLAG, "weights": arrays(), "returned": FLAG, "rowvar": FLAG, "bias": FLAG,
    "prepend": st.sampled_from([0.5]), "append": st.sampled_from([0.5]), "to_end": st.sampled_from([0.5, [1.0, 2.0]]), "to_begin": st.sampled_from([0.5]), "dx": st.sampled_from([0.5, 2.0]),
    "left": st.sampled_from([-1.0]), "right": st.sampled_from([9.0]), "N": st.integers(0, 4), "increasing": FLAG, "deg": st.integers(0, 2), "m": st.one_of(arrays(), st.integers(0, 2)),
    "xp": st.just(np.array([-0.5, 0.0, 0.5])), "fp": arrays(st.just((3,))), "num": st.integers(1, 4), "endpoint": FLAG, "base": st.sampled_from([2.0, 10.0]), "sparse": FLAG, "indexing": st.sampled_from(["xy", "ij"]),
    "copy": FLAG, "nan": st.sampled_from([0.0, 7.0]), "posinf": st.sampled_from([1.0]), "kth": st.integers(-3, 2), "trim": st.sampled_from(["f", "b", "fb"]), "window_shape": st.integers(1, 2), "minlength": st.integers(0, 6),
    "subscripts": st.sampled_from(["ij->ji", "ii->i", "ii", "i->", "ij", "iij->j", "...i->...", "ijk->ikj"]), "compute_uv": st.just(False), "full_matrices": st.just(False), "hermitian": st.just(False), "rcond": st.sampled_from([1e-15, 1e-10]), "rtol": st.just(1e-12), "upper": FLAG, "UPLO": st.sampled_from(["L", "U"]),
    "ind": st.integers(1, 2), "include_initial": FLAG, "edge": FLAG, "discont": NONE, "period": st.sampled_from([6.0]), "fill_value": st.sampled_from([1.5, 2]), "x_": arrays(),
    "axes_": AXIS, "right_": FLAG, "side": st.sampled_from(["left", "right"]), "bins": st.just(np.array([-0.5, 0.0, 0.5])), "v": st.one_of(VECTOR, arrays()), "multi_index": st.just((np.array([0, 1]), np.array([1, 1]))), "dims": st.just((3, 3)), "ind_": SMALL,
    "constant_values": st.sampled_from([0.5, (1, 2)]), "reflect_type": st.sampled_from(["even", "odd"]), "optional": NONE,
}  # fmt: skip
OF_FUNCTION = {  # where a name has another meaning
    "bincount": {"x": st.just(np.array([0, 2, 1])), "weights": arrays(st.just((3,)))}, "moveaxis": {"source": AXIS}, "diag": {"k": SMALL},
    "unravel_index": {"indices": st.just(np.array([1, 2])), "shape": st.just((3, 3))}, "choose": {"a": st.just(np.array([0, 2, 1]))},
    "polyint": {"m": st.integers(0, 2), "k": st.sampled_from([0.5])}, "polyder": {"m": st.integers(0, 2)}, "cov": {"m": arrays()}, "linspace": {"start": arrays(), "stop": arrays(), "axis": AXIS},
    "logspace": {"start": arrays(), "stop": arrays(), "axis": st.just(0)}, "geomspace": {"start": st.sampled_from([1.0, 2.0]), "stop": VECTOR.map(np.abs), "axis": st.just(0)},
    "linalg.multi_dot": {"arrays": st.lists(arrays(st.just((3, 3))), min_size=2, max_size=4)}, "meshgrid": {"copy": FLAG}, "interp": {"x": arrays()}, "ldexp": {"x2": SMALL}, "percentile": {"q": st.sampled_from([0, 30, 100, [10, 90]])},
    "nanpercentile": {"q": st.sampled_from([0, 30, 100, [10, 90]])}, "tril": {"m": arrays()}, "triu": {"m": arrays()}, "rot90": {"m": arrays(), "axes": st.permutations(range(2)).map(tuple)}, "fliplr": {"m": arrays()}, "flipud": {"m": arrays()}, "flip": {"m": arrays()},
    "apply_over_axes": {"axes": FEW}, "apply_along_axis": {"axis": AXIS}, "lexsort": {"axis": AXIS}, "poly": {"seq_of_zeros": VECTOR}, "polyval": {"p": VECTOR, "x": arrays()}, "linalg.cond": {"p": st.sampled_from([None, 1, -1, 2, -2, np.inf, "fro"])}, "insert": {"values": arrays()},
}  # fmt: skip
WORDS_OF_PAD = {"constant_values", "reflect_type"}


def parameters(function):
    """(name, strategy, whether it must be given) for each parameter of NumPy's signature."""
    own = {
        **OF_FUNCTION.get(function.__name__, {}),
        **OF_FUNCTION.get(public(function)[6:], {}),
    }
    for p in signatures.parameters(function):
        if p.kind is p.VAR_KEYWORD:
            continue
        needed = p.default is p.empty
        if p.name in own or p.name in PARAMETERS:
            yield p, own.get(p.name, PARAMETERS.get(p.name)), needed
        elif needed:
            yield p, arrays(), True
        else:
            yield p, None, False


def drawn(function, data):
    positional, keywords = [], {}
    only_names = False
    for p, strategy, needed in parameters(function):
        if strategy is None or (
            not needed and data.draw(st.integers(0, 2), label=f"leave {p.name}?")
        ):
            only_names = True
            continue
        value = data.draw(strategy, label=p.name)
        by_name = p.kind is p.POSITIONAL_OR_KEYWORD and not data.draw(st.integers(0, 5))
        only_names = only_names or by_name
        if p.kind is p.VAR_POSITIONAL:
            positional += [value] if data.draw(FLAG) else [value, data.draw(strategy)]
            only_names = True
        elif p.kind is p.KEYWORD_ONLY or only_names:
            keywords[p.name] = value
        else:
            positional.append(value)
    return positional, keywords


def as_tensors(x):
    if isinstance(x, np.ndarray) and x.ndim + x.size and x.dtype.kind in "fiub":
        return Tensor(x, None, x.dtype.kind == "f")
    if isinstance(x, list | tuple):
        return type(x)(as_tensors(part) for part in x)
    return x


def answer(function, args, kwargs):
    """The result, or the exception."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            return error


def leaves(y):
    if isinstance(y, list | tuple):
        return [leaf for part in y for leaf in leaves(part)]
    return [np.asarray(y.value if isinstance(y, Tensor) else y)]


def all_finite(args):
    """Whether LAPACK may have these: from others its answers are any numbers, and ours an error."""
    return all(np.isfinite(leaf).all() for leaf in leaves(args) if leaf.dtype.kind == "f")


def endless(function, args):
    """Whether LAPACK's svd may not come back: from some matrices with infinity it does not."""
    lapack = getattr(function, "__module__", "") == "numpy.linalg" or function is np.polyfit
    return lapack and any(np.isinf(leaf).any() for leaf in leaves(args) if leaf.dtype.kind == "f")


INTERPOLATING = {  # NumPy has NaN for 0 times infinity, where the entry itself is the answer
    np.quantile, np.nanquantile, np.percentile, np.nanpercentile, np.median, np.nanmedian,
}  # fmt: skip


def finite(x):
    """The argument with 0 for infinity."""
    if isinstance(x, list | tuple):
        return type(x)(finite(part) for part in x)
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return np.where(np.isinf(x), x.dtype.type(0), x)
    return x


def check(function, args, kwargs):
    if endless(function, [*args, *kwargs.values()]) or function in INTERPOLATING:
        args = [finite(x) for x in args]
        kwargs = {key: finite(x) for key, x in kwargs.items()}
    copies = [np.copy(x) if isinstance(x, np.ndarray) else x for x in args]
    expected = answer(function, copies, kwargs)
    found = answer(
        function, [as_tensors(x) for x in args], {k: as_tensors(v) for k, v in kwargs.items()}
    )
    if isinstance(found, Exception):
        if not (
            isinstance(found, GraphError)
            or isinstance(expected, Exception)
            or (
                isinstance(found, np.linalg.LinAlgError)
                and not all_finite([*args, *kwargs.values()])
            )
        ):
            raise AssertionError(f"NumPy has {expected!r}") from found
        return
    if isinstance(expected, (TypeError, AttributeError)):
        return  # NumPy does not take an argument of this kind, such as a list
    assert not isinstance(expected, Exception), f"{found!r} where NumPy raises {expected!r}"
    ours, theirs = leaves(found), leaves(expected)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if b.dtype.kind in "USO":
            continue
        assert a.shape == b.shape, (a, b)
        given = leaves([x for x in (*args, *kwargs.values()) if isinstance(x, np.ndarray | list)])
        digits = min(DIGITS.get(leaf.dtype, 9) for leaf in (a, b, *given))
        np.testing.assert_allclose(a, b, rtol=0.1**digits, atol=0.1 ** (digits + 1))


DIGITS = {np.dtype(np.float32): 5, np.dtype(np.float16): 2}
SIGNS = {
    "eigh",
    "eig",
    "svd",
    "qr",
}  # of vectors; products of the factors are in test_factorizations
RANDOM = {
    "empty",
    "empty_like",
    "partition",
    "argpartition",
    "unique_values",
}  # unspecified numbers, or order
CALLED = {
    name: f
    for name, f in FUNCTIONS.items()
    if f not in REFUSED and f.__name__ not in {*SIGNS, *RANDOM} and not hasattr(f, "fget")
    and f.__name__ not in ("fromstring", "fromfile", "frombuffer", "fromiter", "loadtxt", "genfromtxt", "fromfunction", "array2string", "array_repr", "array_str", "einsum_path", "require", "may_share_memory", "shares_memory", "can_cast")
}  # fmt: skip


def fuzzed(examples):
    return settings(
        max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.parametrize("name", CALLED)
@fuzzed(6)
@given(data=st.data())
def test_a_function_with_random_arguments(name, data):
    check(CALLED[name], *drawn(CALLED[name], data))


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLED)
@fuzzed(150)
@given(data=st.data())
def test_a_function_with_many_random_arguments(name, data):
    check(CALLED[name], *drawn(CALLED[name], data))


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_a_partition_has_its_place_sorted(axis):
    x = np.random.default_rng(0).permutation(20).reshape(4, 5) / 4
    y = np.partition(Tensor(x, None, True), 2, axis)
    parts, whole = (
        np.moveaxis(np.atleast_2d(y.value), -1 if axis is None else axis, -1),
        np.sort(x, axis),
    )
    whole = np.moveaxis(np.atleast_2d(whole), -1 if axis is None else axis, -1)
    np.testing.assert_array_equal(parts[:, 2], whole[:, 2])
    np.testing.assert_array_equal(np.sort(parts[:, :2]), whole[:, :2])
    np.testing.assert_array_equal(np.sort(parts), whole)


@pytest.mark.parametrize("name", UFUNCS)
@fuzzed(6)
@given(data=st.data())
def test_a_ufunc_and_its_methods(name, data):
    ufunc = UFUNCS[name]
    args = [data.draw(arrays()) for _ in range(ufunc.nin)]
    if name == "ldexp":
        args[1] = data.draw(SMALL)
    check(ufunc, args, {})
    if ufunc.nin == 2 and ufunc.nout == 1 and not ufunc.signature:
        axis = {"axis": data.draw(AXIS)}
        check(ufunc.reduce, args[:1], axis)
        check(ufunc.accumulate, args[:1], axis)
        check(ufunc.outer, args, {})
        check(ufunc.reduceat, [args[0], [0, 2, 1]], axis)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("ord", [None, 0, 1, -1, 3, -3, np.inf, -np.inf, "nuc", "fro"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0)])
def test_the_norm_of_no_numbers_is_numpy_s(shape, ord, keepdims):
    """NumPy before 2.3 has no answer to some of them."""
    x = np.zeros(shape)
    expected = answer(np.linalg.norm, [x, ord], {"keepdims": keepdims})
    found = answer(np.linalg.norm, [Tensor(x, None, True), ord], {"keepdims": keepdims})
    if isinstance(found, Exception):
        assert isinstance(expected, Exception)
    elif not isinstance(expected, Exception):
        np.testing.assert_array_equal(found.value, expected)


def test_correlate_takes_no_numbers():
    for a, v in ((1.0, np.ones(2)), (np.ones(2), 1.0)):
        assert isinstance(answer(np.correlate, [a, v], {}), ValueError)
        with pytest.raises(ValueError, match="takes vectors"):
            np.correlate(Tensor(np.asarray(a), None, True), v)


F32 = np.array([-0.4, -2.4, -1.4], np.float32)
FOUND = {  # what random arguments have found
    "vdot": (np.vdot, [np.ones(3, bool), np.ones(3, bool)], {}),
    "trim_zeros": (np.trim_zeros, [np.array([0.0, -0.0, 1.0, 0.0, 2.0, -0.0])], {}),
    "trim_zeros in front": (np.trim_zeros, [np.array([0.0, 1.0, 0.0])], {"trim": "f"}),
    "trim_zeros of nothing else": (np.trim_zeros, [np.zeros(3)], {"trim": "b"}),
    "reshape": (np.reshape, [np.zeros((0, 3)), (-1, -1, -1)], {}),
    "var": (np.var, [np.array([-0.6])], {"dtype": np.float32, "ddof": 1}),
    "max of truths": (np.max, [np.ones(3, bool)], {"initial": 2.0}),
    "max of whole numbers": (np.max, [np.arange(3)], {"initial": 2.5}),
    "prod of truths": (np.prod, [np.ones(3, bool)], {"initial": 0.5}),
    "prod of small numbers": (np.prod, [np.full(9, 100, np.int8)], {}),
    "cumprod of small numbers": (np.cumprod, [np.full(9, 100, np.int8)], {}),
    "running sum of a number": (np.cumsum, [np.array(-0.6)], {"axis": 0}),
    "running product of a number": (np.nancumprod, [np.array(-0.6)], {"axis": -1}),
    "unwrap": (np.unwrap, [np.array([np.inf, -0.6, -0.35])], {}),
    "linspace": (np.linspace, [F32, F32 + 1], {}),
    "vander": (np.vander, [F32], {}),
    "count": (np.count_nonzero, [np.array([0.0, np.nan, 2.0])], {}),
    "norm of truths": (np.linalg.vector_norm, [np.ones(3, bool)], {"ord": 0}),
    "norm of small numbers": (np.linalg.vector_norm, [np.full(9, 100, np.int8)], {}),
    "eigenvalues of truths": (np.linalg.eigvalsh, [np.ones((3, 3), bool)], {}),
    "a factor of truths": (np.linalg.cholesky, [np.eye(3, dtype=bool)], {}),
    "between infinity and a number": (np.interp, [np.array([-0.1, -0.6]), np.array([-0.5, 0.0, 0.5]), np.array([np.inf, -0.6, -0.35])], {}),
    "product of truths": (np.linalg.vecdot, [np.ones(3, bool), np.ones(3, bool)], {}),
    "real": (np.real, [np.array([True, False])], {}),
    "order of products": (np.linalg.multi_dot, [[np.eye(2), np.ones((2, 2)), np.diag([1e200, 1])]], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_random_arguments_found_has_numpys_value_and_type(case):
    function, args, kwargs = FOUND[case]
    check(function, args, kwargs)
    found = answer(function, [as_tensors(x) for x in args], kwargs)
    expected = answer(function, args, kwargs)
    if isinstance(expected, Exception):
        assert type(found) is type(expected)
    else:
        assert not isinstance(found, Exception), found
        assert found.dtype == np.asarray(expected).dtype


@pytest.mark.parametrize("lengths", [(2, 9, 1, 9), (9, 1, 9, 2, 5), (3, 4, 5, 6, 2, 7)])
def test_a_product_of_many_matrices_has_the_fewest_multiplications(lengths):
    arrays = [np.random.default_rng(0).standard_normal(pair) for pair in pairwise(lengths)]
    y = np.linalg.multi_dot([Tensor(x, None, True) for x in arrays])
    np.testing.assert_allclose(y.value, np.linalg.multi_dot(arrays), rtol=1e-12)
    costs = np.linalg._linalg._multi_dot_matrix_chain_order(arrays, return_costs=True)[1]
    assert flops(y) == 2 * costs[0, len(arrays) - 1]
