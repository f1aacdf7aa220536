"""Numerics: what decides how this process rounds; a run continues exactly only where it is equal.

A digest of fixed computations finds another BLAS kernel, number of threads or vector unit, whatever
it is called; NumPy's version, the kernel and our version say what to look at where it differs.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from backproplab.arrays import Array


@cache
def numerics(threads: int) -> dict[str, Any]:
    """The fingerprint within the present thread limit of BLAS, which is ``threads``."""
    blas: dict[str, Any] = next(
        (pool for pool in threadpool_info() if pool["user_api"] == "blas"), {}
    )
    return {
        "digest": _digest(),
        "numpy": np.__version__,
        "blas": f"{blas.get('internal_api', '?')} {blas.get('architecture', '?')}",
        "threads": blas.get("num_threads", threads),
        "backproplab": metadata.version("backproplab"),
    }


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """``blas: openblas SkylakeX, now openblas Haswell``; empty if nothing differs."""
    known = [key for key in before if key != "digest"]
    named = [
        f"{key}: {before[key]}, now {now.get(key)}" for key in known if before[key] != now.get(key)
    ]
    if not named and before != now:
        named = ["the same versions round differently here: another processor?"]
    return "; ".join(named)


def _digest() -> str:
    """SHA-256 of products, sums and elementwise functions of both types."""
    digest = hashlib.sha256()
    for dtype in (np.float32, np.float64):
        x: Array = np.sin(np.arange(1, 160 * 200 + 1)).reshape(160, 200).astype(dtype)
        y: Array = np.cos(np.arange(1, 200 * 96 + 1)).reshape(200, 96).astype(dtype)
        results: list[Array] = [
            x @ y,
            x.T @ x,
            x[0] @ x[1],
            np.exp(x),
            np.log(x * x + 1),
            np.tanh(x),
        ]
        for array in [*results, x.sum(), x.sum(axis=0), x.mean(axis=1)]:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
