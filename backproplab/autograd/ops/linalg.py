"""Products of matrices, batched over leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.ops.shapes import reshape, swapaxes
from backproplab.autograd.primitive import composition, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor


def _flip(x: Tensor) -> Tensor:
    return swapaxes(x, first=-1, second=-2)


matrix_product = primitive(
    "matrix_product",
    np.matmul,
    vjp=[lambda g, y, a, b: g @ _flip(b), lambda g, y, a, b: _flip(a) @ g],
    samples=[
        reals((3, 4), (4, 2)),
        reals((2, 3, 4), (2, 4, 2)),
        reals((2, 3, 4), (4, 2)),
        reals((5, 1, 3, 4), (2, 4, 2)),
    ],
    doc="a b for matrices (…, n, k) and (…, k, m); leading axes broadcast.",
)


@composition
def matmul(a: Any, b: Any) -> Tensor:
    """a @ b with NumPy's meaning: a vector is a row on the left, a column on the right."""
    left, right = shape_of(a), shape_of(b)
    if len(left) > 1 and len(right) > 1:
        return matrix_product(a, b)
    row = reshape(a, shape=(1, *left)) if len(left) == 1 else a
    column = reshape(b, shape=(*right, 1)) if len(right) == 1 else b
    product = matrix_product(row, column)
    rows = () if len(left) == 1 else product.shape[-2:-1]
    columns = () if len(right) == 1 else product.shape[-1:]
    return reshape(product, shape=(*product.shape[:-2], *rows, *columns))
