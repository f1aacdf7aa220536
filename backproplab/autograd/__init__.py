"""A NumPy autograd: the graph is data, rules are written in ops, derivatives of any order.

It knows nothing of networks. It needs NumPy only, and SciPy for erf and GMRES.
"""

from backproplab.autograd import (
    operators,  # binds + - @ [] to Tensor
    ops,
)
from backproplab.autograd.backward import backward
from backproplab.autograd.custom import checkpoint, custom_vjp, stop_gradient
from backproplab.autograd.gradcheck import GradcheckError, central_difference, gradcheck
from backproplab.autograd.implicit import fixed_point, linear_solve, root
from backproplab.autograd.primitive import OPS, Op, apply, primitive
from backproplab.autograd.tensor import Node, Tensor
from backproplab.autograd.transforms import (
    ggnvp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = [
    "OPS",
    "GradcheckError",
    "Node",
    "Op",
    "Tensor",
    "apply",
    "backward",
    "central_difference",
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
    "linear_solve",
    "operators",
    "ops",
    "primitive",
    "root",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
