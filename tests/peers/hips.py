"""HIPS/autograd's public names, made of ours: the shim by which its tests and examples run on us.

Installed as a pytest plugin (``-p tests.peers.hips``, with the sdist's folder in HIPS_SDIST), or by
``install(sdist)``. Files of HIPS that hold no differentiation (optimizers, wrap_util) are used as
they are. Checks of gradients are ours: a random direction in both modes, to order 2, of containers
too; combinations with complex numbers are left out, as a tensor is real.
"""

import builtins
import importlib
import inspect
import itertools
import os
import sys
import types
from pathlib import Path

import numpy as onp
import pytest

import backproplab as bpl
import backproplab.numpy as bnp
from backproplab.autograd import Op, Tensor, apply, ops
from backproplab.autograd.lowering import into
from backproplab.autograd.trees import leaves, mapped, rebuild


def value_of(x):
    return mapped(
        lambda part: part.value if isinstance(part, Tensor) and not part.tracked else part, x
    )


def nary(operator):
    """An operator of functions of one argument as one of any number, by ``argnum``."""

    def on(fun, argnum=0, *more, **settings):
        several, name = not isinstance(argnum, int), getattr(fun, "__name__", "[unknown name]")

        def called(*args, **kwargs):
            def unary(x):
                new = builtins.list(args)
                for i, v in zip(argnum, x, strict=True) if several else [(argnum, x)]:
                    new[i] = v
                return fun(*new, **kwargs)

            x = builtins.tuple(args[i] for i in argnum) if several else args[argnum]
            unary.__name__ = name
            return operator(unary, x, *more, **settings)

        called.__name__ = f"{operator.__name__}_of_{name}_wrt_argnum_{argnum}"
        called.__doc__ = f"    {operator.__name__} of function {getattr(fun, '__name__', '')} with respect to argument {argnum}."
        return called

    on.__name__, on.__doc__ = operator.__name__, f"\n    {operator.__doc__}"
    return on


def make_vjp(fun, x):
    y, pull = bpl.vjp(fun, x)
    return (lambda g: pull(g)[0]), y


def make_jvp(fun, x):
    return lambda v: bpl.jvp(fun, [x], [v])


def one(y):
    value = y.value if isinstance(y, Tensor) else y
    if isinstance(y, bool) or (value is not y and (value.size != 1 or value.dtype.kind == "b")):
        raise TypeError("Grad only applies to real scalar-output functions.")
    return y


def grad(fun, x):
    """Returns a function which computes the gradient."""
    return value_and_grad(fun, x)[1]


def value_and_grad(fun, x):
    return bpl.value_and_grad(lambda x: one(fun(x)))(x)


def elementwise_grad(fun, x):
    pull, y = make_vjp(fun, x)
    return pull(onp.ones(y.shape))


def deriv(fun, x):
    return bpl.jvp(fun, [x], [onp.ones(onp.shape(plain(x)))])[1]


def plain(x):
    return x.value if isinstance(x, Tensor) else x


def hessian(fun, x):
    return bpl.jacobian(bpl.jacobian(fun))(x)


def make_hvp(fun, x):
    return make_vjp(bpl.grad(fun), x)


def make_ggnvp(f, g=lambda x: 0.5 * onp.sum(x**2, axis=-1), f_argnum=0):
    return nary(lambda f, x: lambda v: bpl.ggnvp(f, g, x, v))(f, f_argnum)


def tensor_product(kind):
    def of(fun, argnum=0):
        if kind == "hessian":
            inner = jacobian(fun, argnum)
            along = lambda *args: onp.tensordot(inner(*args[:-1]), args[-1], onp.ndim(args[-1]))
        else:
            along = lambda *args: onp.tensordot(args[-1], fun(*args[:-1]), axes=onp.ndim(args[-1]))
        return jacobian(along, argnum)

    return of


def grad_and_aux(fun, x):
    y, pull = bpl.vjp(lambda x: builtins.tuple(fun(x)), x)
    one(y[0])
    return pull((onp.ones(y[0].shape), mapped(lambda part: onp.zeros(part.shape), y[1])))[0], y[1]


def jacobian_of(fun, x):
    return bpl.jacobian(fun)(x)


jacobian = nary(jacobian_of)


def grad_named(fun, name):
    return nary(grad)(fun, builtins.list(inspect.signature(fun).parameters).index(name))


