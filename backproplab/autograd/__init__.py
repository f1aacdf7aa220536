"""A NumPy autograd: the graph is data, rules are written in ops, any order of derivative.

It knows nothing of networks. NumPy only, and SciPy's special functions where they are called.
"""

from backproplab.autograd import (
    operators,  # binds + - @ [] onto Tensor
    ops,
)
from backproplab.autograd.backward import backward
from backproplab.autograd.gradcheck import GradcheckError, central_difference, gradcheck
from backproplab.autograd.primitive import OPS, Op, apply, primitive
from backproplab.autograd.tensor import Node, Tensor
from backproplab.autograd.transforms import (
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
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "operators",
    "ops",
    "primitive",
    "value_and_grad",
    "vjp",
]
