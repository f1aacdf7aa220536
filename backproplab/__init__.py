"""Gradient descent and backpropagation experiments on a NumPy autograd.

>>> import backproplab as bpl
>>> bpl.grad(lambda x: x**3)(2.0)
Tensor(12., dtype=float64)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproplab import numpy, scipy, sweep
    from backproplab.autograd import (
        Tensor,
        checkpoint,
        custom_vjp,
        fixed_point,
        ggnvp,
        grad,
        gradcheck,
        hessian,
        hvp,
        jacobian,
        jvp,
        ops,
        root,
        stop_gradient,
        value_and_grad,
        vjp,
    )
    from backproplab.config import load
    from backproplab.experiment import model, resume, run
    from backproplab.registry import families

# name -> where it is defined; imported on first use, so that `backproplab --help` is quick
_HOME = {
    **dict.fromkeys(
        [
            "Tensor",
            "checkpoint",
            "custom_vjp",
            "fixed_point",
            "ggnvp",
            "grad",
            "gradcheck",
            "hessian",
            "hvp",
            "jacobian",
            "jvp",
            "ops",
            "root",
            "stop_gradient",
            "value_and_grad",
            "vjp",
        ],
        "backproplab.autograd",
    ),
    "load": "backproplab.config",
    "model": "backproplab.experiment",
    "resume": "backproplab.experiment",
    "run": "backproplab.experiment",
    "families": "backproplab.registry",
}

__all__ = [
    "Tensor",
    "checkpoint",
    "custom_vjp",
    "families",
    "fixed_point",
    "ggnvp",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "model",
    "numpy",
    "ops",
    "resume",
    "root",
    "run",
    "scipy",
    "stop_gradient",
    "sweep",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    if name in ("numpy", "scipy", "sweep"):  # rooms, whose functions are used by their names
        return import_module(f"backproplab.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'backproplab' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)  # found there from now on
    return found


def __dir__() -> list[str]:
    return __all__