def multigrad_dict(fun):
    signature = inspect.signature(fun)

    def called(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()

        def of(arguments):
            new = inspect.BoundArguments(signature, arguments)
            return fun(*new.args, **new.kwargs)

        return bpl.grad(lambda named: of({**bound.arguments, **named}))(
            builtins.dict(bound.arguments)
        )

    return called


def placed(args, places, arrays):
    """The arguments with these arrays at their places."""
    new = builtins.list(args)
    for i, x in zip(places, arrays, strict=True):
        new[i] = x
    return new


class primitive:  # HIPS' name
    """A function with rules ``defvjp(f, lambda y, *xs: lambda g: …)``."""

    def __init__(self, fun):
        self.fun, self.rules, self.anywhere, self.__name__ = fun, {}, None, fun.__name__
        self.op = Op(
            fun.__name__,
            into(lambda *arrays, places, args, words: fun(*placed(args, places, arrays), **words)),
            self.rule,
            (),
            "of HIPS",
        )

    def __call__(self, *args, **kwargs):
        places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.tracked]
        constants = [plain(x) for x in args]
        if not places:
            return self.fun(*constants, **kwargs)
        given = [args[i] for i in places]
        return apply(self.op, *given, places=places, args=constants, words=kwargs)

    def rule(self, position):
        def pull(g, y, *arrays, places, args, words):
            i, xs = places[position], placed(args, places, arrays)
            if self.anywhere:
                return self.anywhere(i, y, builtins.tuple(xs), words)(g)
            if i not in self.rules:
                raise NotImplementedError(f"VJP of {self.__name__} wrt argnum {i} not defined")
            found = self.rules[i](y, *xs, **words)(g)
            return found if isinstance(found, Tensor) else Tensor(onp.asarray(found, float))

        return pull

    def defgrad(self, rule, argnum=0):
        self.rules[argnum] = rule

    def defvjp(self, rule, argnum=0):
        self.rules[argnum] = lambda y, *xs: lambda g: rule(g, y, None, None, *xs)

    def defvjp_is_zero(self, argnums=(0,)):
        for i in argnums:
            self.rules[i] = lambda y, *xs, i=i: lambda g: 0.0 * ops.positive(xs[i])


def defvjp(fun, *rules, argnums=None):
    for i, rule in zip(argnums or itertools.count(), rules, strict=False):
        fun.rules[i] = rule or (lambda y, *xs, i=i: lambda g: 0.0 * ops.positive(xs[i]))


def defvjp_argnum(fun, rule):
    fun.anywhere = rule


# --- checks

EPS, TOL = 1e-6, 1e-6


def close(a, b):
    return abs(a - b) < TOL or abs(a - b) / abs(a + b) < TOL


def floats(x):
    return mapped(lambda part: onp.asarray(plain(part)), x)


def is_complex(x):
    return any(onp.iscomplexobj(part) for part in leaves(x))


def like(x):
    return mapped(lambda part: onp.asarray(onp.random.standard_normal(onp.shape(plain(part)))), x)


def added(x, v, scale):
    sums = [onp.asarray(plain(a)) + scale * b for a, b in zip(leaves(x), leaves(v), strict=True)]
    return rebuild(x, iter(sums))


def entries(x):
    """The leaves of nested lists, also of a list of numbers."""
    if isinstance(x, builtins.dict):
        return [leaf for part in x.values() for leaf in entries(part)]
    if isinstance(x, builtins.list | builtins.tuple):
        return [leaf for part in x for leaf in entries(part)]
    return [x]


def inner(x, y):
    pairs = zip(entries(x), entries(y), strict=True)
    return builtins.sum(
        float(onp.sum(onp.asarray(plain(a)) * onp.asarray(plain(b)))) for a, b in pairs
    )


def check_equivalent(x, y):
    x, y = floats(x), floats(y)
    shapes = [onp.shape(part) for part in leaves(x)], [onp.shape(part) for part in leaves(y)]
    assert shapes[0] == shapes[1], shapes
    v = like(x)
    assert close(inner(x, v), inner(y, v)), f"{x} and {y} differ"


def check_unary(f, x, order, modes):
    x = floats(x)
    if is_complex(x):
        pytest.skip("complex numbers")
    v = like(x)
    y, pull = bpl.vjp(f, x)
    u = like(y)
    (g,) = pull(u)
    assert [onp.shape(plain(a)) for a in leaves(g)] == [onp.shape(a) for a in leaves(x)]
    up, down = f(added(x, v, EPS / 2)), f(added(x, v, -EPS / 2))
    numeric = (inner(u, up) - inner(u, down)) / EPS
    name = getattr(f, "__name__", "")
    assert close(inner(g, v), numeric), (
        f"(VJP) check of {name} failed: {inner(g, v)}, numeric {numeric}"
    )
    if "fwd" in modes:
        forward = inner(u, bpl.jvp(f, [x], [v])[1])
        assert close(forward, numeric), (
            f"(JVP) check of {name} failed: {forward}, numeric {numeric}"
        )
    if order > 1:
        pulled = lambda pair: bpl.vjp(f, pair[0])[1](pair[1])[0]
        pulled.__name__ = f"vjp_{name}"
        check_unary(pulled, (x, u), order - 1, modes)


def check_grads_of(f, x, modes=("fwd", "rev"), order=2):
    check_unary(f, x, order, modes)


check_grads = nary(check_grads_of)


def combo_check(fun, *args, **kwargs):
    def check(*choices, **words):
        named = [[(k, x) for x in xs] for k, xs in words.items()]
        for xs in itertools.product(*choices):
            if not is_complex(builtins.list(xs)):
                for pairs in itertools.product(*named):
                    check_grads(fun, *args, **kwargs)(*xs, **builtins.dict(pairs))

    return check


