"""NumPy's functions whose result is a constant to a gradient, and those that have no rule.

Places, truths, counts, types and texts change in steps, if at all: NumPy computes them of the
values, also of a tracked tensor.
"""

from __future__ import annotations

import numpy as np
import numpy.linalg as la

from backproplab.autograd.like_numpy.signatures import present
from backproplab.autograd.like_numpy.table import RULES, constant, of_op, refuse

PLACES = (np.argpartition, np.argwhere, np.nonzero, np.flatnonzero, np.searchsorted, np.digitize,
          np.lexsort, np.nanargmax, np.nanargmin, np.diag_indices_from, np.tril_indices_from,
          np.triu_indices_from, np.ravel_multi_index, np.unravel_index, np.ix_,
          np.unique_inverse)  # fmt: skip
TRUTHS = (np.allclose, np.isclose, np.array_equal, np.array_equiv, np.isin, np.isneginf,
          np.isposinf, np.isreal, np.iscomplex, np.iscomplexobj, np.isrealobj, np.may_share_memory,
          np.shares_memory, np.signbit)  # fmt: skip
TYPES = (np.result_type, np.can_cast, np.min_scalar_type, np.common_type)
SIZES = (np.shape, np.ndim, np.size, la.matrix_rank, np.unique_counts, np.angle, np.einsum_path)
TEXTS = (np.array2string, np.array_repr, np.array_str)
WHOLE = (np.packbits, np.unpackbits, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert,
         np.bitwise_count, np.left_shift, np.right_shift, np.gcd, np.lcm)  # fmt: skip
STEPS = (np.floor_divide, np.spacing, np.isnat)

RULES |= {f: constant(f) for f in (*PLACES, *TRUTHS, *TYPES, *SIZES, *TEXTS, *WHOLE, *STEPS)}
RULES |= {f: constant(f) for f in present("in1d")}
of_op(np.argsort, np.zeros_like, np.ones_like)


RULES |= {  # ``like=`` asks for an array that is made of no tensor: NumPy's own is right
    f: f
    for f in (np.arange, np.empty, np.eye, np.frombuffer, np.fromfile, np.fromfunction,
              np.fromiter, np.fromstring, np.genfromtxt, np.identity, np.loadtxt, np.ones, np.tri,
              np.zeros)
}  # fmt: skip

refuse(
    "it writes into an array, which has no graph: use np.where, or build the array with np.stack",
    np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask,
)  # fmt: skip
refuse(
    "a file has no graph: save x.value",
    np.save, np.savetxt, np.savez, np.savez_compressed,
)  # fmt: skip
refuse(
    "its result is complex, and a tensor is real: compute the real and the imaginary part",
    np.roots, np.sort_complex, np.emath.sqrt, np.emath.log, np.emath.log2,
    np.emath.log10, np.emath.logn, np.emath.power, np.emath.arccos, np.emath.arcsin,
    np.emath.arctanh, np.fft.fft, np.fft.fft2, np.fft.fftn, np.fft.hfft, np.fft.ifft, np.fft.ifft2,
    np.fft.ifftn, np.fft.ihfft, np.fft.irfft, np.fft.irfft2, np.fft.irfftn, np.fft.rfft,
    np.fft.rfft2, np.fft.rfftn,
)  # fmt: skip
refuse(
    "its counts are steps, but its edges are not: call it with ops.stop_gradient(x)",
    np.histogram, np.histogram2d, np.histogramdd, np.histogram_bin_edges,
)  # fmt: skip
refuse(
    "dates are no real numbers",
    np.busday_count, np.busday_offset, np.is_busday, np.datetime_as_string,
)  # fmt: skip
refuse(
    "it has several results of which some are entries: np.unique(x) has a rule",
    np.unique_all, np.intersect1d, np.setxor1d,
)  # fmt: skip
refuse(
    "the number next to x is no function with a derivative: call it with ops.stop_gradient(x)",
    np.nextafter,
)
refuse("long division has no rule yet: multiply by the other factor instead", np.polydiv)