def flatten(value):
    entries = [ops.ravel(x) for x in _sorted(value)]
    flat = ops.concatenate(entries) if entries else onp.zeros(0)
    shapes = [onp.shape(plain(x)) for x in _sorted(value)]

    def unflatten(vector):
        ends = onp.cumsum([0, *[int(onp.prod(shape)) for shape in shapes]])
        parts = [
            ops.reshape(vector[i:j], shape=s)
            for i, j, s in zip(ends[:-1], ends[1:], shapes, strict=True)
        ]
        return value_of(_rebuilt(value, iter(parts)))

    return value_of(flat), unflatten


def fixed_point(f, a, x0, distance, tol):
    return bpl.fixed_point(lambda x, a: f(a)(x), x0, a)


def flatten_func(func, example):
    flat, unflatten = flatten(example)
    return lambda x, *words: flatten(func(unflatten(x), *words))[0], unflatten, flat


def _sorted(value):
    if isinstance(value, builtins.dict):
        return [x for key in sorted(value) for x in _sorted(value[key])]
    if isinstance(value, builtins.list | builtins.tuple):
        return [x for part in value for x in _sorted(part)]
    return [value]


def _rebuilt(value, parts):
    if isinstance(value, builtins.dict):
        return {key: _rebuilt(value[key], parts) for key in sorted(value)}
    if isinstance(value, builtins.list | builtins.tuple):
        return type(value)([_rebuilt(part, parts) for part in value])
    return next(parts)


def internal(*words, **more):
    pytest.skip("internals of HIPS/autograd")


class Internal:
    __contains__ = __getitem__ = __iter__ = pop = internal


def module(name, **names):
    made = types.ModuleType(name)
    vars(made).update(names)
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, made)
    return made


def alias(name, real):
    sys.modules[name] = real
    parent, _, last = name.rpartition(".")
    setattr(sys.modules[parent], last, real)


def install(sdist):
    """``import autograd`` is from now on this shim."""
    folder = Path(sdist) / "autograd"
    operators = {
        f.__name__: nary(f)
        for f in (
            grad,
            value_and_grad,
            elementwise_grad,
            deriv,
            make_hvp,
            grad_and_aux,
            hessian,
            make_vjp,
            make_jvp,
        )
    }
    built = {
        name: getattr(builtins, name) for name in ("dict", "list", "tuple", "isinstance", "type")
    }
    root = module(
        "autograd", **operators, **built, jacobian=jacobian, make_ggnvp=make_ggnvp, primitive=primitive,
        hessian_tensor_product=tensor_product("hessian"), hessian_vector_product=tensor_product("hessian"),
        tensor_jacobian_product=tensor_product("jacobian"), vector_jacobian_product=tensor_product("jacobian"),
        grad_named=grad_named, multigrad_dict=multigrad_dict, checkpoint=bpl.checkpoint,
        holomorphic_grad=lambda *words: pytest.skip("complex numbers"), __path__=[str(folder)],
    )  # fmt: skip
    alias("autograd.numpy", bnp)
    for name in ("random", "linalg", "fft"):
        sys.modules[f"autograd.numpy.{name}"] = getattr(onp, name)
    names = {
        "primitive": primitive,
        "make_vjp": make_vjp,
        "make_jvp": make_jvp,
        "defvjp": defvjp,
        "defvjp_argnum": defvjp_argnum,
    }
    module("autograd.core", **names, primitive_vjps=Internal(), vspace=internal)
    module(
        "autograd.extend",
        **names,
        notrace_primitive=lambda f: lambda *xs: f(*[plain(x) for x in xs]),
    )
    module("autograd.builtins", **built)
    module(
        "autograd.tracer",
        primitive=primitive,
        isbox=lambda x: isinstance(x, Tensor) and x.tracked,
        getval=plain,
    )
    module(
        "autograd.test_util",
        check_grads=check_grads,
        combo_check=combo_check,
        check_equivalent=check_equivalent,
        scalar_close=close,
    )
    module("autograd.misc", flatten=flatten, const_graph=internal, __path__=[str(folder / "misc")])
    module("autograd.misc.flatten", flatten=flatten, flatten_func=flatten_func)
    sys.modules["autograd.misc"].flatten = flatten
    module("autograd.misc.fixed_points", fixed_point=fixed_point)
    alias("autograd.scipy", importlib.import_module("backproplab.scipy"))
    for name in ("special", "linalg", "signal", "integrate", "stats"):
        alias(f"autograd.scipy.{name}", importlib.import_module(f"backproplab.scipy.{name}"))
    for name in sys.modules["autograd.scipy.stats"].__all__:
        sys.modules[f"autograd.scipy.stats.{name}"] = getattr(bpl.scipy.stats, name)
    return root


if "HIPS_SDIST" in os.environ:  # as a plugin of pytest
    install(os.environ["HIPS_SDIST"])
